/** Asks for what the window needs. Imported before anything else, so that this goes out before React's code is run. */
import { ask, isSpare, windowName, type Asked } from "./ask";

async function begin(): Promise<Asked | null> {
  if (isSpare()) return null;
  if (__DEMO__ && new URLSearchParams(location.search).has("demo")) {
    const demo = await import("../ipc/demo");
    demo.start(new URLSearchParams(location.search));
  }
  return ask(windowName());
}

export const early = begin();
