/**
 * How the windows reach Rust: over Tauri, or over the demo's memory in tests and in a browser.
 *
 * **Invariant:** no window talks to anything else. There is no `fetch` and no address in `ui/`.
 */
import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";

import type { Overview, Settings } from "./bindings";

/** Calls a command by its name. A refused command rejects with a `Sentence`. */
export type Invoke = <T>(command: string, args?: Record<string, unknown>) => Promise<T>;

/** The events that Rust sends. */
export type Events = {
  /** Whenever something changed at a glance. */
  overview: Overview;
  /** Whenever a setting changed, in whichever window or notification. */
  settings: Settings;
  /** A new occasion reached a form that is open. */
  "feedback-form": null;
  /** The window was asked to close, by the window manager or the end of the app. */
  leave: null;
};

export type Transport = {
  invoke: Invoke;
  /** Calls `heard` for each event; the answer ends it. */
  listen: <E extends keyof Events>(event: E, heard: (payload: Events[E]) => void) => Promise<() => void>;
};

const tauri: Transport = {
  invoke: (command, args) => invoke(command, args),
  listen: (event, heard) => listen(event, (said) => heard(said.payload as never)),
};

let current: Transport = tauri;

/** Takes another way; for the demo and for tests. */
export function setTransport(transport: Transport): void {
  current = transport;
}

export function transport(): Transport {
  return current;
}
