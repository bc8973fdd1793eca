//! The keyed hash that stands for a label (a screen's title, an element's name).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The first 8 bytes of HMAC-SHA-256 over a normalised label, under the
/// organisation's key. Written as 16 lower-case hexadecimal digits.
///
/// Sixty-four bits keep a collision among a million labels below one in 30 million.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelHash(pub [u8; 8]);

/// The text was not 16 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseHashError;

impl fmt::Display for ParseHashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a label hash is 16 lower-case hexadecimal digits")
    }
}

impl std::error::Error for ParseHashError {}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl LabelHash {
    /// The 16 digits as ASCII bytes, without an allocation.
    #[must_use]
    pub fn to_ascii(self) -> [u8; 16] {
        let mut text = [0; 16];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }
}

impl fmt::Display for LabelHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.to_ascii() {
            fmt::Write::write_char(f, char::from(byte))?;
        }
        Ok(())
    }
}

impl fmt::Debug for LabelHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for LabelHash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: &[u8; 16] = text.as_bytes().try_into().map_err(|_| ParseHashError)?;
        let mut bytes = [0; 8];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn digit(ascii: u8) -> Result<u8, ParseHashError> {
    match ascii {
        b'0'..=b'9' => Ok(ascii - b'0'),
        b'a'..=b'f' => Ok(ascii - b'a' + 10),
        _ => Err(ParseHashError),
    }
}

impl Serialize for LabelHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LabelHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = LabelHash;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("16 lower-case hexadecimal digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<LabelHash, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for LabelHash {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[0-9a-f]{16}$"))
            .description(Some("Keyed hash of a normalised label"))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for LabelHash {}

#[cfg(test)]
mod tests {
    use super::LabelHash;

    #[test]
    fn text_form_round_trips_and_is_strict() {
        let hash = LabelHash([0, 1, 0x7f, 0x80, 0xff, 0xab, 0xcd, 0xef]);
        assert_eq!(hash.to_string(), "00017f80ffabcdef");
        assert_eq!("00017f80ffabcdef".parse(), Ok(hash));
        for wrong in [
            "",
            "00017f80ffabcde",
            "00017F80ffabcdef",
            "00017f80ffabcdefa",
            "zz017f80ffabcdef",
        ] {
            assert!(wrong.parse::<LabelHash>().is_err(), "{wrong}");
        }
    }
}
