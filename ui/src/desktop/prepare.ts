/** What a window needs before its first picture: its code, the settings and, for the form, the form, all asked for at once. */
import type { ComponentType } from "react";

import { languageOf, startI18n } from "../i18n";
import type { FeedbackForm, Overview, Settings } from "../ipc/bindings";
import * as client from "../ipc/client";

export type Prepared = {
  Window: ComponentType<WindowProps>;
  /** None where Rust doesn't answer; the window then speaks the system's language and says what is the matter. */
  settings: Settings | null;
  overview: Overview | null;
  form: FeedbackForm | null;
  failure: unknown;
};

/** What each window is given. */
export type WindowProps = {
  overview: Overview | null;
  settings: Settings | null;
  form: FeedbackForm | null;
  failure: unknown;
  /** Tells the page that settings changed, so that language and look follow. */
  onSettings: (settings: Settings) => void;
};

const load: Record<client.WindowName, () => Promise<ComponentType<WindowProps>>> = {
  feedback: async () => (await import("./feedback/FeedbackWindow")).FeedbackWindow,
  "first-run": async () => (await import("./first-run/FirstRunWindow")).FirstRunWindow,
  knows: async () => (await import("./knows/KnowsWindow")).KnowsWindow,
  settings: async () => (await import("./settings/SettingsWindow")).SettingsWindow,
  conversations: async () => (await import("./conversations/ConversationsWindow")).ConversationsWindow,
  about: async () => (await import("./about/AboutWindow")).AboutWindow,
};

export async function prepare(name: client.WindowName): Promise<Prepared> {
  let failure: unknown = null;
  const orNull = async <T>(asked: Promise<T>) => {
    try {
      return await asked;
    } catch (thrown) {
      failure ??= thrown;
      return null;
    }
  };
  const [Window, settings, overview, form] = await Promise.all([
    load[name](),
    orNull(client.settings()),
    orNull(client.overview()),
    name === "feedback" ? orNull(client.feedbackForm()) : null,
  ]);
  startI18n(languageOf(settings?.language.value ?? "system", navigator.language));
  return { Window, settings, overview, form, failure };
}
