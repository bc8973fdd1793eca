import { lazy, Suspense, useCallback, useEffect, useLayoutEffect, useRef, useState, type FormEvent } from "react";
import i18next from "i18next";
import { flushSync } from "react-dom";
import { useTranslation } from "react-i18next";

import { Check, PictureOff } from "../../design/icons";
import { dateTime, say, told } from "../../i18n";
import type { Category, Draft, FeedbackForm, Sentence } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import type { Opening, WindowProps } from "../ask";
import { useAnnounce } from "../parts/Announcer";
import { ChoiceChips } from "../parts/ChoiceChips";
import { once } from "../parts/once";
import { Problem } from "../parts/Problem";
import { Readable } from "../parts/Readable";
import { begin, EMPTY, type History } from "./marks";
import { TextField } from "./TextField";
import { useDraft } from "./useDraft";
import { useOpening } from "./useOpening";
import { useSecondStep } from "./useSecondStep";
import "./feedback.css";

/** Not needed before it is asked for: the text has to be there first. */
const Preview = lazy(async () => ({ default: (await import("./Preview")).Preview }));
const Discard = lazy(async () => ({ default: (await import("./Discard")).Discard }));

/** In the order of the keys 1 to 5. */
const CATEGORIES: readonly Category[] = ["bug", "idea", "question", "praise", "other"];

/** The server's limit: see sync-server/wire/src/limits.rs. */
const MOST_CHARACTERS = 10_000;

export function FeedbackWindow({ form: first, failure, overview, scheme }: WindowProps) {
  const [refused, setRefused] = useState<unknown>(null);
  const [form, setForm] = useState(first);
  if (!form || refused) return <Refused thrown={refused ?? failure} />;
  return (
    <Form
      // Another one opens as if it were the first: nothing of what was on the screen is its.
      key={form.here?.draft.id}
      opening={form}
      keptBecause={overview?.server_problem ?? null}
      scheme={scheme}
      onRefused={setRefused}
      onAnew={(here) => setForm({ asked: Promise.resolve(here), here })}
    />
  );
}

/** What becomes of the words while the server takes nothing. */
function kept(because: Sentence): string {
  if (because.key === "problem.offline") return i18next.t("feedback.offline");
  if (because.key === "problem.unauthorized") return i18next.t("feedback.unauthorized");
  return say(because);
}

/** There is no form: the window says why, and Esc has nothing to keep. */
function Refused({ thrown }: { thrown: unknown }) {
  useEffect(() => {
    performance.mark("window-ready");
    const onKey = (event: KeyboardEvent) => void (event.key === "Escape" && client.closeWindow());
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => whenLeft(client.closeWindow), []);
  return (
    <main className="page">
      <Problem sentence={client.asSentence(thrown)} />
    </main>
  );
}

type FormProps = {
  opening: Opening;
  /** What keeps the server from taking anything just now. */
  keptBecause: Sentence | null;
  scheme: "light" | "dark";
  onRefused: (thrown: unknown) => void;
  onAnew: (form: FeedbackForm) => void;
};

function Form({ opening, keptBecause, scheme, onRefused, onAnew }: FormProps) {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const second = useSecondStep();
  const words = useDraft(opening.here?.draft ?? null);
  const { draft, latest, saved, problem: notKept, update, flush, forget } = words;
  const [previewing, setPreviewing] = useState(false);
  const [asked, setAsked] = useState(false);
  /** Whether the question before all is thrown away is shown; nothing before it was asked once. */
  const [discarding, setDiscarding] = useState<boolean | null>(null);
  const [sending, setSending] = useState(false);
  /** Whether another form is on its way: what is pressed or written meanwhile would be neither's. */
  const [renewing, setRenewing] = useState(false);
  const current = useLatest(latest);
  const [problem, setProblem] = useState<Sentence | null>(null);
  const [missing, setMissing] = useState<"category" | "description" | null>(null);
  const text = useRef<HTMLTextAreaElement>(null);
  const chips = useRef<HTMLDivElement>(null);
  const onProblem = useCallback((thrown: unknown) => setProblem(client.asSentence(thrown)), []);
  const { form, setForm, history, setHistory, arrived, anew } = useOpening(opening, text, words, onRefused, onProblem);

  // The field stands in the page by now, and React gave it the focus.
  useLayoutEffect(() => {
    performance.mark("text-ready");
  }, []);

  const onHistory = useCallback(
    (next: History) => {
      setHistory(next);
      update({ crop: next.present.crop, hidden: next.present.hidden, marks: next.present.marks });
    },
    [setHistory, update],
  );

  const choose = useCallback(
    (category: Category) => {
      update({ category });
      setMissing((last) => (last === "category" ? null : last));
    },
    [update],
  );

  const send = useCallback(async () => {
    if (sending) return;
    setProblem(null);
    if (latest.current.id === "") {
      setSending(true);
      await arrived();
      setSending(false);
    }
    const now = latest.current;
    if (now.description.trim() === "") {
      setMissing("description");
      text.current?.focus();
      return;
    }
    if (!now.category) {
      setMissing("category");
      chips.current?.querySelector("input")?.focus();
      return;
    }
    setMissing(null);
    setSending(true);
    try {
      // A write that is under way must not bring the draft back after it was sent.
      await forget();
      await client.feedbackSend(now);
      announce(t("feedback.sent"));
      await client.closeWindow();
    } catch (thrown) {
      setProblem(client.asSentence(thrown));
    } finally {
      setSending(false);
    }
  }, [announce, arrived, forget, latest, sending, t]);

  const leave = useCallback(async () => {
    // What was written before Rust's form is here is kept in it.
    if (latest.current.id === "" && latest.current.description !== "") await arrived();
    await flush();
    await client.closeWindow();
  }, [arrived, flush, latest]);

  useEffect(() => whenLeft(leave), [leave]);

  const throwAway = useCallback(async () => {
    await forget();
    await client.feedbackDiscard();
  }, [forget]);

  const discard = async () => {
    // A draft that is still on its way may hold what nobody wants to lose.
    await arrived();
    if (!isEmpty(current())) {
      setDiscarding(true);
      return;
    }
    try {
      await throwAway();
      await client.closeWindow();
    } catch (thrown) {
      setProblem(client.asSentence(thrown));
    }
  };

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (renewing || document.querySelector("[role=dialog]")) return;
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        void send();
        return;
      }
      if (event.key === "Escape" && !event.defaultPrevented) {
        void leave();
        return;
      }
      const category = /^Digit[1-5]$/.test(event.code) ? CATEGORIES[Number(event.code.slice(5)) - 1] : undefined;
      const writes = (event.target as HTMLElement).closest(
        "textarea, input:not([type=radio]):not([type=checkbox]), select",
      );
      if (category && (event.altKey || !writes) && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        choose(category);
        announce(t(`category.${category}`));
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [announce, choose, leave, renewing, send, t]);

  const renew = async (button: HTMLElement) => {
    setProblem(null);
    setRenewing(true);
    try {
      const next = await anew();
      announce(t("feedback.left_kept"));
      onAnew(next);
    } catch (thrown) {
      flushSync(() => {
        onProblem(thrown);
        setRenewing(false);
      });
      // It lost the focus as nothing could be pressed.
      button.focus();
    }
  };

  const retake = async (source: string) => {
    await flush();
    const picture = await client.feedbackRetake(source);
    setForm((last) => last && { ...last, picture });
    // What was hidden on the old picture would be elsewhere on the new one.
    onHistory(begin(EMPTY));
    announce(t("feedback.retaken"));
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    void send();
  };

  return (
    <main className="feedback" inert={renewing} aria-busy={renewing || undefined}>
      {form && !form.picture ? (
        <section className="picture picture-none" aria-label={t("feedback.picture")}>
          <PictureOff size={40} />
          <p>{form.picture_refused ? say(form.picture_refused) : t("feedback.no_picture")}</p>
        </section>
      ) : form?.picture && second ? (
        <second.Picture
          scheme={scheme}
          picture={form.picture}
          history={history}
          withPicture={draft.with_picture}
          onHistory={onHistory}
          onWithPicture={(with_picture) => update({ with_picture })}
          onRetake={retake}
        />
      ) : (
        // The place where it will stand.
        <section className="picture" aria-label={t("feedback.picture")} aria-busy="true" />
      )}

      <form className="say" onSubmit={submit} noValidate>
        <div className="say-scroll">
          {form?.left_at && (
            <p className="left-draft">
              {t("feedback.left", { at: dateTime(form.left_at) })}{" "}
              <button className="quiet-button" type="button" onClick={(event) => void renew(event.currentTarget)}>
                {t("feedback.left_anew")}
              </button>
            </p>
          )}
          <h1>
            {form?.occasion ? (
              <Readable text={told(form.occasion.sentence)} />
            ) : form?.app ? (
              t("feedback.about", { app: form.app })
            ) : (
              t("feedback.title")
            )}
          </h1>
          <div ref={chips}>
            <ChoiceChips
              label={t("feedback.category")}
              value={draft.category}
              choices={CATEGORIES.map((value, index) => ({
                value,
                label: t(`category.${value}`),
                key: String(index + 1),
              }))}
              onChange={choose}
              invalid={missing === "category"}
            />
            {missing === "category" && (
              <p className="field-error" role="alert">
                {t("feedback.category_missing")}
              </p>
            )}
          </div>
          <TextField
            ref={text}
            value={draft.description}
            missing={missing === "description"}
            maxLength={MOST_CHARACTERS}
            onChange={(description) => {
              update({ description });
              if (missing === "description") setMissing(null);
            }}
          />
          {form && second && (
            <second.More
              scheme={scheme}
              draft={draft}
              steps={form.steps}
              onChange={update}
              onPreview={() => {
                void flush();
                setAsked(true);
                setPreviewing(true);
              }}
            />
          )}
        </div>
        <div className="say-foot">
          {once(problem, notKept).map((one) => (
            <Problem key={one.key} sentence={one} kind="danger" />
          ))}
          {keptBecause && !problem && !notKept && <p className="quiet">{kept(keptBecause)}</p>}
          <div className="say-actions">
            <button className="say-button" type="button" onClick={() => void discard()}>
              {t("feedback.discard")}
            </button>
            <span className="quiet saved" role="status" title={saved ? t("feedback.kept") : undefined}>
              {saved && (
                <>
                  <Check size={16} />
                  <span className="sr-only">{t("feedback.kept")}</span>
                </>
              )}
            </span>
            <button
              className="say-button"
              data-send
              type="submit"
              aria-busy={sending || undefined}
              aria-keyshortcuts="Control+Enter"
              title={t("feedback.send_hint")}
            >
              {t("feedback.send")}
            </button>
          </div>
        </div>
      </form>
      {asked && (
        <Suspense>
          <Preview scheme={scheme} opened={previewing} onClose={() => setPreviewing(false)} draft={current} />
        </Suspense>
      )}
      {discarding !== null && (
        <Suspense>
          <Discard scheme={scheme} opened={discarding} onClose={() => setDiscarding(false)} act={throwAway} />
        </Suspense>
      )}
    </main>
  );
}

/** Whether nothing would be lost with it that took the person more than a click. */
function isEmpty({ description, tags, marks, hidden, crop }: Draft): boolean {
  return description.trim() === "" && !crop && [tags, marks, hidden].every((list) => list.length === 0);
}

/** Does this when the window is asked to close from outside; the answer ends it. */
function whenLeft(leave: () => Promise<unknown>): () => void {
  let gone = false;
  let end: (() => void) | undefined;
  client
    .onLeave(() => void leave())
    .then((stop) => (gone ? stop() : (end = stop)))
    // Without the event the window is closed for it.
    .catch(() => undefined);
  return () => {
    gone = true;
    end?.();
  };
}

function useLatest<T>(ref: { current: T }): () => T {
  return useCallback(() => ref.current, [ref]);
}
