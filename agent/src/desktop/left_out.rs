//! Labels as people read them: what redaction took out of a text (`Accounts {number}`) is a gap (`Accounts …`).
//!
//! For what is shown or written for people. What leaves as a record, and its JSON, holds the label itself.

use std::borrow::Cow;

use snag_core::redact::PLACEHOLDERS;

/// A gap.
const GAP: char = '…';

/// A text with its gaps; several in a row are one.
#[must_use]
pub fn readable(text: &str) -> Cow<'_, str> {
    if !text.contains('{') {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        match placeholder(rest) {
            Some(after) if shown.trim_end_matches(' ').ends_with(GAP) => {
                shown.truncate(shown.trim_end_matches(' ').len());
                rest = after;
            }
            Some(after) => {
                shown.push(GAP);
                rest = after;
            }
            None => {
                shown.push('{');
                rest = &rest[1..];
            }
        }
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// What follows the placeholder that a text begins with.
fn placeholder(text: &str) -> Option<&str> {
    PLACEHOLDERS
        .iter()
        .find_map(|placeholder| text.strip_prefix(placeholder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_is_a_gap() {
        for (label, shown) in [
            ("Accounts {number}", "Accounts …"),
            ("{document} - Word", "… - Word"),
            ("Report {date} {time} - Excel", "Report … - Excel"),
            ("{name}: {number}", "…: …"),
            ("Save", "Save"),
            ("{} {nothing} {number", "{} {nothing} {number"),
        ] {
            assert_eq!(readable(label), shown);
        }
        for placeholder in PLACEHOLDERS {
            assert_eq!(readable(placeholder), "…");
            assert_eq!(
                snag_core::redact::normalise(placeholder),
                *placeholder,
                "it is one of the core's own"
            );
        }
    }
}
