import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// A part of a window that comes later takes more than the usual second on a busy machine.
configure({ asyncUtilTimeout: 10_000 });

// What jsdom lacks and the windows ask for.
Object.defineProperty(window, "matchMedia", {
  writable: true,
  value: (query: string) => ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    addListener: () => undefined,
    removeListener: () => undefined,
    onchange: null,
    dispatchEvent: () => false,
  }),
});
Object.defineProperty(document, "fonts", { value: new EventTarget() });
window.PointerEvent = class extends MouseEvent {
  pointerId: number;
  constructor(kind: string, init: PointerEventInit = {}) {
    super(kind, init);
    this.pointerId = init.pointerId ?? 0;
  }
} as typeof PointerEvent;
globalThis.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
HTMLCanvasElement.prototype.getContext = () => null;
Element.prototype.scrollIntoView = () => undefined;
URL.createObjectURL = vi.fn(() => "blob:picture");
URL.revokeObjectURL = vi.fn();

afterEach(() => cleanup());
