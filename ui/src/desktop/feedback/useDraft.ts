import { useCallback, useEffect, useRef, useState } from "react";

import type { Draft, Sentence } from "../../ipc/bindings";
import { asSentence, feedbackSaveDraft } from "../../ipc/client";

/** Long enough that typing isn't a write for each letter, short enough that a crash costs a word at most. */
export const SAVE_AFTER_MS = 300;

/** The draft, and its copy on disk, which follows each change. */
export function useDraft(first: Draft) {
  const [draft, setDraft] = useState(first);
  const [saved, setSaved] = useState(false);
  const [problem, setProblem] = useState<Sentence | null>(null);
  const latest = useRef(first);
  const kept = useRef(first);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const writing = useRef<Promise<void>>(Promise.resolve());

  /** Writes what isn't written, one write after the other. */
  const flush = useCallback((): Promise<void> => {
    if (timer.current) clearTimeout(timer.current);
    timer.current = null;
    const now = latest.current;
    if (now === kept.current) return writing.current;
    kept.current = now;
    writing.current = writing.current
      .then(() => feedbackSaveDraft(now))
      .then(
        () => {
          setSaved(true);
          setProblem(null);
        },
        (thrown: unknown) => {
          // Not on disk, and said so; the next change tries again.
          setSaved(false);
          setProblem(asSentence(thrown));
        },
      );
    return writing.current;
  }, []);

  const update = useCallback(
    (change: Partial<Draft>) => {
      latest.current = { ...latest.current, ...change };
      setDraft(latest.current);
      setSaved(false);
      if (timer.current) clearTimeout(timer.current);
      timer.current = setTimeout(() => void flush(), SAVE_AFTER_MS);
    },
    [flush],
  );

  /** Takes another draft as it stands on disk. */
  const replace = useCallback((next: Draft) => {
    if (timer.current) clearTimeout(timer.current);
    latest.current = next;
    kept.current = next;
    setDraft(next);
  }, []);

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
    };
  }, [flush]);

  const untouched = useCallback(() => latest.current === kept.current && latest.current === first, [first]);
  return { draft, latest, saved, problem, update, replace, flush, forget, untouched };
}
