import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/**
 * Which code stands together. A window waits for each file that names another, so they are few, and in the order in which a window
 * needs them: what asks Rust, React, and Mantine last, which the form's text field doesn't wait for.
 */
const GROUPS = [
  {
    name: "ask",
    priority: 3,
    test: /src\/(desktop\/(early|ask)|ipc\/(client|transport)|i18n\/catalogues)\.ts|@tauri-apps/,
  },
  { name: "react", priority: 2, test: /node_modules\/(react|react-dom|scheduler|i18next|react-i18next)\// },
  { name: "mantine", priority: 1, test: /node_modules\/.*js$/ },
];

/** What the page names for the browser to fetch at once, though only code asks for it later: the words, of which one file is read. */
const FETCHED_EARLY = /^assets\/(en|de)-/;

function fetchEarly(): Plugin {
  return {
    name: "fetch-early",
    transformIndexHtml: {
      order: "post",
      handler: (_, { bundle }) =>
        Object.keys(bundle ?? {})
          .filter((name) => FETCHED_EARLY.test(name))
          .map((name) => ({
            tag: "link",
            attrs: { rel: "modulepreload", crossorigin: true, href: `./${name}` },
            injectTo: "head" as const,
          })),
    },
  };
}

/**
 * Two builds come from here: the app's (`npm run build` → dist), and the demo (`--mode demo` → dist-demo), in which the windows
 * run in a browser over an in-memory backend. `__DEMO__` is false in the app's, so that the demo's code falls out of it.
 */
export default defineConfig(({ mode }) => ({
  base: "./",
  plugins: [react(), fetchEarly()],
  define: { __DEMO__: JSON.stringify(mode !== "production") },
  build: {
    outDir: mode === "demo" ? "dist-demo" : "dist",
    emptyOutDir: true,
    // WebKitGTK 2.40 and WebView2 are what the app meets.
    target: ["safari16.4", "chrome111"],
    // Nothing is inlined as data: so that the policy of the page can stay at 'self'.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { desktop: "desktop.html" }, output: { codeSplitting: { groups: GROUPS } } },
  },
  server: { host: "127.0.0.1" },
  test: {
    environment: "jsdom",
    setupFiles: ["tests/setup.ts"],
    include: ["tests/**/*.test.{ts,tsx}"],
    testTimeout: 20_000,
    css: false,
  },
}));
