//! Both scores, as DETECTORS.md gives them. Each is stored with its terms, so that it
//! can be explained and recomputed.

/// The version of both formulas.
pub const SCORE_VERSION: u32 = 1;

/// What the scores are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Active time in milliseconds.
    pub active_ms: u64,
    /// Rage clicks.
    pub rage_clicks: u64,
    /// Dead clicks.
    pub dead_clicks: u64,
    /// Backtracks.
    pub backtracks: u64,
    /// Errors, not error loops: each is felt.
    pub errors: u64,
    /// Abandoned tasks.
    pub abandoned_tasks: u64,
    /// Undo storms.
    pub undo_storms: u64,
    /// Completed tasks.
    pub tasks_completed: u64,
    /// Clicks of all buttons.
    pub clicks: u64,
    /// Visits of screens.
    pub visits: u64,
    /// Distinct screens.
    pub screens: u64,
}

/// A score and the terms that its exponent is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score<const N: usize> {
    /// The score.
    pub value: f64,
    /// The terms.
    pub terms: [f64; N],
}

/// Frustration: 0 = none, towards 1. Terms: rage clicks, dead clicks, backtracks, errors,
/// abandoned tasks, undo storms, each divided by the active time.
#[must_use]
pub fn frustration(counts: &Counts) -> Score<6> {
    let weighted = [
        1.0 * float(counts.rage_clicks),
        0.5 * float(counts.dead_clicks),
        0.4 * float(counts.backtracks),
        0.8 * float(counts.errors),
        1.0 * float(counts.abandoned_tasks),
        0.4 * float(counts.undo_storms),
    ];
    let per = (minutes(counts.active_ms) / 10.0).max(1.0);
    // The formula divides the sum; the terms, divided one by one, add up to the same
    // but for the last bit.
    let x = weighted.iter().sum::<f64>() / per;
    Score {
        value: 2.0 / (1.0 + (-x).exp()) - 1.0,
        terms: weighted.map(|term| term / per),
    }
}

/// Efficiency: 1 = at or under the baselines, towards 0; none where no task was
/// completed. Terms: time, clicks, revisits.
#[must_use]
pub fn efficiency(counts: &Counts) -> Option<Score<3>> {
    if counts.tasks_completed == 0 {
        return None;
    }
    let n = float(counts.tasks_completed);
    let terms = [
        // The logarithm of zero is minus infinity, which is below the baseline, too.
        0.5 * (minutes(counts.active_ms) / n / 5.0).log2().max(0.0),
        0.3 * (float(counts.clicks) / n / 25.0).log2().max(0.0),
        0.2 * float(counts.visits.saturating_sub(counts.screens)) / float(counts.visits.max(1)),
    ];
    let y = terms.iter().sum::<f64>();
    Some(Score {
        value: 2.0 / (1.0 + y.exp()),
        terms,
    })
}

fn minutes(ms: u64) -> f64 {
    float(ms) / 60_000.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts stay far below 2^53; beyond it a score needs no last digit"
)]
fn float(count: u64) -> f64 {
    count as f64
}
