//! A shortcut as it is written, `Ctrl+Alt+F`, and as the display knows it.

use x11rb::protocol::xproto::ModMask;

/// Keys that are pressed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keys {
    /// What is held down.
    pub(super) modifiers: ModMask,
    /// The sign that the last key has on it, as an X11 keysym.
    pub(super) keysym: u32,
}

/// The keysym of F1; the others follow.
const F1: u32 = 0xffbe;

impl Keys {
    /// Reads them. None where they are no shortcut: by itself a letter would be taken from every program, and so would
    /// a capital; a function key may stand alone.
    #[must_use]
    pub(super) fn parse(written: &str) -> Option<Self> {
        let (before, key) = match written.rsplit_once('+') {
            Some((before, key)) => (Some(before), key),
            None => (None, written),
        };
        let mut modifiers = ModMask::default();
        for name in before.into_iter().flat_map(|before| before.split('+')) {
            modifiers |= modifier(name.trim())?;
        }
        let keysym = keysym(key.trim())?;
        let stands_alone = keysym >= F1;
        let is_held = u16::from(modifiers) & !u16::from(ModMask::SHIFT) != 0;
        (stands_alone || is_held).then_some(Self { modifiers, keysym })
    }
}

/// How keys are written that were pressed: what was held, and what the key has on it, level by level. Empty where the key
/// is none that a shortcut is written with, or with too little held; none while only a modifier is pressed.
#[must_use]
pub(super) fn written(held: ModMask, signs: &[u32]) -> Option<String> {
    if signs.iter().any(|sign| MODIFIERS.contains(sign)) {
        return None;
    }
    let Some(key) = signs.iter().find_map(|sign| key_name(*sign)) else {
        return Some(String::new());
    };
    let mut parts: Vec<&str> = [
        (ModMask::CONTROL, "Ctrl"),
        (ModMask::M1, "Alt"),
        (ModMask::SHIFT, "Shift"),
        (ModMask::M4, "Super"),
    ]
    .into_iter()
    .filter(|(modifier, _)| u16::from(held) & u16::from(*modifier) != 0)
    .map(|(_, name)| name)
    .collect();
    parts.push(&key);
    let keys = parts.join("+");
    Some(match Keys::parse(&keys) {
        Some(_) => keys,
        None => String::new(),
    })
}

/// Shift to Hyper, Caps Lock and Alt Gr among them.
const MODIFIERS: [u32; 16] = [
    0xffe1, 0xffe2, 0xffe3, 0xffe4, 0xffe5, 0xffe6, 0xffe7, 0xffe8, 0xffe9, 0xffea, 0xffeb, 0xffec,
    0xffed, 0xffee, 0xfe03, 0xff7f,
];

fn key_name(keysym: u32) -> Option<String> {
    match keysym {
        0x20 => Some("Space".to_owned()),
        F1..=0xffd5 => Some(format!("F{}", keysym - F1 + 1)),
        _ => u8::try_from(keysym)
            .ok()
            .filter(u8::is_ascii_alphanumeric)
            .map(|sign| char::from(sign.to_ascii_uppercase()).to_string()),
    }
}

fn modifier(name: &str) -> Option<ModMask> {
    Some(match name.to_ascii_lowercase().as_str() {
        "ctrl" | "control" => ModMask::CONTROL,
        "alt" => ModMask::M1,
        "shift" => ModMask::SHIFT,
        "super" | "meta" => ModMask::M4,
        _ => return None,
    })
}

fn keysym(name: &str) -> Option<u32> {
    if name.eq_ignore_ascii_case("space") {
        return Some(u32::from(' '));
    }
    if let Some(number) = name
        .strip_prefix(['F', 'f'])
        .filter(|rest| !rest.is_empty())
    {
        let number: u32 = number.parse().ok()?;
        return (1..=24).contains(&number).then(|| F1 + number - 1);
    }
    // A key is known by its small letter; the signs of Latin 1 have their own number.
    let mut signs = name.chars();
    match (signs.next(), signs.next()) {
        (Some(sign), None) if sign.is_ascii_graphic() => Some(sign.to_ascii_lowercase().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_settings_write_them() {
        let keys = |modifiers, keysym| Some(Keys { modifiers, keysym });
        let ctrl_alt = ModMask::CONTROL | ModMask::M1;
        assert_eq!(Keys::parse("Ctrl+Alt+F"), keys(ctrl_alt, 0x66));
        assert_eq!(Keys::parse("control + ALT + f"), keys(ctrl_alt, 0x66));
        assert_eq!(Keys::parse("Super+1"), keys(ModMask::M4, 0x31));
        assert_eq!(Keys::parse("Ctrl+Space"), keys(ModMask::CONTROL, 0x20));
        assert_eq!(Keys::parse("F9"), keys(ModMask::default(), 0xffc6));
        assert_eq!(Keys::parse("Shift+F24"), keys(ModMask::SHIFT, 0xffd5));
        assert_eq!(Keys::parse("Ctrl+F"), keys(ModMask::CONTROL, 0x66));
    }

    #[test]
    fn what_is_pressed_is_written_as_it_is_read() {
        let ctrl_alt = ModMask::CONTROL | ModMask::M1;
        let press = |held, signs: &[u32]| written(held, signs);
        let said = |keys: &str| Some(keys.to_owned());
        assert_eq!(press(ctrl_alt, &[0x6b, 0x4b]), said("Ctrl+Alt+K"));
        assert_eq!(press(ModMask::M4, &[0x20, 0x20]), said("Super+Space"));
        assert_eq!(press(ModMask::SHIFT, &[F1 + 8]), said("Shift+F9"));
        // French has its digits on the second level, Russian its Latin letters in another group.
        assert_eq!(press(ModMask::CONTROL, &[0x26, 0x31]), said("Ctrl+1"));
        assert_eq!(
            press(ModMask::CONTROL, &[0x06c1, 0x06e1, 0x66, 0x46]),
            said("Ctrl+F")
        );
        // Caps Lock and Num Lock are no part of it.
        assert_eq!(
            press(ctrl_alt | ModMask::LOCK | ModMask::M2, &[0x6b]),
            said("Ctrl+Alt+K")
        );
        for too_little in [
            press(ModMask::default(), &[0x6b]),
            press(ModMask::SHIFT, &[0x6b]),
            press(ctrl_alt, &[0xff0d]),
        ] {
            assert_eq!(too_little, said(""));
        }
        for modifier in MODIFIERS {
            assert_eq!(press(ModMask::default(), &[modifier]), None);
        }
    }

    #[test]
    fn what_would_be_taken_from_typing_is_none() {
        for none in [
            "", "F", "Shift+F", "7", "Space", "Ctrl+", "Ctrl", "+", "Ctrl+F25", "Hyper+F",
            "Ctrl+Ä", "Ctrl+FF",
        ] {
            assert_eq!(Keys::parse(none), None, "{none}");
        }
    }
}
