//! What an element is told apart by: its name where that says something, its place in its window where not.

use snag_core::redact::normalise;

/// Whether a name tells elements apart once its numbers, dates and persons are replaced: `7` and `8` of a calculator
/// become the same placeholder.
pub(crate) fn tells_apart(name: &str) -> bool {
    let normalised = normalise(name);
    let mut depth = 0_u32;
    normalised.chars().any(|c| {
        match c {
            '<' | '{' | '[' => depth += 1,
            '>' | '}' | ']' => depth = depth.saturating_sub(1),
            _ => return depth == 0 && c.is_alphabetic(),
        }
        false
    })
}

/// What stands for an element by its place. It begins with a character that no normalised name holds, so that no name
/// has the same hash.
pub(crate) fn by_place(app: &str, role: &str, place: &[i32]) -> String {
    use std::fmt::Write as _;
    let mut text = format!("\u{1}{app}\u{1}{role}");
    for index in place {
        let _ = write!(text, "/{index}");
    }
    text
}
