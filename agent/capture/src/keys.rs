//! Which class a key is of. The one place that sees which key was hit, and it forgets at once.
//!
//! Invariant: nothing of the key but its `KeyClass` leaves this module; the only memory is which modifiers are down.

use rdev::Key;
use snag_core::KeyClass;

/// A modifier that saw no key event for this long counts as released (ms): its release happened where we cannot see
/// (a lock screen, another virtual terminal), and a stuck Ctrl would turn all typing into shortcuts.
const STUCK_MODIFIER_MS: u64 = 60_000;

/// Tracks the modifiers and classifies key presses.
#[derive(Default)]
pub(crate) struct KeyTracker {
    ctrl: [bool; 2],
    meta: [bool; 2],
    shift: [bool; 2],
    alt: bool,
    alt_gr: bool,
    last_t: u64,
}

impl KeyTracker {
    /// Takes a key press at `t` (ms) with the text the platform says it types, and returns its class.
    pub(crate) fn press(&mut self, t: u64, key: Key, text: Option<&str>) -> KeyClass {
        if t.saturating_sub(self.last_t) > STUCK_MODIFIER_MS {
            *self = Self::default();
        }
        self.last_t = t;
        if self.modifier(key, true) {
            return KeyClass::Modifier;
        }
        let shift = self.shift[0] || self.shift[1];
        // AltGr arrives as Ctrl + Alt on Windows: it types characters, it is no shortcut.
        let ctrl = (self.ctrl[0] || self.ctrl[1]) && !self.alt_gr && !self.alt;
        let meta = self.meta[0] || self.meta[1];
        let command = if cfg!(target_os = "macos") {
            meta
        } else {
            ctrl
        };
        if command {
            return chord(key, text, shift);
        }
        match key {
            Key::Space => KeyClass::Space,
            Key::Return | Key::KpReturn => KeyClass::Enter,
            Key::Tab => KeyClass::Tab,
            Key::Escape => KeyClass::Escape,
            Key::Backspace => KeyClass::Backspace,
            Key::Delete if shift => KeyClass::Cut,
            Key::Insert if shift => KeyClass::Paste,
            Key::Delete | Key::KpDelete => KeyClass::Delete,
            _ if is_navigation(key) => KeyClass::Navigation,
            _ if is_function(key) => KeyClass::Function,
            _ if meta || ctrl || (self.alt && !cfg!(target_os = "macos")) => KeyClass::Other,
            _ if types_a_character(key, text) => KeyClass::Char,
            _ => KeyClass::Other,
        }
    }

    /// Takes a key release.
    pub(crate) fn release(&mut self, t: u64, key: Key) {
        self.last_t = t;
        self.modifier(key, false);
    }

    fn modifier(&mut self, key: Key, down: bool) -> bool {
        match key {
            Key::ControlLeft => self.ctrl[0] = down,
            Key::ControlRight => self.ctrl[1] = down,
            Key::MetaLeft => self.meta[0] = down,
            Key::MetaRight => self.meta[1] = down,
            Key::ShiftLeft => self.shift[0] = down,
            Key::ShiftRight => self.shift[1] = down,
            Key::Alt => self.alt = down,
            Key::AltGr => self.alt_gr = down,
            Key::CapsLock | Key::NumLock | Key::ScrollLock | Key::Function => {}
            _ => return false,
        }
        true
    }
}

/// A key with Ctrl (Cmd on macOS) held. The letter is taken from the layout where the platform tells what the key
/// types, as Ctrl+Z is another key on a German keyboard; from the key's place where it does not.
fn chord(key: Key, text: Option<&str>, shift: bool) -> KeyClass {
    let letter = text
        .and_then(|text| text.chars().next())
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_lowercase())
        .or(match key {
            Key::KeyZ => Some('z'),
            Key::KeyY => Some('y'),
            Key::KeyC => Some('c'),
            Key::KeyX => Some('x'),
            Key::KeyV => Some('v'),
            Key::KeyS => Some('s'),
            Key::KeyF => Some('f'),
            _ => None,
        });
    match (letter, key) {
        (Some('z'), _) if shift => KeyClass::Redo,
        (Some('z'), _) => KeyClass::Undo,
        (Some('y'), _) => KeyClass::Redo,
        (Some('c'), _) | (_, Key::Insert) => KeyClass::Copy,
        (Some('x'), _) => KeyClass::Cut,
        (Some('v'), _) => KeyClass::Paste,
        (Some('s'), _) => KeyClass::Save,
        (Some('f'), _) => KeyClass::Find,
        (_, Key::Return | Key::KpReturn) => KeyClass::Enter,
        (_, Key::Backspace) => KeyClass::Backspace,
        (_, Key::Delete | Key::KpDelete) => KeyClass::Delete,
        (_, key) if is_navigation(key) || key == Key::Tab => KeyClass::Navigation,
        (_, key) if is_function(key) => KeyClass::Function,
        _ => KeyClass::Other,
    }
}

fn is_navigation(key: Key) -> bool {
    matches!(
        key,
        Key::UpArrow
            | Key::DownArrow
            | Key::LeftArrow
            | Key::RightArrow
            | Key::Home
            | Key::End
            | Key::PageUp
            | Key::PageDown
    )
}

fn is_function(key: Key) -> bool {
    matches!(
        key,
        Key::F1
            | Key::F2
            | Key::F3
            | Key::F4
            | Key::F5
            | Key::F6
            | Key::F7
            | Key::F8
            | Key::F9
            | Key::F10
            | Key::F11
            | Key::F12
    )
}

fn types_a_character(key: Key, text: Option<&str>) -> bool {
    if text
        .and_then(|text| text.chars().next())
        .is_some_and(|first| !first.is_control())
    {
        return true;
    }
    // The platform names no text for the digits of the keypad, nor where it cannot name any at all.
    matches!(
        key,
        Key::Kp0
            | Key::Kp1
            | Key::Kp2
            | Key::Kp3
            | Key::Kp4
            | Key::Kp5
            | Key::Kp6
            | Key::Kp7
            | Key::Kp8
            | Key::Kp9
            | Key::KpPlus
            | Key::KpMinus
            | Key::KpMultiply
            | Key::KpDivide
            | Key::Num0
            | Key::Num1
            | Key::Num2
            | Key::Num3
            | Key::Num4
            | Key::Num5
            | Key::Num6
            | Key::Num7
            | Key::Num8
            | Key::Num9
            | Key::KeyA
            | Key::KeyB
            | Key::KeyC
            | Key::KeyD
            | Key::KeyE
            | Key::KeyF
            | Key::KeyG
            | Key::KeyH
            | Key::KeyI
            | Key::KeyJ
            | Key::KeyK
            | Key::KeyL
            | Key::KeyM
            | Key::KeyN
            | Key::KeyO
            | Key::KeyP
            | Key::KeyQ
            | Key::KeyR
            | Key::KeyS
            | Key::KeyT
            | Key::KeyU
            | Key::KeyV
            | Key::KeyW
            | Key::KeyX
            | Key::KeyY
            | Key::KeyZ
            | Key::BackQuote
            | Key::Minus
            | Key::Equal
            | Key::LeftBracket
            | Key::RightBracket
            | Key::SemiColon
            | Key::Quote
            | Key::BackSlash
            | Key::IntlBackslash
            | Key::Comma
            | Key::Dot
            | Key::Slash
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(tracker: &mut KeyTracker, key: Key, text: &str) -> KeyClass {
        tracker.press(1_000, key, Some(text).filter(|text| !text.is_empty()))
    }

    #[test]
    fn plain_keys_have_their_class_and_nothing_else() {
        let table = [
            (Key::KeyA, "a", KeyClass::Char),
            (Key::Num7, "7", KeyClass::Char),
            (Key::Kp7, "", KeyClass::Char),
            (Key::Unknown(200), "ö", KeyClass::Char),
            (Key::Unknown(200), "", KeyClass::Other),
            (Key::Space, " ", KeyClass::Space),
            (Key::Return, "\r", KeyClass::Enter),
            (Key::KpReturn, "\r", KeyClass::Enter),
            (Key::Tab, "\t", KeyClass::Tab),
            (Key::Escape, "\u{1b}", KeyClass::Escape),
            (Key::Backspace, "\u{8}", KeyClass::Backspace),
            (Key::Delete, "\u{7f}", KeyClass::Delete),
            (Key::PageDown, "", KeyClass::Navigation),
            (Key::F5, "", KeyClass::Function),
            (Key::CapsLock, "", KeyClass::Modifier),
            (Key::PrintScreen, "", KeyClass::Other),
        ];
        for (key, text, class) in table {
            assert_eq!(
                press(&mut KeyTracker::default(), key, text),
                class,
                "{key:?}"
            );
        }
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn shortcuts_are_known_by_the_letter_that_the_layout_types() {
        let table = [
            (Key::KeyZ, "z", KeyClass::Undo),
            // A German keyboard: the key in the place of Z types y, and the other way round.
            (Key::KeyZ, "y", KeyClass::Redo),
            (Key::KeyY, "z", KeyClass::Undo),
            (Key::KeyC, "c", KeyClass::Copy),
            (Key::KeyX, "", KeyClass::Cut),
            (Key::KeyV, "v", KeyClass::Paste),
            (Key::KeyS, "s", KeyClass::Save),
            (Key::KeyF, "f", KeyClass::Find),
            (Key::KeyA, "a", KeyClass::Other),
            (Key::LeftArrow, "", KeyClass::Navigation),
        ];
        for (key, text, class) in table {
            let mut tracker = KeyTracker::default();
            assert_eq!(
                press(&mut tracker, Key::ControlLeft, ""),
                KeyClass::Modifier
            );
            assert_eq!(press(&mut tracker, key, text), class, "{key:?} {text}");
            tracker.release(1_000, Key::ControlLeft);
            assert!(!matches!(
                press(&mut tracker, Key::KeyZ, "z"),
                KeyClass::Undo
            ));
        }
        let mut tracker = KeyTracker::default();
        press(&mut tracker, Key::ControlRight, "");
        press(&mut tracker, Key::ShiftLeft, "");
        assert_eq!(press(&mut tracker, Key::KeyZ, "Z"), KeyClass::Redo);
    }

    #[test]
    fn alt_gr_types_characters() {
        let mut tracker = KeyTracker::default();
        press(&mut tracker, Key::ControlLeft, "");
        press(&mut tracker, Key::AltGr, "");
        assert_eq!(press(&mut tracker, Key::KeyQ, "@"), KeyClass::Char);
    }

    #[test]
    fn one_of_two_held_modifiers_is_enough_and_a_stuck_one_is_forgotten() {
        let mut tracker = KeyTracker::default();
        press(&mut tracker, Key::ShiftLeft, "");
        press(&mut tracker, Key::ShiftRight, "");
        tracker.release(1_000, Key::ShiftLeft);
        assert_eq!(press(&mut tracker, Key::Insert, ""), KeyClass::Paste);

        let mut tracker = KeyTracker::default();
        press(&mut tracker, Key::ControlLeft, "");
        assert_eq!(
            tracker.press(1_000 + STUCK_MODIFIER_MS + 1, Key::KeyC, Some("c")),
            KeyClass::Char
        );
    }
}
