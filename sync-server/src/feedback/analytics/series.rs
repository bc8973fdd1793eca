//! Tags and targets: one series for each of the most frequent, by period.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{AnalyticsFrame, Began, RatingFigures, SentimentFigures};
use super::load;
use super::params::Asked;
use crate::auth::Viewer;
use crate::{ApiError, AppState};

/// Keys of an item that no series may have.
const TAKEN: [&str; 4] = ["period", "date", "total", "other"];

/// One period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeriesItem {
    // Not `Began` flattened: what else an item may have would be said of these, too.
    /// The period's beginning with its zone's offset, as RFC 3339. The first and the last
    /// period of the span count only what lies in the span.
    #[schema(format = DateTime)]
    period: String,
    /// The day of `period` in its zone, as `YYYY-MM-DD`.
    #[schema(format = Date)]
    date: String,
    /// All of the period.
    total: u64,
    /// Those that have no series of their own.
    other: u64,
    /// The series by their keys.
    #[serde(flatten)]
    series: BTreeMap<String, u64>,
}

/// A tag's series.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TagSeries {
    /// Its key in `items`: the tag, behind `tag:` where an item has such a key already.
    key: String,
    /// The tag as it was submitted.
    tag: String,
    /// Submissions that have it.
    count: u64,
}

/// How often tags were given, by period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tags {
    #[serde(flatten)]
    frame: AnalyticsFrame,
    /// Tags given in the whole span: a submission counts once for each of its tags.
    total: u64,
    /// Of `total`, those of tags that have no series of their own.
    other: u64,
    /// How many different tags were given.
    distinct: u64,
    /// The most frequent tags, the most frequent first.
    tags: Vec<TagSeries>,
    /// Every period of the span in order of time: flat objects, zero-filled.
    items: Vec<SeriesItem>,
}

/// A target's series.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetSeries {
    /// Its key in `items`: program and screen, with a slash between them.
    key: String,
    /// The program; empty where none was submitted.
    app: String,
    /// The screen as it was submitted; empty where none was.
    screen: String,
    /// The screen's text, where it is a label's hash whose text may be read.
    screen_text: Option<String>,
    /// Submissions about it.
    submissions: u64,
    /// Distinct devices that submitted them.
    devices: u64,
    #[serde(flatten)]
    ratings: RatingFigures,
    #[serde(flatten)]
    sentiment: SentimentFigures,
}

/// What feedback is about, by period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Targets {
    #[serde(flatten)]
    frame: AnalyticsFrame,
    /// Submissions of the whole span.
    total: u64,
    /// Of `total`, those about targets that have no series of their own.
    other: u64,
    /// How many different targets there are.
    distinct: u64,
    /// The targets with most submissions, the most first.
    targets: Vec<TargetSeries>,
    /// Every period of the span in order of time: flat objects, zero-filled.
    items: Vec<SeriesItem>,
}

/// Keys that are neither taken nor the same.
fn keys(names: impl Iterator<Item = String>, prefix: &str) -> Vec<String> {
    let mut used: HashSet<String> = TAKEN.iter().map(|&key| key.to_owned()).collect();
    names
        .map(|name| {
            let mut key = name;
            while !used.insert(key.clone()) {
                key.insert_str(0, prefix);
            }
            key
        })
        .collect()
}

/// The periods, and the sums of all and of those without a series.
fn items(
    asked: &Asked,
    keys: &[String],
    by_period: &[(i64, Option<usize>, u64)],
) -> (Vec<SeriesItem>, u64, u64) {
    let mut found: HashMap<i64, (u64, u64, Vec<u64>)> = HashMap::new();
    let (mut all, mut rest) = (0, 0);
    for (period, place, count) in by_period {
        let (total, other, counts) = found
            .entry(*period)
            .or_insert_with(|| (0, 0, vec![0; keys.len()]));
        *total += count;
        all += count;
        match place.and_then(|place| counts.get_mut(place)) {
            Some(counted) => *counted += count,
            None => {
                *other += count;
                rest += count;
            }
        }
    }
    let items = asked.beginnings.iter().map(|at| {
        let (total, other, counts) = found
            .remove(&at.timestamp().as_millisecond())
            .unwrap_or_else(|| (0, 0, vec![0; keys.len()]));
        let Began { period, date } = Began::at(at);
        SeriesItem {
            period,
            date,
            total,
            other,
            series: keys.iter().cloned().zip(counts).collect(),
        }
    });
    (items.collect(), all, rest)
}

/// How often tags were given, by period.
///
/// Counts the tags that people submitted; those that the desk adds are the desk's.
#[utoipa::path(
    get,
    path = "/v1/feedback/analytics/tags",
    tag = "feedback",
    params(super::params::Common, super::params::Limit),
    responses(
        (status = 200, body = Tags),
        (status = 400),
        (status = 401),
        (status = 403),
    ),
    security(("viewer" = []))
)]
pub(crate) async fn tags(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    uri: Uri,
) -> Result<Json<Tags>, ApiError> {
    let asked = Asked::read(&uri, true, state.now())?;
    let found = load::tags(&state, &actor.org, &asked).await?;
    let keys = keys(found.top.iter().map(|(tag, _)| tag.clone()), "tag:");
    let (items, total, other) = items(&asked, &keys, &found.by_period);
    let tags = found.top.into_iter().zip(keys);
    Ok(Json(Tags {
        frame: AnalyticsFrame::new(&asked),
        total,
        other,
        distinct: found.distinct,
        tags: tags
            .map(|((tag, figures), key)| TagSeries {
                key,
                tag,
                count: figures.submissions,
            })
            .collect(),
        items,
    }))
}

/// What feedback is about, by period.
#[utoipa::path(
    get,
    path = "/v1/feedback/analytics/targets",
    tag = "feedback",
    params(super::params::Common, super::params::Limit),
    responses(
        (status = 200, body = Targets),
        (status = 400),
        (status = 401),
        (status = 403),
    ),
    security(("viewer" = []))
)]
pub(crate) async fn targets(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    uri: Uri,
) -> Result<Json<Targets>, ApiError> {
    let asked = Asked::read(&uri, true, state.now())?;
    let found = load::targets(&state, &actor.org, &asked).await?;
    let names = found
        .top
        .iter()
        .map(|((app, screen), _)| format!("{app}/{screen}"));
    let keys = keys(names, "target:");
    let (items, total, other) = items(&asked, &keys, &found.by_period);
    let texts = state.labels.texts(&state, &actor.org).await?;
    let targets = found.top.into_iter().zip(keys);
    Ok(Json(Targets {
        frame: AnalyticsFrame::new(&asked),
        total,
        other,
        distinct: found.distinct,
        targets: targets
            .map(|(((app, screen), figures), key)| TargetSeries {
                key,
                app,
                screen_text: texts.get_hex(&screen).map(str::to_owned),
                screen,
                submissions: figures.submissions,
                devices: figures.devices,
                ratings: (&figures).into(),
                sentiment: (&figures).into(),
            })
            .collect(),
        items,
    }))
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn keys_are_the_tags_unless_an_item_has_such_a_key() {
        let names = ["login", "date", "tag:date", "other"].map(str::to_owned);
        assert_eq!(
            keys(names.into_iter(), "tag:"),
            ["login", "tag:date", "tag:tag:date", "tag:other"]
        );
    }
}
