//! The process of the windows, from within: it draws them, and asks the app for everything else.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use snag_agent::desktop::view::Sentence;
use tauri::ipc::{Invoke, InvokeBody, InvokeResponseBody, Response};
use tauri::{AppHandle, Emitter, Manager, RunEvent, WebviewWindow, Wry};
use tauri_plugin_dialog::DialogExt;
use tokio::sync::oneshot;

use snag_desktop::channel::{self, FromWindows, Outcome, ToWindows, Writer};
use snag_desktop::window::Window;
use snag_desktop::words::{sentence, unknown};

use crate::sizes::Sizes;
use crate::windows;

/// A window that was hidden is off the screen after this long, with a compositor's animation.
const HIDING: Duration = Duration::from_millis(250);

type Answer = Result<InvokeResponseBody, Value>;

/// What becomes of a call.
type Answered = (Outcome, Vec<u8>);

/// The app at the other end.
pub(crate) struct Link {
    writer: Writer,
    calls: Mutex<HashMap<u64, oneshot::Sender<Answered>>>,
    last_id: AtomicU64,
    /// How often each window was asked for.
    asked: Mutex<BTreeMap<Window, u64>>,
}

impl Link {
    async fn call(&self, command: &str, arguments: &Value) -> Answer {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (answered, answer) = oneshot::channel();
        self.calls.lock().insert(id, answered);
        let call = FromWindows::Call {
            id,
            command: command.to_owned(),
        };
        if let Err(error) = self.writer.send(&call, arguments.to_string().as_bytes()) {
            self.calls.lock().remove(&id);
            tracing::warn!(%error, "the app is gone");
            return Err(refusal(&sentence("problem.not_ready", [])));
        }
        match answer.await {
            Ok((Outcome::Json, body)) => {
                let text = String::from_utf8(body).map_err(|error| refusal(&unknown(error)))?;
                Ok(InvokeResponseBody::Json(text))
            }
            Ok((Outcome::Bytes, body)) => Ok(InvokeResponseBody::Raw(body)),
            Ok((Outcome::Refused, body)) => {
                Err(serde_json::from_slice(&body).unwrap_or_else(|error| refusal(&unknown(error))))
            }
            Err(_) => Err(refusal(&sentence("problem.not_ready", []))),
        }
    }

    /// The window is gone.
    pub(crate) fn closed(&self, window: Window) {
        let asked = self.asked.lock().get(&window).copied().unwrap_or_default();
        let told = self
            .writer
            .send(&FromWindows::Closed { window, asked }, &[]);
        if let Err(error) = told {
            tracing::debug!(%error, "the app is gone");
        }
    }
}

fn refusal(sentence: &Sentence) -> Value {
    json!(sentence)
}

/// Draws windows until the app ends this process. Its standard input is the socket to the app.
///
/// # Errors
/// When it wasn't the app that started it, or the system gives no event loop.
pub(crate) fn run(folder: &Path) -> Result<(), String> {
    let stream = inherited().map_err(|error| {
        format!("The windows are opened by Snag itself, not by hand ({error}). Start snag-desktop.")
    })?;
    let reader = stream.try_clone().map_err(|error| error.to_string())?;
    let link = Arc::new(Link {
        writer: Writer::new(stream),
        calls: Mutex::default(),
        last_id: AtomicU64::new(0),
        asked: Mutex::default(),
    });
    let built = tauri::Builder::default()
        .plugin(tauri_plugin_dialog::init())
        .manage(Sizes::load(folder.join("windows.json")))
        .manage(Arc::clone(&link))
        .invoke_handler(asked)
        .setup(move |app| {
            let handle = app.handle().clone();
            std::thread::Builder::new()
                .name("app".to_owned())
                .spawn(move || follow(&handle, &link, reader))?;
            Ok(())
        })
        .build(tauri::generate_context!())
        .map_err(|error| error.to_string())?;
    built.run(|_, event| {
        // Whether another window comes is the app's to know.
        if let RunEvent::ExitRequested {
            code: None, api, ..
        } = event
        {
            api.prevent_exit();
        }
    });
    Ok(())
}

fn inherited() -> io::Result<UnixStream> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Anything else, such as a terminal, has no other end.
    stream.peer_addr()?;
    Ok(stream)
}

/// Does what the app says until it is gone, and with it this process.
fn follow(app: &AppHandle, link: &Link, mut reader: UnixStream) {
    loop {
        match channel::read(&mut reader) {
            Ok(Some((message, body))) => heard(app, link, message, body),
            Ok(None) => break,
            Err(error) => {
                tracing::error!(%error, "the app can't be understood");
                break;
            }
        }
    }
    app.exit(0);
}

fn heard(app: &AppHandle, link: &Link, message: ToWindows, body: Vec<u8>) {
    match message {
        ToWindows::Open {
            window,
            title,
            theme,
            shown,
        } => {
            *link.asked.lock().entry(window).or_default() += 1;
            if let Err(error) = windows::open(app, window, title, theme, shown) {
                tracing::error!(%error, window = window.label(), "the window can't be shown");
                link.closed(window);
            }
        }
        ToWindows::Keep => {
            if let Err(error) = windows::keep(app) {
                tracing::warn!(%error, "no page can be kept ready");
            }
        }
        ToWindows::Close { window } => {
            let open = app.get_webview_window(window.label());
            if let Some(Err(error)) = open.map(|open| open.close()) {
                tracing::warn!(%error, "a window stays open");
            }
        }
        ToWindows::Look { theme } => {
            for window in app.webview_windows().values() {
                if let Err(error) = window.set_theme(windows::look(theme)) {
                    tracing::warn!(%error, "a window keeps its theme");
                }
            }
        }
        ToWindows::Event { name } => {
            let told = String::from_utf8(body)
                .map_err(|error| error.to_string())
                .and_then(|text| app.emit_str(&name, text).map_err(|error| error.to_string()));
            if let Err(error) = told {
                tracing::warn!(%error, name, "the windows can't be told");
            }
        }
        ToWindows::Answer { id, outcome } => {
            let waiting = link.calls.lock().remove(&id);
            // A window that was closed meanwhile waits no more.
            if let Some(waiting) = waiting {
                drop(waiting.send((outcome, body)));
            }
        }
    }
}

/// A window asks. What only it can do is done here; the rest is the app's.
fn asked(invoke: Invoke<Wry>) -> bool {
    let Invoke {
        message, resolver, ..
    } = invoke;
    let webview = message.webview();
    let app = webview.app_handle().clone();
    let command = message.command().to_owned();
    let InvokeBody::Json(arguments) = message.payload().clone() else {
        resolver.reject(refusal(&unknown("no arguments")));
        return true;
    };
    tauri::async_runtime::spawn(async move {
        let link = Arc::clone(&app.state::<Arc<Link>>());
        let window = app.get_webview_window(webview.label());
        let answer = match (command.as_str(), window) {
            ("close_window", Some(window)) => window
                .destroy()
                .map(|()| InvokeResponseBody::Json("null".to_owned()))
                .map_err(|error| refusal(&unknown(error))),
            ("export_json", Some(window)) => export(&app, &link, &window).await,
            (takes @ ("feedback_retake" | "feedback_anew"), Some(window)) => {
                out_of_the_way(&link, &window, takes, &arguments).await
            }
            _ => link.call(&command, &arguments).await,
        };
        match answer {
            Ok(body) => resolver.resolve(Response::new(body)),
            Err(why) => resolver.reject(why),
        }
    });
    true
}

/// The person says where to, in the system's dialog; nothing where they changed their mind.
async fn export(app: &AppHandle, link: &Link, window: &WebviewWindow) -> Answer {
    let today = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    let (chosen, choice) = oneshot::channel();
    app.dialog()
        .file()
        .set_parent(window)
        .set_file_name(format!("snag-{today}.json"))
        .add_filter("JSON", &["json"])
        .save_file(move |path| drop(chosen.send(path)));
    let said = |error: &dyn std::fmt::Display| refusal(&unknown(error));
    let Some(path) = choice.await.map_err(|error| said(&error))? else {
        return Ok(InvokeResponseBody::Json("null".to_owned()));
    };
    let path = path.into_path().map_err(|error| said(&error))?;
    link.call("export_json", &json!({ "path": path })).await
}

/// The window is out of the way while the picture is taken, and comes back whatever became of it.
async fn out_of_the_way(
    link: &Link,
    window: &WebviewWindow,
    command: &str,
    arguments: &Value,
) -> Answer {
    let failed = |error: tauri::Error| refusal(&unknown(error));
    window.hide().map_err(failed)?;
    tokio::time::sleep(HIDING).await;
    let taken = link.call(command, arguments).await;
    window
        .show()
        .and_then(|()| window.set_focus())
        .map_err(failed)?;
    taken
}
