import { Button, Checkbox, UnstyledButton } from "@mantine/core";
import i18next from "i18next";
import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Check, Down, Right } from "../../design/icons";
import { bytes, dateTime, number, say, timeOfDaySeconds } from "../../i18n";
import type { RecordPage, RecordView, Sentence } from "../../ipc/bindings";
import { asSentence } from "../../ipc/client";
import { matches } from "./DayTab";
import { Entry } from "./Entry";

/** What is here of a list: all of one moment. */
export type Pages = RecordPage;

/** What is read, and what that was looked through for. */
type Read = { pages: Pages | null; problem: Sentence | null; sought: string };

/** So often a reading begins anew because the list changes meanwhile. Then what is here has to do. */
const MOST_FRONTS = 5;

/**
 * A list that comes page by page; another `turn` asks anew for as much of it as is here.
 *
 * Where something is searched and nothing here holds it, the list is read on until something does: what isn't read yet may.
 */
export function usePages(ask: (after?: number) => Promise<RecordPage>, turn: string, search: string) {
  const [{ pages, problem, sought }, setRead] = useState<Read>({ pages: null, problem: null, sought: "" });
  /** How many records are here, and of which asking. */
  const here = useRef(0);
  const asked = useRef(0);
  const wanted = useRef(search);
  /** Reads the list from its front, at least so much of it, and so much that holds what is searched. */
  const read = useCallback(
    async (least: number, hits: number) => {
      const mine = ++asked.current;
      const sought = wanted.current;
      try {
        let pages = await ask();
        let found = holding(sought, pages.items).length;
        let fronts = 1;
        while (
          mine === asked.current &&
          pages.next !== null &&
          (pages.items.length < least || found < hits) &&
          fronts <= MOST_FRONTS
        ) {
          const page = await ask(pages.next);
          if (page.total === pages.total) {
            pages = follow(pages, page);
            found += holding(sought, page.items).length;
          } else {
            // It changed meanwhile: another front belongs to this page.
            pages = await ask();
            found = holding(sought, pages.items).length;
            fronts += 1;
          }
        }
        if (mine !== asked.current) return;
        here.current = pages.items.length;
        setRead({ pages, problem: null, sought });
      } catch (thrown) {
        // What was looked for is given up until the person asks again.
        if (mine === asked.current) setRead((last) => ({ ...last, problem: asSentence(thrown), sought }));
      }
    },
    [ask],
  );
  const found = holding(search, pages?.items ?? []);
  // Once for each search: a page that fails, or a list that doesn't hold still, ends it.
  const searching = found.length === 0 && pages !== null && pages.next !== null && sought !== search;
  useEffect(() => {
    wanted.current = search;
    if (searching) void read(here.current, 1);
  }, [read, search, searching]);
  useEffect(() => {
    // Whoever read on goes on reading where they were.
    void read(here.current, 1);
    return () => {
      asked.current += 1;
    };
  }, [read, turn]);

  const more = useCallback(() => read(here.current + 1, found.length + 1), [found.length, read]);
  return { pages, problem, found, searching, more };
}

/** The records of these that hold what is searched. */
function holding(search: string, records: RecordView[]): RecordView[] {
  return records.filter((one) =>
    matches(search, one.app, one.kind, i18next.t(`knows.kind.${one.kind}`), one.json, one.reason),
  );
}

/** The request's body stands on the first page alone. */
function follow(pages: Pages, page: RecordPage): Pages {
  return { ...page, items: [...pages.items, ...page.items], body: pages.body };
}

type ListProps = {
  list: ReturnType<typeof usePages>;
  /** Which are chosen; without it nothing can be chosen. */
  chosen?: Set<number>;
  onChosen?: (chosen: Set<number>) => void;
};

/** Records, each of which opens to what it is on the wire. */
export function RecordList({ list: { pages, found, searching, more }, chosen, onChosen }: ListProps) {
  const { t } = useTranslation();
  const [open, setOpen] = useState<number | null>(null);
  const toggle = (seq: number) => {
    const next = new Set(chosen);
    if (!next.delete(seq)) next.add(seq);
    onChosen?.(next);
  };
  if (!pages) return null;
  return (
    <>
      {found.length > 0 && (
        <ul className="records">
          {found.map((one) => (
            <Entry
              key={one.seq}
              open={open === one.seq}
              onToggle={() => setOpen(open === one.seq ? null : one.seq)}
              before={
                chosen &&
                onChosen && (
                  <Checkbox
                    size="xs"
                    checked={chosen.has(one.seq)}
                    onChange={() => toggle(one.seq)}
                    aria-label={t("knows.choose", { seq: number(one.seq) })}
                  />
                )
              }
              line={
                <>
                  <span className="record-time">{timeOfDaySeconds(one.at)}</span>
                  <span className="record-kind">{t(`knows.kind.${one.kind}`)}</span>
                  <span className="record-app">{one.app}</span>
                  {one.reason ? (
                    <span className="record-reason">{one.reason}</span>
                  ) : (
                    <code className="record-json">{one.json}</code>
                  )}
                </>
              }
            >
              <p className="quiet">{dateTime(one.at)}</p>
              {one.reason && <p>{say({ key: "refused.unknown", values: { reason: one.reason } })}</p>}
              <pre>{indented(one.json)}</pre>
            </Entry>
          ))}
        </ul>
      )}
      {searching ? (
        <p className="quiet no-snags" role="status">
          {t("knows.searching")}
        </p>
      ) : (
        pages.next !== null && (
          <Button variant="subtle" size="xs" onClick={() => void more()}>
            {t("knows.more", { rest: number(pages.total - pages.items.length) })}
          </Button>
        )
      )}
    </>
  );
}

/** The exact body of the next request. */
export function Body({ body }: { body: string }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const [copied, setCopied] = useState(false);
  if (body === "") return null;
  const copy = () =>
    navigator.clipboard.writeText(body).then(
      () => setCopied(true),
      // Not allowed here: the text can still be selected.
      () => setOpen(true),
    );
  return (
    <section className="body-of-next">
      <div className="body-line">
        <UnstyledButton
          className="opener"
          aria-expanded={open}
          aria-controls="body-of-next"
          onClick={() => setOpen(!open)}
        >
          {open ? <Down size={16} /> : <Right size={16} />}
          <span>{t("knows.body", { size: bytes(new TextEncoder().encode(body).length) })}</span>
        </UnstyledButton>
        <Button
          variant="subtle"
          size="compact-xs"
          leftSection={copied ? <Check size={14} /> : undefined}
          onClick={() => void copy()}
        >
          {copied ? t("knows.copied") : t("knows.copy")}
        </Button>
      </div>
      {open && (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- What scrolls must be reached by the keyboard.
        <div className="body-text" id="body-of-next" tabIndex={0} role="region" aria-label={t("knows.body_label")}>
          <pre>{body}</pre>
        </div>
      )}
    </section>
  );
}

function indented(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
