//! Whole numbers that JSON can write and 64 bits can't hold.
//!
//! Parsers read these as floating-point numbers, which are near them and not them. An
//! order number that was changed on its way is worse than one that was refused.

/// Whether every whole number in a JSON text is one of 64 bits, with or without a sign.
/// Numbers in texts don't count, and neither do those with a point or an exponent.
#[must_use]
pub fn whole_numbers_fit(json: &[u8]) -> bool {
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        let rest = &json[at..];
        at += match byte {
            b'"' => text_bytes(rest),
            b'-' | b'0'..=b'9' => {
                let number =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = rest.iter().take_while(|byte| number(byte)).count();
                if !fits(&rest[..length]) {
                    return false;
                }
                length
            }
            _ => 1,
        };
    }
    true
}

/// How long the text is that begins here.
fn text_bytes(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = json.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    at
}

fn fits(number: &[u8]) -> bool {
    let Ok(number) = std::str::from_utf8(number) else {
        return false;
    };
    number.contains(['.', 'e', 'E'])
        || number.parse::<i64>().is_ok()
        || number.parse::<u64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_64_bits_hold_fits() {
        for json in [
            r#"{"a": 18446744073709551615, "b": [-9223372036854775808, 0, -0]}"#,
            r#"{"a": "18446744073709551616", "b\" 99999999999999999999": 1}"#,
            r#"{"a": 1e30, "b": 18446744073709551616.5, "c": -1.0E+2}"#,
            "true",
            "",
            "\"",
            "\"\\",
        ] {
            assert!(whole_numbers_fit(json.as_bytes()), "{json}");
        }
        for json in [
            r#"{"a": 18446744073709551616}"#,
            r#"{"a": {"b": [1, -9223372036854775809]}}"#,
            r#"{"\\":123456789012345678901234567890}"#,
            "99999999999999999999",
        ] {
            assert!(!whole_numbers_fit(json.as_bytes()), "{json}");
        }
    }
}
