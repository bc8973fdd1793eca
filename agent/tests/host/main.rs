//! The host without a display: the app's states, what a person says over a server that fails, and the settings.

#[path = "../common/click.rs"]
mod click;
mod pictures;
mod said;
mod server;
#[path = "../common/tls.rs"]
mod tls;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use server::{MEASURE, PROXY, Server, TOKEN, policy};
use snag_agent::config::{Identity, Paths};
use snag_agent::desktop::feedback::form::{Circumstances, DraftFiles, Form, Held};
use snag_agent::desktop::view::{
    Area, CaptureState, PauseFor, PictureSource, Sentence, SettingsChange, SubmissionState,
};
use snag_agent::host::{Host, HostEvent, HostOptions, Opening};
use snag_agent::screenshot::Picture;
use snag_wire::{AppRules, Category, Reply, Size, Target};
use tokio::sync::broadcast;
use uuid::Uuid;

fn options(folder: &Path) -> HostOptions {
    HostOptions {
        managed: folder.join("policy.json"),
        sdk: false,
        replies_every: Duration::from_millis(200),
        ..HostOptions::app()
    }
}

async fn start(folder: &Path) -> Host {
    Host::start(Paths::at(folder.join("snag")).unwrap(), options(folder))
        .await
        .unwrap()
}

fn enrol(folder: &Path, server: &str) {
    enrol_by(folder, server, None);
}

/// Enrols with a server that this authority vouches for.
fn enrol_by(folder: &Path, server: &str, ca: Option<PathBuf>) {
    let paths = Paths::at(folder.join("snag")).unwrap();
    Identity {
        server: server.to_owned(),
        ca,
        product: "default".into(),
        device: Uuid::from_u128(5),
        device_token: TOKEN.to_owned(),
        policy: policy(),
    }
    .save(&paths.identity())
    .unwrap();
}

/// Waits until something holds, for a minute at most.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come");
}

/// Asks to send now, until that comes to what it has to: a request that is under way then may be answered by what the
/// server was told before.
async fn sync_until(
    what: &str,
    host: &Host,
    mut holds: impl FnMut(&Result<(), Sentence>) -> bool,
) -> Result<(), Sentence> {
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        let came_to = host.sync_now().await;
        if holds(&came_to) {
            return came_to;
        }
        assert!(Instant::now() < until, "{what} did not come: {came_to:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks to send now, until nothing waits.
async fn sync_all(host: &Host) {
    let sent = sync_until("the end of what waits", host, |came_to| {
        came_to.is_ok() && host.overview().waiting() == 0
    });
    sent.await.expect("it was sent");
}

/// What the person is told next.
async fn told(events: &mut broadcast::Receiver<HostEvent>) -> HostEvent {
    let told = tokio::time::timeout(Duration::from_secs(60), events.recv()).await;
    told.expect("nothing was told").expect("the host runs")
}

const SECRET: [u8; 3] = [0xde, 0xad, 0x42];

/// Leaves a draft as a crash would: words and a picture with a secret in it.
fn leave_draft(folder: &Path) -> Uuid {
    let size = Size {
        width: 80,
        height: 60,
    };
    let mut rgb = vec![0xf0_u8; 80 * 60 * 3];
    for y in 20..30 {
        for x in 10..40 {
            let at = (y * 80 + x) * 3;
            rgb[at..at + 3].copy_from_slice(&SECRET);
        }
    }
    leave_draft_with(folder, Picture::new(size, rgb).unwrap())
}

/// The same with this picture.
fn leave_draft_with(folder: &Path, picture: Picture) -> Uuid {
    let size = picture.size();
    let around = Circumstances {
        opened_at: Timestamp::from_second(Timestamp::now().as_second()).unwrap(),
        target: Target {
            app: "erp".into(),
            ..Target::default()
        },
        session: None,
        occasion: None,
        steps: Vec::new(),
        app_state: None,
        screen: Some(size),
        window: None,
    };
    let held = Held {
        id: "picture".into(),
        source: PictureSource {
            id: "screen:0".into(),
            name: String::new(),
            is_screen: true,
            size,
        },
        picture: Arc::new(picture),
    };
    let mut form = Form::new(around, Some(held));
    form.draft.description = "The list stays empty".into();
    form.draft.category = Some(Category::Bug);
    DraftFiles::in_folder(folder.join("snag/feedback"))
        .save(&mut form)
        .unwrap();
    form.draft.id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_app_lives_on_without_enrolment_and_captures_nothing_unread() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    let host = start(folder.path()).await;
    assert_eq!(host.overview().capture, CaptureState::NotEnrolled);
    assert!(host.acknowledge("anything").is_err());
    let page = host.first_run().unwrap();
    assert!(page.data.len() > 80 && page.never.len() > 5);
    enrol(folder.path(), &server.address());
    until("the enrolment", || {
        host.overview().capture == CaptureState::NotAcknowledged
    })
    .await;
    let page = host.first_run().unwrap();
    assert_eq!(page.organisation, "Example");
    assert!(page.acknowledged_at.is_none() && page.widened.is_empty());
    assert_eq!(
        host.acknowledge("another").unwrap_err().key,
        "problem.policy_widened"
    );
    host.acknowledge(&page.version).unwrap();
    // Without a display the gate is open and capture says why it sees nothing.
    let closed = |capture: &CaptureState| {
        matches!(
            capture,
            CaptureState::NotAcknowledged | CaptureState::NotEnrolled
        )
    };
    assert!(!closed(&host.overview().capture));
    host.stop().await;
    drop(host);

    let host = start(folder.path()).await;
    until("the acknowledgement", || !closed(&host.overview().capture)).await;
    let mut events = host.events();
    server.shared.policy.lock().apps = AppRules::Deny(Vec::new());
    server.shared.policy.lock().version += 1;
    let _ = host.sync_now().await;
    until("the wider policy", || {
        host.overview().capture == CaptureState::NotAcknowledged
    })
    .await;
    let page = host.first_run().unwrap();
    assert_eq!(page.widened[0].key, "widened.fewer_excluded");
    assert_eq!(page.widened[0].values["apps"], "bank");
    let widened = told(&mut events).await;
    assert!(matches!(widened, HostEvent::PolicyWidened { .. }));
    host.acknowledge(&page.version).unwrap();
    assert!(!closed(&host.overview().capture));
    host.decline().unwrap();
    assert_eq!(host.overview().capture, CaptureState::NotAcknowledged);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_offline_arrives_in_order_with_what_was_hidden_gone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    enrol(folder.path(), &server.address());
    server.shared.say([503, 429]);
    let id = leave_draft(folder.path());
    let host = start(folder.path()).await;
    until("the enrolment", || !host.overview().organisation.is_empty()).await;
    let form = host.feedback_open(Opening::default()).await;
    assert_eq!(form.draft.id, id, "a draft survives");
    assert_eq!(form.draft.description, "The list stays empty");
    let mut draft = form.draft;
    draft.hidden.push(Area {
        x: 10.0,
        y: 20.0,
        width: 30.0,
        height: 10.0,
    });
    host.feedback_save_draft(draft.clone()).unwrap();
    let preview = host.feedback_preview(&draft).unwrap();
    let picture = host.feedback_preview_picture(&draft).unwrap();
    assert_eq!(preview.picture_bytes, picture.bytes.len() as u64);
    let mut events = host.events();
    host.feedback_send(&draft).unwrap();
    assert_eq!(host.feedback_form().unwrap_err().key, "problem.no_draft");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("snag/feedback"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["items"], "the draft left no file");
    // Once, though it was tried twice in vain.
    let kept = told(&mut events).await;
    let HostEvent::FeedbackKept { why } = kept else {
        panic!("{kept:?}");
    };
    assert_eq!(why.key, "problem.server_down");
    assert_eq!(
        told(&mut events).await,
        HostEvent::FeedbackSent {
            id,
            category: Category::Bug,
            picture_refused: false
        }
    );
    let seen = server.shared.seen.lock().clone();
    assert_eq!(seen.words.len(), 3, "refused twice, then taken");
    assert!(
        seen.words.iter().all(|body| *body == seen.words[0]),
        "the same bytes each time"
    );
    let compact: serde_json::Value = serde_json::from_str(&preview.json).unwrap();
    assert_eq!(
        compact,
        serde_json::from_slice::<serde_json::Value>(&seen.words[2]).unwrap()
    );
    assert_eq!(
        serde_json::to_vec_pretty(
            &serde_json::from_slice::<snag_wire::FeedbackSubmission>(&seen.words[2]).unwrap()
        )
        .unwrap(),
        preview.json.as_bytes(),
        "the preview without its blanks is what left"
    );
    assert_eq!(seen.pictures, [(id, picture.bytes.clone())]);
    let arrived = Picture::decode(&picture.bytes).unwrap();
    assert!(!arrived.rgb().chunks_exact(3).any(|pixel| pixel == SECRET));
    let overview = host.overview();
    assert_eq!((overview.waiting_feedback, overview.sent_feedback), (0, 1));
    assert!(
        overview.last_sent_at.is_some(),
        "no record was sent, but what was said"
    );
    assert!(matches!(
        host.conversations()[0].state,
        SubmissionState::Sent { .. }
    ));

    let reply = Reply {
        id: Uuid::from_u128(1),
        feedback: id,
        at: Timestamp::now(),
        author: "Desk".into(),
        text: "Mended.".into(),
    };
    server.shared.replies.lock().push(reply);
    assert_eq!(
        told(&mut events).await,
        HostEvent::ReplyArrived {
            id,
            author: "Desk".into()
        }
    );
    assert_eq!(host.overview().unread_replies, 1);
    host.conversation_read(id).unwrap();
    assert_eq!(host.overview().unread_replies, 0);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_it_goes_when_the_server_is_heard_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    enrol(folder.path(), &server.address());
    // A proxy's page refuses nothing, however often it comes.
    server.shared.say([PROXY; 1_000]);
    leave_draft(folder.path());
    let host = start(folder.path()).await;
    until("the enrolment", || !host.overview().organisation.is_empty()).await;
    let form = host.feedback_open(Opening::default()).await;
    host.feedback_send(&form.draft).unwrap();
    // By now the next try is up to a minute away.
    tokio::time::timeout(Duration::from_secs(90), async {
        while server.shared.seen.lock().words.len() < 7 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    let mut events = host.events();
    server.shared.statuses.lock().clear();
    sync_all(&host).await;
    let sent = told(&mut events).await;
    assert!(matches!(sent, HostEvent::FeedbackSent { .. }), "{sent:?}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_kept_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    enrol(folder.path(), &server.address());
    server.shared.say([409]);
    let host = start(folder.path()).await;
    let form = host.feedback_open(Opening::default()).await;
    let mut draft = form.draft;
    assert_eq!(
        host.feedback_send(&draft).unwrap_err().key,
        "problem.description_empty"
    );
    draft.description = "x".into();
    let mut events = host.events();
    let id = host.feedback_send(&draft).unwrap();
    let reason = "what the server says".to_owned();
    assert_eq!(
        told(&mut events).await,
        HostEvent::FeedbackRefused {
            id,
            reason: reason.clone()
        }
    );
    assert_eq!(
        host.conversations()[0].state,
        SubmissionState::Refused { reason }
    );
    host.stop().await;
    assert_eq!(server.shared.seen.lock().words.len(), 1, "not tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_changes_a_setting_all_who_follow_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    std::fs::write(
        folder.path().join("policy.json"),
        r#"{"settings": {"prompts": false}}"#,
    )
    .unwrap();
    let host = start(folder.path()).await;
    let mut told = host.watch_settings();
    assert_eq!(*told.borrow_and_update(), host.settings());
    let change = SettingsChange {
        language: Some("de".into()),
        ..SettingsChange::default()
    };
    host.change_settings(&change).unwrap();
    assert!(told.has_changed().unwrap());
    assert_eq!(told.borrow_and_update().language.value, "de");
    // A button of a notification.
    host.never_ask_about("Impress").unwrap();
    assert!(told.has_changed().unwrap());
    assert_eq!(told.borrow_and_update().never_ask_apps.value, ["Impress"]);
    // What is no change wakes nobody.
    host.change_settings(&change).unwrap();
    assert!(!told.has_changed().unwrap());
    // Who locked a value is known with the enrolment.
    enrol(folder.path(), &server.address());
    until("the organisation", || {
        let locked = told.borrow_and_update().prompts.locked_by.clone();
        locked.is_some_and(|name| name == policy().organisation.name)
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pauses_settings_and_asking_to_be_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    enrol(folder.path(), &server.address());
    std::fs::write(
        folder.path().join("policy.json"),
        r#"{"organisation": "Example IT", "settings": {"prompts": false}, "pictures": false}"#,
    )
    .unwrap();
    let host = start(folder.path()).await;
    until("the enrolment", || {
        host.overview().capture == CaptureState::NotAcknowledged
    })
    .await;
    host.acknowledge(&host.first_run().unwrap().version)
        .unwrap();
    host.pause(PauseFor::Hour).unwrap();
    assert!(matches!(
        host.overview().capture,
        CaptureState::Paused { until: Some(_) }
    ));
    assert_eq!(
        host.settings().prompts.locked_by.as_deref(),
        Some("Example IT")
    );
    let change = SettingsChange {
        prompts: Some(true),
        ..SettingsChange::default()
    };
    assert_eq!(
        host.change_settings(&change).unwrap_err().key,
        "problem.setting_locked"
    );
    assert_eq!(
        host.feedback_sources().await.unwrap_err().key,
        "problem.pictures_not_allowed"
    );
    host.stop().await;
    drop(host);
    let host = start(folder.path()).await;
    until("the pause of before", || {
        matches!(host.overview().capture, CaptureState::Paused { .. })
    })
    .await;
    host.resume().unwrap();
    assert!(!matches!(
        host.overview().capture,
        CaptureState::Paused { .. }
    ));
    assert_eq!(host.knows_looked().await.unwrap()[0].actor, "user:ada");
    // A file of the person's, beside it, is theirs.
    let beside = folder.path().join("export.tmp");
    std::fs::write(&beside, "theirs").unwrap();
    host.export_json(&folder.path().join("export.json"))
        .unwrap();
    assert_eq!(std::fs::read_to_string(&beside).unwrap(), "theirs");
    let export = std::fs::read_to_string(folder.path().join("export.json")).unwrap();
    assert!(export.contains("\"waiting\"") && !export.contains(TOKEN));
    host.request_deletion().await.unwrap();
    assert!(server.shared.seen.lock().forgotten);
    assert!(!folder.path().join("snag/identity.json").exists());
    assert_eq!(host.overview().capture, CaptureState::NotEnrolled);
    host.stop().await;
    drop(host);
    std::fs::write(folder.path().join("policy.json"), "{").unwrap();
    let failed = Host::start(
        Paths::at(folder.path().join("snag")).unwrap(),
        options(folder.path()),
    )
    .await;
    let error = failed
        .err()
        .expect("a policy file that doesn't parse stops the start");
    assert!(error.to_string().contains("policy.json"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_cannot_be_used_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await;
    let second = Host::start(
        Paths::at(folder.path().join("snag")).unwrap(),
        options(folder.path()),
    )
    .await;
    let error = second.err().expect("one folder, one agent");
    assert!(
        error.to_string().contains("the agent is running with"),
        "{error}"
    );
    first.stop().await;
    let headless = HostOptions {
        managed: folder.path().join("policy.json"),
        ..HostOptions::headless()
    };
    let error = Host::start(Paths::at(folder.path().join("snag")).unwrap(), headless)
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("isn't enrolled"), "{error}");
}
