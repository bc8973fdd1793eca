//! Ratings, sentiment and usage by period.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Uri;
use jiff::{Timestamp, Zoned};
use serde::Serialize;
use utoipa::ToSchema;

use super::load::{self, Figures};
use super::params::{Asked, stamp};
use crate::auth::Viewer;
use crate::{ApiError, AppState};

/// What was answered: the span, and how it is cut into periods.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnalyticsFrame {
    /// The first moment that counts.
    from: Timestamp,
    /// The first moment that doesn't count any more.
    to: Timestamp,
    /// How long a period is: `hour`, `day`, `week` or `month`.
    interval: &'static str,
    /// The time zone that periods begin in.
    tz: String,
}

impl AnalyticsFrame {
    pub(super) fn new(asked: &Asked) -> Self {
        Self {
            from: stamp(asked.from_ms),
            to: stamp(asked.to_ms),
            interval: asked.interval.as_str(),
            tz: asked.tz.clone(),
        }
    }
}

/// When a period began.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Began {
    /// The period's beginning with its zone's offset, as RFC 3339. The first and the last
    /// period of the span count only what lies in the span.
    #[schema(format = DateTime)]
    pub(super) period: String,
    /// The day of `period` in its zone, as `YYYY-MM-DD`.
    #[schema(format = Date)]
    pub(super) date: String,
}

impl Began {
    pub(super) fn at(at: &Zoned) -> Self {
        Self {
            period: at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            date: at.date().to_string(),
        }
    }
}

/// Ratings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RatingFigures {
    /// Submissions that have a rating.
    rated: u64,
    /// Their mean, 1 to 5; null where there is none.
    average: Option<f64>,
    /// Submissions rated 1 (bad).
    rating_1: u64,
    /// Submissions rated 2.
    rating_2: u64,
    /// Submissions rated 3.
    rating_3: u64,
    /// Submissions rated 4.
    rating_4: u64,
    /// Submissions rated 5 (good).
    rating_5: u64,
}

/// Sentiment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SentimentFigures {
    /// Submissions whose language can be judged.
    judged: u64,
    /// Submissions whose language can't be judged.
    unjudged: u64,
    /// Of the judged: polarity of 0.05 and above.
    positive: u64,
    /// Of the judged: between the two.
    neutral: u64,
    /// Of the judged: polarity of -0.05 and below.
    negative: u64,
    /// The mean polarity of the judged, -1 to 1; null where there is none.
    average_polarity: Option<f64>,
}

/// Usage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageFigures {
    /// Submissions.
    submissions: u64,
    /// Distinct devices that submitted.
    devices: u64,
    /// Submissions of category `bug`.
    bug: u64,
    /// Submissions of category `idea`.
    idea: u64,
    /// Submissions of category `question`.
    question: u64,
    /// Submissions of category `praise`.
    praise: u64,
    /// Submissions of category `other`.
    other: u64,
}

fn mean(sum: f64, count: u64) -> Option<f64> {
    // Six digits are what polarities are stored with.
    (count > 0).then(|| (sum / count as f64 * 1e6).round() / 1e6)
}

impl From<&Figures> for RatingFigures {
    fn from(figures: &Figures) -> Self {
        Self {
            rated: figures.rated,
            average: mean(figures.rating_sum as f64, figures.rated),
            rating_1: figures.rating_1,
            rating_2: figures.rating_2,
            rating_3: figures.rating_3,
            rating_4: figures.rating_4,
            rating_5: figures.rating_5,
        }
    }
}

impl From<&Figures> for SentimentFigures {
    fn from(figures: &Figures) -> Self {
        let judged = figures.positive + figures.neutral + figures.negative;
        Self {
            judged,
            unjudged: figures.submissions.saturating_sub(judged),
            positive: figures.positive,
            neutral: figures.neutral,
            negative: figures.negative,
            average_polarity: mean(figures.polarity_micro as f64 / 1e6, judged),
        }
    }
}

impl From<&Figures> for UsageFigures {
    fn from(figures: &Figures) -> Self {
        Self {
            submissions: figures.submissions,
            devices: figures.devices,
            bug: figures.bug,
            idea: figures.idea,
            question: figures.question,
            praise: figures.praise,
            other: figures.other,
        }
    }
}

macro_rules! answers {
    ($(#[$doc:meta])* $route:ident, $path:literal, $answer:ident, $item:ident, $figures:ident) => {
        /// One period.
        #[derive(Debug, Serialize, ToSchema)]
        pub(crate) struct $item {
            #[serde(flatten)]
            began: Began,
            #[serde(flatten)]
            figures: $figures,
        }

        $(#[$doc])*
        #[derive(Debug, Serialize, ToSchema)]
        pub(crate) struct $answer {
            #[serde(flatten)]
            frame: AnalyticsFrame,
            /// The figures of the whole span.
            total: $figures,
            /// Every period of the span in order of time: flat objects, zero-filled.
            items: Vec<$item>,
        }

        $(#[$doc])*
        #[utoipa::path(
            get,
            path = $path,
            tag = "feedback",
            params(super::params::Common),
            responses(
                (status = 200, body = $answer),
                (status = 400),
                (status = 401),
                (status = 403),
            ),
            security(("viewer" = []))
        )]
        pub(crate) async fn $route(
            State(state): State<Arc<AppState>>,
            Viewer(actor): Viewer,
            uri: Uri,
        ) -> Result<Json<$answer>, ApiError> {
            let asked = Asked::read(&uri, false, state.now())?;
            let (found, all) = load::figures(&state, &actor.org, &asked).await?;
            let found: HashMap<i64, Figures> = found.into_iter().collect();
            let none = Figures::default();
            let items = asked.beginnings.iter().map(|at| {
                let figures = found.get(&at.timestamp().as_millisecond());
                $item {
                    began: Began::at(at),
                    figures: figures.unwrap_or(&none).into(),
                }
            });
            Ok(Json($answer {
                frame: AnalyticsFrame::new(&asked),
                total: (&all).into(),
                items: items.collect(),
            }))
        }
    };
}

answers!(
    /// Ratings by period.
    ratings,
    "/v1/feedback/analytics/ratings",
    Ratings,
    RatingsItem,
    RatingFigures
);
answers!(
    /// Sentiment by period.
    sentiment,
    "/v1/feedback/analytics/sentiment",
    Sentiment,
    SentimentItem,
    SentimentFigures
);
answers!(
    /// Submissions, the devices behind them and their categories by period.
    usage,
    "/v1/feedback/analytics/usage",
    Usage,
    UsageItem,
    UsageFigures
);
