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
  useEffect(() => {
    document.title = title;
  }, [title]);

  const language = settings?.language.value ?? "system";
  useEffect(() => {
    void changeLanguage(languageOf(language, navigator.language));
  }, [language]);

  useEffect(() => {
    let end: (() => void) | undefined;
    let gone = false;
    // What was asked for first is older than any event.
    later?.then(
      (first) => gone || setOverview((now) => now ?? first),
      () => undefined,
    );
    void client
      .onOverview(setOverview)
      .then((stop) => {
        if (gone) stop();
        else end = stop;
      })
      // Without the event the window shows what it was opened with.
      .catch(() => undefined);
    return () => {
      gone = true;
      end?.();
    };
  }, [later]);

  // Another window may have changed the settings.
  useEffect(() => {
    const reread = () => void client.settings().then(setSettings, () => undefined);
    window.addEventListener("focus", reread);
    return () => window.removeEventListener("focus", reread);
  }, []);

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
