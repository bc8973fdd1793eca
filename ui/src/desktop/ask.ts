/**
 * What a window needs before its first picture, all asked for at once: its code, its words, the settings, what is seen at a
 * glance and, for the form, the form.
 *
 * **Invariant:** neither React nor i18next is imported here. This runs before their code does, so that Rust and the disk answer
 * meanwhile.
 */
import type { ComponentType } from "react";

import { catalogue, languageOf, type Catalogue } from "../i18n/catalogues";
import type { FeedbackForm, Overview, Settings } from "../ipc/bindings";
import * as client from "../ipc/client";

/** What each window is given. */
export type WindowProps = {
  overview: Overview | null;
  settings: Settings | null;
  /** What the look is, where it is needed to draw. */
  scheme: "light" | "dark";
  /** The form as it opens, for the window of that name. */
  form: Opening | null;
  /** What Rust didn't answer to. */
  failure: unknown;
  /** Tells the page that settings changed, so that language and look follow. */
  onSettings: (settings: Settings) => void;
};

/** The form that Rust holds: on its way, and what of it was there as the window was first drawn. */
export type Opening = { asked: Promise<FeedbackForm>; here: FeedbackForm | null };

type Code = () => Promise<ComponentType<WindowProps>>;

/** A window made of Mantine's parts. */
const styled = (window: Code): Code => {
  return async () => {
    const [{ withLook }, Window] = await Promise.all([import("./parts/Look"), window()]);
    return withLook(Window);
  };
};

const CODE: Record<client.WindowName, Code> = {
  // It brings Mantine along for its second step alone: the text field doesn't wait for it.
  feedback: async () => (await import("./feedback/FeedbackWindow")).FeedbackWindow,
  "first-run": styled(async () => (await import("./first-run/FirstRunWindow")).FirstRunWindow),
  knows: styled(async () => (await import("./knows/KnowsWindow")).KnowsWindow),
  settings: styled(async () => (await import("./settings/SettingsWindow")).SettingsWindow),
  conversations: styled(async () => (await import("./conversations/ConversationsWindow")).ConversationsWindow),
  about: styled(async () => (await import("./about/AboutWindow")).AboutWindow),
};

export type Asked = {
  code: Promise<ComponentType<WindowProps>>;
  /** The system's language, which is most people's choice; another is fetched when the settings say so. */
  words: Promise<Catalogue>;
  settings: Promise<Settings>;
  overview: Promise<Overview>;
  form: Promise<FeedbackForm> | null;
};

export function ask(name: client.WindowName): Asked {
  const asked = {
    settings: client.settings(),
    overview: client.overview(),
    form: name === "feedback" ? client.feedbackForm() : null,
    code: CODE[name](),
    words: catalogue(languageOf("system", navigator.language)),
  };
  // Whoever waits for one of them hears of its failure; until then it is not one that nobody heard of.
  for (const one of Object.values(asked)) one?.catch(() => undefined);
  return asked;
}

/** Whether this is the page that is kept ready: it has the code, and neither shows nor asks anything. */
export const isSpare = () => location.hash === "#/spare";

/** Which window the address names. */
export function windowName(): client.WindowName {
  const label = location.hash.replace(/^#\//, "").split("?")[0];
  return client.WINDOWS.find((name) => name === label) ?? "knows";
}
