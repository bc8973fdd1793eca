//! Asks at the right moment: brings together what `snag_core::prompt` decides over.
//!
//! **Invariant:** a question is written down before it is asked, so that a crash can't make it asked twice.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use snag_core::prompt::{self, Asked, Candidate, Rules, Surroundings, WhyNot};
use snag_core::{IncidentKind, LabelHash, Record, Thresholds};
use snag_wire::TrailStep;
use tokio::sync::mpsc;

use super::Host;
use super::events::HostEvent;
use super::form::FoundSteps;
use super::shared::{Gate, Shared};
use super::surroundings::{Desktop, Session};
use super::trail;
use crate::config::{Paths, write_private};
use crate::convert;
use crate::desktop::view::{Occasion, Sentence, SettingsChange};
use crate::desktop::words::{Language, Words};

/// How long a run of clicks may go on before it is asked about without knowing how it ended.
const END_MS: u64 = 3_000;

/// How long a question waits for somebody to stop typing.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(500);

/// What is kept of questions.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Questions {
    asked: Vec<Asked>,
    /// Programs that the person said no to while IT keeps the setting.
    never_apps: Vec<String>,
}

impl Questions {
    /// What was kept. A file that can't be read counts as a question just now.
    pub(super) fn load(paths: &Paths) -> Self {
        match std::fs::read(paths.prompts()) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|_| Self {
                asked: vec![Asked {
                    at_ms: now_ms(),
                    about: Candidate {
                        kind: IncidentKind::RageClick,
                        app: String::new(),
                        found_ms: 0,
                    },
                }],
                never_apps: Vec::new(),
            }),
            Err(_) => Self::default(),
        }
    }

    fn save(&self, paths: &Paths) -> std::io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        write_private(&paths.prompts(), &bytes)
    }
}

/// An incident as far as it is known.
#[derive(Debug, Clone)]
pub(super) struct Found {
    candidate: Candidate,
    count: u64,
    label: Option<LabelHash>,
    ended: bool,
}

/// Incidents that crossed their threshold, until it is known how they ended. On the thread that steps the engine.
#[derive(Default)]
pub(super) struct Crossed {
    waiting: VecDeque<Found>,
}

impl Crossed {
    /// A run crossed its threshold.
    pub(super) fn crossed(
        &mut self,
        kind: IncidentKind,
        app: &str,
        t_ms: u64,
        thresholds: &Thresholds,
    ) {
        let count = match kind {
            IncidentKind::RageClick => thresholds.rage_click_known,
            IncidentKind::ErrorLoop => thresholds.error_loop_count,
            _ => 1,
        };
        if self.waiting.len() < 16 {
            self.waiting.push_back(Found {
                candidate: Candidate {
                    kind,
                    app: app.to_owned(),
                    found_ms: t_ms,
                },
                count,
                label: None,
                ended: false,
            });
        }
    }

    /// A record was made; an incident says how a run ended.
    pub(super) fn record(&mut self, record: &Record) {
        let snag_core::Body::Incident(incident) = &record.body else {
            return;
        };
        let found = self.waiting.iter_mut().find(|found| {
            !found.ended
                && found.candidate.kind == incident.kind
                && found.candidate.app == *record.screen.app
        });
        if let Some(found) = found {
            found.count = incident.count;
            found.label = incident.label;
            found.ended = true;
        }
    }

    /// When the next can be asked about that can't yet (milliseconds since 1970).
    pub(super) fn due_at(&self) -> Option<u64> {
        let goes_on = self.waiting.iter().filter(|found| !found.ended);
        goes_on.map(|found| found.candidate.found_ms + END_MS).min()
    }

    /// What can be asked about at `now_ms`: it ended, or goes on for long enough.
    pub(super) fn due(&mut self, now_ms: u64) -> Vec<Found> {
        let due = |found: &Found| found.ended || now_ms >= found.candidate.found_ms + END_MS;
        let (out, kept) = self.waiting.drain(..).partition(due);
        self.waiting = kept;
        out.into()
    }
}

/// Decides over what is found, one after the other, until the host stops.
pub(super) async fn run(shared: Arc<Shared>, mut found: mpsc::UnboundedReceiver<Found>) {
    while let Some(found) = found.recv().await {
        // Of the moment at which it was found: by the time of an answer the last minute is another one.
        let steps = found_steps(&shared, &found);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let verdict = loop {
            let verdict = decide(&shared, &found.candidate, &Session).await;
            let typing = verdict == Err(WhyNot::Typing);
            if !typing || tokio::time::Instant::now() >= deadline || shared.is_stopping() {
                break verdict;
            }
            tokio::time::sleep(LOOK).await;
        };
        let kind = found.candidate.kind.as_str();
        match verdict {
            Ok(()) => {
                tracing::info!(kind, "asking for feedback");
                let (app, occasion) = (found.candidate.app.clone(), occasion(&shared, &found));
                let found = steps;
                shared.tell(HostEvent::Ask {
                    occasion,
                    app,
                    found,
                });
            }
            Err(why) => tracing::debug!(kind, why = why.as_str(), "not asking for feedback"),
        }
    }
}

async fn decide(
    shared: &Shared,
    candidate: &Candidate,
    desktop: &impl Desktop,
) -> Result<(), WhyNot> {
    let around = Surroundings {
        full_screen: desktop.full_screen().await,
        do_not_disturb: desktop.do_not_disturb().await,
        // Looked at last: the desktop may take seconds to answer, in which somebody may begin to type.
        last_key_ms: Some(shared.last_key_ms.load(Ordering::Relaxed)).filter(|key| *key > 0),
        busy: shared.gate(&Zoned::now()) != Gate::Open || shared.form.lock().is_some(),
    };
    let settings = shared.settings.lock().settings("");
    let mut questions = shared.questions.lock();
    let mut never_apps = settings.never_ask_apps.value;
    never_apps.extend(questions.never_apps.iter().cloned());
    let rules = Rules {
        enabled: settings.prompts.value,
        per_day: settings.prompts_per_day.value,
        never_apps,
    };
    let now = now_ms();
    prompt::decide(candidate, &rules, &around, &questions.asked, now)?;
    let before = questions.clone();
    prompt::forget(&mut questions.asked, now);
    questions.asked.push(Asked {
        at_ms: now,
        about: candidate.clone(),
    });
    if let Err(error) = questions.save(&shared.paths) {
        // A question that can't be remembered would be asked again after each start.
        tracing::warn!(%error, "a question can't be kept, and is not asked");
        *questions = before;
        return Err(WhyNot::Busy);
    }
    Ok(())
}

/// What led to it, and the finding itself. That one is attached to what the person says of it, so that it has no name
/// of anything in it.
fn found_steps(shared: &Shared, found: &Found) -> FoundSteps {
    let at_ms = Timestamp::now().as_millisecond();
    let words = Words::of(Language::of_setting(shared.language()));
    let mut steps = shared.trail.lock().steps(at_ms, &shared.labels, &words);
    let Candidate {
        kind,
        app,
        found_ms,
    } = &found.candidate;
    let text = trail::unnamed(*kind, found.count, &words);
    let incident = Some(convert::incident_kind(*kind));
    let is_it = |step: &TrailStep| step.incident == incident && step.app == *app;
    let finding = match steps.iter().rposition(is_it) {
        Some(known) => {
            steps[known].text = text;
            known
        }
        None => {
            // It goes on still.
            if steps.len() >= snag_wire::limits::TRAIL_STEPS_MAX {
                steps.remove(0);
            }
            let found_ms = i64::try_from(*found_ms).unwrap_or(at_ms);
            steps.push(TrailStep {
                before_ms: u64::try_from(at_ms - found_ms).unwrap_or_default(),
                text,
                incident,
                app: app.clone(),
                screen: String::new(),
            });
            steps.len() - 1
        }
    };
    FoundSteps {
        at_ms,
        steps,
        finding,
    }
}

/// What the form opens with.
fn occasion(shared: &Shared, found: &Found) -> Occasion {
    let Candidate {
        kind,
        app,
        found_ms,
    } = &found.candidate;
    let element = found
        .label
        .and_then(|hash| shared.labels.text(convert::hash(hash)));
    let time = i64::try_from(*found_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    let key = match (kind, &element) {
        (IncidentKind::RageClick, None) => "occasion.rage_click_unnamed",
        (IncidentKind::RageClick, Some(_)) => "occasion.rage_click",
        (IncidentKind::ErrorLoop, _) => "occasion.error_loop",
        _ => "occasion.abandoned_task",
    };
    Occasion {
        incident: Some(convert::incident_kind(*kind)),
        sentence: Sentence::new(
            key,
            [
                ("app", app.clone()),
                ("count", found.count.to_string()),
                ("time", time.to_string()),
                ("element", element.unwrap_or_default()),
            ],
        ),
    }
}

impl Host {
    /// The person said "Never for this program".
    ///
    /// # Errors
    /// When it can't be kept.
    pub fn never_ask_about(&self, app: &str) -> Result<(), Sentence> {
        let mut apps = self.settings().never_ask_apps;
        if apps.value.iter().any(|known| known == app) {
            return Ok(());
        }
        if apps.locked_by.is_none() {
            apps.value.push(app.to_owned());
            let change = SettingsChange {
                never_ask_apps: Some(apps.value),
                ..SettingsChange::default()
            };
            return self.change_settings(&change).map(drop);
        }
        // IT says about which programs never; the person may say no to more.
        let mut questions = self.shared.questions.lock();
        questions.never_apps.push(app.to_owned());
        Ok(questions.save(&self.shared.paths)?)
    }
}

fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}
