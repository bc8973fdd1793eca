//! The words of a text, as a search compares them.
//!
//! **Invariant:** a row's `words` and a search's words come from here, or from the table's
//! own default (a row that somebody inserts by SQL), which says the same; a test compares
//! the two. ClickHouse builds its expression's tables anew for each insert and each search,
//! which takes longer than the rest of a row.

use std::sync::LazyLock;

use icu_normalizer::ComposingNormalizerBorrowed;
use regex::Regex;

/// A sign that stands for a word (Han, kana, emoji), or a run of what is neither that nor
/// punctuation, space or control. A character that Unicode doesn't know yet may be a
/// letter: it is taken for one, as ClickHouse does.
static WORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"[\p{Han}\p{Hiragana}\p{Katakana}\p{So}]|[^\p{P}\p{S}\p{Z}\p{Cc}\p{Cf}\p{Co}\p{Han}\p{Hiragana}\p{Katakana}]+",
    )
    .expect("the expression is constant")
});

/// The words of a text in its order, without case and in one form of writing (NFKC).
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let text = ComposingNormalizerBorrowed::new_nfkc()
        .normalize(text)
        .to_lowercase();
    WORD.find_iter(&text)
        .map(|word| word.as_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_without_case_form_and_punctuation() {
        assert_eq!(
            words("The \u{fb01}le WON'T open, \u{c4}rger!"),
            ["the", "file", "won", "t", "open", "\u{e4}rger"]
        );
        // A letter and its accent apart are the same word as both in one.
        assert_eq!(words("e\u{301}cole"), words("\u{c9}cole"));
        assert_eq!(
            words("\u{6f22}\u{5b57}\u{1f600}x"),
            ["\u{6f22}", "\u{5b57}", "\u{1f600}", "x"]
        );
        assert_eq!(
            words(" \u{2026}\u{200b}\u{1}\u{e000}"),
            Vec::<String>::new()
        );
    }
}
