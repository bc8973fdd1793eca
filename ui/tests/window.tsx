/** Opens a window over the demo's memory, as the app opens it over Rust. */
import { render, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { expect } from "vitest";

import { App } from "../src/desktop/App";
import { prepare } from "../src/desktop/prepare";
import type { WindowName } from "../src/ipc/client";
import { makeDemo, type Case, type Demo } from "../src/ipc/demo";
import { setTransport } from "../src/ipc/transport";

export type Opened = {
  demo: Demo;
  user: ReturnType<typeof userEvent.setup>;
  calls: (command: string) => Record<string, unknown>[];
};

export async function open(
  name: WindowName,
  which: Case = "ordinary",
  language: "en" | "de" = "en",
  change?: (demo: Demo) => void,
): Promise<Opened> {
  const opened = await openFirst(name, which, language, change);
  await whole();
  return opened;
}

/** Ends when all of a window is drawn: the form is in two steps. */
export async function whole(): Promise<void> {
  await waitFor(() => expect(performance.getEntriesByName("window-ready")).not.toEqual([]));
}

/** Opens a window up to its first picture. */
export async function openFirst(
  name: WindowName,
  which: Case = "ordinary",
  language: "en" | "de" = "en",
  change?: (demo: Demo) => void,
): Promise<Opened> {
  const demo = makeDemo(which, language === "de", "light", language);
  change?.(demo);
  setTransport(demo.transport);
  const prepared = await prepare(name);
  performance.clearMarks();
  render(<App name={name} {...prepared} />);
  return {
    demo,
    user: userEvent.setup(),
    calls: (command) => demo.calls.filter((call) => call.command === command).map((call) => call.args),
  };
}

/** What axe finds; contrast is computed by contrast.test.ts, because jsdom paints nothing. */
export async function violations(): Promise<string[]> {
  const found = await axe.run(document, { rules: { "color-contrast": { enabled: false } } });
  return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`);
}
