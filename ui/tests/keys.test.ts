import { expect, test } from "vitest";

import { shortcutOf } from "../src/desktop/settings/keys";

const press = (key: string, code: string, held: string) => ({
  key,
  code,
  ctrlKey: held.includes("c"),
  altKey: held.includes("a"),
  shiftKey: held.includes("s"),
  metaKey: held.includes("m"),
});

test("a shortcut is what is written on the keys", () => {
  expect(shortcutOf(press("f", "KeyF", "ca"))).toBe("Ctrl+Alt+F");
  // A German keyboard has Z where others have Y.
  expect(shortcutOf(press("z", "KeyY", "c"))).toBe("Ctrl+Z");
  expect(shortcutOf(press("F", "KeyF", "cs"))).toBe("Ctrl+Shift+F");
  // Alt on a Mac makes another sign of it, and Shift does of a digit.
  expect(shortcutOf(press("ƒ", "KeyF", "a"))).toBe("Alt+F");
  expect(shortcutOf(press("!", "Digit1", "ms"))).toBe("Shift+Super+1");
  expect(shortcutOf(press(" ", "Space", "c"))).toBe("Ctrl+Space");
});

test("typing is left to the programs", () => {
  expect(shortcutOf(press("f", "KeyF", ""))).toBeNull();
  expect(shortcutOf(press("F", "KeyF", "s"))).toBeNull();
  expect(shortcutOf(press("F9", "F9", ""))).toBe("F9");
  expect(shortcutOf(press("Control", "ControlLeft", "c"))).toBe("modifier");
});
