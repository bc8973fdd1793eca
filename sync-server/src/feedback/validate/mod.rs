//! A submission from its JSON, every field checked.
//!
//! **Invariant:** what comes out of here can be stored, listed and shown as it is: no
//! control character, no length beyond [`limits`], no number that isn't finite, no time
//! that the desk's periods can't hold.

use jiff::Timestamp;
use serde::Deserialize as _;
use sha2::{Digest as _, Sha256};
use snag_wire::{Code, FeedbackSubmission, Point, Shape, Size, limits, whole_numbers_fit};

use crate::ApiError;
use crate::json::Strict;

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
    // Of all fields, only a program's own state takes a number that large.
    if !whole_numbers_fit(json) {
        return Err(wrong(
            "app_state",
            "`app_state` has a whole number of more than 64 bits, which couldn't be kept exactly. Send it as text.",
        ));
    }
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
    let submission = FeedbackSubmission::deserialize(Strict(tracked)).map_err(|error| {
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

/// Whether people's words have a character that is none of theirs. Lines and tabs are how
/// they write; other control characters are not.
pub(super) fn has_controls(words: &str) -> bool {
    words
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// What is wrong with a tag.
pub(super) fn tag_fault(tag: &str) -> Option<&'static str> {
    if !(1..=limits::TAG_CHARS_MAX).contains(&tag.chars().count())
        || tag.chars().any(char::is_control)
    {
        return Some("A tag has 1 to 40 characters, none of them a control character.");
    }
    (tag.trim() != tag).then_some("A tag doesn't begin or end with a space.")
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
    if words.trim().is_empty()
        || words.chars().count() > limits::DESCRIPTION_CHARS_MAX
        || has_controls(words)
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
        if let Some(fault) = tag_fault(tag) {
            return Err(wrong(field, fault));
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
mod tests;
