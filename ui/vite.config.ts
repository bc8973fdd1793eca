import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/**
 * Two builds come from here: the app's (`npm run build` → dist), and the demo (`--mode demo` → dist-demo), in which the windows
 * run in a browser over an in-memory backend. `__DEMO__` is false in the app's, so that the demo's code falls out of it.
 */
export default defineConfig(({ mode }) => ({
  base: "./",
  plugins: [react()],
  define: { __DEMO__: JSON.stringify(mode !== "production") },
  build: {
    outDir: mode === "demo" ? "dist-demo" : "dist",
    emptyOutDir: true,
    // WebKitGTK 2.40 and WebView2 are what the app meets.
    target: ["safari16.4", "chrome111"],
    // Nothing is inlined as data: so that the policy of the page can stay at 'self'.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { desktop: "desktop.html" } },
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
