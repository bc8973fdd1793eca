import { Button, Checkbox, UnstyledButton } from "@mantine/core";
import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Check, Down, Right } from "../../design/icons";
import { bytes, dateTime, number, say, timeOfDaySeconds } from "../../i18n";
import type { RecordPage, Sentence } from "../../ipc/bindings";
import { asSentence } from "../../ipc/client";
import { matches } from "./DayTab";

/** What is here of a list: all of one moment. */
export type Pages = RecordPage;

/** A list that comes page by page; another `turn` asks anew for as much of it as is here. */
export function usePages(ask: (after?: number) => Promise<RecordPage>, turn: string) {
  const [pages, setPages] = useState<Pages | null>(null);
  const [problem, setProblem] = useState<Sentence | null>(null);
  /** How many records are here, and of which asking. */
  const here = useRef(0);
  const asked = useRef(0);
  /** Reads the list from its front, at least so much of it. */
  const read = useCallback(
    async (least: number) => {
      const mine = ++asked.current;
      try {
        let pages = await ask();
        while (mine === asked.current && pages.next !== null && pages.items.length < least) {
          const page = await ask(pages.next);
          // It changed meanwhile: another front belongs to this page.
          pages = page.total === pages.total ? follow(pages, page) : await ask();
        }
        if (mine !== asked.current) return;
        here.current = pages.items.length;
        setPages(pages);
        setProblem(null);
      } catch (thrown) {
        if (mine === asked.current) setProblem(asSentence(thrown));
      }
    },
    [ask],
  );
  useEffect(() => {
    // Whoever read on goes on reading where they were.
    void read(here.current);
    return () => {
      asked.current += 1;
    };
  }, [read, turn]);
  const more = useCallback(() => read(here.current + 1), [read]);
  return { pages, problem, more };
}

/** The request's body stands on the first page alone. */
function follow(pages: Pages, page: RecordPage): Pages {
  return { ...page, items: [...pages.items, ...page.items], body: pages.body };
}

type ListProps = {
  pages: Pages;
  search: string;
  onMore: () => void;
  /** Which are chosen; without it nothing can be chosen. */
  chosen?: Set<number>;
  onChosen?: (chosen: Set<number>) => void;
};

/** Records, each of which opens to what it is on the wire. */
export function RecordList({ pages, search, onMore, chosen, onChosen }: ListProps) {
  const { t } = useTranslation();
  const [open, setOpen] = useState<number | null>(null);
  const found = pages.items.filter((one) =>
    matches(search, one.app, one.kind, t(`knows.kind.${one.kind}`), one.json, one.reason),
  );
  const toggle = (seq: number) => {
    const next = new Set(chosen);
    if (!next.delete(seq)) next.add(seq);
    onChosen?.(next);
  };
  if (pages.items.length === 0) return null;
  if (found.length === 0 && search.trim() !== "")
    return <p className="quiet no-snags">{t("knows.nothing_found", { search })}</p>;
  return (
    <>
      <ul className="records">
        {found.map((one) => (
          <li key={one.seq}>
            <div className="record-line">
              {chosen && onChosen && (
                <Checkbox
                  size="xs"
                  checked={chosen.has(one.seq)}
                  onChange={() => toggle(one.seq)}
                  aria-label={t("knows.choose", { seq: number(one.seq) })}
                />
              )}
              <UnstyledButton
                className="record-open"
                aria-expanded={open === one.seq}
                onClick={() => setOpen(open === one.seq ? null : one.seq)}
              >
                {open === one.seq ? <Down size={14} /> : <Right size={14} />}
                <span className="record-time">{timeOfDaySeconds(one.at)}</span>
                <span className="record-kind">{t(`knows.kind.${one.kind}`)}</span>
                <span className="record-app">{one.app}</span>
                {one.reason ? (
                  <span className="record-reason">{one.reason}</span>
                ) : (
                  <code className="record-json">{one.json}</code>
                )}
              </UnstyledButton>
            </div>
            {open === one.seq && (
              <div className="record-whole">
                <p className="quiet">{dateTime(one.at)}</p>
                {one.reason && <p>{say({ key: "refused.unknown", values: { reason: one.reason } })}</p>}
                <pre>{indented(one.json)}</pre>
              </div>
            )}
          </li>
        ))}
      </ul>
      {pages.next != null && (
        <Button variant="subtle" size="xs" onClick={onMore}>
          {t("knows.more", { rest: number(pages.total - pages.items.length) })}
        </Button>
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
