//! What all answers have in common.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::Asked;
use super::period::Period;
use crate::orgs::K_MIN;

/// From `from` on, until before `to`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Span {
    /// The first moment that counts.
    pub from: Timestamp,
    /// The first moment that doesn't count any more.
    pub to: Timestamp,
}

impl From<Period> for Span {
    fn from(period: Period) -> Self {
        Self {
            from: period.from(),
            to: period.to(),
        }
    }
}

/// What was answered: the period and the filters in force, and how many people have
/// to stand behind a figure.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Frame {
    /// The product.
    pub product: String,
    /// The period that the figures are of, to the millisecond.
    pub period: Span,
    /// The filters in force.
    pub filters: Filters,
    /// How many people must stand behind a figure of this organisation.
    pub k: u32,
    /// Says so in words where k is so low that figures can be about one person.
    pub k_note: Option<String>,
}

/// Filters in force; null where there is none.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Filters {
    /// The program.
    pub app: Option<String>,
    /// The screen: its label's hash or readable text.
    pub screen: Option<String>,
    /// The agent's version.
    pub version: Option<String>,
    /// The part of the organisation.
    pub segment: Option<String>,
}

impl Frame {
    pub(super) fn new(asked: &Asked, k: u32) -> Self {
        Self {
            product: asked.product.clone(),
            period: asked.period.into(),
            filters: Filters {
                app: asked.app.clone(),
                screen: asked.screen.clone(),
                version: asked.version.clone(),
                segment: asked.segment.clone(),
            },
            k,
            k_note: (k < K_MIN).then(|| {
                format!(
                    "k is {k}: figures of this organisation can be about {}. \
                     Organisations of more people start at {K_MIN}.",
                    if k <= 1 {
                        "a single person".to_owned()
                    } else {
                        format!("as few as {k} people")
                    }
                )
            }),
        }
    }
}

/// What is left out because fewer than k people stand behind it.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct Withheld {
    /// Whether that is everything that was asked for.
    pub all: bool,
    /// How many rows of a list are left out.
    pub rows: u64,
    /// Why, in words; null where nothing is left out.
    pub reason: Option<String>,
}

impl Withheld {
    pub(super) fn new(all: bool, rows: u64, figures: bool, k: u32) -> Self {
        Self {
            all,
            rows,
            reason: (all || rows > 0 || figures).then(|| {
                format!(
                    "Fewer than {k} people stand behind it, or behind what the filters cut off."
                )
            }),
        }
    }
}

/// A figure beside the one of the previous period.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Figure {
    /// The figure; null where it is withheld or there is nothing to make it of.
    pub value: Option<f64>,
    /// The same of the previous period.
    pub previous: Option<f64>,
    /// (value - previous) / previous; null where either is null or previous is 0.
    pub change: Option<f64>,
    /// Whether `value` is null because fewer than k people stand behind it.
    pub withheld: bool,
}

/// A number beside the one of the previous period.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Count {
    /// The number; null where it is withheld.
    pub value: Option<u64>,
    /// The same of the previous period.
    pub previous: Option<u64>,
    /// (value - previous) / previous; null where either is null or previous is 0.
    pub change: Option<f64>,
    /// Whether `value` is null because fewer than k people stand behind it.
    pub withheld: bool,
}

/// The relative change, where there is one.
pub(super) fn change(value: Option<f64>, previous: Option<f64>) -> Option<f64> {
    let (value, previous) = (value?, previous?);
    (previous != 0.0).then(|| (value - previous) / previous)
}

impl Figure {
    /// `None` outside stands for withheld, inside for nothing to make it of.
    pub(super) fn new(value: Option<Option<f64>>, previous: Option<Option<f64>>) -> Self {
        let previous = previous.flatten();
        Self {
            value: value.flatten(),
            previous,
            change: change(value.flatten(), previous),
            withheld: value.is_none(),
        }
    }
}

impl Count {
    /// `None` stands for withheld.
    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
    pub(super) fn new(value: Option<u64>, previous: Option<u64>) -> Self {
        Self {
            value,
            previous,
            change: change(value.map(|v| v as f64), previous.map(|v| v as f64)),
            withheld: value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_is_null_where_there_is_nothing_to_compare_with() {
        assert_eq!(Count::new(Some(6), Some(4)).change, Some(0.5));
        assert_eq!(Count::new(Some(6), Some(0)).change, None);
        assert_eq!(Count::new(Some(6), None).change, None);
        let withheld = Count::new(None, Some(4));
        assert!(withheld.withheld && withheld.change.is_none());
        let empty = Figure::new(Some(None), Some(Some(0.5)));
        assert!(!empty.withheld && empty.change.is_none());
    }
}
