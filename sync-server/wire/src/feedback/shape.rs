//! How a [`Shape`] is read.
//!
//! serde's own internally tagged enums take a list for an object, whatever the parser says,
//! and forget where in the text they are. So a shape is read as an object with the fields of
//! all of them, and is then one of them or none.

use serde::{Deserialize, Deserializer};

use super::{Point, Shape};

/// The fields of every shape.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    shape: Word,
    #[serde(default, deserialize_with = "present")]
    from: Option<Point>,
    #[serde(default, deserialize_with = "present")]
    to: Option<Point>,
    #[serde(default, deserialize_with = "present")]
    at: Option<Point>,
    #[serde(default, deserialize_with = "present")]
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Arrow,
    Box,
    Highlight,
    Text,
}

/// A field that is there: null is none of its values.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Says of a field what serde says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("missing field `{0}`")]
    Missing(&'static str),
    #[error("unknown field `{0}`, which this shape lacks")]
    Unknown(&'static str),
}

impl TryFrom<Read> for Shape {
    type Error = Fault;

    fn try_from(read: Read) -> Result<Self, Fault> {
        let Read {
            shape,
            from,
            to,
            at,
            text,
        } = read;
        if let Word::Text = shape {
            lacks("from", from.as_ref())?;
            lacks("to", to.as_ref())?;
            return Ok(Self::Text {
                at: at.ok_or(Fault::Missing("at"))?,
                text: text.ok_or(Fault::Missing("text"))?,
            });
        }
        lacks("at", at.as_ref())?;
        lacks("text", text.as_ref())?;
        let from = from.ok_or(Fault::Missing("from"))?;
        let to = to.ok_or(Fault::Missing("to"))?;
        Ok(match shape {
            Word::Arrow => Self::Arrow { from, to },
            Word::Box => Self::Box { from, to },
            Word::Highlight | Word::Text => Self::Highlight { from, to },
        })
    }
}

fn lacks<T>(name: &'static str, field: Option<&T>) -> Result<(), Fault> {
    field.map_or(Ok(()), |_| Err(Fault::Unknown(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Shape, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read() {
        let (from, to) = (Point { x: 1.0, y: 2.5 }, Point { x: -3.0, y: 4.0 });
        let text = "here".to_owned();
        for shape in [
            Shape::Arrow { from, to },
            Shape::Box { from, to },
            Shape::Highlight { from, to },
            Shape::Text { at: from, text },
        ] {
            let json = serde_json::to_string(&shape).unwrap();
            assert_eq!(read(&json), Ok(shape), "{json}");
        }
    }

    #[test]
    fn a_shape_has_its_own_fields_and_no_others() {
        let point = r#"{"x":1,"y":1}"#;
        for (wrong, says) in [
            (
                format!(r#"{{"shape":"box","from":{point}}}"#),
                "missing field `to`",
            ),
            (
                format!(r#"{{"shape":"text","at":{point}}}"#),
                "missing field `text`",
            ),
            (
                format!(r#"{{"shape":"box","from":{point},"to":{point},"text":"a"}}"#),
                "unknown field `text`",
            ),
            (
                format!(r#"{{"shape":"text","at":{point},"text":"a","to":{point}}}"#),
                "unknown field `to`",
            ),
            (
                format!(r#"{{"shape":"text","at":{point},"text":"a","to":null}}"#),
                "invalid type: null",
            ),
            (
                format!(r#"{{"shape":"box","from":{point},"to":{point},"colour":1}}"#),
                "unknown field `colour`",
            ),
            (
                r#"{"shape":"circle"}"#.to_owned(),
                "unknown variant `circle`",
            ),
            (
                format!(r#"{{"from":{point},"to":{point}}}"#),
                "missing field `shape`",
            ),
        ] {
            let said = read(&wrong).unwrap_err();
            assert!(said.starts_with(says), "{wrong}: {said}");
        }
    }
}
