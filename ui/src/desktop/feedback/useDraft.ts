import { useCallback, useEffect, useRef, useState } from "react";

import type { Draft, Sentence } from "../../ipc/bindings";
import { asSentence, feedbackSaveDraft } from "../../ipc/client";

/** Long enough that typing isn't a write for each letter, short enough that a crash costs a word at most. */
export const SAVE_AFTER_MS = 300;

/** What is shown until Rust's draft is here. It is nobody's, and never written. */
const NOTHING: Draft = {
  id: "",
  category: null,
  description: "",
  rating: null,
  tags: [],
  steps: [],
  with_picture: true,
  crop: null,
  hidden: [],
  marks: [],
};

/**
 * The draft, and its copy on disk, which follows each change.
 *
 * The person may write before Rust's draft is here: `take` then puts what they wrote after what the draft says.
 */
export function useDraft(first: Draft | null) {
  const [draft, setDraft] = useState(first ?? NOTHING);
  const [saved, setSaved] = useState(false);
  const [problem, setProblem] = useState<Sentence | null>(null);
  const latest = useRef(first ?? NOTHING);
  /** As Rust gave it. */
  const given = useRef(first);
  const kept = useRef(first ?? NOTHING);
  /** What the person changed before the draft was here. */
  const ahead = useRef<Partial<Draft>>({});
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const writing = useRef<Promise<void>>(Promise.resolve());
  /** Whether the last write failed. */
  const failed = useRef(false);

  /** Writes what isn't written, one write after the other. */
  const flush = useCallback((): Promise<void> => {
    if (timer.current) clearTimeout(timer.current);
    timer.current = null;
    const now = latest.current;
    if (now === kept.current || !given.current) return writing.current;
    kept.current = now;
    writing.current = writing.current
      .then(() => feedbackSaveDraft(now))
      .then(
        () => {
          failed.current = false;
          // Not said of letters that came while it was written.
          setSaved(latest.current === now);
          setProblem(null);
        },
        (thrown: unknown) => {
          failed.current = true;
          // Not on disk, and said so; the next change tries again.
          setSaved(false);
          setProblem(asSentence(thrown));
        },
      );
    return writing.current;
  }, []);

  /** Writes what isn't written, also what couldn't be before; rejects where it still can't. */
  const keep = useCallback(async () => {
    await flush();
    if (!failed.current) return;
    await feedbackSaveDraft(latest.current);
    failed.current = false;
    setProblem(null);
  }, [flush]);

  const update = useCallback(
    (change: Partial<Draft>) => {
      latest.current = { ...latest.current, ...change };
      setDraft(latest.current);
      setSaved(false);
      if (!given.current) {
        ahead.current = { ...ahead.current, ...change };
        return;
      }
      if (kept.current === given.current) {
        // Rust learns at once that the form isn't free for another occasion any more.
        void flush();
        return;
      }
      // Not put off by the next letter: who types without a pause would lose all of it.
      timer.current ??= setTimeout(() => void flush(), SAVE_AFTER_MS);
    },
    [flush],
  );

  /** Takes another draft as it stands on disk, in place of one that the person changed nothing of. */
  const replace = useCallback((next: Draft) => {
    if (timer.current) clearTimeout(timer.current);
    timer.current = null;
    latest.current = next;
    given.current = next;
    kept.current = next;
    setDraft(next);
  }, []);

  /** Takes the draft that was waited for; nothing is lost of what the person did meanwhile. */
  const take = useCallback(
    (next: Draft) => {
      const { description, ...rest } = ahead.current;
      replace(next);
      ahead.current = {};
      const words = joined(next.description, description ?? "");
      if (words !== next.description || Object.keys(rest).length > 0) update({ ...rest, description: words });
    },
    [replace, update],
  );

  /** Forgets what isn't written: what was sent or thrown away must not come back as a draft. */
  const forget = useCallback((): Promise<void> => {
    if (timer.current) clearTimeout(timer.current);
    timer.current = null;
    kept.current = latest.current;
    return writing.current;
  }, []);

  useEffect(() => {
    const onHide = () => void flush();
    window.addEventListener("pagehide", onHide);
    document.addEventListener("visibilitychange", onHide);
    return () => {
      window.removeEventListener("pagehide", onHide);
      document.removeEventListener("visibilitychange", onHide);
      void flush();
    };
  }, [flush]);

  /** Whether the person changed nothing, or took back all they changed. */
  const untouched = useCallback(
    () => given.current !== null && JSON.stringify(latest.current) === JSON.stringify(given.current),
    [],
  );
  return { draft, latest, saved, problem, update, replace, take, flush, keep, forget, untouched };
}

/** The draft's words, and after them those that were written meanwhile. */
function joined(draft: string, written: string): string {
  if (draft === "" || written === "") return draft + written;
  return /\s$/.test(draft) ? draft + written : `${draft}\n${written}`;
}
