//! The scores of a session, with terms that add up to them.

use snag_spool::StoredRecord;
use snag_wire::SessionRecord;

use super::{at, signed};
use crate::desktop::view::{ScoreView, SessionView, Term};

/// Digits after the point that a score is shown with.
const DIGITS: i32 = 2;

pub(super) fn session_view(record: &StoredRecord, session: &SessionRecord) -> SessionView {
    SessionView {
        session: record.place.session,
        from: at(record.at_ms),
        to: at(record.at_ms.saturating_add(signed(session.duration_ms))),
        active_ms: session.active_ms,
        frustration: frustration(session),
        efficiency: efficiency(session),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

pub(super) fn frustration(session: &SessionRecord) -> ScoreView {
    let counts = [
        ("term.rage_clicks", session.rage_clicks),
        ("term.dead_clicks", session.dead_clicks),
        ("term.backtracks", session.backtracks),
        ("term.errors", session.errors),
        ("term.abandoned_tasks", session.abandoned_tasks),
        ("term.undo_storms", session.undo_storms),
    ];
    let adds = shares(session.frustration, &session.frustration_terms);
    let terms = counts
        .into_iter()
        .zip(adds)
        .filter(|((_, count), adds)| *count > 0 || *adds != 0.0)
        .map(|((key, count), adds)| Term {
            key: key.to_owned(),
            count: number(count),
            adds,
        })
        .collect();
    ScoreView {
        value: shown(session.frustration),
        terms,
    }
}

/// Begins at 1, a calm session, and goes down by each term.
pub(super) fn efficiency(session: &SessionRecord) -> Option<ScoreView> {
    let (value, terms) = (session.efficiency?, session.efficiency_terms?);
    let tasks = session.tasks_completed.max(1);
    let counts = [
        (
            "term.time",
            number(session.active_ms) / 60_000.0 / number(tasks),
        ),
        ("term.clicks", number(session.clicks) / number(tasks)),
        (
            "term.revisits",
            number(session.visits.saturating_sub(session.screens)),
        ),
    ];
    let lost = shares(1.0 - shown(value), &terms);
    let mut shown_terms = vec![Term {
        key: "term.base".to_owned(),
        count: 1.0,
        adds: 1.0,
    }];
    shown_terms.extend(
        counts
            .into_iter()
            .zip(lost)
            .filter(|(_, lost)| *lost != 0.0)
            .map(|((key, count), lost)| Term {
                key: key.to_owned(),
                count,
                adds: -lost,
            }),
    );
    Some(ScoreView {
        value: shown(value),
        terms: shown_terms,
    })
}

/// A score with the digits that are shown.
fn shown(value: f64) -> f64 {
    let scale = 10_f64.powi(DIGITS);
    (value * scale).round() / scale
}

/// What each term has of a value: in proportion, in the digits that are shown, and together exactly the value as
/// it is shown. What rounding leaves over goes to the terms that lost most by it.
fn shares<const N: usize>(value: f64, terms: &[f64; N]) -> [f64; N] {
    let scale = 10_f64.powi(DIGITS);
    let whole = (value * scale).round();
    let sum: f64 = terms.iter().sum();
    if sum <= 0.0 || !sum.is_finite() {
        let mut all = [0.0; N];
        // Nothing explains it, which no session that the engine made shows.
        all[N - 1] = whole / scale;
        return all;
    }
    let exact = terms.map(|term| whole * term / sum);
    let mut parts = exact.map(f64::floor);
    let mut order: Vec<usize> = (0..N).collect();
    order.sort_by(|&a, &b| (exact[b] - parts[b]).total_cmp(&(exact[a] - parts[a])));
    let mut left = whole - parts.iter().sum::<f64>();
    for &index in order.iter().cycle().take(N * 2) {
        if left < 0.5 {
            break;
        }
        if terms[index] > 0.0 {
            parts[index] += 1.0;
            left -= 1.0;
        }
    }
    parts.map(|part| part / scale)
}
