import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import de from "../src/locales/de.json";
import en from "../src/locales/en.json";
import { LEFT_OUT } from "../src/i18n/leftOut";

type Tree = { [key: string]: string | Tree };

function flat(tree: Tree, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === "string") found.set(prefix + key, value);
    else for (const [inner, text] of flat(value, `${prefix}${key}.`)) found.set(inner, text);
  }
  return found;
}

const english = flat(en);
const german = flat(de);
const placeholders = (text: string) => [...new Set(text.match(/{{\s*\w+\s*}}/g) ?? [])].sort();

/** Whether a key is there, by itself or as a plural. */
const has = (key: string) => english.has(key) || english.has(`${key}_other`);

function sources(folder: string, end: RegExp): [string, string][] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && end.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path, "utf8")]);
}

describe("the catalogues", () => {
  it("have the same keys", () => {
    expect([...german.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it("have the same values in each sentence", () => {
    for (const [key, text] of english) expect(placeholders(german.get(key) ?? ""), key).toEqual(placeholders(text));
  });

  it("leave no sentence empty, and none in the other language", () => {
    // The same word in both: names, and words that German took over.
    const shared =
      /^(app\.name|role\.|step\.(escape|program)|notify\.reply_body|occasion\.program_said|category\.|key\.alt|key\.super|feedback\.(canvas\.(text|where)|tool\.)|knows\.(role|action)\.other|conversations\.about|about\.(version|organisation|licence_name)|health\.name\.(server)|tray\.(pause$|tooltip)|settings\.(pause\.title|day\.|start\.title)|knows\.kind\.label|term\.)/;
    for (const [key, text] of english) {
      expect(text.trim(), key).not.toBe("");
      expect(german.get(key)?.trim(), key).not.toBe("");
      if (!shared.test(key)) expect(german.get(key), key).not.toBe(text);
    }
  });

  it("have both forms of a plural", () => {
    for (const key of english.keys()) {
      if (!key.endsWith("_one")) continue;
      // Rust looks a prompt up by its bare key, which is its plural.
      const other = key.startsWith("prompt.") ? "" : "_other";
      expect(english.has(key.replace(/_one$/, other)), key).toBe(true);
    }
  });

  it("have a singular for each sentence that says a number of things", () => {
    // "2 of 7 steps": of one step all or none is attached.
    const neverOne = ["feedback.steps_some"];
    for (const [key, text] of [...english, ...german]) {
      if (!text.includes("{{count}}") || key.endsWith("_one") || neverOne.includes(key)) continue;
      expect(english.has(`${key.replace(/_other$/, "")}_one`), `${key}: ${text}`).toBe(true);
    }
  });

  it("speak of programs, and never of watching people", () => {
    const never =
      /\b(monitor\w*|track(s|ed|ing)?|productiv\w*|idle\w*|surveil\w*|überwach\w*|produktiv\w*|leistung\w*)\b/i;
    for (const [key, text] of [...english, ...german]) expect(never.test(text), `${key}: ${text}`).toBe(false);
  });
});

describe("the windows' code", () => {
  const code = sources("src", /\.tsx?$/).filter(([path]) => !path.includes("bindings"));

  it("names only keys that exist", () => {
    let found = 0;
    for (const [path, text] of code) {
      for (const match of text.matchAll(/\bt\(\s*\[?"([\w.-]+)"/g)) {
        found += 1;
        expect(has(match[1] ?? ""), `${match[1]} in ${path}`).toBe(true);
      }
      for (const match of text.matchAll(/\bt\([^()"`]*\?\s*"([\w.]+)"\s*:\s*"([\w.]+)"/g)) {
        expect(has(match[1] ?? "") && has(match[2] ?? ""), `${match[0]} in ${path}`).toBe(true);
      }
      for (const match of text.matchAll(/\bkey: "([a-z_]+\.[\w.]+)"/g)) {
        found += 1;
        expect(has(match[1] ?? ""), `${match[1]} in ${path}`).toBe(true);
      }
    }
    expect(found).toBeGreaterThan(150);
  });

  it("puts keys together only from beginnings that exist", () => {
    for (const [path, text] of code) {
      for (const match of text.matchAll(/\bt\(\s*\[?`([\w.-]+?)\$\{/g)) {
        const start = match[1] ?? "";
        expect(
          [...english.keys()].some((key) => key.startsWith(start)),
          `${start} in ${path}`,
        ).toBe(true);
      }
    }
  });

  it("uses every word that was written for the windows", () => {
    const all = code.map(([, text]) => text).join("\n");
    const starts = [...all.matchAll(/`([\w.-]+?\.[\w.-]*)\$\{/g)].map((match) => match[1] ?? "");
    const unused = [...english.keys()]
      .filter((key) =>
        /^(window|common|category|key|feedback|first_run|knows|conversations|about|settings)\./.test(key),
      )
      .map((key) => key.replace(/_(zero|one|other)$/, (end) => (english.has(key.replace(end, "_other")) ? "" : end)))
      .filter((key) => !all.includes(`"${key}"`) && !starts.some((start) => start !== "" && key.startsWith(start)));
    expect([...new Set(unused)]).toEqual([]);
  });
});

describe("what redaction leaves out", () => {
  it("is known by its name, each kind that there is", () => {
    const [, text] = sources("../agent/core/src/redact", /^normalise\.rs$/)[0] ?? ["", ""];
    const list = /PLACEHOLDERS: &\[&str\] = &\[([^\]]*)\]/.exec(text)?.[1] ?? "";
    const document = /const DOCUMENT: &str = "\{(\w+)\}"/.exec(text)?.[1] ?? "";
    const core = [...list.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
    expect([...core, document].sort()).toEqual([...LEFT_OUT].sort());
    for (const kind of LEFT_OUT) expect(has(`left_out.${kind}`), kind).toBe(true);
  });
});

describe("what Rust says", () => {
  /** Keys and the names of their values: agent/src/desktop/sentence.rs. */
  function sentences(): [string, string[]][] {
    const [, text] = sources("../agent/src/desktop", /^sentence\.rs$/)[0] ?? ["", ""];
    const table = text.slice(text.indexOf("SENTENCES: &["), text.indexOf("\n];"));
    const names = (list: string) => [...list.matchAll(/"(\w+)"/g)].map((name) => name[1] ?? "");
    const shared = (name: string) => names(new RegExp(`const ${name}: [^=]*= &\\[([^\\]]*)\\]`).exec(text)?.[1] ?? "");
    return [...table.matchAll(/\(\s*"([\w.]+)",\s*(?:&\[([^\]]*)\]|([A-Z_]+))/g)].map((match) => [
      match[1] ?? "",
      match[3] ? shared(match[3]) : names(match[2] ?? ""),
    ]);
  }

  it("is in the catalogues, with no value that isn't given", () => {
    const said = sentences();
    expect(said.length).toBeGreaterThan(30);
    for (const [key, names] of said) {
      expect(has(key), `${key} of sentence.rs`).toBe(true);
      // `role` has words of its own, and minutes come from seconds.
      const known = new Set([...names, "role", ...(names.includes("seconds") ? ["minutes"] : [])]);
      for (const form of [key, `${key}_one`, `${key}_other`]) {
        for (const placeholder of placeholders(english.get(form) ?? "")) {
          expect(known, `${placeholder} in ${form}`).toContain(placeholder.replace(/[{}\s]/g, ""));
        }
      }
    }
  });

  it("has a line for the health of each source", () => {
    for (const source of ["input", "windows", "elements", "answers", "notifications", "tray", "server", "storage"]) {
      expect(has(`health.name.${source}`), source).toBe(true);
      expect(has(`health.ok.${source}`), source).toBe(true);
    }
  });

  it("names only keys that exist, in the app's source, too", () => {
    const groups = "tray|notify|prompt|occasion|incident|problem|refused|widened|term|health|step|role";
    for (const [path, text] of [...sources("../src-tauri/src", /\.rs$/), ...sources("../agent/src", /\.rs$/)]) {
      for (const match of text.matchAll(new RegExp(`"((?:${groups})\\.[a-z_]+(?:\\.[a-z_]+)?)"`, "g"))) {
        expect(has(match[1] ?? ""), `${match[1]} in ${path}`).toBe(true);
      }
    }
  });
});
