//! Turns a text into a label: what tells people, days and documents apart becomes a
//! placeholder, what an interface calls itself stays.
//!
//! The rules err towards placeholders: a label that says too little is worth less, a
//! label that says too much can't be taken back. They are the first of two barriers; what
//! they leave that is rare stays a hash for ever, as too few people share it.
//!
//! **Invariants:** `normalise(normalise(x)) == normalise(x)`, because the rules are applied
//! until nothing changes; a label has at most [`LABEL_CHARS_MAX`] characters.

mod names;
mod patterns;

use std::sync::LazyLock;

use regex::Regex;

use super::words::{self, Program};

/// Characters of a label.
pub const LABEL_CHARS_MAX: usize = 200;

/// Characters of a text that are looked at. Nobody reads more in a title.
const INPUT_CHARS_MAX: usize = 1_000;

/// Rounds after which a text whose rules don't settle is given up.
const ROUNDS_MAX: usize = 12;

/// What a text becomes of which nothing may be said.
const DOCUMENT: &str = "{document}";

/// What stands in labels for what was taken out.
pub const PLACEHOLDERS: &[&str] = &[
    "{amount}", "{date}", DOCUMENT, "{email}", "{file}", "{host}", "{id}", "{ip}", "{name}",
    "{number}", "{path}", "{phone}", "{time}", "{user}",
];

/// The label of a text. Pure and idempotent.
#[must_use]
pub fn normalise(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut label: String = text.chars().take(INPUT_CHARS_MAX).collect();
    for _ in 0..ROUNDS_MAX {
        let next = round(&label);
        if next == label {
            return label;
        }
        label = next;
    }
    DOCUMENT.to_owned()
}

/// Whether a text is small letters and single spaces, in which no rule finds anything.
fn is_plain(text: &str) -> bool {
    text.len() <= LABEL_CHARS_MAX
        && text
            .split(' ')
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
}

/// All rules once.
fn round(text: &str) -> String {
    let text = clean(text);
    let text = patterns::whole(&text);
    let mut parts = Parts::split(&text);
    parts.replies();
    for part in &mut parts.texts {
        if words::program(&program_key(part)).is_none() {
            *part = patterns::part(part);
        }
    }
    parts.programs();
    for part in &mut parts.texts {
        if words::program(&program_key(part)).is_none() {
            *part = names::names(part);
        } else {
            *part = program_name(part).to_owned();
        }
    }
    clip(&parts.join())
}

/// Takes out what a program adds and removes while it runs: marks of unsaved changes,
/// counters of unread messages, characters that nobody sees.
fn clean(text: &str) -> String {
    static COUNTER: LazyLock<Regex> =
        LazyLock::new(|| patterns::regex(r"\s*(?:\(\d{1,6}\+?\)|\[\d{1,6}\+?\])\s*"));
    let visible: String = text
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| {
            if c.is_whitespace() || c.is_control() {
                ' '
            } else {
                c
            }
        })
        .collect();
    let counted = COUNTER.replace_all(&visible, " ");
    let words: Vec<&str> = counted
        .split(' ')
        .map(|word| word.trim_matches(is_unsaved_mark))
        .filter(|word| !word.is_empty())
        .collect();
    words
        .join(" ")
        .trim_matches(|c: char| c == ' ' || c == '•' || c == '○')
        .to_owned()
}

fn is_unsaved_mark(c: char) -> bool {
    matches!(c, '*' | '●' | '⬤' | '✱' | '✳' | '◉' | '⏺' | '∗')
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe0e}' | '\u{fe0f}')
}

/// A title and what separates its parts (`Document - Program`).
struct Parts<'t> {
    texts: Vec<String>,
    /// The separators between them.
    between: Vec<&'t str>,
}

impl<'t> Parts<'t> {
    fn split(text: &'t str) -> Self {
        static SEPARATOR: LazyLock<Regex> =
            LazyLock::new(|| patterns::regex(r" (?:-|–|—|\||·|•|::|»|›|/|→|>) "));
        let mut parts = Self {
            texts: Vec::new(),
            between: Vec::new(),
        };
        let mut start = 0;
        for found in SEPARATOR.find_iter(text) {
            parts.texts.push(text[start..found.start()].to_owned());
            parts.between.push(found.as_str());
            start = found.end();
        }
        parts.texts.push(text[start..].to_owned());
        parts
    }

    /// The subject of an answered or forwarded message is free text, whatever it holds,
    /// up to the program's name.
    fn replies(&mut self) {
        static REPLY: LazyLock<Regex> = LazyLock::new(|| {
            patterns::regex(
                r"(?i)^(?:re|aw|wg|fwd?|tr|rv|sv|vs|vb|antw|odp|ynt|rif|enc|res|antwort|ref|答复|回复|转发|回覆|轉寄|返信|転送|отв|пересл)\s?(?:\[[^\]]*\])?\s?[:：]",
            )
        });
        let Some(first) = self
            .texts
            .iter()
            .position(|part| REPLY.is_match(part.trim()))
        else {
            return;
        };
        let programs = self
            .texts
            .iter()
            .skip(first + 1)
            .rev()
            .take_while(|part| words::program(&program_key(part)).is_some())
            .count();
        let end = self.texts.len() - programs;
        self.texts.splice(first..end, [format!("Re: {DOCUMENT}")]);
        self.between.drain(first..end - 1);
    }

    /// Beside the name of a program that shows documents or conversations stands whose
    /// they are; beside a browser's, the person's profile.
    fn programs(&mut self) {
        let programs: Vec<Option<Program>> = self
            .texts
            .iter()
            .map(|part| words::program(&program_key(part)))
            .collect();
        if programs.len() < 2 {
            return;
        }
        if programs.contains(&Some(Program::Content)) {
            for (part, program) in self.texts.iter_mut().zip(&programs) {
                if program.is_none() && !says_nothing(part) {
                    DOCUMENT.clone_into(part);
                }
            }
            return;
        }
        let Some(browser) = programs
            .iter()
            .rposition(|program| *program == Some(Program::Browser))
        else {
            return;
        };
        let edge = program_key(&self.texts[browser]).contains("edge");
        for (at, part) in self.texts.iter_mut().enumerate() {
            let profile = at > browser || (edge && at > 0 && at + 1 == browser);
            if profile && !says_nothing(part) {
                "{name}".clone_into(part);
            }
        }
    }

    /// The parts together again, without empty and repeated ones.
    fn join(self) -> String {
        let mut text = String::new();
        let mut last = String::new();
        for (at, part) in self.texts.into_iter().enumerate() {
            let part = part.trim();
            if part.is_empty() || (part == last && PLACEHOLDERS.contains(&part)) {
                continue;
            }
            if !text.is_empty()
                && let Some(between) = at
                    .checked_sub(1)
                    .and_then(|before| self.between.get(before))
            {
                text.push_str(between);
            }
            text.push_str(part);
            last = part.to_owned();
        }
        text
    }
}

/// How tables name the program of a part: lower case, without what follows in brackets
/// and without placeholders.
fn program_key(part: &str) -> String {
    let lower = part.trim().to_lowercase();
    if words::program(&lower).is_some() {
        return lower;
    }
    program_name(part).to_lowercase()
}

/// A program's name without what a program adds to it, which may be anything.
fn program_name(part: &str) -> &str {
    let part = part.trim();
    if words::program(&part.to_lowercase()).is_some() {
        return part;
    }
    part.find(['(', '[', '{'])
        .map_or(part, |end| part[..end].trim())
}

/// Whether all words of a part are ones that interfaces are made of.
fn says_nothing(part: &str) -> bool {
    const KEPT: &[&str] = &[
        "{email}", "{number}", "{name}", "{user}", DOCUMENT, "{host}",
    ];
    let mut rest = part.to_owned();
    for placeholder in PLACEHOLDERS {
        let stands_for = if KEPT.contains(placeholder) {
            " "
        } else {
            "?7?"
        };
        rest = rest.replace(placeholder, stands_for);
    }
    if rest.trim().is_empty() {
        return true;
    }
    rest.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .all(|word| words::is_known(&word.to_lowercase()) && !word.contains(char::is_numeric))
}

/// Cuts at a character, and not within a placeholder.
fn clip(text: &str) -> String {
    let mut cut: String = text.chars().take(LABEL_CHARS_MAX).collect();
    if cut.len() < text.len()
        && let Some(open) = cut.rfind('{')
        && !cut[open..].contains('}')
    {
        cut.truncate(open);
    }
    cut.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(4), failure_persistence: None, ..ProptestConfig::default() })]

        /// The short cut for plain texts says what the rules say.
        #[test]
        fn rules_leave_plain_texts_alone(text in "[a-z]{1,8}( [a-z]{1,8}){0,5}") {
            prop_assert!(super::is_plain(&text));
            prop_assert_eq!(super::round(&text), text);
        }
    }
}
