import { ActionIcon, Button, NativeSelect, Tabs, TextInput } from "@mantine/core";
import { useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Export, Left, Right, Search, Trash } from "../../design/icons";
import { bytes, dateTime, longDate, number } from "../../i18n";
import type { Conversation, Deleted, Overview, Sentence } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import { useAnnounce } from "../parts/Announcer";
import { Confirm } from "../parts/Confirm";
import { once, says } from "../parts/once";
import { Problem } from "../parts/Problem";
import { useAsked } from "../parts/useAsked";
import type { WindowProps } from "../ask";
import { DayTab, matches } from "./DayTab";
import { Body, RecordList, usePages } from "./Records";
import { holdingWords, Said, SaidToo } from "./Said";
import { StateLine } from "./StateLine";
import "./knows.css";

const TABS = ["day", "waiting", "sent", "refused", "looked"] as const;
type Tab = (typeof TABS)[number];

/** What Snag knows: a day, what waits, what left, what was refused, who looked. */
export function KnowsWindow({ overview }: WindowProps) {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const [tab, setTab] = useState<Tab>("day");
  const [search, setSearch] = useState("");
  const [date, setDate] = useState<string | undefined>(undefined);
  const [turn, setTurn] = useState(0);
  const [picked, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [asking, setAsking] = useState<"day" | "waiting" | "refused" | "forget" | null>(null);
  const [problem, setProblem] = useState<Sentence | null>(null);
  const [exported, setExported] = useState<string | null>(null);
  /** How many that were to be deleted were on their way already, and what had left by then. */
  const [leaving, setLeaving] = useState<{ count: number; sentAt?: string | null } | null>(null);

  /** What is searched in a list is read on to where it is looked at, and no other. */
  const wanted = (of: Tab) => (tab === of ? search.trim() : "");
  const day = useAsked(useCallback(() => client.knowsDay(date), [date]));
  const [listed, setListed] = useState(overview?.waiting_records ?? 0);
  const waiting = usePages(client.knowsWaiting, `${turn}/${listed}`, wanted("waiting"));
  // What left meanwhile isn't chosen any more.
  const chosen = new Set((waiting.pages?.items ?? []).map((one) => one.seq).filter((seq) => picked.has(seq)));
  /** What is asked about stays what it was, whatever leaves meanwhile; nothing is all that waits. */
  const [doomed, setDoomed] = useState<number[] | null>(null);
  const refused = usePages(client.knowsRefused, `${turn}`, wanted("refused"));
  const sent = useAsked(client.knowsSent);
  const looked = useAsked(client.knowsLooked);
  const conversations = useAsked(
    client.conversations,
    `${overview?.waiting_feedback}/${overview?.refused_feedback}/${overview?.last_sent_at}`,
  );

  const save = async () => {
    setProblem(null);
    setExported(null);
    try {
      const path = await client.exportJson();
      if (path) {
        setExported(path);
        announce(t("knows.exported", { path }));
      }
    } catch (thrown) {
      setProblem(client.asSentence(thrown));
    }
  };
  const renew = () => {
    setChosen(new Set());
    setTurn((last) => last + 1);
    day.again();
    sent.again();
    conversations.again();
  };

  // What was sent while the window is open waits no more.
  const sentAt = overview?.last_sent_at;
  const shownSentAt = useRef(sentAt);
  useEffect(() => {
    if (shownSentAt.current !== undefined && shownSentAt.current !== sentAt) renew();
    shownSentAt.current = sentAt;
  });

  // What was noticed meanwhile waits, too: the list and the next request are of the moment that the head tells of.
  const waitingNow = overview?.waiting_records ?? 0;
  if (tab === "waiting" && listed !== waitingNow) setListed(waitingNow);

  const days = day.value?.days ?? [];
  const shown = day.value?.date;
  const at = shown ? days.indexOf(shown) : -1;

  // The list, the next request and each count are of one moment: where what waits is shown, that of the list.
  const listedNow = tab === "waiting" ? waiting.pages : null;
  const waits = listedNow ? listedNow.total + listedNow.unstored : waitingNow;

  // As the head counts them: all that was said is listed in Conversations, and named here; what didn't leave is here, too.
  const said = {
    waiting: overview?.waiting_feedback ?? 0,
    sent: overview?.sent_feedback ?? 0,
    refused: overview?.refused_feedback ?? 0,
  };
  const counts: Partial<Record<Tab, number>> = {
    waiting: waits + said.waiting,
    refused: (refused.pages?.total ?? 0) + said.refused,
    looked: looked.value?.length ?? 0,
  };

  const unsent = (state: "waiting" | "refused") =>
    (conversations.value ?? []).filter((one) => one.state.state === state);
  const saidHere = (state: "waiting" | "refused") => (
    <Said
      count={said[state]}
      text={t(`knows.feedback_${state}`, { number: number(said[state]) })}
      said={unsent(state)}
      all={conversations.value ?? []}
      search={search}
      organisation={overview?.organisation ?? ""}
      onDeleted={renew}
    />
  );
  /** That nothing here holds what is searched, once there is nothing left to look through. */
  const nowhere = ({ pages, found }: typeof waiting, said: Conversation[]) =>
    search.trim() !== "" &&
    pages?.next === null &&
    conversations.value !== null &&
    found.length === 0 &&
    pages.items.length + said.length > 0 &&
    holdingWords(search, said, t).length === 0 && (
      <p className="quiet no-snags">{t("knows.nothing_found", { search })}</p>
    );

  /** In words, what became of records: those that were on their way are still here. */
  const deletedWords = ({ deleted, leaving }: Deleted) =>
    [deleted > 0 || leaving === 0 ? t("knows.deleted") : "", leaving > 0 ? t("knows.leaving", { count: leaving }) : ""]
      .filter(Boolean)
      .join(". ");

  // What the person asked for and didn't get comes first; what a list says, too, stands there alone.
  const above = once(problem, ...problemsOf(overview));
  const unsaid = (...sentences: (Sentence | null)[]) =>
    once(...sentences)
      .filter((one) => !says(above, one))
      .map((one) => <Problem key={one.key} sentence={one} />);

  return (
    <main className="knows">
      <header className="knows-head">
        <h1 className="sr-only">{t("window.knows")}</h1>
        <StateLine overview={overview && { ...overview, waiting_records: waits }} said={above} />
        <div className="knows-tools">
          <TextInput
            size="xs"
            type="search"
            aria-label={t("knows.search")}
            placeholder={t("knows.search")}
            leftSection={<Search size={14} />}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
          <Button variant="default" size="xs" leftSection={<Export size={14} />} onClick={() => void save()}>
            {t("knows.export")}
          </Button>
        </div>
      </header>
      {above.map((one) => (
        <Problem key={one.key} sentence={one} kind={one === problem ? "danger" : "friction"}>
          {one.key === "problem.not_acknowledged" && (
            <Button size="compact-xs" variant="default" onClick={() => void client.openWindow("first-run")}>
              {t("knows.read")}
            </Button>
          )}
        </Problem>
      ))}
      {exported && <Problem sentence={{ key: "knows.exported", values: { path: exported } }} kind="info" />}

      <Tabs
        value={tab}
        onChange={(next) => {
          setTab((next as Tab | null) ?? "day");
          setLeaving(null);
        }}
        keepMounted={false}
        className="knows-tabs"
      >
        <Tabs.List aria-label={t("window.knows")}>
          {TABS.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {t(`knows.tab.${one}`)}
              {(counts[one] ?? 0) > 0 && <span className="count">{number(counts[one] ?? 0)}</span>}
            </Tabs.Tab>
          ))}
        </Tabs.List>

        <Panel value="day">
          {unsaid(day.problem)}
          {day.value && (
            <div className="list-tools">
              <ActionIcon
                variant="default"
                aria-label={t("knows.day_before")}
                disabled={at < 0 || at >= days.length - 1}
                onClick={() => setDate(days[at + 1])}
              >
                <Left size={16} />
              </ActionIcon>
              <NativeSelect
                size="xs"
                aria-label={t("knows.which_day")}
                value={day.value.date}
                onChange={(event) => setDate(event.currentTarget.value)}
                data={(days.includes(day.value.date) ? days : [day.value.date, ...days]).map((one) => ({
                  value: one,
                  label: longDate(one),
                }))}
              />
              <ActionIcon
                variant="default"
                aria-label={t("knows.day_after")}
                disabled={at <= 0}
                onClick={() => setDate(days[at - 1])}
              >
                <Right size={16} />
              </ActionIcon>
              <span className="strip-fill" />
              <Button variant="default" size="xs" leftSection={<Trash size={14} />} onClick={() => setAsking("day")}>
                {t("knows.delete_day")}
              </Button>
            </div>
          )}
          {day.value && <DayTab key={day.value.date} day={day.value} search={search} />}
        </Panel>

        <Panel value="waiting">
          {unsaid(waiting.problem, conversations.problem)}
          {leaving && leaving.count > 0 && leaving.sentAt === sentAt && (
            <Problem sentence={{ key: "knows.leaving", values: { count: String(leaving.count) } }} kind="info" />
          )}
          {saidHere("waiting")}
          {waiting.pages && (
            <>
              {said.waiting > 0 && waiting.pages.total > 0 && <h2>{t("knows.records")}</h2>}
              {(waiting.pages.total > 0 || said.waiting === 0) && (
                <p className="lead">{t("knows.waiting_text", { count: waiting.pages.total })}</p>
              )}
              {waiting.pages.unstored > 0 && (
                <p className="lead">{t("knows.unstored", { count: waiting.pages.unstored })}</p>
              )}
              {waiting.pages.total > 0 && (
                <div className="list-tools">
                  <Button
                    variant="default"
                    size="xs"
                    leftSection={<Trash size={14} />}
                    onClick={() => {
                      setDoomed(chosen.size > 0 ? [...chosen] : null);
                      setAsking("waiting");
                    }}
                  >
                    {chosen.size > 0 ? t("knows.delete_chosen", { count: chosen.size }) : t("knows.delete_all")}
                  </Button>
                  {chosen.size > 0 && (
                    <Button variant="subtle" size="xs" onClick={() => setChosen(new Set())}>
                      {t("knows.choose_none")}
                    </Button>
                  )}
                  <span className="strip-fill" />
                  <Button
                    variant="subtle"
                    size="xs"
                    onClick={() =>
                      void client.syncNow().then(renew, (thrown: unknown) => setProblem(client.asSentence(thrown)))
                    }
                  >
                    {t("knows.send_now")}
                  </Button>
                </div>
              )}
              <Body body={waiting.pages.body} />
              {nowhere(waiting, unsent("waiting"))}
              <RecordList list={waiting} chosen={chosen} onChosen={setChosen} />
            </>
          )}
        </Panel>

        <Panel value="sent">
          {unsaid(sent.problem)}
          {sent.value && (
            <>
              <p className="lead">
                {sent.value.length === 0 && said.sent === 0 ? t("knows.sent_empty") : t("knows.sent_text")}
              </p>
              <SaidToo count={said.sent} text={t("knows.feedback_sent", { number: number(said.sent) })} />
              <div className="list-tools">
                <Button
                  variant="default"
                  size="xs"
                  leftSection={<Trash size={14} />}
                  onClick={() => setAsking("forget")}
                >
                  {t("knows.forget")}
                </Button>
              </div>
              {sent.value.length > 0 && (
                <table className="table">
                  <thead>
                    <tr>
                      <th scope="col">{t("knows.sent_at")}</th>
                      <th scope="col" className="num">
                        {t("knows.records")}
                      </th>
                      <th scope="col" className="num">
                        {t("knows.size")}
                      </th>
                      <th scope="col" className="num">
                        {t("knows.refused")}
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {sent.value
                      .filter((one) => matches(search, dateTime(one.at)))
                      .map((one) => (
                        <tr key={one.at}>
                          <td>{dateTime(one.at)}</td>
                          <td className="num">{number(one.records)}</td>
                          <td className="num">{bytes(one.bytes)}</td>
                          <td className="num">{number(one.refused)}</td>
                        </tr>
                      ))}
                  </tbody>
                </table>
              )}
            </>
          )}
        </Panel>

        <Panel value="refused">
          {unsaid(refused.problem, conversations.problem)}
          {saidHere("refused")}
          {refused.pages && (
            <>
              {said.refused > 0 && refused.pages.total > 0 && <h2>{t("knows.records")}</h2>}
              {(refused.pages.total > 0 || said.refused === 0) && (
                <p className="lead">
                  {refused.pages.total === 0
                    ? t("knows.refused_empty")
                    : t("knows.refused_text", { count: refused.pages.total })}
                </p>
              )}
              {refused.pages.total > 0 && (
                <div className="list-tools">
                  <Button
                    variant="default"
                    size="xs"
                    leftSection={<Trash size={14} />}
                    onClick={() => setAsking("refused")}
                  >
                    {t("knows.delete_all")}
                  </Button>
                </div>
              )}
              {nowhere(refused, unsent("refused"))}
              <RecordList list={refused} />
            </>
          )}
        </Panel>

        <Panel value="looked">
          {unsaid(looked.problem)}
          {looked.value && (
            <>
              <p className="lead">
                {looked.value.length === 0 ? t("knows.looked_empty") : t("knows.looked_text")}{" "}
                {t("knows.looked_unlisted")}
              </p>
              {looked.value.length > 0 && (
                <table className="table">
                  <thead>
                    <tr>
                      <th scope="col">{t("knows.looked_at")}</th>
                      <th scope="col">{t("knows.looked_who")}</th>
                      <th scope="col">{t("knows.looked_role")}</th>
                      <th scope="col">{t("knows.looked_did")}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {looked.value
                      .filter((one) => matches(search, one.actor, one.role, one.action, one.feedback))
                      .map((one, index) => (
                        <tr key={index}>
                          <td>{dateTime(one.at)}</td>
                          <td>{actor(one.actor, t)}</td>
                          <td>{t([`knows.role.${one.role}`, "knows.role.other"], { role: one.role })}</td>
                          <td>
                            {t([`knows.action.${one.action.replaceAll(".", "_")}`, "knows.action.other"], {
                              action: one.action,
                            })}
                            {one.feedback && <code className="ref">{one.feedback.slice(0, 8)}</code>}
                          </td>
                        </tr>
                      ))}
                  </tbody>
                </table>
              )}
            </>
          )}
        </Panel>
      </Tabs>

      <Confirm
        opened={asking === "day"}
        onClose={() => setAsking(null)}
        title={t("knows.delete_day_title", { date: shown ? longDate(shown) : "" })}
        text={t("knows.delete_day_text")}
        action={t("common.delete")}
        done={t("knows.deleted")}
        act={() => client.deleteDay(shown ?? "")}
        onDone={renew}
      />
      <Confirm
        opened={asking === "waiting"}
        onClose={() => setAsking(null)}
        title={t("knows.delete_waiting_title", { count: doomed?.length ?? waiting.pages?.total ?? 0 })}
        text={t("knows.delete_waiting_text")}
        action={t("common.delete")}
        done={deletedWords}
        act={() => client.deleteWaiting(doomed)}
        onDone={({ leaving }) => {
          setLeaving({ count: leaving, sentAt });
          renew();
        }}
      />
      <Confirm
        opened={asking === "refused"}
        onClose={() => setAsking(null)}
        title={t("knows.delete_refused_title", { count: refused.pages?.total ?? 0 })}
        text={t("knows.delete_refused_text")}
        action={t("common.delete")}
        done={t("knows.deleted")}
        act={client.deleteRefused}
        onDone={renew}
      />
      <Confirm
        opened={asking === "forget"}
        onClose={() => setAsking(null)}
        title={t("knows.forget_title")}
        text={t("knows.forget_text", { organisation: overview?.organisation || t("common.your_organisation") })}
        action={t("knows.forget_action")}
        done={t("knows.asked")}
        act={client.requestDeletion}
        onDone={renew}
      />
    </main>
  );
}

/** What needs the person; that nothing is noticed yet is said with what to do about it. */
function problemsOf(overview: Overview | null): Sentence[] {
  if (!overview) return [];
  const state = overview.capture.state;
  const key = state === "not_enrolled" || state === "not_acknowledged" ? `problem.${state}` : null;
  if (!key || overview.problems.some((one) => one.key === key)) return overview.problems;
  return [{ key, values: {} }, ...overview.problems];
}

/** The server says `user:mara`, `token:export` or `system:retention`. */
function actor(said: string, t: (key: string, values?: Record<string, string>) => string): string {
  const [kind, ...rest] = said.split(":");
  const name = rest.join(":");
  if (kind === "token") return t("knows.actor.program", { name });
  if (kind === "system") return t("knows.actor.server");
  return name || said;
}

function Panel({ value, children }: { value: Tab; children: ReactNode }) {
  return (
    <Tabs.Panel value={value} className="knows-panel" tabIndex={0}>
      {children}
    </Tabs.Panel>
  );
}
