//! Which programs and screens a day was spent in.

use std::collections::BTreeMap;

use snag_spool::StoredRecord;
use snag_wire::{EventKind, LabelHash, Record};

use super::{Teller, at, signed};
use crate::desktop::view::{AppSpan, ScreenView};

/// The programs by time. A program has the focus until the next has it, its session ends, or nothing more is known.
pub(super) fn spans(records: &[StoredRecord], until_ms: i64) -> Vec<AppSpan> {
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

/// The screens, the one with most time first.
pub(super) fn screens(records: &[StoredRecord], teller: &Teller<'_>) -> Vec<ScreenView> {
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
