/** The windows of the desktop app: one page, and the label behind `#/` says which window it is. */
import { early } from "./early";

import { createRoot } from "react-dom/client";

import "../design/styles";
import "./desktop.css";
import { App } from "./App";
import { windowName } from "./ask";
// Here and not by itself: the form's text field has to be there at once, and its code is small.
import "./feedback/FeedbackWindow";
import { prepare } from "./prepare";

async function start() {
  const asked = await early;
  if (!asked) return;
  const name = windowName();
  performance.mark("window-code");
  const prepared = await prepare(name, asked);
  performance.mark("window-prepared");
  const root = document.getElementById("root");
  if (root) createRoot(root).render(<App name={name} {...prepared} />);
}

void start();
