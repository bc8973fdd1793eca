/**
 * The design system's theme, shared by the desktop windows and the dashboard.
 *
 * **Invariant:** `variables.css` is written from here (`UPDATE=1 npm test -- variables`), because a page whose policy allows no
 * `<style>` element can't have Mantine write its variables at run time.
 */
import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

/** Deep teal: the thread. Shade 7 is the accent on light, shade 3 on dark. */
const thread: MantineColorsTuple = [
  "#E6F6F4",
  "#C8EBE7",
  "#92DDD5",
  "#4FD1C5",
  "#2DB3A8",
  "#1B978E",
  "#128780",
  "#0B7A75",
  "#08625E",
  "#054A47",
];

/** Friction: from pale sand to amber. */
const amber: MantineColorsTuple = [
  "#FBF4E4",
  "#F5E8CC",
  "#EFD7A4",
  "#E9C274",
  "#E3AE4C",
  "#D6982A",
  "#B97A12",
  "#945E08",
  "#744A07",
  "#573806",
];

/** Greys with a little warmth, for light. */
const gray: MantineColorsTuple = [
  "#FAF9F6",
  "#F4F2EE",
  "#EAE7E1",
  "#DDD9D1",
  "#C6C1B7",
  "#979086",
  "#68635A",
  "#504C45",
  "#37342F",
  "#24221E",
];

/** The same warmth for dark: 0 is text, 7 the page. */
const dark: MantineColorsTuple = [
  "#E9E7E2",
  "#CCC9C2",
  "#AAA69D",
  "#827E75",
  "#54514A",
  "#3D3A35",
  "#2C2A27",
  "#211F1D",
  "#1A1917",
  "#131211",
];

/** For lost data and for programs that failed, never for people. */
const red: MantineColorsTuple = [
  "#FDEDEA",
  "#F9D5CF",
  "#F2AFA5",
  "#FF9C8F",
  "#DD6B5C",
  "#CC4A39",
  "#B93A2A",
  "#A32C1E",
  "#842318",
  "#651B12",
];

export const theme = createTheme({
  colors: { thread, amber, gray, dark, red },
  primaryColor: "thread",
  primaryShade: { light: 7, dark: 3 },
  white: "#FFFFFF",
  black: "#24221E",
  autoContrast: true,
  // The system's own, and no list of names: WebKitGTK asks fontconfig for each name of the list, for each size and weight, before
  // the first picture. Eight names cost the feedback window more than 100 ms.
  fontFamily: "system-ui, sans-serif",
  fontFamilyMonospace: "ui-monospace, monospace",
  // All sizes are rem: the system's font size counts. 0.875 rem is 14 px where nothing else is set.
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.25rem" },
  lineHeights: { xs: "1.35", sm: "1.4", md: "1.45", lg: "1.5", xl: "1.35" },
  spacing: { xs: "0.25rem", sm: "0.5rem", md: "0.75rem", lg: "1rem", xl: "1.5rem" },
  radius: { xs: "0.25rem", sm: "0.375rem", md: "0.5rem", lg: "0.75rem", xl: "1rem" },
  defaultRadius: "md",
  shadows: { md: "0 1px 2px rgb(0 0 0 / 8%), 0 4px 16px rgb(0 0 0 / 10%)" },
  headings: {
    fontWeight: "600",
    sizes: {
      h1: { fontSize: "1.25rem", lineHeight: "1.3" },
      h2: { fontSize: "1rem", lineHeight: "1.35" },
      h3: { fontSize: "0.875rem", lineHeight: "1.4" },
    },
  },
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: "sm", variant: "filled" } },
    ActionIcon: { defaultProps: { variant: "subtle", color: "gray" } },
    Checkbox: { defaultProps: { radius: "xs" } },
    Textarea: { defaultProps: { size: "md" } },
    TextInput: { defaultProps: { size: "sm" } },
    NativeSelect: { defaultProps: { size: "sm" } },
    // The lock of the page's scrolling would write a <style> element.
    Modal: { defaultProps: { lockScroll: false, transitionProps: { duration: 120 }, centered: true } },
    ModalRoot: { defaultProps: { lockScroll: false } },
  },
});

/** What the windows' own style sheets use beside Mantine's variables. */
export const resolver: CSSVariablesResolver = () => ({
  variables: { "--snag-motion": "120ms" },
  light: {
    "--mantine-color-body": "#FFFFFF",
    "--mantine-color-placeholder": gray[6],
    "--mantine-color-error": red[7],
    "--mantine-color-anchor": thread[7],
    "--mantine-color-default-border": gray[4],
    "--snag-on-accent": "#FFFFFF",
    "--snag-accent": thread[7],
    "--snag-accent-soft": thread[0],
    "--snag-accent-line": thread[2],
    "--snag-surface": gray[0],
    "--snag-surface-2": gray[1],
    "--snag-line": gray[3],
    "--snag-quiet": gray[6],
    "--snag-friction": amber[6],
    "--snag-friction-text": amber[7],
    "--snag-friction-soft": amber[0],
    "--snag-friction-line": amber[2],
    "--snag-danger": red[7],
    "--snag-danger-soft": red[0],
    "--snag-canvas": gray[2],
  },
  dark: {
    "--mantine-color-body": dark[7],
    "--mantine-color-placeholder": dark[2],
    "--mantine-color-error": red[3],
    "--mantine-color-anchor": thread[3],
    "--mantine-color-default-border": dark[4],
    "--snag-on-accent": "#10201F",
    "--snag-accent": thread[3],
    "--snag-accent-soft": "#173836",
    "--snag-accent-line": "#2A5F5B",
    "--snag-surface": dark[6],
    "--snag-surface-2": dark[5],
    "--snag-line": dark[5],
    "--snag-quiet": dark[2],
    "--snag-friction": amber[4],
    "--snag-friction-text": amber[3],
    "--snag-friction-soft": "#3A2F1A",
    "--snag-friction-line": "#6B5425",
    "--snag-danger": red[3],
    "--snag-danger-soft": "#43231F",
    "--snag-canvas": dark[8],
  },
});
