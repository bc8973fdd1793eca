//! What words mean when people speak of software, in words that VADER knows.
//!
//! VADER's lexicon was made of social media: there "save" and "share" are good, "freeze"
//! and "slow" are nothing, and "doesn't work" is no phrase. So before VADER reads a
//! sentence, words of software's vocabulary are put into words of its own of about the
//! strength that they have here, or into one that says nothing. Its rules (negation,
//! degree, capitals, "but") then apply to them as to any other.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Stand-ins: words of VADER's lexicon, by the strength that it gives them.
const GREAT: &str = "great"; // 3.1
const GOOD: &str = "good"; // 1.9
const FINE: &str = "solid"; // 0.6
const NOTHING: &str = "item"; // 0
const TIRESOME: &str = "lag"; // -1.4
const BAD: &str = "problem"; // -1.7
const BROKEN: &str = "broken"; // -2.1

/// The words of a text in lower case; apostrophes stay inside, other marks don't.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|word| word.trim_matches('\'').to_lowercase())
        .filter(|word| word.chars().any(char::is_alphabetic))
}

/// Whether a word (in lower case) is common in English and, as a rule, not in its
/// neighbours.
pub(super) fn is_english(word: &str) -> bool {
    static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| COMMON.iter().copied().collect());
    KNOWN.contains(word) || word.ends_with("n't") || word.ends_with("'s") && word.len() > 3
}

const COMMON: &[&str] = &[
    "the",
    "it",
    "this",
    "that",
    "these",
    "those",
    "and",
    "not",
    "of",
    "i",
    "i'm",
    "i've",
    "i'd",
    "my",
    "you",
    "your",
    "we",
    "they",
    "their",
    "when",
    "with",
    "for",
    "cannot",
    "is",
    "are",
    "have",
    "has",
    "had",
    "be",
    "been",
    "but",
    "what",
    "why",
    "how",
    "there",
    "here",
    "please",
    "would",
    "should",
    "could",
    "will",
    "can",
    "every",
    "always",
    "never",
    "after",
    "before",
    "from",
    "very",
    "too",
    "really",
    "just",
    "only",
    "to",
    "by",
    "at",
    "or",
    "if",
    "which",
    "who",
    "does",
    "did",
    "do",
    "than",
    "then",
    "some",
    "any",
    "more",
    "most",
    "much",
    "many",
    "out",
    "up",
    "about",
    "again",
    "where",
    "because",
    "make",
    "makes",
    "need",
    "needs",
    "want",
    "love",
    "loved",
    "great",
    "good",
    "bad",
    "nice",
    "like",
    "likes",
    "hate",
    "work",
    "works",
    "working",
    "worked",
    "broken",
    "slow",
    "fast",
    "easy",
    "crash",
    "crashes",
    "crashed",
    "crashing",
    "freezes",
    "freezing",
    "frozen",
    "button",
    "thanks",
    "thank",
    "find",
    "found",
    "time",
    "takes",
    "keep",
    "keeps",
    "click",
    "save",
    "missing",
    "wrong",
    "awesome",
    "amazing",
    "excellent",
    "fails",
    "failed",
    "help",
    "better",
    "best",
    "worst",
    "worse",
    "awful",
    "horrible",
    "useless",
    "stupid",
    "ugly",
    "perfect",
    "happy",
    "well",
    "nothing",
    "everything",
    "something",
    "new",
    "old",
    "now",
    "still",
    "was",
    "were",
    "so",
    "no",
    "all",
    "me",
    "an",
    "on",
    "in",
    "as",
    "a",
    "one",
    "don't",
    "annoying",
    "confusing",
    "quick",
    "buggy",
    "terrible",
];

/// A sentence in words that VADER reads as people mean them here.
pub(super) fn rephrase(sentence: &str) -> String {
    let raw: Vec<&str> = sentence.split_whitespace().collect();
    let plain: Vec<String> = raw
        .iter()
        .map(|word| {
            word.trim_matches(|c: char| c.is_ascii_punctuation())
                .to_lowercase()
        })
        .collect();
    let mut said = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let rest = &plain[at..];
        if let Some((length, meaning)) = phrase(rest) {
            said.push(dressed(raw[at + length - 1], meaning));
            at += length;
            continue;
        }
        match word(&plain[at], &plain[..at]) {
            Some(meaning) => said.push(dressed(raw[at], meaning)),
            None => said.push(raw[at].to_owned()),
        }
        at += 1;
    }
    said.join(" ")
}

/// A stand-in as loud as the word was: capitals and the marks behind it count.
fn dressed(raw: &str, meaning: &str) -> String {
    let loud = raw.len() > 2 && !raw.chars().any(char::is_lowercase);
    let mut word = if loud {
        meaning.to_uppercase()
    } else {
        meaning.to_owned()
    };
    word.extend(raw.chars().rev().take_while(|c| matches!(c, '!' | '?')));
    word
}

/// What a sequence of words means, and how many they are.
fn phrase(words: &[String]) -> Option<(usize, &'static str)> {
    type Phrases = HashMap<&'static str, Vec<(Vec<&'static str>, &'static str)>>;
    static BY_FIRST_WORD: LazyLock<Phrases> = LazyLock::new(|| {
        let mut phrases = Phrases::new();
        for (phrase, meaning) in PHRASES {
            let words: Vec<&str> = phrase.split(' ').collect();
            phrases.entry(words[0]).or_default().push((words, meaning));
        }
        phrases
    });
    for (phrase, meaning) in BY_FIRST_WORD
        .get(words.first()?.as_str())
        .into_iter()
        .flatten()
    {
        if words.len() >= phrase.len() && phrase.iter().zip(words).all(|(a, b)| a == b) {
            return Some((phrase.len(), meaning));
        }
    }
    fails_to(words).map(|length| (length, BROKEN))
}

/// "doesn't (even) open", "unable to print", "stopped working": how many words.
fn fails_to(words: &[String]) -> Option<usize> {
    let first = words.first()?.as_str();
    let second = words.get(1).map(String::as_str);
    let negated = match (first, second) {
        ("unable" | "fails" | "failed" | "refuses" | "impossible", Some("to"))
        | ("no", Some("longer"))
        | ("does" | "do" | "did" | "is" | "will" | "can" | "could" | "would", Some("not")) => 2,
        ("stopped" | "stops" | "not" | "never" | "cannot" | "cant" | "dont" | "doesnt", _) => 1,
        _ if first.ends_with("n't") && first != "shouldn't" => 1,
        _ => return None,
    };
    let between = words[negated..]
        .iter()
        .take_while(|word| {
            matches!(
                word.as_str(),
                "even" | "always" | "properly" | "actually" | "seem" | "to" | "correctly" | "ever"
            )
        })
        .take(3)
        .count();
    let verb = words.get(negated + between)?;
    let stem = verb
        .strip_suffix("ing")
        .or_else(|| verb.strip_suffix("ed"))
        .or_else(|| verb.strip_suffix('s'))
        .unwrap_or(verb);
    VERBS
        .iter()
        .any(|known| known == verb || *known == stem || known.strip_suffix('e') == Some(stem))
        .then_some(negated + between + 1)
}

/// What programs do for people, where they do it.
const VERBS: &[&str] = &[
    "work",
    "open",
    "load",
    "start",
    "respond",
    "save",
    "print",
    "sync",
    "connect",
    "export",
    "import",
    "log",
    "login",
    "find",
    "see",
    "click",
    "scroll",
    "close",
    "launch",
    "update",
    "upload",
    "download",
    "render",
    "refresh",
    "display",
    "show",
    "appear",
    "remember",
    "select",
    "install",
    "use",
    "access",
    "read",
    "submit",
    "send",
    "edit",
    "delete",
    "undo",
    "copy",
    "paste",
    "resize",
    "finish",
    "play",
    "sign",
    "search",
    "stay",
    "recognize",
    "accept",
    "register",
    "function",
    "run",
    "boot",
    "charge",
    "hold",
    "fit",
    "last",
];

const PHRASES: &[(&str, &str)] = &[
    ("can't live without", GREAT),
    ("couldn't live without", GREAT),
    ("can't wait", GOOD),
    ("can't complain", GOOD),
    ("can't get enough", GREAT),
    ("can't recommend", GREAT),
    ("can not recommend", GREAT),
    ("couldn't be happier", GREAT),
    ("couldn't be better", GREAT),
    ("could not be happier", GREAT),
    ("could not ask for", GREAT),
    ("couldn't ask for", GREAT),
    ("can't go wrong", GREAT),
    ("can't beat", GREAT),
    ("no problem", GOOD),
    ("no problems", GOOD),
    ("no issues", GOOD),
    ("no complaints", GREAT),
    ("no crashes", GOOD),
    ("no bugs", GOOD),
    ("no errors", GOOD),
    ("no trouble", GOOD),
    ("no lag", GOOD),
    ("like a charm", GREAT),
    ("saves me", GOOD),
    ("saved me", GOOD),
    ("saves time", GOOD),
    ("saves us", GOOD),
    ("saved us", GOOD),
    ("saves a lot", GOOD),
    ("saves so much", GREAT),
    ("time saver", GREAT),
    ("well done", GREAT),
    ("thumbs up", GREAT),
    ("thumbs down", BROKEN),
    ("keep it up", GOOD),
    ("five stars", GREAT),
    ("5 stars", GREAT),
    ("one star", BROKEN),
    ("1 star", BROKEN),
    ("zero stars", BROKEN),
    ("takes forever", BROKEN),
    ("took forever", BROKEN),
    ("takes ages", BROKEN),
    ("took ages", BROKEN),
    ("takes too long", BROKEN),
    ("taking too long", BROKEN),
    ("too long", TIRESOME),
    ("too many", TIRESOME),
    ("too much", TIRESOME),
    ("too small", TIRESOME),
    ("too big", TIRESOME),
    ("too easy to", TIRESOME),
    ("too complicated", BAD),
    ("too hard", BAD),
    ("nothing happens", BROKEN),
    ("nothing happened", BROKEN),
    ("nothing works", BROKEN),
    ("no way", TIRESOME),
    ("no idea", TIRESOME),
    ("no response", BAD),
    ("no good", BROKEN),
    ("not enough", TIRESOME),
    ("nowhere to be found", BROKEN),
    ("gave up", BAD),
    ("give up", BAD),
    ("had to restart", BAD),
    ("have to restart", BAD),
    ("used to work", BAD),
    ("times out", BAD),
    ("timed out", BAD),
    ("timing out", BAD),
    ("falls apart", BROKEN),
    ("fell apart", BROKEN),
    ("locks up", BAD),
    ("locked up", BAD),
    ("shuts down", TIRESOME),
    ("kicks me out", BAD),
    ("logs me out", BAD),
    ("kicked me out", BAD),
    ("logged me out", BAD),
    ("loses my", BROKEN),
    ("lost my", BROKEN),
    ("stay away", BROKEN),
    ("money back", BAD),
    ("sent it back", BAD),
    ("would be nice", NOTHING),
    ("would be great", NOTHING),
    ("would be good", NOTHING),
    ("would be better", NOTHING),
    ("would be helpful", NOTHING),
    ("would be useful", NOTHING),
    ("would be awesome", NOTHING),
    ("would like", NOTHING),
    ("i'd like", NOTHING),
    ("would love", NOTHING),
    ("i'd love", NOTHING),
    ("looks like", NOTHING),
    ("feels like", NOTHING),
    ("felt like", NOTHING),
    ("something like", NOTHING),
    ("things like", NOTHING),
    ("seems like", NOTHING),
    ("drop down", NOTHING),
    ("credit card", NOTHING),
];

/// What words (in lower case) mean.
const WORDS: &[(&str, &[&str])] = &[
    (
        BAD,
        &[
            "freeze",
            "freezes",
            "froze",
            "frozen",
            "freezing",
            "hangs",
            "hanging",
            "hung",
            "unresponsive",
            "crashes",
            "crashed",
            "crashing",
            "crashy",
            "crash",
        ],
    ),
    (
        TIRESOME,
        &[
            "slow",
            "slower",
            "sluggish",
            "laggy",
            "lags",
            "lagging",
            "slowly",
            "slowness",
            "clunky",
            "cluttered",
            "tedious",
            "cumbersome",
            "inconsistent",
            "outdated",
            "fiddly",
            "overcomplicated",
            "unclear",
            "blurry",
            "flimsy",
            "flickers",
            "flickering",
            "noisy",
            "cramped",
            "repetitive",
            "unnecessary",
        ],
    ),
    (
        BAD,
        &[
            "bug",
            "bugs",
            "buggy",
            "glitch",
            "glitches",
            "glitchy",
            "unusable",
            "unreadable",
            "unreliable",
            "unintuitive",
            "unstable",
            "counterintuitive",
            "timeout",
            "timeouts",
            "garbled",
            "corrupted",
            "corrupt",
            "overwritten",
            "vanished",
            "vanishes",
            "disappeared",
            "disappears",
            "disappear",
            "truncated",
            "drains",
            "misleading",
            "unplayable",
            "bloated",
            "overpriced",
            "spams",
        ],
    ),
    (
        BROKEN,
        &[
            "broke",
            "breaks",
            "breaking",
            "unacceptable",
            "rubbish",
            "garbage",
            "junk",
            "trash",
            "nightmare",
        ],
    ),
    (
        GOOD,
        &[
            "fast",
            "faster",
            "fastest",
            "quick",
            "quicker",
            "quickly",
            "snappy",
            "responsive",
            "speedy",
            "smooth",
            "smoothly",
            "smoother",
            "handy",
            "simple",
            "straightforward",
            "reliable",
            "stable",
            "polished",
            "tidy",
            "neat",
            "readable",
            "comfortably",
            "sturdy",
            "crisp",
            "spotless",
        ],
    ),
    (
        GREAT,
        &[
            "seamless",
            "seamlessly",
            "intuitive",
            "effortless",
            "flawless",
            "flawlessly",
            "lifesaver",
            "timesaver",
            "gem",
            "painless",
            "delightful",
        ],
    ),
    (FINE, &["works", "working", "worked"]),
    (
        NOTHING,
        &[
            "save",
            "saved",
            "saves",
            "saving",
            "share",
            "shared",
            "shares",
            "sharing",
            "create",
            "created",
            "creates",
            "play",
            "alert",
            "alerts",
            "active",
            "block",
            "cut",
            "drop",
            "dropped",
            "important",
            "security",
            "secure",
            "original",
            "value",
            "values",
            "top",
            "natural",
            "number",
            "interest",
            "join",
            "challenge",
            "kill",
            "please",
            "matter",
            "help",
            "support",
            "supported",
            "wish",
            "hope",
            "cancel",
            "accept",
            "certain",
            "increase",
            "ready",
        ],
    ),
];

/// What a word (in lower case) means after those `before` it; None where VADER knows.
fn word(word: &str, before: &[String]) -> Option<&'static str> {
    static MEANINGS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
        let of = |(meaning, words): &(&'static str, &'static [&'static str])| {
            let meaning = *meaning;
            words.iter().map(move |word| (*word, meaning))
        };
        WORDS.iter().flat_map(of).collect()
    });
    // "like" is praise after a person, a comparison elsewhere.
    if word == "like" {
        let praise = before.last().is_some_and(|before| {
            matches!(
                before.as_str(),
                "i" | "we" | "really" | "don't" | "also" | "still" | "not" | "do"
            )
        });
        return (!praise).then_some(NOTHING);
    }
    MEANINGS.get(word).copied()
}
