import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** The app's build, made anew. */
let folder = "";
let files: [string, string][] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "snag-ui-"));
  // Vitest's own environment would make a development build of it.
  const env = { ...process.env, NODE_ENV: "production" };
  execFileSync("npx", ["vite", "build", "--outDir", folder, "--logLevel", "error"], { stdio: "pipe", env });
  files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path.slice(folder.length + 1), readFileSync(path, "utf8")]);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the app's build", () => {
  it("has no demo in it", () => {
    expect(files.length).toBeGreaterThan(8);
    for (const [path, text] of files) expect(/Hartmann|Nordhafen/.test(text), path).toBe(false);
  });

  it("loads nothing from elsewhere and runs no text as code", () => {
    const page = files.find(([path]) => path === "desktop.html")?.[1] ?? "";
    expect(page).toContain('src="./assets/');
    expect(page).not.toMatch(/https?:|<style|style="|\son\w+="/);
    // Without `src` a script would be inline.
    expect(page.match(/<script(?![^>]*\bsrc=)/g)).toBeNull();
    for (const [path, text] of files) {
      expect(/\beval\(|new Function\(/.test(text), path).toBe(false);
      if (path.endsWith(".css")) expect(/@import|url\(\s*["']?https?:/.test(text), path).toBe(false);
    }
  });

  it("draws the form's text field without Mantine, and with one catalogue", () => {
    const text = (path: string) => files.find(([name]) => name === path)?.[1] ?? "";
    const page = text("desktop.html");
    const first = [
      ...page.matchAll(/<(?:script|link rel="(?:modulepreload|stylesheet)")[^>]* (?:src|href)="\.\/([^"]+)"/g),
    ];
    const names = first.map((match) => match[1] ?? "");
    expect(names.length).toBeGreaterThan(4);
    for (const name of names) {
      expect(text(name), name).not.toBe("");
      expect(/\bmantine-(Button|Input)|m_77c9d27d/.test(text(name)), name).toBe(false);
    }
    // What is run, beside the catalogues, which are fetched and not run before one is chosen.
    const run = names.filter((name) => name.endsWith(".js") && !/\/(en|de)-/.test(name));
    for (const name of run) {
      expect(text(name), name).not.toMatch(/In your words|In Ihren Worten/);
    }
    // Nothing more is waited for than the page names.
    const imported = run.flatMap((name) =>
      [...text(name).matchAll(/\b(?:from|import)"\.\/([^"]+)"/g)].map((match) => `assets/${match[1]}`),
    );
    for (const name of imported) expect(names, name).toContain(name);
  });

  it("stays small", () => {
    const size = files.reduce((sum, [, text]) => sum + text.length, 0);
    expect(size).toBeLessThan(1_200_000);
  });
});
