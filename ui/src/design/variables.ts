import { defaultCssVariablesResolver, DEFAULT_THEME, mergeMantineTheme } from "@mantine/core";

import { resolver, theme } from "./theme";

const OURS = /--mantine-color-(thread|amber|gray|dark|red)-/;
const A_COLOUR = /--mantine-color-(red|pink|grape|violet|indigo|blue|cyan|green|lime|yellow|orange|teal)-/;

/** The text of `variables.css`: Mantine's variables with the theme's values, without the colours that nothing uses. */
export function variablesCss(): string {
  const merged = mergeMantineTheme(DEFAULT_THEME, theme);
  const base = defaultCssVariablesResolver(merged);
  const ours = resolver(merged);
  const block = (selector: string, values: Record<string, string>) => {
    const lines = Object.entries(values)
      .filter(([name]) => OURS.test(name) || !A_COLOUR.test(name))
      .map(([name, value]) => `  ${name}: ${value};\n`);
    return `${selector} {\n${lines.join("")}}\n`;
  };
  return [
    "/* Written from theme.ts by tests/design.test.ts (UPDATE=1 npm test). */\n",
    block(":root", { ...base.variables, ...ours.variables }),
    block(':root[data-mantine-color-scheme="light"]', { ...base.light, ...ours.light, "color-scheme": "light" }),
    block(':root[data-mantine-color-scheme="dark"]', { ...base.dark, ...ours.dark, "color-scheme": "dark" }),
  ].join("");
}
