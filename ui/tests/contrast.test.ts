import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

/** The colours that words and symbols really have, as pairs of variables: on what, what. WCAG AA. */
const TEXT: [string, string][] = [
  ["--mantine-color-body", "--mantine-color-text"],
  ["--mantine-color-body", "--snag-quiet"],
  ["--snag-surface", "--mantine-color-text"],
  ["--snag-surface", "--snag-quiet"],
  ["--snag-surface-2", "--mantine-color-text"],
  ["--mantine-color-body", "--mantine-color-placeholder"],
  ["--mantine-color-default", "--mantine-color-placeholder"],
  ["--mantine-color-body", "--mantine-color-error"],
  ["--mantine-color-body", "--mantine-color-anchor"],
  ["--mantine-color-body", "--snag-accent"],
  ["--snag-surface", "--snag-accent"],
  ["--snag-accent", "--snag-on-accent"],
  ["--snag-accent-soft", "--snag-accent"],
  ["--snag-accent-soft", "--mantine-color-text"],
  ["--snag-friction-soft", "--mantine-color-text"],
  ["--snag-danger-soft", "--mantine-color-text"],
  ["--mantine-color-body", "--snag-danger"],
];
const SYMBOLS: [string, string][] = [
  ["--mantine-color-body", "--snag-friction"],
  ["--snag-friction-soft", "--snag-friction-text"],
  ["--snag-danger-soft", "--snag-danger"],
  ["--mantine-color-body", "--snag-accent"],
];

function variables(scheme: "light" | "dark"): Map<string, string> {
  const css = readFileSync("src/design/variables.css", "utf8");
  const found = new Map<string, string>();
  for (const block of css.matchAll(/(:root[^{]*)\{([^}]*)\}/g)) {
    if (block[1]?.includes("data-mantine") && !block[1].includes(scheme)) continue;
    for (const line of (block[2] ?? "").matchAll(/(--[\w-]+): ([^;]+);/g)) found.set(line[1] ?? "", line[2] ?? "");
  }
  return found;
}

function rgb(name: string, all: Map<string, string>): number[] {
  let value = all.get(name) ?? "";
  while (value.startsWith("var(")) value = all.get(value.slice(4, -1)) ?? "";
  const hex = /^#([0-9a-f]{6}|[0-9a-f]{3})$/i.exec(value)?.[1];
  if (!hex) throw new Error(`${name} is ${value}`);
  const long = hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex;
  return [0, 2, 4].map((at) => parseInt(long.slice(at, at + 2), 16) / 255);
}

const luminance = (colour: number[]) =>
  colour
    .map((part) => (part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * ([0.2126, 0.7152, 0.0722][at] ?? 0), 0);

function contrast(one: number[], other: number[]): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

describe.each(["light", "dark"] as const)("in the %s scheme", (scheme) => {
  const all = variables(scheme);
  it.each(TEXT)("words on %s in %s have 4.5 to 1", (ground, words) => {
    expect(contrast(rgb(ground, all), rgb(words, all))).toBeGreaterThanOrEqual(4.5);
  });
  it.each(SYMBOLS)("symbols on %s in %s have 3 to 1", (ground, symbol) => {
    expect(contrast(rgb(ground, all), rgb(symbol, all))).toBeGreaterThanOrEqual(3);
  });
});

it("the accent is the thread's", () => {
  expect(rgb("--snag-accent", variables("light"))).toEqual([0x0b, 0x7a, 0x75].map((part) => part / 255));
  expect(rgb("--snag-accent", variables("dark"))).toEqual([0x4f, 0xd1, 0xc5].map((part) => part / 255));
});
