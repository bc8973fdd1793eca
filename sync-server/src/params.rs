//! Query parameters, strictly: what isn't known or can't be read is a 400 that names the
//! parameter and says what it takes.

use std::collections::BTreeMap;

use http::Uri;

use crate::ApiError;

/// The parameters of `uri` by name, of which `allowed` are.
///
/// # Errors
/// 400 where one isn't known, is given twice, or isn't percent-encoded UTF-8.
pub fn read(uri: &Uri, allowed: &[&str]) -> Result<BTreeMap<String, String>, ApiError> {
    let mut given = BTreeMap::new();
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
            let name = name.chars().take(64).collect::<String>();
            return Err(ApiError::invalid_parameter(name, detail));
        }
        let Some(value) = decode(value) else {
            let detail = "The value is not percent-encoded UTF-8.";
            return Err(ApiError::invalid_parameter(name, detail));
        };
        if given.contains_key(&name) {
            let detail = "The parameter is given more than once. Give it once.";
            return Err(ApiError::invalid_parameter(name, detail));
        }
        given.insert(name, value);
    }
    Ok(given)
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

/// `true` or `false`.
///
/// # Errors
/// 400 where it is neither.
pub fn yes_or_no(
    given: &mut BTreeMap<String, String>,
    name: &str,
) -> Result<Option<bool>, ApiError> {
    match given.remove(name).as_deref() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(ApiError::invalid_parameter(name, "It takes true or false.")),
    }
}

/// A text of 1 to `chars_max` characters.
///
/// # Errors
/// 400 where it is empty or longer.
pub fn text(
    given: &mut BTreeMap<String, String>,
    name: &str,
    chars_max: usize,
) -> Result<Option<String>, ApiError> {
    match given.remove(name) {
        Some(text) if text.is_empty() || text.chars().count() > chars_max => {
            let detail =
                format!("It takes 1 to {chars_max} characters. Leave it out for no filter.");
            Err(ApiError::invalid_parameter(name, detail))
        }
        text => Ok(text),
    }
}

/// A whole number from 1 to `max`.
///
/// # Errors
/// 400 where it is something else.
pub fn count(
    given: &mut BTreeMap<String, String>,
    name: &str,
    max: usize,
) -> Result<Option<usize>, ApiError> {
    let Some(text) = given.remove(name) else {
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

/// A moment: RFC 3339 in UTC or with an offset, or a day (its midnight in UTC), between
/// 1970 and 2100.
///
/// # Errors
/// 400 where it is something else.
pub fn moment(
    given: &mut BTreeMap<String, String>,
    name: &str,
) -> Result<Option<jiff::Timestamp>, ApiError> {
    let Some(text) = given.remove(name) else {
        return Ok(None);
    };
    let day = || {
        let day: jiff::civil::Date = text.parse().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    text.parse()
        .ok()
        .or_else(day)
        .filter(|moment: &jiff::Timestamp| (0..4_102_444_800).contains(&moment.as_second()))
        .map(Some)
        .ok_or_else(|| {
            let detail =
                "It takes a day (2026-11-20) or a moment (2026-11-20T09:00:00Z) from 1970 to 2100.";
            ApiError::invalid_parameter(name, detail)
        })
}

#[cfg(test)]
mod tests {
    use super::{count, moment, read, yes_or_no};

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
    }

    #[test]
    fn values_are_checked() {
        let of = |value: &str| [("a".to_owned(), value.to_owned())].into();
        assert!(yes_or_no(&mut of("1"), "a").is_err());
        assert_eq!(yes_or_no(&mut of("true"), "a").unwrap(), Some(true));
        for bad in ["0", "11", "+1", "", "x"] {
            assert!(count(&mut of(bad), "a", 10).is_err(), "{bad}");
        }
        for bad in ["", "yesterday", "1969-12-31", "2100-01-02", "1763632800"] {
            assert!(moment(&mut of(bad), "a").is_err(), "{bad}");
        }
        let day = moment(&mut of("2026-11-20"), "a").unwrap().unwrap();
        assert_eq!(day.to_string(), "2026-11-20T00:00:00Z");
    }
}
