/** Shortcuts as the settings keep them (`Ctrl+Alt+F`), read from key presses and shown in words. */

type Press = { key: string; code: string; ctrlKey: boolean; altKey: boolean; shiftKey: boolean; metaKey: boolean };

const MODIFIERS = ["Control", "Alt", "Shift", "Meta", "AltGraph", "OS"];

/**
 * What was pressed. `modifier` while only modifiers are held; nothing where it can't be a shortcut: without Ctrl, Alt or Super it
 * would take a letter away from typing.
 */
export function shortcutOf(press: Press): string | "modifier" | null {
  if (MODIFIERS.includes(press.key)) return "modifier";
  const key = keyOf(press);
  if (!key) return null;
  const isFunction = /^F\d+$/.test(key);
  if (!press.ctrlKey && !press.altKey && !press.metaKey && !isFunction) return null;
  const parts = [
    press.ctrlKey && "Ctrl",
    press.altKey && "Alt",
    press.shiftKey && "Shift",
    press.metaKey && "Super",
    key,
  ];
  return parts.filter(Boolean).join("+");
}

/** The sign on the key, as the layout has it: Z on a German keyboard is Y's place on others. Where Alt or Shift turn it into another one, its place. */
function keyOf({ key, code }: Press): string | null {
  if (/^[a-z]$/i.test(key)) return key.toUpperCase();
  if (/^Key[A-Z]$/.test(code)) return code.slice(3);
  if (/^Digit\d$/.test(code)) return code.slice(5);
  if (/^F([1-9]|1\d|2[0-4])$/.test(code)) return code;
  return code === "Space" ? "Space" : null;
}

/** In the person's words: Strg+Alt+F. */
export function shownShortcut(shortcut: string, t: (key: string) => string): string {
  const words: Record<string, string> = {
    Ctrl: "key.ctrl",
    Alt: "key.alt",
    Shift: "key.shift",
    Super: "key.super",
    Space: "key.space",
  };
  return shortcut
    .split("+")
    .map((part) => (words[part] ? t(words[part]) : part))
    .join(" + ");
}
