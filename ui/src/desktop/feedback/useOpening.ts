import { useCallback, useEffect, useRef, useState, type RefObject } from "react";
import { flushSync } from "react-dom";

import type { Draft, FeedbackForm } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import type { Opening } from "../ask";
import { begin, EMPTY, type Drawing, type History } from "./marks";
import type { useDraft } from "./useDraft";

type Kept = Pick<ReturnType<typeof useDraft>, "latest" | "take" | "replace" | "update" | "keep" | "untouched">;

/**
 * The form as Rust holds it: what it opened with, which may come after the text field took its first letters, and a new occasion that
 * reaches it while it is open.
 *
 * **Invariant:** what the person wrote or chose is never replaced here.
 */
export function useOpening(
  { asked, here }: Opening,
  field: RefObject<HTMLTextAreaElement | null>,
  { latest, take, replace, update, keep, untouched }: Kept,
  onRefused: (thrown: unknown) => void,
  onProblem: (thrown: unknown) => void,
) {
  const [form, setForm] = useState(here);
  const [history, setHistory] = useState<History>(() => begin(here ? drawingOf(here.draft) : EMPTY));
  const [arrival] = useState(() => latch(here !== null));
  const composing = useRef(false);
  /** Whether this form makes room for another: what reaches the window then is that one's. */
  const leaving = useRef(false);

  useEffect(() => {
    const text = field.current;
    if (here || !text) return;
    let gone = false;
    const put = (next: FeedbackForm) => {
      if (gone) return;
      const { selectionStart, selectionEnd, value } = text;
      flushSync(() => {
        take(next.draft);
        setForm(next);
        setHistory(begin(drawingOf(next.draft)));
      });
      // What was written stands after the draft's words now, and the caret with it.
      const by = text.value.length - value.length;
      text.setSelectionRange(selectionStart + by, selectionEnd + by);
      arrival.open();
    };
    const onStart = () => (composing.current = true);
    const onEnd = () => (composing.current = false);
    text.addEventListener("compositionstart", onStart);
    text.addEventListener("compositionend", onEnd);
    asked.then(
      (next) => {
        // A word that an input method is putting together would break if the field got another text.
        if (composing.current)
          text.addEventListener("compositionend", () => setTimeout(() => put(next)), { once: true });
        else put(next);
      },
      (thrown: unknown) => {
        if (!gone) onRefused(thrown);
        arrival.open();
      },
    );
    return () => {
      gone = true;
      text.removeEventListener("compositionstart", onStart);
      text.removeEventListener("compositionend", onEnd);
    };
  }, [arrival, asked, field, here, onRefused, take]);

  useEffect(() => {
    let gone = false;
    let end: (() => void) | undefined;
    const reread = async () => {
      await arrival.opened;
      const next = await client.feedbackForm();
      if (gone || leaving.current) return;
      if (untouched()) {
        replace(next.draft);
        setHistory(begin(drawingOf(next.draft)));
        setForm(next);
        return;
      }
      const now = latest.current;
      if (now.id !== next.draft.id) {
        // It is another form by now. The words go on in it; marks and hidden areas belong to the picture that is gone.
        const { id, crop, hidden, marks, with_picture } = next.draft;
        setHistory(begin(drawingOf(next.draft)));
        setForm(next);
        update({ id, crop, hidden, marks, with_picture, steps: [], category: now.category ?? next.draft.category });
        return;
      }
      // The list stays what the attached steps were chosen from.
      setForm((last) => ({
        ...(last ?? next),
        app: next.app,
        occasion: next.occasion,
        steps: last && now.steps.length > 0 ? last.steps : next.steps,
      }));
      if (!now.category && next.draft.category) update({ category: next.draft.category });
    };
    client
      .onFeedbackForm(() => void reread().catch((thrown: unknown) => gone || onProblem(thrown)))
      .then((stop) => (gone ? stop() : (end = stop)))
      .catch(() => undefined);
    return () => {
      gone = true;
      end?.();
    };
  }, [arrival, latest, onProblem, replace, untouched, update]);

  /** Begins another form in place of a draft that was left, which is kept as it is by now. */
  const anew = useCallback(async () => {
    leaving.current = true;
    try {
      await keep();
      return await client.feedbackAnew();
    } catch (thrown) {
      leaving.current = false;
      throw thrown;
    }
  }, [keep]);

  /** Ends once Rust's form is here, or was refused. */
  const arrived = useCallback(() => arrival.opened, [arrival]);
  return { form, setForm, history, setHistory, arrived, anew };
}

function drawingOf({ crop, hidden, marks }: Draft): Drawing {
  return { crop, hidden, marks };
}

/** A promise that is kept by whoever calls `open`. */
function latch(opened: boolean): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => {};
  const waiting = new Promise<void>((done) => {
    open = done;
  });
  if (opened) open();
  return { opened: waiting, open };
}
