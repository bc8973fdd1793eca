/** The catalogues, each loaded where it is spoken. */

export const LANGUAGES = ["en", "de"] as const;
export type Language = (typeof LANGUAGES)[number];
export type Catalogue = { [key: string]: string | Catalogue };

const LOAD: Record<Language, () => Promise<{ default: Catalogue }>> = {
  en: () => import("../locales/en.json"),
  de: () => import("../locales/de.json"),
};

export async function catalogue(language: Language): Promise<Catalogue> {
  return (await LOAD[language]()).default;
}

/** Which language a setting means: `en`, `de`, or the system's. */
export function languageOf(setting: string, system: string): Language {
  const wanted = setting === "system" ? system : setting;
  return wanted.toLowerCase().startsWith("de") ? "de" : "en";
}
