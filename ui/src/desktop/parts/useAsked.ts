import { useCallback, useEffect, useState } from "react";

import type { Sentence } from "../../ipc/bindings";
import { asSentence } from "../../ipc/client";

/** Something that is asked of Rust: not here yet, here, or refused. What was there stays while it is asked again. */
export type Asked<T> = { value: T | null; problem: Sentence | null; again: () => void };

/** Asks when it is first used and whenever `ask` changes (give it by `useCallback`) or `mark` does. */
export function useAsked<T>(ask: () => Promise<T>, mark = ""): Asked<T> {
  const [state, setState] = useState<{ value: T | null; problem: Sentence | null }>({ value: null, problem: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let gone = false;
    ask().then(
      (value) => gone || setState({ value, problem: null }),
      (thrown: unknown) => gone || setState((last) => ({ ...last, problem: asSentence(thrown) })),
    );
    return () => {
      gone = true;
    };
  }, [ask, turn, mark]);
  const again = useCallback(() => setTurn((last) => last + 1), []);
  return { ...state, again };
}
