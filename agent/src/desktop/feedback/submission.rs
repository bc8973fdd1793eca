//! A draft becomes exactly the bytes that leave. Pure, so that the preview and the sending are one function.

use jiff::Timestamp;
use snag_wire::limits::{
    APP_CHARS_MAX, APP_STATE_BYTES_MAX, DESCRIPTION_CHARS_MAX, LABEL_CHARS_MAX, SHAPES_MAX,
    STEP_CHARS_MAX, TAG_CHARS_MAX, TAGS_MAX, TRAIL_STEPS_MAX, URL_CHARS_MAX,
};
use snag_wire::{Category, FeedbackSubmission, Point, Shape, Target, TrailStep};

use super::form::Form;
use crate::desktop::view::{Draft, Sentence};
use crate::screenshot::{Encoded, ScreenshotError};

/// How far outside a picture a mark may reach, as the server has it.
const POINT_RANGE: std::ops::RangeInclusive<f64> = -10_000.0..=100_000.0;

/// What every submission of a device says.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// What the organisation calls the set of programs it looks at.
    pub product: String,
    /// The agent's version.
    pub agent_version: String,
}

/// What leaves.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The submission.
    pub submission: FeedbackSubmission,
    /// Its bytes.
    pub body: Vec<u8>,
    /// The picture's bytes.
    pub picture: Option<Encoded>,
}

/// Whether a draft can be sent.
///
/// # Errors
/// What is missing or too long.
pub fn check(draft: &Draft) -> Result<(), Sentence> {
    if clean_words(&draft.description).trim().is_empty() {
        return Err(Sentence::plain("problem.description_empty"));
    }
    if draft.description.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(Sentence::new(
            "problem.description_too_long",
            [("limit", DESCRIPTION_CHARS_MAX.to_string())],
        ));
    }
    for (key, count, max) in [
        ("problem.too_many_tags", draft.tags.len(), TAGS_MAX),
        ("problem.too_many_marks", draft.marks.len(), SHAPES_MAX),
    ] {
        if count > max {
            return Err(Sentence::new(key, [("limit", max.to_string())]));
        }
    }
    Ok(())
}

/// Makes what leaves of a draft, with the form's picture.
///
/// # Errors
/// The picture can't be made small enough.
pub fn build(
    form: &Form,
    draft: &Draft,
    sender: &Sender,
    pictures_allowed: bool,
) -> Result<Outgoing, ScreenshotError> {
    let held = form
        .held
        .as_ref()
        .filter(|_| draft.with_picture && pictures_allowed);
    let (picture, annotation) = match held {
        Some(held) => {
            let encoded = held.picture.finished(&draft.hidden, draft.crop).encode()?;
            let (left, top, _) = held.picture.crop_span(draft.crop);
            (Some(encoded), marks(&draft.marks, left, top))
        }
        None => (None, Vec::new()),
    };
    let around = &form.around;
    let submission = FeedbackSubmission {
        id: draft.id,
        created_at: around.opened_at,
        category: draft.category.unwrap_or(Category::Other),
        description: clean_words(&draft.description),
        rating: draft.rating.filter(|stars| (1..=5).contains(stars)),
        tags: tags(&draft.tags),
        product: sender.product.clone(),
        target: Target {
            app: line(&around.target.app, APP_CHARS_MAX),
            screen: line(&around.target.screen, LABEL_CHARS_MAX),
            url: line(&around.target.url, URL_CHARS_MAX),
        },
        session: around.session,
        friction_trail: steps(&draft.steps),
        app_state: around.app_state.clone().filter(|state| {
            serde_json::to_vec(state).is_ok_and(|bytes| bytes.len() <= APP_STATE_BYTES_MAX)
        }),
        os: std::env::consts::OS.to_owned(),
        screen_resolution: around.screen,
        viewport_size: around.window,
        agent_version: sender.agent_version.clone(),
        annotation,
    };
    let body = serde_json::to_vec(&submission)
        .map_err(|error| ScreenshotError::Encoding(error.to_string()))?;
    Ok(Outgoing {
        submission,
        body,
        picture,
    })
}

/// A person's words without what no keyboard makes.
fn clean_words(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
        .collect()
}

/// A text of one line.
fn line(text: &str, chars_max: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(chars_max)
        .collect()
}

fn tags(tags: &[String]) -> Vec<String> {
    let mut clean: Vec<String> = Vec::new();
    for tag in tags {
        let tag = line(tag.trim(), TAG_CHARS_MAX).trim().to_owned();
        if !tag.is_empty() && !clean.contains(&tag) {
            clean.push(tag);
        }
    }
    clean
}

fn steps(steps: &[TrailStep]) -> Vec<TrailStep> {
    steps
        .iter()
        .map(|step| TrailStep {
            before_ms: step.before_ms.min(snag_wire::limits::DURATION_MS_MAX),
            text: line(&step.text, STEP_CHARS_MAX),
            incident: step.incident,
            app: line(&step.app, APP_CHARS_MAX),
            screen: line(&step.screen, LABEL_CHARS_MAX),
        })
        .filter(|step| !step.text.is_empty())
        .take(TRAIL_STEPS_MAX)
        .collect()
}

/// Marks in the pixels of the picture that leaves.
fn marks(shapes: &[Shape], left: u32, top: u32) -> Vec<Shape> {
    let moved = |point: &Point| {
        let moved = Point {
            x: point.x - f64::from(left),
            y: point.y - f64::from(top),
        };
        (POINT_RANGE.contains(&moved.x) && POINT_RANGE.contains(&moved.y)).then_some(moved)
    };
    shapes
        .iter()
        .filter_map(|shape| {
            Some(match shape {
                Shape::Arrow { from, to } => Shape::Arrow {
                    from: moved(from)?,
                    to: moved(to)?,
                },
                Shape::Box { from, to } => Shape::Box {
                    from: moved(from)?,
                    to: moved(to)?,
                },
                Shape::Highlight { from, to } => Shape::Highlight {
                    from: moved(from)?,
                    to: moved(to)?,
                },
                Shape::Text { at, text } => Shape::Text {
                    at: moved(at)?,
                    text: Some(line(text, STEP_CHARS_MAX)).filter(|text| !text.is_empty())?,
                },
            })
        })
        .collect()
}

/// A moment as the contract has it: milliseconds, since no clock of a desktop says more.
#[must_use]
pub fn moment(now: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use snag_wire::Size;

    use super::*;
    use crate::desktop::feedback::form::{Circumstances, Held};
    use crate::desktop::view::{Area, PictureSource};
    use crate::screenshot::Picture;

    fn form() -> Form {
        let size = Size {
            width: 100,
            height: 80,
        };
        let around = Circumstances {
            opened_at: Timestamp::UNIX_EPOCH,
            target: Target {
                app: "excel".into(),
                ..Target::default()
            },
            session: None,
            occasion: None,
            steps: Vec::new(),
            app_state: None,
            screen: Some(size),
            window: None,
        };
        let held = Held {
            id: "one".into(),
            source: PictureSource {
                id: "screen:0".into(),
                name: String::new(),
                is_screen: true,
                size,
            },
            picture: Arc::new(Picture::new(size, vec![0xee; 24_000]).unwrap()),
        };
        Form::new(around, Some(held))
    }

    #[test]
    fn the_preview_is_what_leaves() {
        let form = form();
        let mut draft = form.draft.clone();
        draft.description = "a\u{7}b\nc".into();
        draft.tags = vec![" slow ".into(), "slow".into(), " ".into()];
        let first = build(&form, &draft, &Sender::default(), true).unwrap();
        let second = build(&form, &draft, &Sender::default(), true).unwrap();
        assert_eq!(first.body, second.body);
        assert_eq!(first.picture, second.picture);
        assert_eq!(first.submission.description, "ab\nc");
        assert_eq!(first.submission.tags, ["slow"]);
        let back: FeedbackSubmission = serde_json::from_slice(&first.body).unwrap();
        assert_eq!(back, first.submission);
    }

    #[test]
    fn marks_are_in_the_pixels_of_the_crop() {
        let form = form();
        let mut draft = form.draft.clone();
        draft.crop = Some(Area {
            x: 20.0,
            y: 10.0,
            width: 50.0,
            height: 40.0,
        });
        draft.marks = vec![
            Shape::Arrow {
                from: Point { x: 25.0, y: 15.0 },
                to: Point { x: 30.0, y: 20.0 },
            },
            Shape::Box {
                from: Point {
                    x: f64::NAN,
                    y: 0.0,
                },
                to: Point { x: 1.0, y: 1.0 },
            },
        ];
        let out = build(&form, &draft, &Sender::default(), true).unwrap();
        assert_eq!(
            out.submission.annotation,
            [Shape::Arrow {
                from: Point { x: 5.0, y: 5.0 },
                to: Point { x: 10.0, y: 10.0 },
            }]
        );
        let sent = Picture::decode(&out.picture.unwrap().bytes).unwrap();
        assert_eq!((sent.size().width, sent.size().height), (50, 40));
    }

    #[test]
    fn no_picture_where_none_is_wanted_or_allowed() {
        let form = form();
        let mut draft = form.draft.clone();
        assert!(
            build(&form, &draft, &Sender::default(), false)
                .unwrap()
                .picture
                .is_none()
        );
        draft.with_picture = false;
        assert!(
            build(&form, &draft, &Sender::default(), true)
                .unwrap()
                .picture
                .is_none()
        );
    }

    #[test]
    fn what_cannot_be_sent_is_said() {
        let mut draft = form().draft;
        assert_eq!(check(&draft).unwrap_err().key, "problem.description_empty");
        draft.description = " \n\u{1}".into();
        assert_eq!(check(&draft).unwrap_err().key, "problem.description_empty");
        draft.description = "x".repeat(10_001);
        assert_eq!(
            check(&draft).unwrap_err().key,
            "problem.description_too_long"
        );
        draft.description = "x".into();
        draft.tags = vec!["t".into(); 21];
        assert_eq!(check(&draft).unwrap_err().key, "problem.too_many_tags");
        draft.tags.clear();
        assert!(check(&draft).is_ok());
    }
}
