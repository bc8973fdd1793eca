import { useEffect, useInsertionEffect, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";

import { changeLanguage } from "../i18n";
import { languageOf } from "../i18n/catalogues";
import type { Settings } from "../ipc/bindings";
import * as client from "../ipc/client";
import { Announcer } from "./parts/Announcer";
import type { Prepared } from "./prepare";

const DARK = "(prefers-color-scheme: dark)";
const systemScheme = () => (matchMedia(DARK).matches ? "dark" : "light");
function onSystemScheme(heard: () => void): () => void {
  const query = matchMedia(DARK);
  query.addEventListener("change", heard);
  return () => query.removeEventListener("change", heard);
}

/** Ends listening; without the events the window shows what it was opened with. */
function until(listening: Promise<() => void>): () => void {
  return () =>
    void listening.then(
      (stop) => stop(),
      () => undefined,
    );
}

/** A window: its look and language, what is said aloud, and Esc. */
export function App({
  name,
  Window,
  settings: first,
  overview: glance,
  later,
  form,
  failure,
}: Prepared & { name: client.WindowName }) {
  const { t } = useTranslation();
  const [settings, setSettings] = useState<Settings | null>(first);
  const [overview, setOverview] = useState(glance);
  // Read at once: a first picture in the wrong scheme would flash.
  const system = useSyncExternalStore(onSystemScheme, systemScheme);
  const wanted = settings?.theme.value ?? "system";
  const scheme = wanted === "system" ? system : wanted;
  // Before anything is measured or drawn.
  useInsertionEffect(() => {
    document.documentElement.dataset.mantineColorScheme = scheme;
  }, [scheme]);

  // For whoever measures how long it takes until a window can be used. The form says it of itself, for it comes in two steps.
  useEffect(() => {
    if (name !== "feedback") performance.mark("window-ready");
  }, [name]);

  const title = t(`window.${name}`);
  // The window's frame follows it.
  useEffect(() => {
    document.title = title;
  }, [title]);

  const language = settings?.language.value ?? "system";
  useEffect(() => {
    void changeLanguage(languageOf(language, navigator.language));
  }, [language]);

  useEffect(() => {
    let gone = false;
    // What was asked for first is older than any event.
    later?.then(
      (first) => gone || setOverview((now) => now ?? first),
      () => undefined,
    );
    const stop = until(client.onOverview(setOverview));
    return () => {
      gone = true;
      stop();
    };
  }, [later]);

  // Another window, or a notification's button, may change the settings.
  useEffect(() => {
    let heard = false;
    const hear = (settings: Settings) => {
      heard = true;
      setSettings(settings);
    };
    const listening = client.onSettings(hear);
    // What changed between the first answer and now was told to nobody.
    if (first)
      void listening.then(client.settings).then(
        (settings) => heard || setSettings(settings),
        () => undefined,
      );
    return until(listening);
  }, [first]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // What is open inside the window (a dialog, a drawing) takes Esc first.
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("[role=dialog]")) return;
      void client.closeWindow();
    };
    // The form keeps its draft before it closes.
    if (name !== "feedback") window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [name]);

  return (
    <Announcer>
      <Window
        overview={overview}
        settings={settings}
        scheme={scheme}
        form={form}
        failure={failure}
        onSettings={setSettings}
      />
    </Announcer>
  );
}
