//! What a person's words are: in which language, and how they are meant.
//!
//! ```text
//! text → language (lingua, whatlang) → English, or no words at all → sentiment (VADER)
//! ```
//!
//! **Invariant:** what isn't known is said to be unknown. A language that can't be judged
//! has no sentiment; nothing is guessed. Any text is judged within a bounded time.

mod emoji;
mod language;
mod sentiment;
mod usage;

/// What is known of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// ISO 639-1 where the language has such a code, ISO 639-3 otherwise; empty where it
    /// isn't known.
    pub language: String,
    /// The polarity in millionths, -1,000,000 to 1,000,000, and its class: `positive`,
    /// `neutral` or `negative`. None where the language can't be judged.
    pub sentiment: Option<(i32, &'static str)>,
}

/// From here on a polarity is positive, and below its negative it is negative: what
/// VADER's authors use for its compound score, in millionths.
const NEUTRAL_BELOW_MICRO: i32 = 50_000;

/// Judges a text: its language first, then how it is meant where the language is English.
/// A text of emoji and emoticons alone has no language, and is judged by them.
#[must_use]
pub fn judge(text: &str) -> Judged {
    let language = language::detect(text);
    let judged = match language {
        Some("en") => Some(sentiment::polarity_micro(text)),
        Some(_) => None,
        None => sentiment::wordless_polarity_micro(text),
    };
    Judged {
        language: language.unwrap_or_default().to_owned(),
        sentiment: judged.map(|micro| (micro, class(micro))),
    }
}

/// The class of a polarity in millionths.
#[must_use]
pub fn class(polarity_micro: i32) -> &'static str {
    if polarity_micro >= NEUTRAL_BELOW_MICRO {
        "positive"
    } else if polarity_micro <= -NEUTRAL_BELOW_MICRO {
        "negative"
    } else {
        "neutral"
    }
}

#[cfg(test)]
mod tests;
