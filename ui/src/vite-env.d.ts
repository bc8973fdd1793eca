/// <reference types="vite/client" />

/** Whether the in-memory backend is built in: never in the app's build. */
declare const __DEMO__: boolean;
