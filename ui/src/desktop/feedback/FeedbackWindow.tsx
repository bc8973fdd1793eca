import { Button, Textarea, UnstyledButton } from "@mantine/core";
import { lazy, Suspense, useCallback, useEffect, useRef, useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";

import { Check, PictureOff, Right } from "../../design/icons";
import { say } from "../../i18n";
import type { Category, FeedbackForm, Sentence } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import { useAnnounce } from "../parts/Announcer";
import { ChoiceChips } from "../parts/ChoiceChips";
import { Problem } from "../parts/Problem";
import { TagsField } from "../parts/TagsField";
import type { WindowProps } from "../prepare";
import { Faces } from "./Faces";
import { begin, EMPTY, type Drawing, type History } from "./marks";
import { PictureEditor } from "./PictureEditor";
import { Steps } from "./Steps";
import { useDraft } from "./useDraft";
import "./feedback.css";

/** Not needed before it is asked for: the text has to be there first. */
const Preview = lazy(async () => ({ default: (await import("./Preview")).Preview }));

/** In the order of the keys 1 to 5. */
const CATEGORIES: readonly Category[] = ["bug", "idea", "question", "praise", "other"];

/** The server's limits: see sync-server/wire/src/limits.rs. */
const MOST_CHARACTERS = 10_000;
const MOST_TAGS = 20;
const MOST_TAG_CHARACTERS = 40;

export function FeedbackWindow({ form, failure, overview }: WindowProps) {
  if (!form) {
    return (
      <main className="page">
        <Problem sentence={client.asSentence(failure)} />
      </main>
    );
  }
  return <Form first={form} organisation={overview?.organisation ?? ""} offline={overview?.offline ?? false} />;
}

function Form({ first, organisation, offline }: { first: FeedbackForm; organisation: string; offline: boolean }) {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const [form, setForm] = useState(first);
  const { draft, latest, saved, problem: notKept, update, replace, flush, forget, untouched } = useDraft(first.draft);
  const [history, setHistory] = useState<History>(() => begin(drawingOf(first)));
  const [previewing, setPreviewing] = useState(false);
  const [asked, setAsked] = useState(false);
  const [sending, setSending] = useState(false);
  const current = useLatest(latest);
  const [problem, setProblem] = useState<Sentence | null>(null);
  const [missing, setMissing] = useState<"category" | "description" | null>(null);
  const text = useRef<HTMLTextAreaElement>(null);
  const chips = useRef<HTMLDivElement>(null);

  const onHistory = useCallback(
    (next: History) => {
      setHistory(next);
      update({ crop: next.present.crop, hidden: next.present.hidden, marks: next.present.marks });
    },
    [update],
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
    const now = latest.current;
    setProblem(null);
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
  }, [announce, forget, latest, sending, t]);

  const leave = useCallback(async () => {
    await flush();
    await client.closeWindow();
  }, [flush]);

  const discard = async () => {
    try {
      await forget();
      await client.feedbackDiscard();
      await client.closeWindow();
    } catch (thrown) {
      setProblem(client.asSentence(thrown));
    }
  };

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (document.querySelector("[role=dialog]")) return;
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
  }, [announce, choose, leave, send, t]);

  // A new occasion reached the open form: it says why, and takes nothing from what was written.
  useEffect(() => {
    let gone = false;
    let end: (() => void) | undefined;
    const reload = async () => {
      const next = await client.feedbackForm();
      if (gone) return;
      if (untouched()) {
        replace(next.draft);
        setHistory(begin(drawingOf(next)));
        setForm(next);
      } else setForm((last) => ({ ...last, occasion: next.occasion, steps: next.steps }));
    };
    client
      .onFeedbackForm(() => void reload().catch((thrown: unknown) => setProblem(client.asSentence(thrown))))
      .then((stop) => (gone ? stop() : (end = stop)))
      .catch(() => undefined);
    return () => {
      gone = true;
      end?.();
    };
  }, [replace, untouched]);

  const retake = async (source: string) => {
    await flush();
    const picture = await client.feedbackRetake(source);
    setForm((last) => ({ ...last, picture }));
    // What was hidden on the old picture would be elsewhere on the new one.
    onHistory(begin(EMPTY));
    announce(t("feedback.retaken"));
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    void send();
  };

  return (
    <main className="feedback" data-picture={form.picture ? true : undefined}>
      {form.picture ? (
        <PictureEditor
          key={form.picture.id}
          picture={form.picture}
          history={history}
          withPicture={draft.with_picture}
          onHistory={onHistory}
          onWithPicture={(with_picture) => update({ with_picture })}
          onRetake={retake}
        />
      ) : (
        <section className="picture picture-none" aria-label={t("feedback.picture")}>
          <PictureOff size={40} />
          <p>
            {form.pictures_allowed
              ? t("feedback.no_picture")
              : say({ key: "problem.pictures_not_allowed", values: { organisation } })}
          </p>
        </section>
      )}

      <form className="say" onSubmit={submit} noValidate>
        <div className="say-scroll">
          <h1>
            {form.occasion
              ? say(form.occasion.sentence)
              : form.app
                ? t("feedback.about", { app: form.app })
                : t("feedback.title")}
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
          <Textarea
            ref={text}
            label={t("feedback.text")}
            placeholder={t("feedback.text_hint")}
            autosize
            minRows={3}
            maxRows={12}
            maxLength={MOST_CHARACTERS}
            autoFocus
            data-autofocus
            value={draft.description}
            error={missing === "description" ? t("feedback.text_missing") : undefined}
            onChange={(event) => {
              update({ description: event.currentTarget.value });
              if (missing === "description") setMissing(null);
            }}
          />
          <Faces value={draft.rating} onChange={(rating) => update({ rating })} />
          <TagsField
            label={t("feedback.tags")}
            hideLabel
            placeholder={t("feedback.tags_hint")}
            value={draft.tags}
            onChange={(tags) => update({ tags })}
            max={MOST_TAGS}
            maxCharacters={MOST_TAG_CHARACTERS}
          />
          <Steps steps={form.steps} attached={draft.steps} onChange={(steps) => update({ steps })} />
          <UnstyledButton
            className="quiet-line quiet-button"
            type="button"
            onClick={() => {
              void flush();
              setAsked(true);
              setPreviewing(true);
            }}
          >
            <span>{t("feedback.preview")}</span>
            <Right size={16} />
          </UnstyledButton>
        </div>
        <div className="say-foot">
          {problem && <Problem sentence={problem} kind="danger" />}
          {notKept && <Problem sentence={notKept} kind="danger" />}
          {offline && !problem && !notKept && <p className="quiet">{t("feedback.offline")}</p>}
          <div className="say-actions">
            <Button type="button" variant="subtle" color="gray" onClick={() => void discard()}>
              {t("feedback.discard")}
            </Button>
            <span className="quiet saved" role="status" title={saved ? t("feedback.kept") : undefined}>
              {saved && (
                <>
                  <Check size={16} />
                  <span className="sr-only">{t("feedback.kept")}</span>
                </>
              )}
            </span>
            <Button type="submit" loading={sending} aria-keyshortcuts="Control+Enter" title={t("feedback.send_hint")}>
              {t("feedback.send")}
            </Button>
          </div>
        </div>
      </form>
      {asked && (
        <Suspense>
          <Preview opened={previewing} onClose={() => setPreviewing(false)} draft={current} />
        </Suspense>
      )}
    </main>
  );
}

function drawingOf({ draft }: FeedbackForm): Drawing {
  return { crop: draft.crop, hidden: draft.hidden, marks: draft.marks };
}

function useLatest<T>(ref: { current: T }): () => T {
  return useCallback(() => ref.current, [ref]);
}
