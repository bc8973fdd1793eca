/** The windows of the desktop app: one page, and the label behind `#/` says which window it is. */
import { createRoot } from "react-dom/client";

import "../design";
import "./desktop.css";
import { WINDOWS, type WindowName } from "../ipc/client";
import { App } from "./App";
import { prepare } from "./prepare";

/** Which window the address names. */
function windowName(): WindowName {
  const label = location.hash.replace(/^#\//, "").split("?")[0];
  return WINDOWS.find((name) => name === label) ?? "knows";
}

async function start() {
  if (__DEMO__ && new URLSearchParams(location.search).has("demo")) {
    const demo = await import("../ipc/demo");
    demo.start(new URLSearchParams(location.search));
  }
  const name = windowName();
  performance.mark("window-code");
  const prepared = await prepare(name);
  performance.mark("window-prepared");
  const root = document.getElementById("root");
  if (root) createRoot(root).render(<App name={name} {...prepared} />);
}

void start();
