//! Names of people, the hard part: told by how they are written and what stands beside
//! them. Two capitalised words that no interface is made of are taken for a name; one is,
//! where a word beside it says so.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::super::words;
use super::{PLACEHOLDERS, patterns};

const NAME: &str = "{name}";

/// Letters of an acronym; longer words in capitals may be a name (`DUPONT Marie`).
const ACRONYM_CHARS_MAX: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Written like a name, and not a word that interfaces are made of.
    Name,
    /// In capitals, and not such a word: a name beside one.
    Capitals,
    /// A single capital letter, with or without a full stop.
    Initial,
    /// A first name that is also an ordinary word (`April`, `Bill`).
    Ambiguous,
    /// `von`, `de`, `bin`.
    Particle,
    Other,
}

/// A word, a placeholder, or what lies between.
struct Token<'t> {
    text: &'t str,
    /// None for what is no word.
    kind: Option<Kind>,
}

pub(super) fn names(part: &str) -> String {
    let part = fields(part);
    let part = honorifics(&part);
    let tokens = tokens(&part);
    let mut out = String::new();
    let mut at = 0;
    while at < tokens.len() {
        if let Some(end) = name_at(&tokens, at) {
            out.push_str(NAME);
            at = end;
        } else {
            out.push_str(tokens[at].text);
            at += 1;
        }
    }
    collapse(&out)
}

/// `Patient: …`, `Name: …`: what follows is whom or what it is about.
fn fields(part: &str) -> String {
    static CASELESS: LazyLock<Regex> = LazyLock::new(|| {
        patterns::regex(
            r"(患者|患者名|病人|客户|客戶|顧客|姓名|氏名|名前|お名前|担当|担当者|員工|员工|用户|使用者|고객|환자|이름|성명|사용자|المريض|العميل|الاسم|اسم|מטופל|לקוח|שם|ผู้ป่วย|ชื่อ|रोगी|नाम)\s?[:：]\s?[^:：]+$",
        )
    });
    let part = CASELESS.replace(part, "${1}: {name}").into_owned();
    let Some((before, after)) = part.split_once(": ").or_else(|| part.split_once('：')) else {
        return part;
    };
    let mut said = before.to_owned();
    for placeholder in PLACEHOLDERS {
        said = said.replace(placeholder, "");
    }
    let word = said
        .rsplit(|c: char| !c.is_alphabetic())
        .find(|word| !word.is_empty())
        .unwrap_or_default()
        .to_lowercase();
    let free = matches!(
        word.as_str(),
        "subject"
            | "betreff"
            | "objet"
            | "asunto"
            | "oggetto"
            | "onderwerp"
            | "title"
            | "titel"
            | "comment"
            | "note"
            | "notiz"
            | "kommentar"
            | "тема"
    );
    if free && !PLACEHOLDERS.contains(&after.trim()) {
        return format!("{before}: {{document}}");
    }
    if words::is_entity(&word) && !super::says_nothing(after) {
        return format!("{before}: {NAME}");
    }
    part
}

/// Scripts without capitals tell a name by what follows it.
fn honorifics(part: &str) -> String {
    static HONORIFIC: LazyLock<Regex> = LazyLock::new(|| {
        patterns::regex(
            r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー々・]{1,12}\s?(様|さん|氏|先生|殿|くん|ちゃん|님|씨|선생님|女士|小姐|医生|醫生|老师)",
        )
    });
    HONORIFIC
        .replace_all(part, |found: &Captures| format!("{NAME}{}", &found[1]))
        .into_owned()
}

fn tokens(part: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = part;
    while let Some(first) = rest.chars().next() {
        let placeholder = PLACEHOLDERS.iter().find(|p| rest.starts_with(**p));
        let len = if let Some(placeholder) = placeholder {
            placeholder.len()
        } else if first.is_alphabetic() {
            word_len(rest)
        } else {
            first.len_utf8()
        };
        let (text, after) = rest.split_at(len);
        let is_word = placeholder.is_none() && first.is_alphabetic();
        tokens.push(Token {
            text,
            kind: is_word.then(|| kind(text)),
        });
        rest = after;
    }
    tokens
}

/// Letters, and hyphens and apostrophes between them.
fn word_len(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    let mut end = 0;
    while let Some((at, c)) = chars.next() {
        let joins = matches!(c, '-' | '\'' | '’' | '‐')
            && chars.peek().is_some_and(|(_, next)| next.is_alphabetic());
        if !(c.is_alphabetic() || is_mark(c) || joins) {
            break;
        }
        end = at + c.len_utf8();
    }
    end
}

/// Combining marks, without which letters fall apart.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}')
}

/// The word without a possessive ending.
fn stem(word: &str) -> &str {
    ["'s", "’s", "'S", "’S"]
        .iter()
        .find_map(|end| word.strip_suffix(end))
        .unwrap_or(word)
}

fn kind(word: &str) -> Kind {
    let word = stem(word);
    let lower = word.to_lowercase();
    if words::PARTICLES.contains(&word) {
        return Kind::Particle;
    }
    let mut chars = word.chars();
    let Some(first) = chars.next() else {
        return Kind::Other;
    };
    let elided = ["d'", "d’", "al-", "el-"].iter().any(|prefix| {
        word.starts_with(prefix) && word[prefix.len()..].starts_with(char::is_uppercase)
    });
    if !first.is_uppercase() && !elided {
        return Kind::Other;
    }
    let rest = chars.as_str();
    if rest.is_empty() {
        return Kind::Initial;
    }
    if words::is_month(&lower) || words::is_ambiguous(&lower) {
        return Kind::Ambiguous;
    }
    let known = words::is_known(&lower)
        || word
            .split(['-', '‐', '\'', '’'])
            .all(|piece| words::is_known(&piece.to_lowercase()));
    if known {
        return Kind::Other;
    }
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    if word.chars().all(|c| !c.is_lowercase()) {
        return if letters > ACRONYM_CHARS_MAX {
            Kind::Capitals
        } else {
            Kind::Other
        };
    }
    if is_written_like_a_name(word) {
        Kind::Name
    } else {
        Kind::Other
    }
}

/// Capital first, small after it, in each of its pieces; `McDonald`, `DeVries`, `O'Neil`.
fn is_written_like_a_name(word: &str) -> bool {
    word.split(['-', '‐', '\'', '’']).all(|piece| {
        let piece = [
            "Mc", "Mac", "De", "Di", "La", "Le", "Van", "Von", "Fitz", "Du",
        ]
        .iter()
        .find_map(|prefix| {
            piece
                .strip_prefix(prefix)
                .filter(|rest| rest.starts_with(char::is_uppercase))
        })
        .unwrap_or(piece);
        let mut chars = piece.chars();
        chars.next();
        chars.all(|c| !c.is_uppercase())
    })
}

/// Where the name that begins at a token ends, where one does.
fn name_at(tokens: &[Token<'_>], start: usize) -> Option<usize> {
    let first = tokens[start].kind?;
    if matches!(first, Kind::Other | Kind::Particle)
        && !(first == Kind::Particle && particle_begins(tokens, start))
    {
        return None;
    }
    let (end, words) = run(tokens, start);
    let count = |kind: Kind| words.iter().filter(|word| **word == kind).count();
    let named = count(Kind::Name);
    let shouted = count(Kind::Capitals);
    let others = count(Kind::Initial) + count(Kind::Ambiguous);
    let possessive = tokens[end - 1].text != stem(tokens[end - 1].text);
    let is_name = named + shouted >= 2
        || (named + shouted == 1 && others >= 1)
        || (named + shouted + count(Kind::Ambiguous) >= 1
            && first != Kind::Initial
            && (stands_before(tokens, start)
                || (named + shouted >= 1
                    && (possessive
                        || before_address(tokens, end)
                        || comma_name(tokens, end)
                        || before_entity(tokens, end)))));
    if !is_name {
        return None;
    }
    // `Müller, Anna`: the rest of the name follows the comma.
    let mut end = end;
    if named + shouted >= 1 && comma_name(tokens, end) {
        end = run(tokens, end + 2).0;
    }
    Some(end)
}

/// Whether a particle is a name's first word: `van Gogh` after something that says so.
fn particle_begins(tokens: &[Token<'_>], start: usize) -> bool {
    let next = tokens.get(start + 2).and_then(|token| token.kind);
    let spaced = tokens.get(start + 1).is_some_and(|token| token.text == " ");
    spaced
        && matches!(next, Some(Kind::Name | Kind::Capitals))
        && stands_before(tokens, start)
        && !words::is_before_name(tokens[start].text)
        && !matches!(
            tokens[start].text,
            "de" | "du" | "des" | "di" | "da" | "del" | "della" | "la" | "le"
        )
}

/// Words of a name from a token on: its end, and the kinds of its words.
fn run(tokens: &[Token<'_>], start: usize) -> (usize, Vec<Kind>) {
    let mut kinds = Vec::new();
    let mut end = start;
    let mut at = start;
    while let Some(kind) = tokens.get(at).and_then(|token| token.kind) {
        match kind {
            Kind::Other => break,
            Kind::Particle => {
                // Only between or before words of a name.
                at += 2;
                if tokens.get(at - 1).is_none_or(|token| token.text != " ") {
                    break;
                }
                continue;
            }
            Kind::Name | Kind::Capitals | Kind::Initial | Kind::Ambiguous => kinds.push(kind),
        }
        end = at + 1;
        // A possessive ends the name.
        if tokens[at].text != stem(tokens[at].text) {
            break;
        }
        at += 1;
        if kind == Kind::Initial && tokens.get(at).is_some_and(|token| token.text == ".") {
            end = at + 1;
            at += 1;
        }
        if tokens.get(at).is_some_and(|token| token.text == " ") {
            at += 1;
        } else if kind != Kind::Initial {
            break;
        }
    }
    (end.max(start + 1), kinds)
}

/// Whether the word before, past signs, is one after which names stand.
fn stands_before(tokens: &[Token<'_>], start: usize) -> bool {
    let mut skipped = 0;
    for token in tokens[..start].iter().rev() {
        if token.kind == Some(Kind::Particle) && !words::is_before_name(token.text) {
            skipped = 0;
            continue;
        }
        if token.kind.is_some() {
            return words::is_before_name(&token.text.to_lowercase());
        }
        if token.text == "@" {
            return true;
        }
        let sign = matches!(token.text, " " | "." | "," | ":" | "#" | "(" | "!")
            || PLACEHOLDERS.contains(&token.text);
        skipped += 1;
        if !sign || skipped > 4 {
            return false;
        }
    }
    false
}

/// Whether an address follows: `Anna <anna@…>`.
fn before_address(tokens: &[Token<'_>], end: usize) -> bool {
    let mut rest = tokens[end..]
        .iter()
        .skip_while(|token| matches!(token.text, " " | "<" | "(" | "[" | ","));
    let touches = tokens.get(end).is_some_and(|token| token.kind.is_none());
    touches
        && rest
            .next()
            .is_some_and(|token| matches!(token.text, "{email}" | "{user}" | "{phone}"))
}

/// Whether a comma and another word written like a name follow: `Müller, Anna`.
fn comma_name(tokens: &[Token<'_>], end: usize) -> bool {
    let text = |at: usize| tokens.get(at).map(|token| token.text);
    text(end) == Some(",")
        && text(end + 1) == Some(" ")
        && matches!(
            tokens.get(end + 2).and_then(|token| token.kind),
            Some(Kind::Name | Kind::Capitals | Kind::Initial | Kind::Ambiguous)
        )
}

/// Whether a word follows that says what is kept about a person: `Müller Akte`.
fn before_entity(tokens: &[Token<'_>], end: usize) -> bool {
    tokens.get(end).is_some_and(|token| token.text == " ")
        && tokens.get(end + 1).is_some_and(|token| {
            token.kind.is_some() && words::is_after_name(&token.text.to_lowercase())
        })
}

/// Several names in a row say no more than one.
fn collapse(text: &str) -> String {
    let mut text = text.to_owned();
    for between in [
        " ", ", ", "; ", " & ", " and ", " und ", " et ", " y ", " e ", "/", " + ",
    ] {
        let twice = format!("{NAME}{between}{NAME}");
        while text.contains(&twice) {
            text = text.replace(&twice, NAME);
        }
    }
    text
}
