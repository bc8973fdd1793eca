//! Turns a text into a label: what varies between people and days becomes a placeholder.

/// Characters of a normalised label.
pub const LABEL_CHARS_MAX: usize = 200;

/// The label of a text. Words with a digit or a sign in them become `{number}`.
#[must_use]
pub fn normalise(text: &str) -> String {
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| {
            if word == "{number}" || word.chars().all(|c| c.is_alphabetic() || c == '-') {
                word
            } else {
                "{number}"
            }
        })
        .collect();
    words.join(" ").chars().take(LABEL_CHARS_MAX).collect()
}
