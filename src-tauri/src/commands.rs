//! What a window may ask for. Each command is the host's; `capabilities/` says which window may call which.

use snag_agent::desktop::view::{
    Conversation, Day, Draft, FeedbackForm, FeedbackPreview, FirstRun, HealthLine, LookView,
    Overview, PauseFor, PictureSource, PictureView, RecordPage, SentBatch, Sentence, Settings,
    SettingsChange,
};
use snag_agent::host::Host;
use tauri::ipc::{Invoke, Response};
use tauri::{AppHandle, State, Wry};
use tauri_plugin_dialog::DialogExt;
use uuid::Uuid;

use crate::app::{self, App, unknown};
use crate::windows::{self, Window};
use crate::{autostart, feedback, shortcut, surroundings, words};

type Answer<T> = Result<T, Sentence>;

/// Runs what may touch the disk on a thread that may wait.
async fn on_disk<T: Send + 'static>(
    app: &State<'_, App>,
    act: impl FnOnce(&Host) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let host = app.host().await?;
    tauri::async_runtime::spawn_blocking(move || act(&host))
        .await
        .unwrap_or_else(|error| Err(unknown(error)))
}

#[tauri::command]
async fn overview(app: State<'_, App>) -> Answer<Overview> {
    Ok(app.host().await?.overview())
}

#[tauri::command]
async fn pause(app: State<'_, App>, for_: PauseFor) -> Answer<()> {
    on_disk(&app, move |host| host.pause(for_)).await
}

#[tauri::command]
async fn resume(app: State<'_, App>) -> Answer<()> {
    on_disk(&app, Host::resume).await
}

#[tauri::command]
async fn sync_now(app: State<'_, App>) -> Answer<()> {
    app.host().await?.sync_now().await
}

#[tauri::command]
async fn first_run(app: State<'_, App>) -> Answer<FirstRun> {
    on_disk(&app, Host::first_run).await
}

#[tauri::command]
async fn acknowledge(handle: AppHandle, app: State<'_, App>, version: String) -> Answer<()> {
    on_disk(&app, move |host| host.acknowledge(&version)).await?;
    autostart::follow_setting(&handle, &app.host().await?);
    Ok(())
}

#[tauri::command]
async fn decline(app: State<'_, App>) -> Answer<()> {
    on_disk(&app, Host::decline).await
}

#[tauri::command]
async fn feedback_form(app: State<'_, App>) -> Answer<FeedbackForm> {
    app.host().await?.feedback_form()
}

#[tauri::command]
async fn feedback_sources(app: State<'_, App>) -> Answer<Vec<PictureSource>> {
    app.host().await?.feedback_sources().await
}

#[tauri::command]
async fn feedback_retake(handle: AppHandle, source: String) -> Answer<PictureView> {
    feedback::retake(&handle, &source).await
}

/// Pixels go as bytes: as JSON they would take five times as long.
#[tauri::command]
async fn feedback_picture(app: State<'_, App>, id: String) -> Answer<Response> {
    on_disk(&app, move |host| host.feedback_picture(&id))
        .await
        .map(|encoded| Response::new(encoded.bytes))
}

#[tauri::command]
async fn feedback_save_draft(app: State<'_, App>, draft: Draft) -> Answer<()> {
    on_disk(&app, move |host| host.feedback_save_draft(draft)).await
}

#[tauri::command]
async fn feedback_preview(app: State<'_, App>, draft: Draft) -> Answer<FeedbackPreview> {
    on_disk(&app, move |host| host.feedback_preview(&draft)).await
}

#[tauri::command]
async fn feedback_preview_picture(app: State<'_, App>, draft: Draft) -> Answer<Response> {
    on_disk(&app, move |host| host.feedback_preview_picture(&draft))
        .await
        .map(|encoded| Response::new(encoded.bytes))
}

#[tauri::command]
async fn feedback_send(app: State<'_, App>, draft: Draft) -> Answer<Uuid> {
    on_disk(&app, move |host| host.feedback_send(&draft)).await
}

#[tauri::command]
async fn feedback_discard(app: State<'_, App>) -> Answer<()> {
    on_disk(&app, Host::feedback_discard).await
}

#[tauri::command]
async fn conversations(app: State<'_, App>) -> Answer<Vec<Conversation>> {
    on_disk(&app, |host| Ok(host.conversations())).await
}

#[tauri::command]
async fn conversation_read(app: State<'_, App>, id: Uuid) -> Answer<()> {
    on_disk(&app, move |host| host.conversation_read(id)).await
}

#[tauri::command]
async fn knows_day(app: State<'_, App>, date: Option<String>) -> Answer<Day> {
    on_disk(&app, move |host| host.knows_day(date.as_deref())).await
}

#[tauri::command]
async fn knows_waiting(app: State<'_, App>, after: Option<u64>) -> Answer<RecordPage> {
    on_disk(&app, move |host| host.knows_waiting(after)).await
}

#[tauri::command]
async fn knows_sent(app: State<'_, App>) -> Answer<Vec<SentBatch>> {
    on_disk(&app, |host| Ok(host.knows_sent())).await
}

#[tauri::command]
async fn knows_refused(app: State<'_, App>, after: Option<u64>) -> Answer<RecordPage> {
    on_disk(&app, move |host| host.knows_refused(after)).await
}

#[tauri::command]
async fn knows_looked(app: State<'_, App>) -> Answer<Vec<LookView>> {
    app.host().await?.knows_looked().await
}

#[tauri::command]
async fn delete_waiting(app: State<'_, App>, seqs: Option<Vec<u64>>) -> Answer<()> {
    on_disk(&app, move |host| {
        host.delete_waiting(seqs.as_deref()).map(drop)
    })
    .await
}

#[tauri::command]
async fn delete_day(app: State<'_, App>, date: String) -> Answer<()> {
    on_disk(&app, move |host| host.delete_day(&date)).await
}

#[tauri::command]
async fn request_deletion(app: State<'_, App>) -> Answer<()> {
    app.host().await?.request_deletion().await
}

/// The person says where to, in the system's dialog; none where they changed their mind.
#[tauri::command]
async fn export_json(
    handle: AppHandle,
    app: State<'_, App>,
    window: tauri::WebviewWindow,
) -> Answer<Option<String>> {
    let today = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    let (chosen, choice) = tokio::sync::oneshot::channel();
    handle
        .dialog()
        .file()
        .set_parent(&window)
        .set_file_name(format!("snag-{today}.json"))
        .add_filter("JSON", &["json"])
        .save_file(move |path| {
            let _ = chosen.send(path);
        });
    let Some(path) = choice.await.map_err(unknown)? else {
        return Ok(None);
    };
    let path = path.into_path().map_err(unknown)?;
    let named = path.to_string_lossy().into_owned();
    on_disk(&app, move |host| host.export_json(&path)).await?;
    Ok(Some(named))
}

#[tauri::command]
async fn settings(app: State<'_, App>) -> Answer<Settings> {
    Ok(app.host().await?.settings())
}

/// The system is asked first: a shortcut that another program holds, or an entry that can't be written, isn't set.
#[tauri::command]
async fn change_settings(
    handle: AppHandle,
    app: State<'_, App>,
    change: SettingsChange,
) -> Answer<Settings> {
    let host = app.host().await?;
    let before = host.settings();
    let held = before.shortcut.locked_by.is_none();
    if let Some(keys) = change.shortcut.as_deref().filter(|_| held) {
        shortcut::apply(&handle, keys)?;
    }
    let own_start = before.autostart.locked_by.is_none();
    if let Some(wanted) = change.autostart.filter(|_| own_start) {
        autostart::set(&handle, wanted)?;
    }
    let told = change.clone();
    let changed = on_disk(&app, move |host| host.change_settings(&told)).await;
    match changed {
        Ok(settings) => {
            app::settings_changed(&handle, &host, &change);
            Ok(settings)
        }
        Err(sentence) => {
            // What isn't kept doesn't hold.
            shortcut::apply_at_start(&handle, &before.shortcut.value);
            if change.autostart.is_some() && own_start {
                autostart::set(&handle, before.autostart.value)?;
            }
            Err(sentence)
        }
    }
}

/// The host's lines, and what only the shell knows.
#[tauri::command]
async fn health(app: State<'_, App>) -> Answer<Vec<HealthLine>> {
    let mut lines = on_disk(&app, |host| Ok(host.health())).await?;
    let shell = tauri::async_runtime::spawn_blocking(|| {
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

#[tauri::command]
async fn open_window(handle: AppHandle, name: Window) -> Answer<()> {
    app::open(&handle, name);
    Ok(())
}

/// The window that asks is closed; no other one.
#[tauri::command]
async fn close_window(handle: AppHandle, window: tauri::WebviewWindow) -> Answer<()> {
    windows::close(&handle, window.label()).map_err(unknown)
}

/// All of them.
pub fn handler() -> impl Fn(Invoke<Wry>) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        overview,
        pause,
        resume,
        sync_now,
        first_run,
        acknowledge,
        decline,
        feedback_form,
        feedback_sources,
        feedback_retake,
        feedback_picture,
        feedback_save_draft,
        feedback_preview,
        feedback_preview_picture,
        feedback_send,
        feedback_discard,
        conversations,
        conversation_read,
        knows_day,
        knows_waiting,
        knows_sent,
        knows_refused,
        knows_looked,
        delete_waiting,
        delete_day,
        request_deletion,
        export_json,
        settings,
        change_settings,
        health,
        open_window,
        close_window,
    ]
}
