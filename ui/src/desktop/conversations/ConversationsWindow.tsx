import { Button, UnstyledButton } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Check, Clock, Knot, Person, Warning } from "../../design/icons";
import { dateTime, say } from "../../i18n";
import type { Conversation, SubmissionState } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import { DeleteButton, Deletion } from "../parts/Deletion";
import { Problem } from "../parts/Problem";
import { useAsked } from "../parts/useAsked";
import type { WindowProps } from "../ask";
import "./conversations.css";

/** What the person said and what was answered. */
export function ConversationsWindow({ overview }: WindowProps) {
  const { t } = useTranslation();
  // A reply that arrives, or something that was sent, changes the list.
  const asked = useAsked(
    client.conversations,
    `${overview?.unread_replies}/${overview?.waiting_feedback}/${overview?.last_sent_at}`,
  );
  const { again } = asked;
  const [shown, setShown] = useState<string | null>(null);
  const [asking, setAsking] = useState<string | null>(null);
  const page = useRef<HTMLElement>(null);

  const list = asked.value ?? [];
  const open = list.find((one) => one.id === shown) ?? firstToShow(list);
  // What is shown stays, also once it was read: only the person turns to another.
  if (open && open.id !== shown) setShown(open.id);

  const unread = open?.unread ?? 0;
  const id = open?.id;
  useEffect(() => {
    if (id && unread > 0) void client.conversationRead(id).then(again, () => undefined);
  }, [id, unread, again]);

  return (
    <main ref={page} className="conversations" aria-busy={!asked.value && !asked.problem}>
      <h1 className="sr-only">{t("window.conversations")}</h1>
      {asked.problem && <Problem sentence={asked.problem} />}
      {asked.value && list.length === 0 && (
        <div className="empty">
          <Knot size={40} />
          <h2>{t("conversations.empty")}</h2>
          <p>{t("conversations.empty_text")}</p>
          <Button onClick={() => void client.openWindow("feedback")}>{t("conversations.give")}</Button>
        </div>
      )}
      {open && (
        <>
          <nav className="threads" aria-label={t("window.conversations")}>
            <ul>
              {list.map((one) => (
                <li key={one.id}>
                  <UnstyledButton
                    className="thread-line"
                    aria-current={one.id === open.id || undefined}
                    onClick={() => setShown(one.id)}
                  >
                    <span className="thread-head">
                      <strong>{one.app || t(`category.${one.category}`)}</strong>
                      {one.unread > 0 && (
                        <span className="badge">{t("conversations.unread", { count: one.unread })}</span>
                      )}
                    </span>
                    <span className="thread-text">{one.description}</span>
                    <span className="quiet">{dateTime(one.at)}</span>
                  </UnstyledButton>
                </li>
              ))}
            </ul>
          </nav>
          <Thread conversation={open} onDelete={() => setAsking(open.id)} />
        </>
      )}
      <Deletion
        id={asking}
        list={list}
        organisation={overview?.organisation ?? ""}
        onClose={() => setAsking(null)}
        onDone={(id) => {
          setShown(beside(list, id)?.id ?? null);
          again();
        }}
        // Where the reader is now, or what is left to do where nothing is.
        onGone={() => page.current?.querySelector<HTMLElement>("[aria-current], .empty button")?.focus()}
      />
    </main>
  );
}

/** The newest reply that waits to be read comes first; else what was said last. */
function firstToShow(list: Conversation[]): Conversation | null {
  const unread = list.filter((one) => one.unread > 0);
  const newest = Math.max(...unread.map(repliedAt));
  return unread.find((one) => repliedAt(one) === newest) ?? list[0] ?? null;
}

/** When it was last answered. */
function repliedAt({ messages }: Conversation): number {
  return Math.max(0, ...messages.filter((one) => one.author !== "").map((one) => Date.parse(one.at)));
}

/** What takes the place of one that goes. */
function beside(list: Conversation[], id: string): Conversation | null {
  const at = list.findIndex((one) => one.id === id);
  return list[at + 1] ?? list[at - 1] ?? null;
}

function Thread({ conversation, onDelete }: { conversation: Conversation; onDelete: () => void }) {
  const { t } = useTranslation();
  const { app, category, state, messages, picture_removed, picture_problem } = conversation;
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- What scrolls must be reached by the keyboard.
    <section className="thread" tabIndex={0} aria-label={t("conversations.thread")}>
      <div className="thread-top">
        <h2>
          {app ? t("conversations.about", { category: t(`category.${category}`), app }) : t(`category.${category}`)}
        </h2>
        <DeleteButton onClick={onDelete} />
      </div>
      <ol>
        <li className="bubble" data-mine>
          <span className="bubble-who">
            <Person size={14} /> {t("conversations.you")} · {when(conversation.at)}
          </span>
          <p>{conversation.description}</p>
          <State state={state} />
          {picture_removed && <p className="quiet">{t("conversations.picture_removed")}</p>}
          {picture_problem && (
            <p className="quiet">{t("conversations.picture_problem", { reason: picture_problem })}</p>
          )}
        </li>
        {messages.map((message) => (
          <li key={message.id} className="bubble" data-mine={message.author === "" || undefined}>
            <span className="bubble-who">
              {message.author || t("conversations.you")} · {when(message.at)}
            </span>
            <p>{message.text}</p>
          </li>
        ))}
      </ol>
      {state.state === "sent" && messages.length === 0 && <p className="quiet">{t("conversations.no_answer")}</p>}
    </section>
  );
}

/** Never broken at the end of a line. */
function when(at: string): string {
  return dateTime(at).replaceAll(" ", "\u00a0");
}

/** How far it is, by a symbol and in words. */
function State({ state }: { state: SubmissionState }) {
  const { t } = useTranslation();
  const [Icon, text] =
    state.state === "sent"
      ? ([Check, t("conversations.state.sent", { at: when(state.at) })] as const)
      : state.state === "waiting"
        ? ([Clock, t("conversations.state.waiting")] as const)
        : ([Warning, say({ key: "refused.unknown", values: { reason: state.reason } })] as const);
  return (
    <span className="state" data-state={state.state}>
      <Icon size={14} /> {text}
    </span>
  );
}
