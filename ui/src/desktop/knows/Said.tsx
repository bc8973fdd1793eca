import { Button } from "@mantine/core";
import type { TFunction } from "i18next";
import { useId, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { dateTime, say } from "../../i18n";
import type { Conversation } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import { DeleteButton, Deletion } from "../parts/Deletion";
import { Exactly, type Source } from "../parts/Exactly";
import { matches } from "./DayTab";
import { Entry } from "./Entry";

/** What of this was said with the words that are searched. */
export function holdingWords(search: string, said: Conversation[], t: TFunction): Conversation[] {
  return said.filter(({ app, category, description, state }) =>
    matches(search, app, t(`category.${category}`), description, state.state === "refused" ? state.reason : ""),
  );
}

/** That feedback is among what is counted, and where it is. */
export function SaidToo({ count, text }: { count: number; text: string }) {
  const { t } = useTranslation();
  if (count === 0) return null;
  return (
    <p className="lead said-too">
      {text}{" "}
      <Button size="compact-xs" variant="subtle" onClick={() => void client.openWindow("conversations")}>
        {t("knows.feedback_where")}
      </Button>
    </p>
  );
}

type Props = {
  /** How many the head counts, and this in words. */
  count: number;
  text: string;
  said: Conversation[];
  /** All there are: one that is asked about may leave meanwhile. */
  all: Conversation[];
  search: string;
  organisation: string;
  onDeleted: () => void;
};

/** What the person said and didn't leave, each to the byte; nothing where there is none. */
export function Said({ count, text, said, all, search, organisation, onDeleted }: Props) {
  const { t } = useTranslation();
  const heading = useId();
  const section = useRef<HTMLElement>(null);
  const [open, setOpen] = useState<string | null>(null);
  const [asking, setAsking] = useState<string | null>(null);
  const found = holdingWords(search, said, t);
  const isShown = found.length > 0 || (count > 0 && search.trim() === "");
  return (
    <>
      {isShown && (
        <section ref={section} aria-labelledby={heading}>
          <h2 id={heading}>{t("knows.said")}</h2>
          <SaidToo count={count} text={text} />
          {found.length > 0 && (
            <ul className="records" data-said>
              {found.map((one) => {
                const words = `${heading}-${one.id}`;
                return (
                  <Entry
                    key={one.id}
                    open={open === one.id}
                    onToggle={() => setOpen(open === one.id ? null : one.id)}
                    line={
                      <>
                        <span className="record-time">{dateTime(one.at)}</span>
                        <span className="record-kind">{t(`category.${one.category}`)}</span>
                        <span className="record-app">{one.app}</span>
                        <span id={words}>{one.description}</span>
                      </>
                    }
                    after={<DeleteButton describedBy={words} onClick={() => setAsking(one.id)} />}
                  >
                    <Whole said={one} />
                  </Entry>
                );
              })}
            </ul>
          )}
        </section>
      )}
      <Deletion
        id={asking}
        list={all}
        organisation={organisation}
        onClose={() => setAsking(null)}
        onDone={onDeleted}
        onGone={() => {
          // The first of them, or the tab where it was the last.
          const next = section.current?.querySelector<HTMLElement>(".record-open");
          (next ?? document.querySelector<HTMLElement>("[role=tab][aria-selected=true]"))?.focus();
        }}
      />
    </>
  );
}

/** The request and the picture, and why the server refused them. */
function Whole({ said: { id, state } }: { said: Conversation }) {
  const source = useMemo<Source>(
    () => ({ request: () => client.feedbackKept(id), picture: () => client.feedbackKeptPicture(id) }),
    [id],
  );
  return (
    <>
      {state.state === "refused" && <p>{say({ key: "refused.unknown", values: { reason: state.reason } })}</p>}
      <Exactly source={source} refused={state.state === "refused"} />
    </>
  );
}
