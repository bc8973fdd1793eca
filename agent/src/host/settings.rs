//! The settings, and the health of what Snag notices with.

use std::sync::atomic::Ordering;

use snag_capture::{SourceHealth, SourceState};

use super::Host;
use super::shared::server_problem;
use crate::convert;
use crate::desktop::view::{CaptureState, HealthLine, Sentence, Settings, SettingsChange};
use crate::sync::Trouble;

impl Host {
    /// The settings as they hold.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.shared.settings()
    }

    /// Whether the organisation lets pictures be sent.
    #[must_use]
    pub fn pictures_allowed(&self) -> bool {
        self.shared.settings.lock().pictures_allowed()
    }

    /// Sets what is given, all of it or nothing. A program that is left out is left out from this moment on.
    ///
    /// # Errors
    /// A value is locked or makes no sense, or can't be kept.
    pub fn change_settings(&self, change: &SettingsChange) -> Result<Settings, Sentence> {
        let organisation = self.shared.organisation();
        self.shared.settings.lock().change(change, &organisation)?;
        if change.never_apps.is_some()
            && let Some(answer) = self.shared.policy()
        {
            let never = self.shared.settings.lock().settings("").never_apps.value;
            if let Ok(policy) = convert::policy(&answer, &never) {
                let handle = self.shared.capture.lock().handle.clone();
                self.shared.looks_by(&policy, handle.as_ref());
            }
        }
        self.shared.settings_version.fetch_add(1, Ordering::Relaxed);
        self.changed();
        Ok(self.settings())
    }

    /// What Snag notices with, what it sends with, and what to do about each.
    #[must_use]
    pub fn health(&self) -> Vec<HealthLine> {
        let mut lines = Vec::new();
        match self.shared.health() {
            Some(health) => {
                for (source, health) in [
                    ("input", &health.input),
                    ("windows", &health.window),
                    ("elements", &health.element),
                    ("answers", &health.reactions),
                ] {
                    lines.push(source_line(source, health));
                }
            }
            None => {
                let capture = self.shared.look().capture;
                let sentence = match capture {
                    CaptureState::Paused { .. } => Sentence::plain("health.input_paused"),
                    CaptureState::Unavailable { reason } => reason,
                    _ => Sentence::plain("health.input_waiting"),
                };
                lines.push(HealthLine {
                    source: "input".into(),
                    ok: false,
                    sentence,
                });
            }
        }
        lines.push(self.server_line());
        lines.push(self.storage_line());
        lines
    }

    fn server_line(&self) -> HealthLine {
        let server = {
            let device = self.shared.device.lock();
            device.as_ref().map(|device| device.identity.server.clone())
        };
        let sync = self.shared.sync_status();
        let failing = self.shared.troubles(sync.as_ref(), 0).server;
        let sentence = match (&server, &failing) {
            (None, _) => Sentence::plain("health.server_not_enrolled"),
            (Some(_), None) => Sentence::plain("health.ok.server"),
            (Some(_), Some((trouble, problem))) => {
                let mut values = problem.values.clone();
                // How much waits is no part of how the server is.
                values.remove("count");
                Sentence {
                    key: server_key(*trouble).to_owned(),
                    values,
                }
            }
        };
        HealthLine {
            source: "server".into(),
            ok: server.is_some() && failing.is_none(),
            sentence,
        }
    }

    fn storage_line(&self) -> HealthLine {
        let storing = self.shared.capture.lock().store_problem.clone();
        let problem = match self.shared.spool() {
            Err(problem) => Some(problem),
            Ok(_) => storing.or_else(|| {
                let sync = self.shared.sync_status()?;
                let trouble = sync.last_trouble.filter(|trouble| trouble.is_here())?;
                let why = sync.last_error.unwrap_or_default();
                Some(server_problem(trouble, &why, 0))
            }),
        };
        let sentence = match &problem {
            None => Sentence::plain("health.ok.storage"),
            Some(problem) => match problem.key.as_str() {
                "problem.disk_full" => Sentence::plain("health.storage_full"),
                "problem.read_only" => Sentence::plain("health.storage_read_only"),
                _ => {
                    let reason = problem.values.get("reason").cloned().unwrap_or_default();
                    Sentence::new("health.storage_failed", [("reason", reason)])
                }
            },
        };
        HealthLine {
            source: "storage".into(),
            ok: problem.is_none(),
            sentence,
        }
    }
}

/// What the line of the server says of a trouble that lies beyond this computer.
fn server_key(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Unauthorized => "health.server_unauthorized",
        Trouble::Certificate => "health.server_certificate",
        Trouble::Strange => "health.server_strange",
        Trouble::Busy => "health.server_busy",
        Trouble::TooMany => "health.server_too_many",
        Trouble::ServerFull => "health.server_full",
        Trouble::Fault => "health.server_fault",
        Trouble::Refused => "health.server_refused",
        Trouble::Unreachable
        | Trouble::Unknown
        | Trouble::DiskFull
        | Trouble::ReadOnly
        | Trouble::Storage => "health.server_offline",
    }
}

fn source_line(source: &str, health: &SourceHealth) -> HealthLine {
    let ok = matches!(health.state, SourceState::Working | SourceState::Starting);
    HealthLine {
        source: source.to_owned(),
        ok,
        sentence: if ok {
            Sentence::plain(&format!("health.ok.{source}"))
        } else {
            Sentence::new(
                &format!("health.{source}_unavailable"),
                [("reason", health.reason.clone())],
            )
        },
    }
}
