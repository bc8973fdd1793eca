//! What programs can say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router, middleware};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use snag_core::{InputKind, TaskEvent};
use snag_wire::limits::{
    APP_STATE_BYTES_MAX, DESCRIPTION_CHARS_MAX, LABEL_CHARS_MAX, URL_CHARS_MAX,
};
use snag_wire::{Code, whole_numbers_fit};

use super::BODY_BYTES_MAX;
use super::guard::{Guard, Refusal, guard};
use super::rate::Rate;
use crate::host::{Host, Opening};

/// How often a program may open the form: a window that opens by itself is a nuisance.
const OPENINGS: (u32, Duration) = (3, Duration::from_secs(20));

#[derive(Clone)]
struct Api {
    host: Host,
    openings: Arc<Rate>,
}

pub(super) fn router(host: Host, by: Arc<Guard>) -> Router {
    let api = Api {
        host,
        openings: Arc::new(Rate::new(OPENINGS.0, OPENINGS.1)),
    };
    Router::new()
        .route("/v1/task", post(task))
        .route("/v1/error", post(error))
        .route("/v1/screen", post(screen))
        .route("/v1/event", post(event))
        .route("/v1/state", post(state))
        .route("/v1/feedback/open", post(open))
        .fallback(|| async { Refusal::new(Code::NotFound, "Nothing is at this address.") })
        .method_not_allowed_fallback(|| async {
            Refusal::new(Code::MethodNotAllowed, "The address takes POST only.")
        })
        .layer(middleware::from_fn_with_state(by, guard))
        .with_state(api)
}

/// What is answered: whether it was noticed. It isn't while Snag is paused or nothing may be captured.
#[derive(Serialize)]
struct Answer {
    noticed: bool,
}

type Answered = Result<(StatusCode, Json<Answer>), Refusal>;

fn answer(noticed: bool) -> Answered {
    Ok((StatusCode::ACCEPTED, Json(Answer { noticed })))
}

/// Reads a JSON body within its bounds.
async fn read<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Refusal> {
    let json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let kind = value.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json")
        });
    if !json {
        return Err(Refusal::new(
            Code::UnsupportedMediaType,
            "The body has to be application/json.",
        ));
    }
    let bytes = to_bytes(request.into_body(), BODY_BYTES_MAX)
        .await
        .map_err(|_| {
            Refusal::new(
                Code::TooLarge,
                format!("The body has at most {BODY_BYTES_MAX} bytes."),
            )
        })?;
    if !whole_numbers_fit(&bytes) {
        return Err(Refusal::new(
            Code::InvalidBody,
            "A whole number has at most 64 bits. Send a longer one as text.",
        ));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        // The parser quotes what it found, which is the program's own; it goes back to it alone.
        let said: String = error.to_string().chars().take(200).collect();
        Refusal::new(Code::InvalidBody, said)
    })
}

/// A name: one line that says something.
fn line(field: &str, text: &str, chars_max: usize) -> Result<(), Refusal> {
    let fits = !text.trim().is_empty()
        && text.chars().count() <= chars_max
        && !text.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidBody,
        format!("`{field}` has 1 to {chars_max} characters, none of them a control character."),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    name: String,
    action: TaskEvent,
}

async fn task(State(api): State<Api>, request: Request<Body>) -> Answered {
    let Task { name, action } = read(request).await?;
    line("name", &name, LABEL_CHARS_MAX)?;
    answer(api.host.say(InputKind::Task {
        event: action,
        name,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    code: String,
}

async fn error(State(api): State<Api>, request: Request<Body>) -> Answered {
    let Failure { code } = read(request).await?;
    line("code", &code, LABEL_CHARS_MAX)?;
    answer(api.host.say(InputKind::Error { code }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

async fn screen(State(api): State<Api>, request: Request<Body>) -> Answered {
    let Named { name } = read(request).await?;
    line("name", &name, LABEL_CHARS_MAX)?;
    // The program that has the focus is filled in where that is known.
    answer(api.host.say(InputKind::Focus {
        app: String::new(),
        window: name.clone(),
        screen: name,
    }))
}

async fn event(State(api): State<Api>, request: Request<Body>) -> Answered {
    let Named { name } = read(request).await?;
    line("name", &name, LABEL_CHARS_MAX)?;
    answer(api.host.note(name))
}

async fn state(State(api): State<Api>, request: Request<Body>) -> Answered {
    let state: Map<String, Value> = read(request).await?;
    answer(api.host.set_app_state(state))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Form {
    app: Option<String>,
    screen: Option<String>,
    url: Option<String>,
    description: Option<String>,
    state: Option<Map<String, Value>>,
}

async fn open(State(api): State<Api>, request: Request<Body>) -> Response {
    match read::<Form>(request)
        .await
        .and_then(|form| opening(&api, form))
    {
        Ok(opening) => {
            api.host.ask_to_open(opening);
            answer(true).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn opening(api: &Api, form: Form) -> Result<Opening, Refusal> {
    for (field, text, chars_max) in [
        ("app", &form.app, 64),
        ("screen", &form.screen, LABEL_CHARS_MAX),
        ("url", &form.url, URL_CHARS_MAX),
    ] {
        if let Some(text) = text {
            line(field, text, chars_max)?;
        }
    }
    let long = form
        .description
        .as_ref()
        .is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX);
    if long {
        return Err(Refusal::new(
            Code::InvalidBody,
            format!("`description` has at most {DESCRIPTION_CHARS_MAX} characters."),
        ));
    }
    let state_bytes = form
        .state
        .as_ref()
        .and_then(|state| serde_json::to_vec(state).ok())
        .map_or(0, |bytes| bytes.len());
    if state_bytes > APP_STATE_BYTES_MAX {
        return Err(Refusal::new(
            Code::TooLarge,
            format!("`state` has at most {APP_STATE_BYTES_MAX} bytes."),
        ));
    }
    api.openings
        .take(Instant::now())
        .map_err(Refusal::too_often)?;
    Ok(Opening {
        occasion: form.app.as_ref().map(|app| Host::program_asks(app)),
        app: form.app.map(|app| snag_core::redact::app_name(&app)),
        screen: form.screen,
        url: form.url,
        description: form.description,
        app_state: form.state,
        found: None,
    })
}
