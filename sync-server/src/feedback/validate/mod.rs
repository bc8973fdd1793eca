//! A submission from its JSON, every field checked.
//!
//! **Invariant:** what comes out of here can be stored, listed and shown as it is: no
//! control character, no length beyond [`limits`], no number that isn't finite, no time
//! that the desk's periods can't hold.

use jiff::Timestamp;
use serde::Deserialize as _;
use sha2::{Digest as _, Sha256};
use snag_wire::{Code, FeedbackSubmission, Point, Shape, Size, limits};

use crate::ApiError;

/// How a product is named where the device doesn't say.
const DEFAULT_PRODUCT: &str = "default";

/// A point may lie a little outside the picture, where a line was drawn past its edge.
const POINT_MIN: f64 = -10_000.0;
const POINT_MAX: f64 = 100_000.0;

/// What a browser would run if somebody clicked on it.
const SCHEMES_REFUSED: [&str; 4] = ["javascript:", "data:", "vbscript:", "blob:"];

/// Characters of a parser's message that are sent back.
const MESSAGE_CHARS_MAX: usize = 160;

/// A submission that may be stored.
#[derive(Debug, Clone)]
pub struct Checked {
    /// As it is stored.
    pub submission: FeedbackSubmission,
    /// SHA-256 of it: the same id with another digest is another submission.
    pub digest: [u8; 32],
}

/// Reads and checks a submission.
///
/// # Errors
/// 400 which names the field at fault, 413 where the whole is too large.
pub fn read(json: &[u8], now: Timestamp) -> Result<Checked, ApiError> {
    if json.len() > limits::SUBMISSION_BYTES_MAX {
        return Err(ApiError::new(
            Code::TooLarge,
            format!(
                "A submission has at most {} bytes of JSON.",
                limits::SUBMISSION_BYTES_MAX
            ),
        ));
    }
    if std::str::from_utf8(json).is_err() {
        return Err(ApiError::invalid_body("The body isn't valid UTF-8."));
    }
    let mut submission = parse(json)?;
    check(&submission, now)?;
    if submission.product.is_empty() {
        DEFAULT_PRODUCT.clone_into(&mut submission.product);
    }
    // Steps that happened at the same time stay as they were sent.
    submission
        .friction_trail
        .sort_by_key(|step| std::cmp::Reverse(step.before_ms));
    let canonical = serde_json::to_vec(&submission).map_err(|error| ApiError::internal(&error))?;
    Ok(Checked {
        submission,
        digest: Sha256::digest(canonical).into(),
    })
}

fn parse(json: &[u8]) -> Result<FeedbackSubmission, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let submission = FeedbackSubmission::deserialize(tracked).map_err(|error| {
        let path = track.path().to_string();
        let mut said: String = error
            .to_string()
            .chars()
            .filter(|c| !c.is_control())
            .take(MESSAGE_CHARS_MAX)
            .collect();
        // Where in the text it stands helps whoever wrote the client; their words don't.
        if let Some(at) = said.find(" at line ") {
            said.truncate(at);
        }
        let problem = ApiError::invalid_body(format!("The body isn't a submission: {said}."));
        match field_of(&path, &said) {
            Some(field) => problem.with_field(field),
            None => problem,
        }
    })?;
    deserializer
        .end()
        .map_err(|_| ApiError::invalid_body("Something follows the submission's JSON."))?;
    Ok(submission)
}

/// The field at fault: where the parser was, or the field that it misses.
fn field_of(path: &str, said: &str) -> Option<String> {
    let parent = if path == "." || path == "?" { "" } else { path };
    let missing = said
        .strip_prefix("missing field `")
        .or_else(|| said.strip_prefix("duplicate field `"))
        .or_else(|| said.strip_prefix("unknown field `"))
        .and_then(|rest| rest.split('`').next());
    match (parent, missing) {
        ("", Some(name)) => Some(name.to_owned()),
        ("", None) => None,
        (parent, Some(name)) if parent.rsplit(['.', ']']).next() != Some(name) => {
            Some(format!("{parent}.{name}"))
        }
        (parent, _) => Some(parent.to_owned()),
    }
    .map(|field| {
        field
            .chars()
            .filter(|c| !c.is_control())
            .take(MESSAGE_CHARS_MAX)
            .collect()
    })
}

fn wrong(field: impl Into<String>, detail: impl Into<String>) -> ApiError {
    ApiError::invalid_body(detail).with_field(field)
}

/// A text of one line.
fn line(field: &str, text: &str, chars: std::ops::RangeInclusive<usize>) -> Result<(), ApiError> {
    if !chars.contains(&text.chars().count()) || text.chars().any(char::is_control) {
        return Err(wrong(
            field,
            format!(
                "`{field}` has {} to {} characters, none of them a control character.",
                chars.start(),
                chars.end()
            ),
        ));
    }
    Ok(())
}

fn check(submission: &FeedbackSubmission, now: Timestamp) -> Result<(), ApiError> {
    if submission.id.is_nil() {
        return Err(wrong(
            "id",
            "`id` is a UUID that the client mints, not zero.",
        ));
    }
    let age_ms = now.as_millisecond() - submission.created_at.as_millisecond();
    if !(-limits::SUBMISSION_AHEAD_MS_MAX..=limits::SUBMISSION_AGE_MS_MAX).contains(&age_ms) {
        return Err(wrong(
            "created_at",
            "`created_at` lies at most 180 days before and one day after the server's clock. Set the device's clock.",
        ));
    }
    check_words(submission)?;
    if submission
        .rating
        .is_some_and(|stars| !(1..=5).contains(&stars))
    {
        return Err(wrong("rating", "`rating` is a whole number from 1 to 5."));
    }
    for (field, text, chars_max) in [
        ("product", &submission.product, limits::NAME_CHARS_MAX),
        ("os", &submission.os, limits::NAME_CHARS_MAX),
        (
            "agent_version",
            &submission.agent_version,
            limits::NAME_CHARS_MAX,
        ),
        ("target.app", &submission.target.app, limits::APP_CHARS_MAX),
        (
            "target.screen",
            &submission.target.screen,
            limits::LABEL_CHARS_MAX,
        ),
        ("target.url", &submission.target.url, limits::URL_CHARS_MAX),
    ] {
        line(field, text, 0..=chars_max)?;
    }
    let url = submission.target.url.trim_start().to_ascii_lowercase();
    if SCHEMES_REFUSED.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(wrong(
            "target.url",
            "`target.url` is the address of a place, not something to run.",
        ));
    }
    check_trail(submission)?;
    if let Some(state) = &submission.app_state {
        let bytes = serde_json::to_vec(state).map_err(|error| ApiError::internal(&error))?;
        if bytes.len() > limits::APP_STATE_BYTES_MAX {
            return Err(wrong(
                "app_state",
                format!(
                    "`app_state` has at most {} bytes of JSON.",
                    limits::APP_STATE_BYTES_MAX
                ),
            ));
        }
    }
    for (field, size) in [
        ("screen_resolution", submission.screen_resolution),
        ("viewport_size", submission.viewport_size),
    ] {
        if let Some(Size { width, height }) = size {
            for (side, pixels) in [("width", width), ("height", height)] {
                if !(1..=limits::EXTENT_PIXELS_MAX).contains(&pixels) {
                    return Err(wrong(
                        format!("{field}.{side}"),
                        format!(
                            "A width or height is from 1 to {} pixels.",
                            limits::EXTENT_PIXELS_MAX
                        ),
                    ));
                }
            }
        }
    }
    check_shapes(&submission.annotation)
}

fn check_words(submission: &FeedbackSubmission) -> Result<(), ApiError> {
    let words = &submission.description;
    // Lines and tabs are how people write; other control characters are not.
    let foreign = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if words.trim().is_empty()
        || words.chars().count() > limits::DESCRIPTION_CHARS_MAX
        || words.chars().any(foreign)
    {
        return Err(wrong(
            "description",
            format!(
                "`description` has 1 to {} characters, not only spaces, and no control characters but line ends and tabs.",
                limits::DESCRIPTION_CHARS_MAX
            ),
        ));
    }
    if submission.tags.len() > limits::TAGS_MAX {
        return Err(wrong(
            "tags",
            format!("`tags` has at most {} entries.", limits::TAGS_MAX),
        ));
    }
    for (i, tag) in submission.tags.iter().enumerate() {
        let field = format!("tags[{i}]");
        line(&field, tag, 1..=limits::TAG_CHARS_MAX)?;
        if tag.trim() != tag {
            return Err(wrong(field, "A tag doesn't begin or end with a space."));
        }
        if submission.tags[..i].contains(tag) {
            return Err(wrong(field, "The tag is given twice."));
        }
    }
    Ok(())
}

fn check_trail(submission: &FeedbackSubmission) -> Result<(), ApiError> {
    if submission.friction_trail.len() > limits::TRAIL_STEPS_MAX {
        return Err(wrong(
            "friction_trail",
            format!(
                "`friction_trail` has at most {} steps.",
                limits::TRAIL_STEPS_MAX
            ),
        ));
    }
    for (i, step) in submission.friction_trail.iter().enumerate() {
        let field = |name: &str| format!("friction_trail[{i}].{name}");
        if step.before_ms > limits::DURATION_MS_MAX {
            return Err(wrong(
                field("before_ms"),
                "A step lies at most 31 days before the submission.",
            ));
        }
        line(&field("text"), &step.text, 1..=limits::STEP_CHARS_MAX)?;
        line(&field("app"), &step.app, 0..=limits::APP_CHARS_MAX)?;
        line(&field("screen"), &step.screen, 0..=limits::LABEL_CHARS_MAX)?;
    }
    Ok(())
}

fn check_shapes(shapes: &[Shape]) -> Result<(), ApiError> {
    if shapes.len() > limits::SHAPES_MAX {
        return Err(wrong(
            "annotation",
            format!("`annotation` has at most {} shapes.", limits::SHAPES_MAX),
        ));
    }
    for (i, shape) in shapes.iter().enumerate() {
        let points: &[(&str, &Point)] = match shape {
            Shape::Arrow { from, to } | Shape::Box { from, to } | Shape::Highlight { from, to } => {
                &[("from", from), ("to", to)]
            }
            Shape::Text { at, text } => {
                let field = format!("annotation[{i}].text");
                line(&field, text, 1..=limits::STEP_CHARS_MAX)?;
                &[("at", at)]
            }
        };
        for (name, point) in points {
            for (axis, value) in [("x", point.x), ("y", point.y)] {
                // NaN is in no range.
                if !(POINT_MIN..=POINT_MAX).contains(&value) {
                    return Err(wrong(
                        format!("annotation[{i}].{name}.{axis}"),
                        format!("A coordinate is a number from {POINT_MIN} to {POINT_MAX}."),
                    ));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-20T12:00:00Z";

    fn whole() -> Value {
        json!({
            "id": "0190d0c0-0000-7000-8000-000000000001",
            "created_at": "2026-11-20T11:59:00Z",
            "category": "bug",
            "description": "The export hangs.\n\tEvery time \u{1f622}",
            "rating": 2,
            "tags": ["export", "slow"],
            "product": "erp",
            "target": {"app": "excel", "screen": "Export", "url": "https://erp.example/export?x=1"},
            "session": 7,
            "friction_trail": [
                {"before_ms": 100, "text": "Clicked", "incident": "rage_click", "app": "excel", "screen": "Export"},
                {"before_ms": 5_000, "text": "Opened Export"},
            ],
            "app_state": {"rows": 12, "nested": {"a": [1, null, "x"]}},
            "os": "Debian 13",
            "screen_resolution": {"width": 1920, "height": 1080},
            "viewport_size": {"width": 1200, "height": 800},
            "agent_version": "0.1.0",
            "annotation": [
                {"shape": "arrow", "from": {"x": 1.5, "y": 2}, "to": {"x": 30, "y": 40}},
                {"shape": "text", "at": {"x": 5, "y": 6}, "text": "here"},
            ],
        })
    }

    fn read_value(value: &Value) -> Result<Checked, ApiError> {
        read(value.to_string().as_bytes(), NOW.parse().unwrap())
    }

    fn with(path: &str, value: Value) -> Value {
        let mut whole = whole();
        if whole.pointer(path).is_none() {
            let (parent, name) = path.rsplit_once('/').unwrap();
            whole.pointer_mut(parent).unwrap()[name] = Value::Null;
        }
        *whole.pointer_mut(path).unwrap() = value;
        whole
    }

    #[test]
    fn a_whole_submission_is_taken() {
        let checked = read_value(&whole()).unwrap();
        assert_eq!(checked.submission.friction_trail[0].before_ms, 5_000);
        assert_eq!(checked.submission.product, "erp");
        // The order of keys and spaces don't matter, every value does.
        let spaced = serde_json::to_string_pretty(&whole()).unwrap();
        let again = read(spaced.as_bytes(), NOW.parse().unwrap()).unwrap();
        assert_eq!(again.digest, checked.digest);
        let other = read_value(&with("/description", json!("Other."))).unwrap();
        assert_ne!(other.digest, checked.digest);
    }

    #[test]
    fn the_least_is_enough() {
        let least = json!({"id": "0190d0c0-0000-7000-8000-000000000001", "category": "praise",
            "created_at": "2026-11-20T12:00:00+01:00", "description": "x"});
        let checked = read_value(&least).unwrap();
        assert_eq!(checked.submission.product, "default");
        assert_eq!(checked.submission.rating, None);
    }

    #[test]
    fn each_fault_names_its_field() {
        let long = |length: usize| json!("x".repeat(length));
        let step = |name: &str, value: Value| {
            let mut step = json!({"before_ms": 1, "text": "x"});
            step[name] = value;
            json!([step])
        };
        let huge: serde_json::Map<String, Value> =
            serde_json::Map::from_iter([("a".to_owned(), long(limits::APP_STATE_BYTES_MAX))]);
        for (path, value, field) in [
            ("/id", json!("7"), "id"),
            ("/id", json!("00000000-0000-0000-0000-000000000000"), "id"),
            ("/id", Value::Null, "id"),
            ("/created_at", json!("yesterday"), "created_at"),
            ("/created_at", json!("2025-11-20T12:00:00Z"), "created_at"),
            ("/created_at", json!("2027-11-20T12:00:00Z"), "created_at"),
            ("/created_at", json!("2026-05-24T11:59:59Z"), "created_at"),
            ("/created_at", json!("2026-11-21T12:00:01Z"), "created_at"),
            ("/category", json!("rant"), "category"),
            ("/category", json!("Bug"), "category"),
            ("/description", json!(""), "description"),
            ("/description", json!(" \n"), "description"),
            ("/description", json!("a\u{0}b"), "description"),
            ("/description", json!("a\u{1b}[2J"), "description"),
            ("/description", json!("a\u{85}b"), "description"),
            ("/description", long(10_001), "description"),
            ("/description", json!(["x"]), "description"),
            ("/rating", json!(0), "rating"),
            ("/rating", json!(6), "rating"),
            ("/rating", json!(2.5), "rating"),
            ("/rating", json!(-1), "rating"),
            ("/rating", json!("5"), "rating"),
            (
                "/tags",
                json!((0..21).map(|i| format!("t{i}")).collect::<Vec<_>>()),
                "tags",
            ),
            ("/tags", json!("export"), "tags"),
            ("/tags/1", json!("export"), "tags[1]"),
            ("/tags/0", json!(""), "tags[0]"),
            ("/tags/0", json!(" x"), "tags[0]"),
            ("/tags/0", long(41), "tags[0]"),
            ("/tags/0", json!("a\nb"), "tags[0]"),
            ("/tags/0", json!(7), "tags[0]"),
            ("/product", long(65), "product"),
            ("/product", json!("a\u{7}"), "product"),
            ("/target/app", long(65), "target.app"),
            ("/target/screen", long(201), "target.screen"),
            ("/target/url", long(2_001), "target.url"),
            ("/target/url", json!(" JavaScript:alert(1)"), "target.url"),
            ("/target/window", json!("x"), "target.window"),
            ("/target", json!("excel"), "target"),
            ("/session", json!(-1), "session"),
            ("/session", json!(4_294_967_296_u64), "session"),
            (
                "/friction_trail",
                json!(vec![json!({"before_ms": 1, "text": "x"}); 101]),
                "friction_trail",
            ),
            (
                "/friction_trail",
                step("before_ms", json!(limits::DURATION_MS_MAX + 1)),
                "friction_trail[0].before_ms",
            ),
            (
                "/friction_trail",
                step("before_ms", json!(-1)),
                "friction_trail[0].before_ms",
            ),
            (
                "/friction_trail",
                step("text", json!("")),
                "friction_trail[0].text",
            ),
            (
                "/friction_trail",
                step("text", long(201)),
                "friction_trail[0].text",
            ),
            (
                "/friction_trail",
                step("app", long(65)),
                "friction_trail[0].app",
            ),
            (
                "/friction_trail",
                step("screen", json!("a\tb")),
                "friction_trail[0].screen",
            ),
            (
                "/friction_trail",
                step("incident", json!("tantrum")),
                "friction_trail[0].incident",
            ),
            (
                "/friction_trail",
                step("key", json!("a")),
                "friction_trail[0].key",
            ),
            ("/app_state", Value::Object(huge), "app_state"),
            ("/app_state", json!([1]), "app_state"),
            ("/os", long(65), "os"),
            (
                "/screen_resolution/width",
                json!(0),
                "screen_resolution.width",
            ),
            (
                "/screen_resolution/height",
                json!(100_001),
                "screen_resolution.height",
            ),
            ("/viewport_size", json!("1200x800"), "viewport_size"),
            ("/viewport_size/height", json!(1.5), "viewport_size.height"),
            ("/agent_version", long(65), "agent_version"),
            (
                "/annotation",
                json!(vec![
                    json!({"shape": "text", "at": {"x": 1, "y": 1}, "text": "x"});
                    201
                ]),
                "annotation",
            ),
            ("/annotation/0/from/x", json!(1e9), "annotation[0].from.x"),
            ("/annotation/0/to/y", json!(-1e9), "annotation[0].to.y"),
            ("/annotation/1/text", json!(""), "annotation[1].text"),
            ("/annotation/1/at/x", json!(1e6), "annotation[1].at.x"),
            (
                "/annotation/0/shape",
                json!("circle"),
                "annotation[0].shape",
            ),
            ("/device", json!("x"), "device"),
        ] {
            let error = read_value(&with(path, value.clone())).unwrap_err();
            assert_eq!(error.code(), Code::InvalidBody, "{path}");
            assert_eq!(error.field(), Some(field), "{path}: {error}");
        }
        for missing in ["id", "created_at", "category", "description"] {
            let mut value = whole();
            value.as_object_mut().unwrap().remove(missing);
            let error = read_value(&value).unwrap_err();
            assert_eq!(error.field(), Some(missing), "{error}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let now = NOW.parse().unwrap();
        let text = whole().to_string();
        let twice = text.replacen('{', "{\"rating\": 1,", 1);
        let endless = text.replacen("1.5", "1e999", 1);
        let surrogate = text.replacen("The export", "\\ud800", 1);
        let deep = text.replacen("12", &format!("{}1{}", "[".repeat(500), "]".repeat(500)), 1);
        for (body, field) in [
            (&b""[..], None),
            (b"null", None),
            (b"[]", None),
            (b"{", None),
            (&text.as_bytes()[..text.len() - 1], None),
            (format!("{text}{text}").as_bytes(), None),
            (twice.as_bytes(), Some("rating")),
            (b"{\"id\": \"\xff\xfe\"}", None),
            (b"{\"id\": NaN}", Some("id")),
        ] {
            let error = read(body, now).unwrap_err();
            assert_eq!(error.code(), Code::InvalidBody);
            assert_eq!(error.field(), field, "{error}");
        }
        for body in [endless, surrogate, deep] {
            let error = read(body.as_bytes(), now).unwrap_err();
            assert_eq!(error.code(), Code::InvalidBody, "{error}");
        }
        let error = read(&vec![b' '; limits::SUBMISSION_BYTES_MAX + 1], now).unwrap_err();
        assert_eq!(error.code(), Code::TooLarge);
    }
}
