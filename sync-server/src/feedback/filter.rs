//! Which items are meant: the filters of the list and of exports, strictly. What isn't
//! known or can't be read is a 400 that names the parameter.

use serde::{Deserialize, Serialize};
use snag_warehouse::Query;
use snag_wire::Category;
use snag_wire::limits::{APP_CHARS_MAX, LABEL_CHARS_MAX, NAME_CHARS_MAX};
use utoipa::{IntoParams, ToSchema};

use super::search;
use super::store::Status;
use crate::{ApiError, params};

/// The filters' parameters.
pub(super) const PARAMETERS: &[&str] = &[
    "status",
    "category",
    "rating",
    "rating_min",
    "rating_max",
    "sentiment",
    "tag",
    "product",
    "app",
    "screen",
    "from",
    "to",
    "read",
    "archived",
    "has_screenshot",
    "assignee",
    "merged",
    "q",
];

/// Characters in a tag.
pub(super) const TAG_CHARS_MAX: usize = 40;
/// Characters in an assignee's name.
pub(super) const ASSIGNEE_CHARS_MAX: usize = 128;
/// Characters of a search.
const Q_CHARS_MAX: usize = 200;
/// Tags that one request may ask for at once.
const TAGS_MAX: usize = 20;

/// What becomes of items that are merged into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Merged {
    /// They are left out.
    #[default]
    Exclude,
    /// They are listed like others.
    Include,
    /// They alone are listed.
    Only,
}

/// Which items are meant. `None` and empty lists stand for no filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    status: Vec<&'static str>,
    category: Vec<&'static str>,
    rating: Vec<u8>,
    rating_min: Option<u8>,
    rating_max: Option<u8>,
    sentiment: Vec<&'static str>,
    tags: Vec<String>,
    product: Option<String>,
    app: Option<String>,
    screen: Option<String>,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    read: Option<bool>,
    archived: Option<bool>,
    has_screenshot: Option<bool>,
    /// Empty: nobody.
    assignee: Option<String>,
    merged: Merged,
    q: Option<String>,
}

/// What may be given more than once.
pub(super) const REPEATED: &[&str] = &["tag"];

fn rating(parameter: &str, value: &str) -> Result<u8, ApiError> {
    match value.as_bytes() {
        [digit @ b'1'..=b'5'] => Ok(digit - b'0'),
        _ => Err(ApiError::invalid_parameter(
            parameter,
            "It takes a whole number from 1 to 5 (`rating`: several with commas between them).",
        )),
    }
}

/// Words of a list with commas between them, each known.
fn words(
    parameter: &str,
    value: &str,
    known: &[(&'static str, &'static str)],
) -> Result<Vec<&'static str>, ApiError> {
    value
        .split(',')
        .map(|word| {
            let found = known.iter().find(|(name, _)| *name == word);
            found.map(|(_, stored)| *stored).ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                let detail = format!(
                    "It takes one or more of these, with commas between them: {}.",
                    names.join(", ")
                );
                ApiError::invalid_parameter(parameter, detail)
            })
        })
        .collect()
}

const MOODS: [(&str, &str); 4] = [
    ("positive", "positive"),
    ("neutral", "neutral"),
    ("negative", "negative"),
    ("unknown", ""),
];

impl Filter {
    /// Reads a filter from parameters; the ones that aren't filters are left alone.
    pub(super) fn read(given: &[(String, String)]) -> Result<Self, ApiError> {
        let mut filter = Self::default();
        for (parameter, value) in given {
            let p = parameter.as_str();
            match p {
                "status" => {
                    let known = Status::ALL.map(|status| (status.as_str(), status.as_str()));
                    filter.status = words(p, value, &known)?;
                }
                "category" => {
                    let known = Category::ALL.map(|one| (one.as_str(), one.as_str()));
                    filter.category = words(p, value, &known)?;
                }
                "rating" => {
                    let ratings = value.split(',').map(|one| rating(p, one));
                    filter.rating = ratings.collect::<Result<_, _>>()?;
                }
                "rating_min" => filter.rating_min = Some(rating(p, value)?),
                "rating_max" => filter.rating_max = Some(rating(p, value)?),
                "sentiment" => filter.sentiment = words(p, value, &MOODS)?,
                "tag" => {
                    if filter.tags.len() == TAGS_MAX {
                        let detail = format!("It may be given at most {TAGS_MAX} times.");
                        return Err(ApiError::invalid_parameter(p, detail));
                    }
                    filter.tags.push(params::as_text(p, value, TAG_CHARS_MAX)?);
                }
                "product" => filter.product = Some(params::as_text(p, value, NAME_CHARS_MAX)?),
                "app" => filter.app = Some(params::as_text(p, value, APP_CHARS_MAX)?),
                "screen" => filter.screen = Some(params::as_text(p, value, LABEL_CHARS_MAX)?),
                "from" => filter.from_ms = Some(params::as_moment_ms(p, value)?),
                "to" => filter.to_ms = Some(params::as_moment_ms(p, value)?),
                "read" => filter.read = Some(params::as_yes_or_no(p, value)?),
                "archived" => filter.archived = Some(params::as_yes_or_no(p, value)?),
                "has_screenshot" => filter.has_screenshot = Some(params::as_yes_or_no(p, value)?),
                "assignee" => {
                    let given = params::as_text(p, value, ASSIGNEE_CHARS_MAX)?;
                    filter.assignee = Some(if given == "none" {
                        String::new()
                    } else {
                        given
                    });
                }
                "merged" => {
                    filter.merged = match value.as_str() {
                        "exclude" => Merged::Exclude,
                        "include" => Merged::Include,
                        "only" => Merged::Only,
                        _ => {
                            let detail = "It takes one of: exclude, include, only.";
                            return Err(ApiError::invalid_parameter(p, detail));
                        }
                    }
                }
                "q" => {
                    let mut q = params::as_text(p, value, Q_CHARS_MAX)?;
                    // They say how a sign is drawn: the same sign is meant with and without.
                    q.retain(|c| !['\u{fe0e}', '\u{fe0f}'].contains(&c));
                    if super::search::words(&q).is_empty() {
                        let detail = "It takes at least one word, or one emoji.";
                        return Err(ApiError::invalid_parameter(p, detail));
                    }
                    filter.q = Some(q);
                }
                _ => {}
            }
        }
        if let (Some(from), Some(to)) = (filter.from_ms, filter.to_ms)
            && from >= to
        {
            let detail =
                "It has to lie before `to`. The period runs from `from` until before `to`.";
            return Err(ApiError::invalid_parameter("from", detail));
        }
        if let (Some(min), Some(max)) = (filter.rating_min, filter.rating_max)
            && min > max
        {
            let detail = "It can't be more than `rating_max`.";
            return Err(ApiError::invalid_parameter("rating_min", detail));
        }
        Ok(filter)
    }

    /// What has to hold of a row; what a version can't change. Begins with the
    /// organisation, whose parameter [`Filter::bind`] doesn't bind.
    pub(super) fn fixed(&self) -> String {
        let mut all = vec!["org = {org:String}"];
        let mut need = |wanted: bool, condition: &'static str| {
            if wanted {
                all.push(condition);
            }
        };
        need(self.from_ms.is_some(), "newest <= {newest_max:UInt64}");
        need(self.to_ms.is_some(), "newest > {newest_min:UInt64}");
        need(
            !self.category.is_empty(),
            "category IN {category:Array(String)}",
        );
        need(!self.rating.is_empty(), "rating IN {rating:Array(UInt8)}");
        // Where there is no rating, it is 0, which is in no range.
        need(
            self.rating_min.is_some() || self.rating_max.is_some(),
            "rating BETWEEN {rating_min:UInt8} AND {rating_max:UInt8}",
        );
        need(
            !self.sentiment.is_empty(),
            "sentiment IN {sentiment:Array(String)}",
        );
        need(self.product.is_some(), "product = {product:String}");
        need(self.app.is_some(), "app = {app:String}");
        need(self.screen.is_some(), "screen = {screen:String}");
        need(self.q.is_some(), "hasAllTokens(words, {q:Array(String)})");
        all.join(" AND ")
    }

    /// What has to hold of a row; what acts change.
    pub(super) fn triage(&self) -> String {
        let mut all = Vec::new();
        let mut need = |wanted: bool, condition: &'static str| {
            if wanted {
                all.push(condition.to_owned());
            }
        };
        need(!self.status.is_empty(), "status IN {status:Array(String)}");
        need(self.read.is_some(), "read = {read:UInt8}");
        need(self.archived.is_some(), "archived = {archived:UInt8}");
        need(self.has_screenshot == Some(true), "notEmpty(screenshot)");
        need(self.has_screenshot == Some(false), "empty(screenshot)");
        need(self.assignee.is_some(), "assignee = {assignee:String}");
        let nil = "toUUID('00000000-0000-0000-0000-000000000000')";
        match self.merged {
            Merged::Exclude => all.push(format!("merged_into = {nil}")),
            Merged::Include => {}
            Merged::Only => all.push(format!("merged_into != {nil}")),
        }
        for number in 0..self.tags.len() {
            all.push(format!("has(tags, {{tag{number}:String}})"));
        }
        if all.is_empty() {
            return "1".to_owned();
        }
        all.join(" AND ")
    }

    /// The columns that [`Filter::triage`] reads.
    pub(super) fn triage_columns(&self) -> Vec<&'static str> {
        let mut all = Vec::new();
        let mut need = |wanted: bool, column: &'static str| {
            if wanted {
                all.push(column);
            }
        };
        need(!self.status.is_empty(), "status");
        need(self.read.is_some(), "read");
        need(self.archived.is_some(), "archived");
        need(self.has_screenshot.is_some(), "screenshot");
        need(self.assignee.is_some(), "assignee");
        need(self.merged != Merged::Include, "merged_into");
        need(!self.tags.is_empty(), "tags");
        all
    }

    /// Binds what [`Filter::fixed`] and [`Filter::triage`] name.
    pub(super) fn bind(&self, mut query: Query) -> Query {
        let place = super::rows::newest;
        if let Some(from) = self.from_ms {
            query = query.param("newest_max", place(from));
        }
        if let Some(to) = self.to_ms {
            query = query.param("newest_min", place(to));
        }
        let lists = [
            ("status", &self.status),
            ("category", &self.category),
            ("sentiment", &self.sentiment),
        ];
        for (parameter, values) in lists {
            if !values.is_empty() {
                query = query.param_strings(parameter, values);
            }
        }
        if !self.rating.is_empty() {
            let ratings: Vec<String> = self.rating.iter().map(u8::to_string).collect();
            query = query.param("rating", format!("[{}]", ratings.join(",")));
        }
        if self.rating_min.is_some() || self.rating_max.is_some() {
            query = query
                .param("rating_min", self.rating_min.unwrap_or(1))
                .param("rating_max", self.rating_max.unwrap_or(5));
        }
        let texts = [
            ("product", &self.product),
            ("app", &self.app),
            ("screen", &self.screen),
            ("assignee", &self.assignee),
        ];
        for (parameter, value) in texts {
            if let Some(value) = value {
                query = query.param(parameter, value);
            }
        }
        if let Some(q) = &self.q {
            query = query.param_strings("q", search::words(q));
        }
        for (parameter, value) in [("read", self.read), ("archived", self.archived)] {
            if let Some(value) = value {
                query = query.param(parameter, u8::from(value));
            }
        }
        for (number, tag) in self.tags.iter().enumerate() {
            query = query.param(format!("tag{number}"), tag);
        }
        query
    }
}

/// The filters, as the OpenAPI document has them. Each at most once, `tag` apart.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct Filters {
    /// Where it stands: `new`, `in_progress`, `resolved`, `declined`, `spam`; several
    /// with commas between them.
    #[param(
        pattern = "^(new|in_progress|resolved|declined|spam)(,(new|in_progress|resolved|declined|spam))*$"
    )]
    status: Option<String>,
    /// `bug`, `idea`, `question`, `praise`, `other`; several with commas between them.
    #[param(pattern = "^(bug|idea|question|praise|other)(,(bug|idea|question|praise|other))*$")]
    category: Option<String>,
    /// 1 to 5; several with commas between them.
    #[param(pattern = "^[1-5](,[1-5])*$")]
    rating: Option<String>,
    /// At least this rating; items without one are left out.
    #[param(minimum = 1, maximum = 5)]
    rating_min: Option<u8>,
    /// At most this rating; items without one are left out.
    #[param(minimum = 1, maximum = 5)]
    rating_max: Option<u8>,
    /// `positive`, `neutral`, `negative`, `unknown` (can't be judged); several with
    /// commas between them.
    #[param(
        pattern = "^(positive|neutral|negative|unknown)(,(positive|neutral|negative|unknown))*$"
    )]
    sentiment: Option<String>,
    /// Only items with this tag. May be given up to 20 times: items that have all.
    #[param(min_length = 1, max_length = 40)]
    tag: Option<String>,
    /// Only of this product.
    #[param(min_length = 1, max_length = 64)]
    product: Option<String>,
    /// Only about this program.
    #[param(min_length = 1, max_length = 64)]
    app: Option<String>,
    /// Only about this screen.
    #[param(min_length = 1, max_length = 200)]
    screen: Option<String>,
    /// Written at or after it: RFC 3339, or a date (its first moment in UTC).
    #[param(
        pattern = "^(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$",
        example = "2026-11-13T00:00:00Z"
    )]
    from: Option<String>,
    /// Written before it.
    #[param(
        pattern = "^(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$",
        example = "2026-11-20T00:00:00Z"
    )]
    to: Option<String>,
    /// Whether somebody has read it.
    read: Option<bool>,
    /// Whether it is put away.
    archived: Option<bool>,
    /// Whether there is a screenshot.
    has_screenshot: Option<bool>,
    /// Who looks after it; `none` for nobody.
    #[param(min_length = 1, max_length = 128)]
    assignee: Option<String>,
    /// Items merged into another are left out (`exclude`, the default), listed too
    /// (`include`), or listed alone (`only`).
    #[param(inline)]
    merged: Option<Merged>,
    /// Full text: items whose description has all of these words, whatever their case.
    #[param(min_length = 1, max_length = 200)]
    q: Option<String>,
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    fn read(query: &str) -> Result<Filter, ApiError> {
        let uri: Uri = format!("/v1/feedback?{query}").parse().expect("an address");
        Filter::read(&params::pairs(&uri, PARAMETERS, REPEATED)?)
    }

    #[test]
    fn filters_are_read() {
        let filter = read(
            "status=new,spam&rating=1,5&tag=a%2Cb&tag=c&assignee=none&from=2026-11-01&q=%C3%A4",
        )
        .expect("a filter");
        assert_eq!(filter.status, ["new", "spam"]);
        assert_eq!(filter.rating, [1, 5]);
        assert_eq!(filter.tags, ["a,b", "c"]);
        assert_eq!(filter.assignee.as_deref(), Some(""));
        assert_eq!(filter.from_ms, Some(1_793_491_200_000));
        assert_eq!(filter.q.as_deref(), Some("\u{e4}"));
        assert_eq!(read("").expect("no filter"), Filter::default());
    }

    #[test]
    fn wrong_filters_name_themselves() {
        for (query, field) in [
            ("stat=new", "stat"),
            ("status=", "status"),
            ("status=new,", "status"),
            ("status=New", "status"),
            ("category=bugs", "category"),
            ("rating=0", "rating"),
            ("rating=6", "rating"),
            ("rating=1,,2", "rating"),
            ("rating_min=x", "rating_min"),
            ("rating_min=4&rating_max=3", "rating_min"),
            ("sentiment=happy", "sentiment"),
            ("tag=", "tag"),
            ("app=", "app"),
            ("from=yesterday", "from"),
            ("from=2026-11-02&to=2026-11-01", "from"),
            ("read=1", "read"),
            ("archived=yes", "archived"),
            ("has_screenshot=", "has_screenshot"),
            ("assignee=", "assignee"),
            ("merged=all", "merged"),
            ("q=", "q"),
            ("q=...", "q"),
            ("q=%FF", "q"),
            ("app=a&app=b", "app"),
        ] {
            let error = read(query).expect_err(query);
            assert_eq!(error.field(), Some(field), "{query}");
            assert_eq!(error.status(), 400, "{query}");
        }
    }
}
