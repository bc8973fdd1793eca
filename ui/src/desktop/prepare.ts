/** Waits for what a window can't be drawn without, and no longer. */
import type { ComponentType } from "react";

import { startI18n } from "../i18n";
import { catalogue, languageOf } from "../i18n/catalogues";
import type { Overview, Settings } from "../ipc/bindings";
import type { WindowName } from "../ipc/client";
import { ask, type Asked, type Opening, type WindowProps } from "./ask";

export type Prepared = {
  Window: ComponentType<WindowProps>;
  /** None where Rust doesn't answer; the window then speaks the system's language and says what is the matter. */
  settings: Settings | null;
  overview: Overview | null;
  /** What is seen at a glance, where the window is drawn without. */
  later: Promise<Overview> | null;
  form: Opening | null;
  failure: unknown;
};

export async function prepare(name: WindowName, asked: Asked = ask(name)): Promise<Prepared> {
  let failure: unknown = null;
  const orNull = async <T>(answer: Promise<T> | null) => {
    try {
      return await answer;
    } catch (thrown) {
      failure ??= thrown;
      return null;
    }
  };
  const { form } = asked;
  const [Window, settings, overview, first] = await Promise.all([
    asked.code,
    orNull(asked.settings),
    form ? null : orNull(asked.overview),
    asked.words,
  ]);
  const system = languageOf("system", navigator.language);
  const language = languageOf(settings?.language.value ?? "system", navigator.language);
  startI18n(language, language === system ? first : await catalogue(language));
  // Mostly the form is here by now, and the first picture is of it; or it was refused, and there is none to show.
  const opening = form && (await Promise.race([form, null]).then((here) => ({ asked: form, here }), refused));
  return { Window, settings, overview, later: form && asked.overview, form: opening, failure };

  function refused(thrown: unknown) {
    failure ??= thrown;
    return null;
  }
}
