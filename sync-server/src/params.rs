//! Query parameters, strictly: what isn't known or can't be read is a 400 that names the
//! parameter and says what it takes.

use std::collections::BTreeMap;

use http::Uri;

use crate::ApiError;

/// Times beyond are typing errors, and ClickHouse's `DateTime` ends soon after.
const YEARS_MS: std::ops::Range<i64> = 0..4_102_444_800_000;

/// The parameters of `uri`, decoded, in their order. Those that may be given more than
/// once are `repeated`.
///
/// # Errors
/// 400 where one isn't `allowed`, is given twice, or isn't percent-encoded UTF-8.
pub fn pairs(
    uri: &Uri,
    allowed: &[&str],
    repeated: &[&str],
) -> Result<Vec<(String, String)>, ApiError> {
    let mut given: Vec<(String, String)> = Vec::new();
    for pair in uri.query().unwrap_or_default().split('&') {
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name).unwrap_or_else(|| name.to_owned());
        if !allowed.contains(&name.as_str()) {
            let detail = if allowed.is_empty() {
                "This address takes no parameters.".to_owned()
            } else {
                format!(
                    "There is no such parameter here. Allowed are: {}.",
                    allowed.join(", ")
                )
            };
            return Err(ApiError::invalid_parameter(shorten(&name), detail));
        }
        let Some(value) = decode(value) else {
            let detail = "The value is not percent-encoded UTF-8.";
            return Err(ApiError::invalid_parameter(name, detail));
        };
        let again = given.iter().any(|(known, _)| *known == name);
        if again && !repeated.contains(&name.as_str()) {
            let detail = "The parameter is given more than once. Give it once.";
            return Err(ApiError::invalid_parameter(name, detail));
        }
        given.push((name, value));
    }
    Ok(given)
}

/// The parameters of `uri` by name, of which `allowed` are.
///
/// # Errors
/// 400 where one isn't known, is given twice, or isn't percent-encoded UTF-8.
pub fn read(uri: &Uri, allowed: &[&str]) -> Result<BTreeMap<String, String>, ApiError> {
    Ok(pairs(uri, allowed, &[])?.into_iter().collect())
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A foreign parameter's name, short enough to be sent back.
fn shorten(name: &str) -> String {
    if name.is_empty() {
        return "(empty)".to_owned();
    }
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// A value that is `true` or `false`.
///
/// # Errors
/// 400 where it is neither.
pub fn as_yes_or_no(name: &str, value: &str) -> Result<bool, ApiError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(ApiError::invalid_parameter(name, "It takes true or false.")),
    }
}

/// A value of 1 to `chars_max` characters.
///
/// # Errors
/// 400 where it is empty or longer.
pub fn as_text(name: &str, value: &str, chars_max: usize) -> Result<String, ApiError> {
    if value.is_empty() || value.chars().count() > chars_max {
        let detail = format!("It takes 1 to {chars_max} characters. Leave it out for no filter.");
        return Err(ApiError::invalid_parameter(name, detail));
    }
    Ok(value.to_owned())
}

/// A value that is a moment, in milliseconds since 1970: RFC 3339, or a date, whose first
/// moment in UTC it is.
///
/// # Errors
/// 400 where it is something else, or not from 1970 to 2099.
pub fn as_moment_ms(name: &str, value: &str) -> Result<i64, ApiError> {
    let wrong = || {
        let detail = "It takes a time as RFC 3339 has it (2026-11-20T10:00:00Z, \
                      2026-11-20T11:00:00+01:00) or a date (2026-11-20: its first moment in UTC), \
                      from 1970 to 2099.";
        ApiError::invalid_parameter(name, detail)
    };
    // A plus that isn't written as %2B arrives as a space; no time has one there.
    let text = value.replace(' ', "+");
    let ms = if text.len() == 10 {
        let date: jiff::civil::Date = text.parse().map_err(|_| wrong())?;
        let zoned = date.to_zoned(jiff::tz::TimeZone::UTC);
        zoned.map_err(|_| wrong())?.timestamp().as_millisecond()
    } else {
        if text.contains('[') {
            return Err(wrong());
        }
        let at: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        at.as_millisecond()
    };
    if YEARS_MS.contains(&ms) {
        Ok(ms)
    } else {
        Err(wrong())
    }
}

/// `true` or `false`, where it is given.
///
/// # Errors
/// 400 where it is neither.
pub fn yes_or_no(given: &BTreeMap<String, String>, name: &str) -> Result<Option<bool>, ApiError> {
    let value = given.get(name);
    value.map(|value| as_yes_or_no(name, value)).transpose()
}

/// A text of 1 to `chars_max` characters, where it is given.
///
/// # Errors
/// 400 where it is empty or longer.
pub fn text(
    given: &BTreeMap<String, String>,
    name: &str,
    chars_max: usize,
) -> Result<Option<String>, ApiError> {
    let value = given.get(name);
    value
        .map(|value| as_text(name, value, chars_max))
        .transpose()
}

/// A whole number from 1 to `max`, where it is given.
///
/// # Errors
/// 400 where it is something else.
pub fn count(
    given: &BTreeMap<String, String>,
    name: &str,
    max: usize,
) -> Result<Option<usize>, ApiError> {
    let Some(text) = given.get(name) else {
        return Ok(None);
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && (1..=max).contains(&number) => Ok(Some(number)),
        _ => {
            let detail = format!("It takes a whole number from 1 to {max}.");
            Err(ApiError::invalid_parameter(name, detail))
        }
    }
}

/// One word of a list, where it is given.
///
/// # Errors
/// 400 where it is another, with the list.
pub fn word<T: Copy>(
    given: &BTreeMap<String, String>,
    name: &str,
    words: &[(&str, T)],
) -> Result<Option<T>, ApiError> {
    let Some(value) = given.get(name) else {
        return Ok(None);
    };
    let known = words.iter().find(|(word, _)| word == value);
    known.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let detail = format!("It takes one of: {}.", words.join(", "));
        ApiError::invalid_parameter(name, detail)
    })
}

/// A moment in milliseconds since 1970, where it is given; see [`as_moment_ms`].
///
/// # Errors
/// 400 where it is something else.
pub fn moment_ms(given: &BTreeMap<String, String>, name: &str) -> Result<Option<i64>, ApiError> {
    let value = given.get(name);
    value.map(|value| as_moment_ms(name, value)).transpose()
}

#[cfg(test)]
mod tests {
    use super::{count, moment_ms, pairs, read, word, yes_or_no};

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let uri = |query: &str| format!("/x?{query}").parse().unwrap();
        for (query, field) in [
            ("b=1", "b"),
            ("a=1&a=2", "a"),
            ("a=%zz", "a"),
            ("a=%ff", "a"),
        ] {
            let error = read(&uri(query), &["a"]).unwrap_err();
            assert_eq!(error.field(), Some(field), "{query}");
        }
        let given = read(&uri("a=x+y%20%C3%A4&"), &["a"]).unwrap();
        assert_eq!(given["a"], "x y \u{e4}");
        let tags = pairs(&uri("a=1&b=2&a=3"), &["a", "b"], &["a"]).unwrap();
        assert_eq!(tags.len(), 3);
        assert!(pairs(&uri("a=1&b=2&b=3"), &["a", "b"], &["a"]).is_err());
    }

    #[test]
    fn values_are_checked() {
        let of = |value: &str| [("a".to_owned(), value.to_owned())].into();
        assert!(yes_or_no(&of("1"), "a").is_err());
        assert_eq!(yes_or_no(&of("true"), "a").unwrap(), Some(true));
        for bad in ["0", "11", "+1", "", "x"] {
            assert!(count(&of(bad), "a", 10).is_err(), "{bad}");
        }
        for bad in ["", "yesterday", "1969-12-31", "2100-01-02", "1763632800"] {
            assert!(moment_ms(&of(bad), "a").is_err(), "{bad}");
        }
        let day = moment_ms(&of("2026-11-20"), "a").unwrap().unwrap();
        assert_eq!(day, 1_795_132_800_000);
        // A plus that was not encoded.
        let plus = moment_ms(&of("2026-11-20T02:00:00 02:00"), "a");
        assert_eq!(plus.unwrap(), Some(day));
        let words = [("one", 1), ("two", 2)];
        assert_eq!(word(&of("two"), "a", &words).unwrap(), Some(2));
        assert_eq!(word(&of("x"), "a", &words).unwrap_err().field(), Some("a"));
    }
}
