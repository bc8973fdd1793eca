//! What a text says, as a set of words that wording and typing errors leave alike, and how
//! alike two of them are.

use std::collections::BTreeSet;

/// Words of a text that count; the longest text has no more to say.
const WORDS_MAX: usize = 60;
/// Words from this length on may differ by a typing error.
const TYPO_CHARS_MIN: usize = 5;
/// Longer words are addresses and the like.
const WORD_CHARS_MAX: usize = 24;

/// Words that say nothing about what a text is about.
const EMPTY: &[&str] = &[
    "a",
    "an",
    "the",
    "this",
    "that",
    "these",
    "those",
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "it",
    "its",
    "it's",
    "i",
    "i'm",
    "i've",
    "my",
    "me",
    "we",
    "our",
    "you",
    "your",
    "they",
    "to",
    "of",
    "in",
    "on",
    "at",
    "for",
    "from",
    "with",
    "and",
    "or",
    "as",
    "by",
    "if",
    "when",
    "then",
    "so",
    "just",
    "very",
    "really",
    "please",
    "pls",
    "there",
    "here",
    "have",
    "has",
    "had",
    "do",
    "does",
    "did",
    "will",
    "would",
    "could",
    "should",
    "can",
    "again",
    "any",
    "anymore",
    "more",
    "longer",
    "still",
    "always",
    "every",
    "time",
    "since",
    "after",
    "how",
    "what",
    "which",
    "hi",
    "hello",
    "thanks",
    "thank",
    "also",
    "get",
    "gets",
    "got",
    "properly",
    "correctly",
    "at all",
    "all",
    "even",
    "now",
    "today",
    "am",
    "try",
    "trying",
    "want",
];

const NEGATIONS: &[&str] = &[
    "not", "no", "never", "cannot", "cant", "dont", "doesnt", "isnt", "wont", "didnt", "unable",
    "stopped", "stops", "without",
];

/// Words for the same trouble.
const SAME: &[(&str, &[&str])] = &[
    (
        "broken",
        &[
            "broken", "broke", "fail", "fails", "failed", "failing", "failure", "defect",
        ],
    ),
    (
        "crash",
        &["crash", "crashes", "crashed", "crashing", "dies", "closes"],
    ),
    (
        "freeze",
        &[
            "freeze", "freezes", "froze", "frozen", "freezing", "hangs", "hang", "hanging", "stuck",
        ],
    ),
    (
        "slow",
        &[
            "slow", "slower", "slowly", "sluggish", "laggy", "lag", "lags", "forever", "ages",
        ],
    ),
    ("login", &["login", "signin", "logon"]),
    (
        "missing",
        &["missing", "gone", "disappeared", "vanished", "lost"],
    ),
];

/// The words of a text, and whether it denies something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct Words {
    pub(super) words: BTreeSet<String>,
    denies: bool,
}

/// Reads a text.
pub(super) fn read(text: &str) -> Words {
    let mut read = Words::default();
    let lower = text.to_lowercase().replace('’', "'");
    for word in lower.split(|c: char| !c.is_alphanumeric() && c != '\'') {
        if read.words.len() >= WORDS_MAX {
            break;
        }
        let word = word.trim_matches('\'');
        if word.is_empty() || word.chars().count() > WORD_CHARS_MAX || EMPTY.contains(&word) {
            continue;
        }
        if word.ends_with("n't") || NEGATIONS.contains(&word) {
            read.denies = true;
        } else if word.chars().any(is_unspaced) {
            // No spaces between words: every two characters stand for one.
            let characters: Vec<char> = word.chars().collect();
            if let [one] = characters[..] {
                read.words.insert(one.to_string());
            }
            for pair in characters.windows(2) {
                read.words.insert(pair.iter().collect());
            }
        } else {
            read.words.insert(stem(word));
        }
    }
    // "Doesn't work" is "broken".
    if read.denies && read.words.remove("work") {
        read.words.insert("broken".to_owned());
        read.denies = false;
    }
    read
}

/// Scripts that put no space between words.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{0e00}'..='\u{0eff}')
}

fn stem(word: &str) -> String {
    for (meaning, words) in SAME {
        if words.contains(&word) {
            return (*meaning).to_owned();
        }
    }
    let word = word.strip_suffix("'s").unwrap_or(word);
    for ending in ["ing", "ed", "es", "s", "e"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.chars().count() >= 3
            && !(ending == "s" && stem.ends_with('s'))
        {
            // "Printing" and "stopping" are of "print" and "stop".
            let mut characters = stem.chars().rev();
            let (last, before) = (characters.next(), characters.next());
            let doubled = last == before && ending != "s" && ending != "e";
            let keep = stem.len()
                - if doubled {
                    last.map_or(0, char::len_utf8)
                } else {
                    0
                };
            return stem[..keep].trim_end_matches('e').to_owned();
        }
    }
    word.to_owned()
}

/// Under which keys a word is found: itself, and itself less one character, which words
/// with a typing error have in common.
pub(super) fn keys(word: &str) -> Vec<String> {
    let mut keys = vec![word.to_owned()];
    let characters: Vec<char> = word.chars().collect();
    if characters.len() >= TYPO_CHARS_MIN {
        for left_out in 0..characters.len() {
            let (before, after) = characters.split_at(left_out);
            keys.push(before.iter().chain(&after[1..]).collect());
        }
    }
    keys
}

/// Whether two words are the same but for a typing error: one character too many, too few,
/// another one, or two exchanged.
fn same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().min(b.len()) < TYPO_CHARS_MIN || a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    // Numbers that differ are different numbers.
    if a.iter().chain(&b).any(char::is_ascii_digit) {
        return false;
    }
    let start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    match (a, b) {
        ([], [_]) | ([_], []) | ([_], [_]) => true,
        ([x, y], [v, w]) => x == w && y == v,
        _ => false,
    }
}

/// How much of two texts is the same, 0 to 1, and the words that both have.
pub(super) fn similarity<'a>(a: &'a Words, b: &Words) -> (f64, Vec<&'a str>) {
    // One denies what the other says.
    if a.denies != b.denies || a.words.is_empty() || b.words.is_empty() {
        return (0.0, Vec::new());
    }
    let mut rest: Vec<&String> = b.words.iter().collect();
    let mut shared = Vec::new();
    for word in &a.words {
        let exact = rest.iter().position(|other| *other == word);
        let found = exact.or_else(|| rest.iter().position(|other| same(word, other)));
        if let Some(place) = found {
            rest.swap_remove(place);
            shared.push(word.as_str());
        }
    }
    let all = a.words.len() + b.words.len();
    (2.0 * shared.len() as f64 / all as f64, shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(a: &str, b: &str) -> f64 {
        let (one, other) = (read(a), read(b));
        let (score, _) = similarity(&one, &other);
        let (back, _) = similarity(&other, &one);
        assert!((score - back).abs() < 1e-9, "{a} / {b}");
        score
    }

    #[test]
    fn wording_and_typing_errors_leave_texts_alike() {
        for (a, b) in [
            ("Export to PDF doesn't work", "PDF export is broken!"),
            ("Export to PDF doesn't work", "exprot to pdf does not work"),
            (
                "The app crashes when printing an invoice",
                "App crashed while I print invoices",
            ),
            (
                "Search is very slow since the update",
                "since the upadte searching is so slow",
            ),
            ("can't log in with my badge", "I cannot log in with badge"),
            ("保存ボタンが動きません", "保存ボタンが動きません。"),
        ] {
            assert!(alike(a, b) >= 0.7, "{a} / {b}: {}", alike(a, b));
        }
    }

    #[test]
    fn other_things_are_not_alike() {
        for (a, b) in [
            ("The save button is broken", "The print button is broken"),
            ("Saving is slow", "Printing is slow"),
            ("Export works", "Export never finishes"),
            ("I can find the invoice", "I can't find the invoice"),
            ("Invoice 10023 is wrong", "Invoice 10024 is wrong"),
            ("", ""),
            ("the", "a"),
        ] {
            assert!(alike(a, b) < 0.7, "{a} / {b}: {}", alike(a, b));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_two_texts_are_compared(a in "\\PC{0,80}", b in "\\PC{0,80}") {
            let score = alike(&a, &b);
            proptest::prop_assert!((0.0..=1.0).contains(&score));
        }
    }
}
