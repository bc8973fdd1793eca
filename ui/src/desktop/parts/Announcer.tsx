import { createContext, useCallback, useContext, useState, type ReactNode } from "react";

const Say = createContext<(text: string) => void>(() => undefined);

/** Says to a screen reader what the eye sees happen: saved, sent, deleted. */
export function Announcer({ children }: { children: ReactNode }) {
  const [text, setText] = useState("");
  // The same words twice are said twice: a no-break space makes them different.
  const announce = useCallback((next: string) => setText((last) => (last === next ? `${next}\u00a0` : next)), []);
  return (
    <Say.Provider value={announce}>
      {children}
      <span className="sr-only" role="status" aria-live="polite">
        {text}
      </span>
    </Say.Provider>
  );
}

export const useAnnounce = () => useContext(Say);
