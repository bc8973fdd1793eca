//! What Snag knows of a day, from the copies that the spool keeps. Pure: records in, a [`Day`] out.
//!
//! **Invariants:** the terms of a score add up to the score to the last digit that is shown; a text is said only
//! while this computer still knows it from this run, since the journal holds hashes alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use snag_spool::StoredRecord;
use snag_wire::{EventKind, IncidentKind, IncidentRecord, LabelHash, Record, SessionRecord};

use super::view::{AppSpan, Day, IncidentView, ScoreView, ScreenView, Sentence, SessionView, Term};

/// Digits after the point that a score is shown with.
const DIGITS: i32 = 2;

/// How long the journal is kept.
pub const KEPT_MS: u64 = 7 * 86_400_000;

/// What a day is told with.
pub struct Teller<'a> {
    /// The computer's time zone.
    pub zone: TimeZone,
    /// A label's text, where it is known.
    pub text: &'a dyn Fn(LabelHash) -> Option<String>,
    /// A name as the person's language quotes it.
    pub quoted: &'a dyn Fn(&str) -> String,
    /// Until when something is known: now, or when capture ended.
    pub until_ms: i64,
}

/// The first moment of a day and of the next, in milliseconds since 1970.
#[must_use]
pub fn bounds(date: Date, zone: &TimeZone) -> Option<(i64, i64)> {
    let begins = date.to_zoned(zone.clone()).ok()?;
    let ends = date.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
    Some((
        begins.timestamp().as_millisecond(),
        ends.timestamp().as_millisecond(),
    ))
}

/// The days of some moments, newest first.
#[must_use]
pub fn days(times_ms: &[i64], zone: &TimeZone) -> Vec<Date> {
    let mut days: Vec<Date> = times_ms
        .iter()
        .filter_map(|at_ms| Timestamp::from_millisecond(*at_ms).ok())
        .map(|at| at.to_zoned(zone.clone()).date())
        .collect();
    days.sort_unstable();
    days.dedup();
    days.reverse();
    days
}

/// A day of records, which are those of the day by time.
#[must_use]
pub fn day(
    date: Date,
    days: &[Date],
    records: &[StoredRecord],
    teller: &Teller<'_>,
) -> Option<Day> {
    let (begins_ms, ends_ms) = bounds(date, &teller.zone)?;
    let mut incidents = Vec::new();
    let mut sessions = Vec::new();
    for record in records {
        match &record.record {
            Record::Incident(incident) => incidents.push(incident_view(record, incident, teller)),
            Record::Session(session) => sessions.push(session_view(record, session)),
            _ => {}
        }
    }
    Some(Day {
        date: date.to_string(),
        days: days.iter().map(Date::to_string).collect(),
        begins: at(begins_ms),
        spans: spans(records, teller.until_ms.min(ends_ms)),
        incidents,
        sessions,
        screens: screens(records, teller),
    })
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// The programs by time. A program has the focus until the next has it, its session ends, or nothing more is known.
fn spans(records: &[StoredRecord], until_ms: i64) -> Vec<AppSpan> {
    let mut sessions: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
    let mut focuses: BTreeMap<u32, Vec<(i64, &str)>> = BTreeMap::new();
    let mut apps: BTreeMap<u32, &str> = BTreeMap::new();
    for record in records {
        let session = record.place.session;
        match &record.record {
            Record::Session(body) => {
                let end = record.at_ms.saturating_add(signed(body.duration_ms));
                sessions.insert(session, (record.at_ms, end));
                apps.insert(session, &record.place.app);
            }
            Record::Event(event) if event.kind == EventKind::Focus => {
                focuses
                    .entry(session)
                    .or_default()
                    .push((record.at_ms, &record.place.app));
            }
            _ => {}
        }
    }
    // A session that never changed its program says which it was.
    for (session, (begins, _)) in &sessions {
        if let (false, Some(app)) = (focuses.contains_key(session), apps.get(session)) {
            focuses.insert(*session, vec![(*begins, *app)]);
        }
    }
    let mut spans: Vec<AppSpan> = Vec::new();
    for (session, focuses) in &focuses {
        let end = sessions.get(session).map_or(until_ms, |(_, end)| *end);
        for (position, (from, app)) in focuses.iter().enumerate() {
            let to = focuses.get(position + 1).map_or(end, |(next, _)| *next);
            if app.is_empty() || to <= *from {
                continue;
            }
            match spans.last_mut() {
                Some(last) if last.app == *app && last.to == at(*from) => last.to = at(to),
                _ => spans.push(AppSpan {
                    app: (*app).to_owned(),
                    from: at(*from),
                    to: at(to),
                }),
            }
        }
    }
    spans.sort_by_key(|span| span.from);
    spans
}

fn incident_view(
    record: &StoredRecord,
    incident: &IncidentRecord,
    teller: &Teller<'_>,
) -> IncidentView {
    IncidentView {
        seq: record.seq,
        kind: incident.kind,
        at: at(record.at_ms),
        duration_ms: incident.duration_ms,
        app: record.place.app.to_string(),
        screen: (teller.text)(record.place.screen).unwrap_or_default(),
        sentence: incident_sentence(&record.place.app, incident, teller),
    }
}

/// What happened, with the program as the one that did it.
#[must_use]
pub fn incident_sentence(app: &str, incident: &IncidentRecord, teller: &Teller<'_>) -> Sentence {
    let element = incident
        .label
        .and_then(teller.text)
        .map(|text| (teller.quoted)(&text));
    let key = match (incident.kind, &element) {
        (IncidentKind::RageClick, Some(_)) => "incident.rage_click_named",
        (IncidentKind::RageClick, None) => "incident.rage_click",
        (IncidentKind::DeadClick, Some(_)) => "incident.dead_click_named",
        (IncidentKind::DeadClick, None) => "incident.dead_click",
        (IncidentKind::Backtrack, _) => "incident.backtrack",
        (IncidentKind::AbandonedTask, _) => "incident.abandoned_task",
        (IncidentKind::ErrorLoop, _) => "incident.error_loop",
        (IncidentKind::UndoStorm, _) => "incident.undo_storm",
    };
    Sentence::new(
        key,
        [
            ("app", app.to_owned()),
            ("count", incident.count.to_string()),
            ("seconds", tenths(incident.duration_ms)),
            ("minutes", (incident.duration_ms / 60_000).to_string()),
            (
                "role",
                incident.role.clone().unwrap_or_else(|| "other".to_owned()),
            ),
            ("element", element.unwrap_or_default()),
        ],
    )
}

/// Seconds with at most one digit after the point.
fn tenths(ms: u64) -> String {
    let tenths = (ms + 50) / 100;
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        digit => format!("{}.{digit}", tenths / 10),
    }
}

fn session_view(record: &StoredRecord, session: &SessionRecord) -> SessionView {
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

fn frustration(session: &SessionRecord) -> ScoreView {
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
fn efficiency(session: &SessionRecord) -> Option<ScoreView> {
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

fn screens(records: &[StoredRecord], teller: &Teller<'_>) -> Vec<ScreenView> {
    let mut screens: BTreeMap<(String, LabelHash), ScreenView> = BTreeMap::new();
    let mut incidents: BTreeMap<(String, LabelHash), u64> = BTreeMap::new();
    for record in records {
        let place = (record.place.app.to_string(), record.place.screen);
        match &record.record {
            Record::Screen(body) => {
                let view = screens.entry(place.clone()).or_insert_with(|| ScreenView {
                    app: place.0.clone(),
                    screen: (teller.text)(place.1).unwrap_or_default(),
                    visits: 0,
                    dwell_ms: 0,
                    incidents: 0,
                });
                view.visits += body.visits;
                view.dwell_ms += body.dwell_ms;
            }
            Record::Incident(_) => *incidents.entry(place).or_default() += 1,
            _ => {}
        }
    }
    let mut screens: Vec<ScreenView> = screens
        .into_iter()
        .map(|(place, mut view)| {
            view.incidents = incidents.get(&place).copied().unwrap_or(0);
            view
        })
        .collect();
    screens.sort_by_key(|view| std::cmp::Reverse(view.dwell_ms));
    screens
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use snag_core::score::{self, Counts};
    use snag_spool::Place;
    use snag_wire::EventRecord;

    use super::*;

    fn teller() -> Teller<'static> {
        Teller {
            zone: TimeZone::UTC,
            text: &|hash| (hash == LabelHash([9; 8])).then(|| "Save".to_owned()),
            quoted: &|text| format!("“{text}”"),
            until_ms: 10_000_000,
        }
    }

    fn stored(seq: u64, at_ms: i64, session: u32, app: &str, record: Record) -> StoredRecord {
        StoredRecord {
            seq,
            at_ms,
            place: Place {
                session,
                app: Arc::from(app),
                screen: LabelHash([1; 8]),
            },
            path: Vec::new(),
            record,
        }
    }

    fn focus() -> Record {
        Record::Event(EventRecord {
            seq: 0,
            kind: EventKind::Focus,
            detail: None,
            role: None,
            label: None,
            context: 0,
            t_ms: 0,
            count: 1,
            duration_ms: 0,
        })
    }

    fn session(counts: &Counts, duration_ms: u64) -> SessionRecord {
        let frustration = score::frustration(counts);
        let efficiency = score::efficiency(counts);
        SessionRecord {
            seq: 0,
            context: 0,
            t_ms: 0,
            duration_ms,
            active_ms: counts.active_ms,
            clicks: counts.clicks,
            keys: 0,
            scrolls: 0,
            screens: counts.screens,
            visits: counts.visits,
            context_switches: 0,
            tasks_started: counts.tasks_completed,
            tasks_completed: counts.tasks_completed,
            rage_clicks: counts.rage_clicks,
            dead_clicks: counts.dead_clicks,
            backtracks: counts.backtracks,
            abandoned_tasks: counts.abandoned_tasks,
            error_loops: 0,
            undo_storms: counts.undo_storms,
            errors: counts.errors,
            frustration: frustration.value,
            frustration_terms: frustration.terms,
            efficiency: efficiency.map(|score| score.value),
            efficiency_terms: efficiency.map(|score| score.terms),
            score_version: 1,
            path: Vec::new(),
        }
    }

    /// In hundredths, as a person adds up what is shown.
    fn hundredths(value: f64) -> i64 {
        format!("{value:.2}").replace('.', "").parse().unwrap()
    }

    #[test]
    fn the_terms_add_up_to_the_score_that_is_shown() {
        let mut rng = StdRng::seed_from_u64(7);
        for _ in 0..20_000 {
            let mut some = |most: u64| {
                if rng.random_bool(0.5) {
                    0
                } else {
                    rng.random_range(0..most)
                }
            };
            let counts = Counts {
                active_ms: some(40_000_000),
                rage_clicks: some(20),
                dead_clicks: some(20),
                backtracks: some(20),
                errors: some(20),
                abandoned_tasks: some(5),
                undo_storms: some(5),
                tasks_completed: some(6),
                clicks: some(2_000),
                visits: some(300),
                screens: some(40),
            };
            let session = session(&counts, 1);
            let scores = [Some(frustration(&session)), efficiency(&session)];
            for score in scores.into_iter().flatten() {
                let sum: i64 = score.terms.iter().map(|term| hundredths(term.adds)).sum();
                assert_eq!(sum, hundredths(score.value), "{score:?}");
            }
            for term in frustration(&session).terms {
                assert!(term.count > 0.0 && term.adds >= 0.0, "{term:?}");
            }
        }
    }

    #[test]
    fn a_day_as_it_went() {
        let counts = Counts {
            active_ms: 600_000,
            rage_clicks: 2,
            ..Counts::default()
        };
        let rage = Record::Incident(IncidentRecord {
            seq: 3,
            kind: IncidentKind::RageClick,
            version: 1,
            context: 0,
            t_ms: 0,
            duration_ms: 840,
            count: 4,
            role: Some("push_button".into()),
            label: Some(LabelHash([9; 8])),
        });
        let records = [
            stored(1, 1_000, 1, "excel", focus()),
            stored(2, 61_000, 1, "excel", focus()),
            stored(3, 62_000, 1, "excel", rage),
            stored(4, 91_000, 1, "mail", focus()),
            stored(
                5,
                1_000,
                1,
                "mail",
                Record::Session(Box::new(session(&counts, 120_000))),
            ),
            stored(
                6,
                500_000,
                2,
                "erp",
                Record::Session(Box::new(session(&counts, 10_000))),
            ),
            stored(7, 9_000_000, 3, "erp", focus()),
        ];
        let date: Date = "1970-01-01".parse().unwrap();
        let day = day(date, &[date], &records, &teller()).unwrap();
        let spans: Vec<_> = day
            .spans
            .iter()
            .map(|span| {
                (
                    span.app.as_str(),
                    span.from.as_second(),
                    span.to.as_second(),
                )
            })
            .collect();
        assert_eq!(
            spans,
            [
                ("excel", 1, 91),
                ("mail", 91, 121),
                ("erp", 500, 510),
                ("erp", 9_000, 10_000)
            ]
        );
        let incident = &day.incidents[0];
        assert_eq!(incident.sentence.key, "incident.rage_click_named");
        assert_eq!(incident.sentence.values["seconds"], "0.8");
        assert_eq!(incident.sentence.values["element"], "“Save”");
        assert_eq!(day.sessions.len(), 2);
        let terms = &day.sessions[0].frustration.terms;
        assert_eq!(terms.len(), 1);
        assert_eq!(terms[0].key, "term.rage_clicks");
        assert!((terms[0].adds - day.sessions[0].frustration.value).abs() < 1e-12);
        assert_eq!(days(&[1, 86_400_001, 5], &TimeZone::UTC).len(), 2);
    }

    #[test]
    fn seconds_as_people_say_them() {
        for (ms, said) in [
            (0, "0"),
            (840, "0.8"),
            (960, "1"),
            (2_500, "2.5"),
            (61_000, "61"),
        ] {
            assert_eq!(tenths(ms), said);
        }
    }
}
