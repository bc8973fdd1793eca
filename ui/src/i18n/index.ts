/** The languages, and how numbers, times and sentences are said in them. */
import i18next, { type i18n } from "i18next";
import { initReactI18next } from "react-i18next";

import type { Sentence } from "../ipc/bindings";
import { catalogue, type Catalogue, type Language } from "./catalogues";
import { readable } from "./leftOut";

/** Speaks a language, whose words are here. */
export function startI18n(language: Language, words: Catalogue): i18n {
  if (!i18next.isInitialized) {
    void i18next.use(initReactI18next).init({
      lng: language,
      // The catalogues have the same keys: no other language is needed beside the one that is spoken.
      fallbackLng: false,
      resources: { [language]: { translation: words } },
      // React escapes.
      interpolation: { escapeValue: false },
      returnNull: false,
      initAsync: false,
      showSupportNotice: false,
    });
  } else if (i18next.language !== language) {
    i18next.addResourceBundle(language, "translation", words);
    void i18next.changeLanguage(language);
  }
  document.documentElement.lang = language;
  return i18next;
}

/** Goes on in another language, once its words are here. */
export async function changeLanguage(language: Language): Promise<void> {
  if (i18next.language !== language) startI18n(language, await catalogue(language));
}

/** Times and numbers go by the system's region where it speaks the language, so that British and American dates stay apart. */
export function locale(): string {
  const language = i18next.language === "de" ? "de" : "en";
  return (
    navigator.languages.find((one) => one.toLowerCase().startsWith(language)) ?? (language === "de" ? "de-DE" : "en-GB")
  );
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(
    value,
  );
}

export function percent(value: number): string {
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 0 }).format(value);
}

/** `10:42` */
export function timeOfDay(at: string): string {
  return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit" }).format(new Date(at));
}

/** `10:42` today, `tomorrow, 10:42`, or with its date. */
export function clockTime(at: string, now = new Date()): string {
  const time = timeOfDay(at);
  const midnight = (days: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days).getTime();
  const moment = new Date(at).getTime();
  if (moment >= midnight(0) && moment < midnight(1)) return time;
  if (moment >= midnight(1) && moment < midnight(2)) return i18next.t("time.tomorrow", { time });
  return dateTime(at);
}

/** `10:42:07` */
export function timeOfDaySeconds(at: string): string {
  return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(
    new Date(at),
  );
}

/** `Fri, 20 Nov, 10:42` */
export function dateTime(at: string): string {
  return new Intl.DateTimeFormat(locale(), {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  }).format(new Date(at));
}

/** `Friday, 20 November 2026`, of a day that stands for itself, whatever the time zone. */
export function longDate(date: string): string {
  return new Intl.DateTimeFormat(locale(), {
    weekday: "long",
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  }).format(new Date(`${date}T00:00:00Z`));
}

/** `812 B`, `41 KB`, `1.2 MB` */
export function bytes(size: number): string {
  if (size < 1000) return `${number(size)} B`;
  if (size < 1_000_000) return `${number(size / 1000, size < 10_000 ? 1 : 0)} KB`;
  return `${number(size / 1_000_000, 1)} MB`;
}

/** `0.8 s`, `42 s`, `7 min`, `2 h 5 min` */
export function duration(ms: number): string {
  if (ms < 10_000) return `${number(ms / 1000, 1)} s`;
  if (ms < 60_000) return `${number(Math.round(ms / 1000))} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return `${number(minutes)} min`;
  const rest = minutes % 60;
  return rest === 0
    ? `${number(Math.floor(minutes / 60))} h`
    : `${number(Math.floor(minutes / 60))} h ${number(rest)} min`;
}

const NUMBER = /^-?\d+(\.\d+)?$/;

/** A sentence in the person's language, for the eye. */
export function say(sentence: Sentence): string {
  return readable(told(sentence));
}

/**
 * A sentence in the person's language, with what redaction left of the names in it (`{number}`): for `Readable` and `spoken`.
 * See src/locales/README.md for how its values are said.
 */
export function told(sentence: Sentence): string {
  const values: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(sentence.values)) {
    if (value === undefined) continue;
    if (name === "count" && NUMBER.test(value)) values[name] = Number(value);
    else if (name === "role") values[name] = i18next.t([`role.${value || "other"}`, "role.other"]);
    else if (name === "time" && !Number.isNaN(Date.parse(value))) values[name] = timeOfDay(value);
    else if (NUMBER.test(value)) values[name] = number(Number(value), value.split(".")[1]?.length ?? 0);
    else values[name] = value;
  }
  // A sentence about a role needs one, also where the recording knew none.
  values.role ??= i18next.t("role.other");
  const seconds = Number(sentence.values.seconds);
  if (!Number.isNaN(seconds)) values.minutes ??= number(Math.max(1, Math.round(seconds / 60)));
  if (!i18next.exists(sentence.key, values)) return i18next.t("problem.unknown", { reason: sentence.key });
  return i18next.t(sentence.key, values);
}
