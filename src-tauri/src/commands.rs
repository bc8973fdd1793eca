//! What a window may ask for. Each command is the host's; `capabilities/` says which window may call which, and the
//! process of the windows lets nothing else through.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use snag_agent::desktop::view::{HealthLine, Sentence, Settings, SettingsChange};
use snag_agent::host::Host;
use snag_agent::screenshot::Encoded;

use crate::app::{self, App};
use crate::words::{self, unknown};
use crate::{autostart, feedback, shortcut, surroundings};

/// What a command answers.
pub enum Answered {
    /// JSON.
    Json(Vec<u8>),
    /// Pixels: as JSON they would take five times as long.
    Bytes(Vec<u8>),
}

/// The arguments of a call, by their names.
struct Arguments(Map<String, Value>);

impl Arguments {
    fn read(bytes: &[u8]) -> Result<Self, Sentence> {
        serde_json::from_slice(bytes).map(Self).map_err(unknown)
    }

    /// Takes one; what isn't there is `null`.
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Sentence> {
        let value = self.0.remove(name).unwrap_or_default();
        serde_json::from_value(value).map_err(|error| unknown(format_args!("{name}: {error}")))
    }
}

fn json(value: &impl Serialize) -> Result<Answered, Sentence> {
    serde_json::to_vec(value)
        .map(Answered::Json)
        .map_err(unknown)
}

/// Runs what may touch the disk on a thread that may wait.
async fn on_disk<T: Send + 'static>(
    host: Host,
    act: impl FnOnce(&Host) -> Result<T, Sentence> + Send + 'static,
) -> Result<T, Sentence> {
    tokio::task::spawn_blocking(move || act(&host))
        .await
        .unwrap_or_else(|error| Err(unknown(error)))
}

/// The same, for what is answered as JSON.
async fn said<T: Serialize + Send + 'static>(
    host: Host,
    act: impl FnOnce(&Host) -> Result<T, Sentence> + Send + 'static,
) -> Result<Answered, Sentence> {
    json(&on_disk(host, act).await?)
}

/// The same, for pixels.
async fn pixels(
    host: Host,
    act: impl FnOnce(&Host) -> Result<Encoded, Sentence> + Send + 'static,
) -> Result<Answered, Sentence> {
    Ok(Answered::Bytes(on_disk(host, act).await?.bytes))
}

/// Answers a window.
///
/// # Errors
/// Why not, in a sentence.
pub async fn answer(app: &Arc<App>, command: &str, arguments: &[u8]) -> Result<Answered, Sentence> {
    let host = app.host().await?;
    let mut given = Arguments::read(arguments)?;
    match command {
        "overview" => json(&host.overview()),
        "pause" => {
            let choice = given.take("for")?;
            said(host, move |host| host.pause(choice)).await
        }
        "resume" => said(host, Host::resume).await,
        "sync_now" => json(&host.sync_now().await?),
        "first_run" => said(host, Host::first_run).await,
        "acknowledge" => {
            let version: String = given.take("version")?;
            on_disk(host.clone(), move |host| host.acknowledge(&version)).await?;
            autostart::follow_setting(app, &host);
            json(&())
        }
        "decline" => said(host, Host::decline).await,
        "feedback_form" => {
            feedback::opened(app).await;
            json(&host.feedback_form()?)
        }
        "feedback_anew" => json(&host.feedback_anew().await),
        "feedback_sources" => json(&host.feedback_sources().await?),
        "feedback_retake" => {
            let source: String = given.take("source")?;
            json(&host.feedback_retake(&source).await?)
        }
        "feedback_picture" => {
            let id: String = given.take("id")?;
            pixels(host, move |host| host.feedback_picture(&id)).await
        }
        "feedback_save_draft" => {
            let draft = given.take("draft")?;
            said(host, move |host| host.feedback_save_draft(draft)).await
        }
        "feedback_preview" => {
            let draft = given.take("draft")?;
            said(host, move |host| host.feedback_preview(&draft)).await
        }
        "feedback_preview_picture" => {
            let draft = given.take("draft")?;
            pixels(host, move |host| host.feedback_preview_picture(&draft)).await
        }
        "feedback_send" => {
            let draft = given.take("draft")?;
            said(host, move |host| host.feedback_send(&draft)).await
        }
        "feedback_discard" => said(host, Host::feedback_discard).await,
        "feedback_kept" => {
            let id = given.take("id")?;
            said(host, move |host| host.feedback_kept(id)).await
        }
        "feedback_kept_picture" => {
            let id = given.take("id")?;
            let picture = on_disk(host, move |host| host.feedback_kept_picture(id));
            picture.await.map(Answered::Bytes)
        }
        "conversations" => said(host, |host| Ok(host.conversations())).await,
        "conversation_read" => {
            let id = given.take("id")?;
            said(host, move |host| host.conversation_read(id)).await
        }
        "conversation_delete" => {
            let id = given.take("id")?;
            said(host, move |host| host.conversation_delete(id)).await
        }
        "knows_day" => {
            let date: Option<String> = given.take("date")?;
            said(host, move |host| host.knows_day(date.as_deref())).await
        }
        "knows_waiting" => {
            let after = given.take("after")?;
            said(host, move |host| host.knows_waiting(after)).await
        }
        "knows_sent" => said(host, |host| Ok(host.knows_sent())).await,
        "knows_refused" => {
            let after = given.take("after")?;
            said(host, move |host| host.knows_refused(after)).await
        }
        "knows_looked" => json(&host.knows_looked().await?),
        "delete_waiting" => {
            let seqs: Option<Vec<u64>> = given.take("seqs")?;
            said(host, move |host| host.delete_waiting(seqs.as_deref())).await
        }
        "delete_refused" => said(host, Host::delete_refused).await,
        "delete_day" => {
            let date: String = given.take("date")?;
            said(host, move |host| host.delete_day(&date)).await
        }
        "request_deletion" => json(&host.request_deletion().await?),
        "export_json" => {
            let path: PathBuf = given.take("path")?;
            let named = path.to_string_lossy().into_owned();
            on_disk(host, move |host| host.export_json(&path)).await?;
            json(&named)
        }
        "settings" => json(&autostart::shown(&app.start, host.settings(), &host)),
        "change_settings" => json(&change_settings(app, host, given.take("change")?).await?),
        "shortcut_press" => json(&shortcut::press(app).await?),
        "shortcut_press_end" => {
            shortcut::stop_press(app);
            json(&())
        }
        "health" => json(&health(host).await?),
        "open_window" => {
            app::open(app, given.take("name")?);
            json(&())
        }
        // The build's list of commands is this one, but for what the windows do themselves.
        other => Err(unknown(format_args!("there is no command {other}"))),
    }
}

/// The system is asked first: a shortcut that another program holds, or an entry that can't be written, isn't set.
async fn change_settings(
    app: &Arc<App>,
    host: Host,
    change: SettingsChange,
) -> Result<Settings, Sentence> {
    let before = host.settings();
    let held = before.shortcut.locked_by.is_none();
    if let Some(keys) = change.shortcut.as_deref().filter(|_| held) {
        shortcut::apply(app, keys)?;
    }
    let own_start = before.autostart.locked_by.is_none();
    if let Some(wanted) = change.autostart.filter(|_| own_start) {
        autostart::set(app, wanted)?;
    }
    let told = change.clone();
    let changed = on_disk(host.clone(), move |host| host.change_settings(&told)).await;
    match changed {
        Ok(settings) => Ok(autostart::shown(&app.start, settings, &host)),
        Err(sentence) => {
            // What isn't kept doesn't hold.
            shortcut::apply_at_start(app, &before.shortcut.value);
            if change.autostart.is_some() && own_start {
                autostart::set(app, before.autostart.value)?;
            }
            Err(sentence)
        }
    }
}

/// The host's lines, and what only the shell knows.
async fn health(host: Host) -> Result<Vec<HealthLine>, Sentence> {
    let mut lines = on_disk(host, |host| Ok(host.health())).await?;
    let shell = tokio::task::spawn_blocking(|| {
        (surroundings::has_notifications(), surroundings::has_tray())
    });
    let (has_notifications, has_tray) = shell.await.map_err(unknown)?;
    let line = |source: &str, ok: bool| HealthLine {
        source: source.to_owned(),
        ok,
        sentence: if ok {
            words::sentence(&format!("health.ok.{source}"), [])
        } else {
            words::sentence(&format!("health.{source}_unavailable"), [])
        },
    };
    lines.push(line("notifications", has_notifications));
    lines.push(line("tray", has_tray));
    Ok(lines)
}
