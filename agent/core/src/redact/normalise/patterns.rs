//! What can be told by its form: addresses, dates, paths, files, amounts, numbers.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::super::words;

type Rule = (Regex, &'static str);

/// A pattern of this module's tables.
pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are fixed and tested")
}

/// What may hold what separates a title's parts, so that it is looked for first.
pub(super) fn whole(text: &str) -> String {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        [
            (
                r#"[^\s<>()\[\]{},;:"|/\\@]+@[^\s<>()\[\]{},;:"|/\\@]+\.[^\s<>()\[\]{},;:"|/\\@]*[^\s<>()\[\]{},;:"|/\\@.]"#,
                "{email}",
            ),
            (r#"[^\s<>()\[\]{},;:"|/\\@]+@[^\s<>()\[\]{},;:"|/\\@]+"#, "{user}"),
            (r"(^|[\s(\[])@[\p{L}\p{N}_][\p{L}\p{N}_.-]*", "${1}{name}"),
        ]
        .map(|(pattern, to)| (regex(pattern), to))
        .into()
    });
    static FORMS: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        [
            (
                r"(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b",
                "{id}",
            ),
            (r"(?i)\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", "{id}"),
            (r"(?i)\b(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}\b", "{ip}"),
            (r"(?i)\b[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?", "{ip}"),
            (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "{ip}"),
            (
                r"\b\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?\b",
                "{date}",
            ),
            (r"\b\d{1,2}[-/.]\s?\d{1,2}[-/.]\s?(?:\d{4}|\d{2})\b", "{date}"),
            (r"\b\d{1,2}\.\s?\d{1,2}\.($|[^\d])", "{date}${1}"),
            (r"\b(?:0?[1-9]|1[0-2])[/.](?:19|20)\d{2}\b", "{date}"),
            (r"\b(?:19|20)\d{2}-(?:0[1-9]|1[0-2])\b", "{date}"),
            (r"\d{2,4}\s?[年년]\s?\d{1,2}\s?[月월](?:\s?\d{1,2}\s?[日号일])?", "{date}"),
            (r"\d{1,2}\s?[月월]\s?\d{1,2}\s?[日号일]", "{date}"),
            (
                r"(?i)\b\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[ap]\.?m\b\.?)?(?:\s?Uhr\b)?",
                "{time}",
            ),
            (r"(?i)\b\d{1,2}(?:[.:]\d{2})?\s?(?:Uhr|[ap]m|o'clock)\b", "{time}"),
            (r"(?i)\b\d{1,2}\s?h\s?\d{2}\b", "{time}"),
        ]
        .map(|(pattern, to)| (regex(pattern), to))
        .into()
    });
    static WINDOWS_PATH: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"(?i)(?:\b[a-z]:[\\/]|\\\\[^\s\\])(?:[^|"<>\s]|\s[^-–—|"<>\s])*"#)
    });
    static UNIX_PATH: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(^|[\s:("'\[=])(?:~|\.{1,2})?/[^\s|"<>)\]/][^\s|"<>)\]]*"#));
    static HOME: LazyLock<Regex> = LazyLock::new(|| regex(r#"(^|[\s:("'\[=])~/?($|[\s)\]])"#));
    static SLASHED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"[^\s|"<>()\[\]]*\\[^\s|"<>()\[\]]*|[^\s|"<>()\[\]]+/[^\s|"<>()\[\]]+/[^\s|"<>()\[\]]*"#,
        )
    });

    let text = apply(text, &RULES);
    let text = addresses(&text);
    let text = apply(&text, &FORMS);
    let text = WINDOWS_PATH.replace_all(&text, |found: &Captures| {
        // A drive's letter may be the end of a scheme, whose address was seen to already.
        let matched = &found[0];
        if matched[1..].starts_with("://") {
            matched.to_owned()
        } else {
            "{path}".to_owned()
        }
    });
    let text = UNIX_PATH.replace_all(&text, "${1}{path}");
    let text = HOME.replace_all(&text, "${1}{path}${2}");
    SLASHED
        .replace_all(&text, |found: &Captures| {
            if found[0].contains("://") || found[0].split('/').all(|piece| piece == "{path}") {
                found[0].to_owned()
            } else {
                "{path}".to_owned()
            }
        })
        .into_owned()
}

/// Addresses of the web: the host says which program it is; the rest may say whose.
fn addresses(text: &str) -> String {
    static URL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?i)\b([a-z][a-z0-9+.-]{1,15})://[^\s<>"|]*|\b(?:mailto|tel|sip|file|data|blob|about|javascript):[^\s<>"|]+"#,
        )
    });
    static BARE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?i)(^|[\s(\[<"'])((?:[a-z0-9äöüß-]+\.)+(?:com|org|net|edu|gov|int|info|biz|io|app|dev|cloud|local|lan|internal|intra|corp|home|de|at|ch|fr|it|es|nl|be|lu|uk|ie|dk|se|no|fi|pl|cz|sk|hu|ro|bg|gr|pt|eu|us|ca|au|nz|jp|cn|kr|in|br|mx|ar|ru|ua|tr|il|za|xyz|online|shop|site|tech|ai|co|me|tv))(:\d+)?([/?#][^\s<>"|]*)?($|[\s)\]>"',;:.])"#,
        )
    });
    let text = URL.replace_all(text, |found: &Captures| {
        let all = &found[0];
        let kept = all.trim_end_matches(['.', ',', ';', ':', ')', ']', '!', '?', '\'', '…']);
        let end = &all[kept.len()..];
        let Some((scheme, rest)) = kept.split_once("://") else {
            return format!("{{path}}{end}");
        };
        let scheme = scheme.to_lowercase();
        if scheme == "file" {
            return format!("{{path}}{end}");
        }
        let (authority, path) =
            rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
        let host = host(authority);
        let path = if path.len() > 1 { "/{path}" } else { "" };
        format!("{scheme}://{host}{path}{end}")
    });
    BARE.replace_all(&text, |found: &Captures| {
        let path = match found.get(4) {
            Some(path) if path.len() > 1 => "/{path}",
            _ => "",
        };
        format!("{}{}{path}{}", &found[1], host(&found[2]), &found[5])
    })
    .into_owned()
}

/// A host without user, password and port. A number in it may tell whose machine it is.
fn host(authority: &str) -> String {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let host = host.to_lowercase();
    let plain = |c: char| c.is_alphabetic() || matches!(c, '.' | '-');
    if host.is_empty() || !host.chars().all(plain) {
        return "{host}".to_owned();
    }
    host
}

/// What lies within one part of a title.
pub(super) fn part(text: &str) -> String {
    static AMOUNTS: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        [
            (
                r"(?:[€$£¥₹₽₩₺￥]|\b(?:EUR|USD|GBP|CHF|JPY|PLN|SEK|NOK|DKK|CZK|HUF|RUB|CNY|INR|BRL|Fr\.|Rs\.?)\s?)\s?[+-]?\d[\d.,'’]*(?:\s\d{3}\b)*(?:[.,]\d+)?-?",
                "{amount}",
            ),
            (
                r"[+-]?\d[\d.,'’]*(?:\s\d{3}\b)*(?:[.,]\d+)?\s?(?:[€$£¥₹₽₩₺￥円元원]|(?:EUR|USD|GBP|CHF|JPY|PLN|SEK|NOK|DKK|CZK|HUF|RUB|CNY|INR|BRL|Euros?|euros?|Dollars?|dollars?|Franken|francs?|zł|Kč|руб)\b)",
                "{amount}",
            ),
            (r"\+\s?\d[\d\s()/.-]{4,}\d", "{phone}"),
            (r"\(0\d{1,5}\)\s?\d[\d\s/-]{2,}\d|\b0\d{1,5}[\s/-]\d[\d\s/-]{3,}\d", "{phone}"),
            (r"\(\d{3}\)\s?\d{3}[\s-]\d{4}|\b\d{3}-\d{3}-\d{4}\b", "{phone}"),
            (r"\d+(?:[.,]\d+)?\s?%", "{number}"),
        ]
        .map(|(pattern, to)| (regex(pattern), to))
        .into()
    });
    static CHAIN: LazyLock<Regex> =
        LazyLock::new(|| regex(r"[\p{L}\p{M}\p{N}_]+(?:[.,:/'’·+#&=~%-]+[\p{L}\p{M}\p{N}_]+)*"));
    let text = quotes(text);
    let text = files(&text);
    let text = apply(&text, &AMOUNTS);
    let text = outside_placeholders(&text, |text| {
        CHAIN
            .replace_all(text, |found: &Captures| chain(&found[0]))
            .into_owned()
    });
    let text = dates(&text);
    repeated(&text)
}

/// Words of letters and digits, joined by signs.
fn chain(word: &str) -> String {
    if word.contains(char::is_numeric) {
        if word.chars().any(is_caseless) {
            return digits(word);
        }
        if word.chars().any(char::is_alphabetic) {
            return "{id}".to_owned();
        }
        return "{number}".to_owned();
    }
    // The host of an address, which `addresses` found to be plain.
    if word.contains("://") || is_host(word) {
        return word.to_owned();
    }
    // Joined like a machine's word or a user's name, it is kept only where an interface
    // could say each of its words.
    if word.contains(['_', '.', '=', '~'])
        && !word
            .split(|c: char| !c.is_alphabetic())
            .all(|piece| piece.is_empty() || words::is_known(&piece.to_lowercase()))
    {
        return "{id}".to_owned();
    }
    word.to_owned()
}

/// What [`addresses`] leaves as a host's name.
fn is_host(word: &str) -> bool {
    let padded = addresses(word);
    static HOST: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:[a-zäöüß-]+\.)+(?:com|org|net|edu|gov|int|info|biz|io|app|dev|cloud|local|lan|internal|intra|corp|home|de|at|ch|fr|it|es|nl|be|lu|uk|ie|dk|se|no|fi|pl|cz|sk|hu|ro|bg|gr|pt|eu|us|ca|au|nz|jp|cn|kr|in|br|mx|ar|ru|ua|tr|il|za|xyz|online|shop|site|tech|ai|co|me|tv)$",
        )
    });
    padded == word && HOST.is_match(word)
}

/// In scripts that don't separate words, only the digits go.
fn digits(word: &str) -> String {
    let mut out = String::new();
    let mut in_number = false;
    for c in word.chars() {
        if c.is_numeric() {
            if !in_number {
                out.push_str("{number}");
            }
            in_number = true;
        } else {
            in_number = false;
            out.push(c);
        }
    }
    out
}

fn is_caseless(c: char) -> bool {
    c.is_alphabetic() && !c.is_lowercase() && !c.is_uppercase() && !matches!(c, 'ª' | 'º')
}

/// What stands in quotes is what a person called something.
fn quotes(text: &str) -> String {
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#""([^"]+)"|[“„”«»]([^“„”«»]+)[“”«»]|[‹‘‚]([^‹›‘’‚]+)[›’‘]|「([^」]+)」|『([^』]+)』"#,
        )
    });
    QUOTED
        .replace_all(text, |found: &Captures| {
            let all = &found[0];
            let inner = found
                .iter()
                .skip(1)
                .flatten()
                .next()
                .map_or("", |m| m.as_str());
            if super::says_nothing(inner) {
                all.to_owned()
            } else {
                let (open, close) = (all.chars().next(), all.chars().next_back());
                open.into_iter()
                    .chain(super::DOCUMENT.chars())
                    .chain(close)
                    .collect()
            }
        })
        .into_owned()
}

/// A file's name goes from the part's start, or what introduces it, to its extension.
fn files(text: &str) -> String {
    static FILE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)\S*\.(?:docx?|docm|dotx?|odt|rtf|txt|md|tex|log|pages|xlsx?|xlsm|xlsb|xltx?|ods|csv|tsv|numbers|pptx?|pptm|ppsx?|odp|key|pdf|ps|epub|mobi|djvu|xps|vsdx?|mpp|one|pub|accdb|mdb|sqlite|db|png|jpe?g|gif|bmp|tiff?|webp|svg|ico|heic|raw|psd|ai|indd|xcf|kra|dwg|dxf|stl|step|stp|blend|mp3|mp4|m4a|wav|flac|ogg|avi|mkv|mov|webm|zip|7z|rar|tar|gz|tgz|bz2|xz|iso|dmg|exe|msi|deb|rpm|apk|jar|dll|bat|cmd|ps1|sh|py|ipynb|rb|php|js|mjs|jsx|ts|tsx|vue|css|scss|less|html?|xhtml|xml|xsd|xsl|json|ya?ml|toml|ini|cfg|conf|env|sql|c|h|cc|cpp|hpp|cs|java|kt|swift|go|rs|lua|pl|r|m|f90|vb|eml|msg|ics|vcf|pst|ost|p12|pfx|pem|crt|cer|lock|bak|tmp|dat|bin|drawio|fig|sketch)\b",
        )
    });
    let Some(last) = FILE.find_iter(text).last() else {
        return text.to_owned();
    };
    let before = &text[..last.start()];
    let start = before
        .rfind(": ")
        .map(|at| at + 2)
        .into_iter()
        .chain(
            before
                .rfind(['(', '[', '"', '“', '„', '«'])
                .map(|at| at + before[at..].chars().next().map_or(1, char::len_utf8)),
        )
        .max()
        .unwrap_or(0);
    let found = last.as_str();
    // A bracket or quote that belongs to the match itself stays outside.
    let inner = found
        .rfind(['(', '[', '"', '“', '„', '«', '/'])
        .map_or(0, |at| {
            at + found[at..].chars().next().map_or(1, char::len_utf8)
        });
    let start = if inner > 0 && !found[..inner].ends_with('/') {
        last.start() + inner
    } else {
        start
    };
    format!("{}{{file}}{}", &text[..start], &text[last.end()..])
}

/// Numbers beside a month's name, and days of the week beside a date.
fn dates(text: &str) -> String {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        let months = alternatives(words::months());
        let weekdays = alternatives(words::weekdays());
        let number = r"\{(?:number|id)\}";
        vec![
            (
                regex(&format!(
                    r"(?i){number}\.?(?:º|ª)?\s(?:of\s|de\s)?(?:{months})\b\.?,?(?:\s(?:de\s)?{number})?"
                )),
                "{date}",
            ),
            (
                regex(&format!(
                    r"(?i)\b(?:{months})\b\.?\s(?:de\s)?{number}(?:,?\s{number})?"
                )),
                "{date}",
            ),
            (
                regex(&format!(
                    r"(?i)\b(?:{weekdays})\b\.?,?\s(?:the\s|den\s|le\s|el\s)?\{{date\}}"
                )),
                "{date}",
            ),
        ]
    });
    apply(text, &RULES)
}

fn alternatives(words: impl Iterator<Item = &'static str>) -> String {
    words.collect::<Vec<_>>().join("|")
}

/// The same placeholder several times in a row says no more than once.
fn repeated(text: &str) -> String {
    let mut text = text.to_owned();
    for placeholder in super::PLACEHOLDERS {
        for between in [
            " ", ", ", "; ", "/", ".", "-", "+", "–", " + ", "", ": ", ":", " & ",
        ] {
            let twice = format!("{placeholder}{between}{placeholder}");
            while text.contains(&twice) {
                text = text.replace(&twice, placeholder);
            }
        }
    }
    text
}

/// Applies a rule to what lies between placeholders.
pub(super) fn outside_placeholders(text: &str, rule: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let next = super::PLACEHOLDERS
            .iter()
            .filter_map(|placeholder| rest.find(placeholder).map(|at| (at, *placeholder)))
            .min();
        let Some((at, placeholder)) = next else {
            out.push_str(&rule(rest));
            break;
        };
        out.push_str(&rule(&rest[..at]));
        out.push_str(placeholder);
        rest = &rest[at + placeholder.len()..];
    }
    out
}

fn apply(text: &str, rules: &[Rule]) -> String {
    let mut text = text.to_owned();
    for (pattern, to) in rules {
        if let std::borrow::Cow::Owned(changed) = pattern.replace_all(&text, *to) {
            text = changed;
        }
    }
    text
}
