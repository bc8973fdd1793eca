import { MantineProvider } from "@mantine/core";
import { useColorScheme } from "@mantine/hooks";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { theme } from "../design";
import { languageOf, startI18n } from "../i18n";
import type { Settings } from "../ipc/bindings";
import * as client from "../ipc/client";
import { Announcer } from "./parts/Announcer";
import type { Prepared } from "./prepare";

/** A window: its look and language, what is said aloud, and Esc. */
export function App({
  name,
  Window,
  settings: first,
  overview: glance,
  form,
  failure,
}: Prepared & { name: client.WindowName }) {
  const { t } = useTranslation();
  const [settings, setSettings] = useState<Settings | null>(first);
  const [overview, setOverview] = useState(glance);
  // Read at once: a first picture in the wrong scheme would flash.
  const system = useColorScheme("light", { getInitialValueInEffect: false });
  const wanted = settings?.theme.value ?? "system";
  const scheme = wanted === "system" ? system : wanted;

  // For whoever measures how long it takes until a window can be used.
  useEffect(() => {
    performance.mark("window-ready");
  }, []);

  const title = t(`window.${name}`);
  useEffect(() => {
    document.title = title;
  }, [title]);

  const language = settings?.language.value ?? "system";
  useEffect(() => {
    startI18n(languageOf(language, navigator.language));
  }, [language]);

  useEffect(() => {
    let end: (() => void) | undefined;
    let gone = false;
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
  }, []);

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
    if (name !== "feedback" || !form) window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [form, name]);

  return (
    <MantineProvider theme={theme} forceColorScheme={scheme} withCssVariables={false} withGlobalClasses={false}>
      <Announcer>
        <Window overview={overview} settings={settings} form={form} failure={failure} onSettings={setSettings} />
      </Announcer>
    </MantineProvider>
  );
}
