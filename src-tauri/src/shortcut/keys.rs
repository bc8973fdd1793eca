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
    fn what_would_be_taken_from_typing_is_none() {
        for none in [
            "", "F", "Shift+F", "7", "Space", "Ctrl+", "Ctrl", "+", "Ctrl+F25", "Hyper+F",
            "Ctrl+Ä", "Ctrl+FF",
        ] {
            assert_eq!(Keys::parse(none), None, "{none}");
        }
    }
}
