import { readFileSync, writeFileSync } from "node:fs";

import { expect, it } from "vitest";

import { variablesCss } from "../src/design/variables";

const FILE = "src/design/variables.css";

it("the style sheet says what the theme says", () => {
  if (process.env.UPDATE) writeFileSync(FILE, variablesCss());
  expect(readFileSync(FILE, "utf8"), "UPDATE=1 npm test writes it").toBe(variablesCss());
});
