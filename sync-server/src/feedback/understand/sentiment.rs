//! How an English text is meant: VADER, sentence by sentence, over words that software's
//! vocabulary was put into VADER's ([`usage`]), with the emoji counted beside.

use std::sync::LazyLock;

use vader_sentimental::SentimentIntensityAnalyzer;

use super::{emoji, usage};

static VADER: LazyLock<SentimentIntensityAnalyzer<'static>> =
    LazyLock::new(SentimentIntensityAnalyzer::new);

/// VADER's constant: a sum of valences s has the polarity s / sqrt(s² + 15).
const ALPHA: f64 = 15.0;
/// A sentence longer than this is judged in parts: VADER's cost rises with its square.
const SENTENCE_WORDS_MAX: usize = 25;
/// Sentences whose valences add up in full; of a longer text their mean counts as much,
/// because a long report has a stray word of every kind.
const SENTENCES_IN_FULL: f64 = 4.0;
/// Emoji that count one after the other; the tenth heart says no more than the third.
const EMOJI_COUNTED: usize = 3;
/// Sentences looked at, so that the longest description costs no more than a thousand words.
const SENTENCES_MAX: usize = 40;

/// The polarity of an English text in millionths.
pub(super) fn polarity_micro(text: &str) -> i32 {
    let text = text.replace('’', "'");
    let (mut sum, mut sentences) = (0.0, 0_usize);
    for sentence in sentences_of(&text).take(SENTENCES_MAX) {
        let said = usage::rephrase(&sentence);
        if said.is_empty() {
            continue;
        }
        sum += valence_of(VADER.polarity_scores(&said).compound);
        sentences += 1;
    }
    if sentences as f64 > SENTENCES_IN_FULL {
        sum *= SENTENCES_IN_FULL / sentences as f64;
    }
    micro(sum + emoji_valence(&text))
}

/// The polarity of a text that has no word in it; None where nothing in it says how it
/// is meant, or where there are letters (of a language that isn't known).
pub(super) fn wordless_polarity_micro(text: &str) -> Option<i32> {
    let shown: Vec<f64> = text.chars().filter_map(emoji::valence).collect();
    let faces: Vec<&str> = text.split_whitespace().filter(|w| is_face(w)).collect();
    let letters = |word: &str| word.chars().any(char::is_alphabetic) && !is_face(word);
    if (shown.is_empty() && faces.is_empty()) || text.split_whitespace().any(letters) {
        return None;
    }
    let words = valence_of(VADER.polarity_scores(&faces.join(" ")).compound);
    Some(micro(words + emoji_valence(text)))
}

/// Whether a word is an emoticon such as `:-)`, `:D` or `<3`.
fn is_face(word: &str) -> bool {
    word.len() <= 5
        && word.is_ascii()
        && word.starts_with([':', ';', '=', '<', '8', 'x', 'X', '>'])
        && word.ends_with([
            ')', '(', 'D', 'P', 'p', '/', '\\', '|', '3', 'o', 'O', '*', '[', ']',
        ])
        && word.bytes().any(|b| b.is_ascii_punctuation())
}

/// Sentences, or parts of one that has no end.
fn sentences_of(text: &str) -> impl Iterator<Item = String> {
    let mut words = text.split_whitespace().peekable();
    std::iter::from_fn(move || {
        words.peek()?;
        let mut sentence = String::new();
        for _ in 0..SENTENCE_WORDS_MAX {
            let Some(word) = words.next() else { break };
            // A word longer than any word is none.
            if word.len() > 60 {
                continue;
            }
            if !sentence.is_empty() {
                sentence.push(' ');
            }
            sentence.extend(word.chars().map(|c| {
                if emoji::valence(c).is_some() || emoji::is_modifier(c) {
                    ' '
                } else {
                    c
                }
            }));
            if word.ends_with(['.', '!', '?', ';']) {
                break;
            }
        }
        Some(sentence)
    })
}

fn emoji_valence(text: &str) -> f64 {
    let (mut positive, mut negative) = ((0, 0.0), (0, 0.0));
    for valence in text.chars().filter_map(emoji::valence) {
        let side: &mut (usize, f64) = if valence > 0.0 {
            &mut positive
        } else {
            &mut negative
        };
        if side.0 < EMOJI_COUNTED {
            *side = (side.0 + 1, side.1 + valence);
        }
    }
    positive.1 + negative.1
}

/// The sum of valences that VADER's compound score was made of.
fn valence_of(compound: f64) -> f64 {
    let compound = compound.clamp(-0.999, 0.999);
    compound * (ALPHA / (1.0 - compound * compound)).sqrt()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the polarity lies between -1 and 1"
)]
fn micro(sum: f64) -> i32 {
    (sum / (sum * sum + ALPHA).sqrt() * 1e6).round() as i32
}
