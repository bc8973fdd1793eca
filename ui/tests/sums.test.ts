import { describe, expect, it } from "vitest";

import { addUp } from "../src/desktop/knows/sums";

const term = (adds: number, key = "term.errors") => ({ key, count: 1, adds });
const shown = (value: number) => Math.round(value * 100) + 0;

describe("terms", () => {
  it("add up to the score as it is shown, whatever the rounding", () => {
    let seed = 7;
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let round = 0; round < 500; round += 1) {
      const terms = Array.from({ length: 1 + Math.floor(random() * 7) }, () => term((random() - 0.2) * 0.3));
      const value = terms.reduce((sum, one) => sum + one.adds, 0);
      const parts = addUp({ value, terms });
      expect(parts).toHaveLength(terms.length);
      expect(parts.reduce((sum, one) => sum + shown(one.adds), 0) + 0).toBe(shown(value) + 0);
      parts.forEach((part, at) => expect(Math.abs(part.adds - (terms[at]?.adds ?? 0))).toBeLessThan(0.01 + 1e-9));
    }
  });

  it("give nothing to a term that is nothing", () => {
    const parts = addUp({ value: 0.015, terms: [term(0), term(0.0075), term(0.0075)] });
    expect(parts[0]?.adds).toBe(0);
  });

  it("say openly what they don't explain", () => {
    const parts = addUp({ value: 0.5, terms: [term(0.2)] });
    expect(parts.at(-1)).toEqual({ key: "term.rounding", count: 1, adds: 0.29 });
    expect(parts.reduce((sum, one) => sum + shown(one.adds), 0)).toBe(50);
  });
});
