import { startTransition, useEffect, useState } from "react";

type Second = typeof import("./Second");

/** Where nothing is drawn, because the window is hidden or covered, the second step doesn't wait for a picture. */
const NO_PICTURE_AFTER_MS = 100;

/**
 * The code of what follows the text field: none before the window's first picture, so that what is written first is seen first.
 * What is typed goes before it, however long its drawing takes.
 */
export function useSecondStep(): Second | null {
  const [second, setSecond] = useState<Second | null>(null);
  useEffect(() => {
    let gone = false;
    let begun = false;
    const begin = () => {
      if (begun) return;
      begun = true;
      void import("./Second").then((code) => {
        if (!gone) startTransition(() => setSecond(code));
      });
    };
    // A frame's callback runs before the frame is drawn; what it puts off runs after.
    let after: ReturnType<typeof setTimeout> | undefined;
    const frame = requestAnimationFrame(() => {
      after = setTimeout(begin);
    });
    const late = setTimeout(begin, NO_PICTURE_AFTER_MS);
    return () => {
      gone = true;
      cancelAnimationFrame(frame);
      clearTimeout(after);
      clearTimeout(late);
    };
  }, []);
  useEffect(() => {
    if (second) performance.mark("window-ready");
  }, [second]);
  return second;
}
