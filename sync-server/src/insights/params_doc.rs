//! Parameters as the OpenAPI document has them; [`super::params`] reads them.

use serde::Deserialize;
use snag_wire::IncidentKind;
use utoipa::{IntoParams, ToSchema};

/// What every route of insights takes. Each parameter at most once; others are refused.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct Common {
    /// The set of programs that is looked at; `default` unless given.
    #[param(min_length = 1, max_length = 64, example = "default")]
    product: Option<String>,
    /// The first moment that counts, as RFC 3339 or as a date (its first moment in
    /// UTC); 7 days before `to` unless given. At most 400 days before `to`.
    #[param(
        pattern = "^(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$",
        example = "2026-11-13T00:00:00Z"
    )]
    from: Option<String>,
    /// The first moment that doesn't count any more; the end of this hour unless given.
    #[param(
        pattern = "^(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$",
        example = "2026-11-20T00:00:00Z"
    )]
    to: Option<String>,
    /// Only this program.
    #[param(min_length = 1, max_length = 64)]
    app: Option<String>,
    /// Only this screen: its label's hash (16 hexadecimal digits) or readable text.
    #[param(min_length = 1, max_length = 200)]
    screen: Option<String>,
    /// Only this version of the agent.
    #[param(min_length = 1, max_length = 64)]
    version: Option<String>,
    /// Only this part of the organisation.
    #[param(min_length = 1, max_length = 64)]
    segment: Option<String>,
}

/// How long a list may be.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct Limit {
    /// How many rows at most; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A page of hotspots.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct HotspotsPage {
    /// The `next_cursor` of the page before, with all other parameters as they were.
    #[param(pattern = "^[A-Za-f][A-Za-z0-9_-]{9}[AEIMQUYcgkosw048]$")]
    cursor: Option<String>,
}

/// A page of incidents.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct IncidentsPage {
    /// The `next_cursor` of the page before, with all other parameters as they were.
    #[param(pattern = "^[A-Za-z0-9_-]{21}[AQgw]$")]
    cursor: Option<String>,
}

/// What hotspots are sorted by.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sort {
    /// Time lost.
    TimeLost,
    /// Mean frustration times sessions.
    Impact,
    /// Mean frustration.
    Frustration,
    /// Sessions.
    Sessions,
    /// Rage clicks per session.
    RageClicks,
    /// Dead clicks per session.
    DeadClicks,
    /// The share of sessions that ended there.
    Dropoff,
}

/// What hotspots take beside.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct Hotspots {
    /// What to sort by, the highest first; `time_lost` unless given.
    #[param(inline)]
    sort: Option<Sort>,
}

/// What incidents take beside.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct Incidents {
    /// Only this kind.
    #[param(inline)]
    kind: Option<IncidentKind>,
}
