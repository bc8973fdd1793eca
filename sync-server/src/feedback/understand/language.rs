//! The language of a text, where that can be known.
//!
//! Feedback is short: "not good" is a whole text. lingua tells short texts of the
//! languages that it was given well apart, and takes what it wasn't given for one of
//! them; whatlang knows 69 languages and needs a sentence. So lingua names the language
//! among its own, and whatlang has the last word where it is sure that the text is of
//! another one, and for other scripts. The common words of English break ties.

use std::sync::LazyLock;

use lingua::{IsoCode639_1, Language, LanguageDetector, LanguageDetectorBuilder};
use whatlang::{Lang, Script};

use super::usage;

/// Characters that are looked at: a language shows early, and the cost is bounded.
const LOOKED_AT_CHARS: usize = 240;
/// Letters below which nothing is said of a language.
const LETTERS_MIN: usize = 2;
/// How sure lingua has to be, and how many times surer than of the next language.
const CONFIDENCE_MIN: f64 = 0.25;
const CONFIDENCE_LEAD: f64 = 1.5;
/// How sure lingua has to be of a sentence that whatlang takes for another language.
const CONFIDENCE_ALONE: f64 = 0.7;
/// Where so large a part of the words is English, less is enough.
const ENGLISH_SHARE: f64 = 0.34;
const ENGLISH_BEHIND: f64 = 0.4;
/// From so many words on, English has some of its common words.
const WORDS_WITH_ENGLISH: usize = 4;

/// Each language costs some 5 MB of program, so that these are the ones whose speakers
/// are told from English by a word or two.
const KNOWN: [Language; 7] = [
    Language::English,
    Language::German,
    Language::French,
    Language::Spanish,
    Language::Italian,
    Language::Portuguese,
    Language::Dutch,
];

static DETECTOR: LazyLock<LanguageDetector> =
    LazyLock::new(|| LanguageDetectorBuilder::from_languages(&KNOWN).build());

/// The language's code: ISO 639-1 where it has one, else ISO 639-3.
pub(super) fn detect(text: &str) -> Option<&'static str> {
    let head = without_links(text);
    let letters = head.chars().filter(|c| c.is_alphabetic()).count();
    if letters < LETTERS_MIN {
        return None;
    }
    let broad = whatlang::detect(&head);
    let sure = broad.as_ref().filter(|found| found.is_reliable());
    if let Some(found) = &broad
        && found.script() != Script::Latin
    {
        // A script of one language alone is as good as a sentence.
        let alone = found.script().langs().len() == 1
            || matches!(found.script(), Script::Hiragana | Script::Katakana);
        return (alone || found.is_reliable()).then(|| code(found.lang()));
    }
    let words: Vec<String> = usage::words(&head).collect();
    let english_words = words.iter().filter(|word| usage::is_english(word)).count();
    let english_share = english_words as f64 / words.len().max(1) as f64;
    let confidences = DETECTOR.compute_language_confidence_values(head.as_str());
    let [(first, confidence), (_, next), ..] = confidences.as_slice() else {
        return None;
    };
    let english = confidences
        .iter()
        .find(|(language, _)| *language == Language::English)
        .map_or(0.0, |(_, confidence)| *confidence);
    let clear = *confidence >= CONFIDENCE_MIN && *confidence >= CONFIDENCE_LEAD * next;
    let likely_english = (clear && *first == Language::English)
        || (english_share >= ENGLISH_SHARE && english >= ENGLISH_BEHIND * confidence);
    // Sure of a language that lingua doesn't know: it has taken it for one of its own.
    let other = sure.filter(|found| !is_known(found.lang()));
    if likely_english {
        return match other {
            Some(found) if english_share < ENGLISH_SHARE / 2.0 => Some(code(found.lang())),
            _ if english_words == 0
                && words.len() >= WORDS_WITH_ENGLISH
                && broad.as_ref().is_none_or(|found| found.lang() != Lang::Eng) =>
            {
                None
            }
            _ => Some("en"),
        };
    }
    if let Some(found) = other {
        return Some(code(found.lang()));
    }
    // A whole sentence that the two don't agree on is of neither's language.
    let agreed = broad
        .as_ref()
        .is_some_and(|found| code(found.lang()) == two_letters(*first));
    if clear && (agreed || words.len() < WORDS_WITH_ENGLISH || *confidence >= CONFIDENCE_ALONE) {
        return Some(two_letters(*first));
    }
    sure.map(|found| code(found.lang()))
}

/// The beginning of a text without addresses, paths and the like, which are of no
/// language, and with plain apostrophes.
fn without_links(text: &str) -> String {
    let mut head = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        if word.contains("://") || word.contains('@') || word.contains('\\') {
            continue;
        }
        if length > 0 {
            head.push(' ');
        }
        for character in word.chars() {
            if length >= LOOKED_AT_CHARS {
                return head;
            }
            head.push(if character == '’' { '\'' } else { character });
            length += 1;
        }
    }
    head
}

fn two_letters(language: Language) -> &'static str {
    match language.iso_code_639_1() {
        IsoCode639_1::EN => "en",
        IsoCode639_1::DE => "de",
        IsoCode639_1::FR => "fr",
        IsoCode639_1::ES => "es",
        IsoCode639_1::IT => "it",
        IsoCode639_1::PT => "pt",
        IsoCode639_1::NL => "nl",
    }
}

fn is_known(language: Lang) -> bool {
    matches!(
        language,
        Lang::Eng | Lang::Deu | Lang::Fra | Lang::Spa | Lang::Ita | Lang::Por | Lang::Nld
    )
}

/// ISO 639-1 of whatlang's languages, which are named by ISO 639-3.
fn code(language: Lang) -> &'static str {
    match language {
        Lang::Afr => "af",
        Lang::Aka => "ak",
        Lang::Amh => "am",
        Lang::Ara => "ar",
        Lang::Aze => "az",
        Lang::Bel => "be",
        Lang::Ben => "bn",
        Lang::Bul => "bg",
        Lang::Cat => "ca",
        Lang::Ces => "cs",
        Lang::Cmn => "zh",
        Lang::Cym => "cy",
        Lang::Dan => "da",
        Lang::Deu => "de",
        Lang::Ell => "el",
        Lang::Eng => "en",
        Lang::Epo => "eo",
        Lang::Est => "et",
        Lang::Fin => "fi",
        Lang::Fra => "fr",
        Lang::Guj => "gu",
        Lang::Heb => "he",
        Lang::Hin => "hi",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Hye => "hy",
        Lang::Ind => "id",
        Lang::Ita => "it",
        Lang::Jav => "jv",
        Lang::Jpn => "ja",
        Lang::Kan => "kn",
        Lang::Kat => "ka",
        Lang::Khm => "km",
        Lang::Kor => "ko",
        Lang::Lat => "la",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Mal => "ml",
        Lang::Mar => "mr",
        Lang::Mkd => "mk",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Nld => "nl",
        Lang::Nob => "nb",
        Lang::Ori => "or",
        Lang::Pan => "pa",
        Lang::Pes => "fa",
        Lang::Pol => "pl",
        Lang::Por => "pt",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Sin => "si",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Sna => "sn",
        Lang::Spa => "es",
        Lang::Srp => "sr",
        Lang::Swe => "sv",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Tgl => "tl",
        Lang::Tha => "th",
        Lang::Tuk => "tk",
        Lang::Tur => "tr",
        Lang::Ukr => "uk",
        Lang::Urd => "ur",
        Lang::Uzb => "uz",
        Lang::Vie => "vi",
        Lang::Yid => "yi",
        Lang::Zul => "zu",
    }
}
