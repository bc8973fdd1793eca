//! The host on a real desktop: a rage click in a real GTK program becomes a question, the form opens with a picture
//! of the screen, the day is known, and a pause stores nothing.
//!
//! The test starts itself again as the agent, on an X server of its own; the two talk by lines.

#[path = "../capture/tests/desktop/mod.rs"]
mod desktop;
#[path = "common/enrolled.rs"]
mod enrolled;
#[path = "common/notifications.rs"]
mod notifications;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use desktop::{Desktop, EVERYTHING, Ended, Lines};
use enrolled::identity;
use jiff::Zoned;
use serde_json::{Value, json};
use snag_agent::config::Paths;
use snag_agent::desktop::view::{Area, CaptureState, PauseFor};
use snag_agent::host::{Host, HostEvent, HostOptions, Opening};
use snag_agent::screenshot::Picture;
use snag_wire::IncidentKind;

/// Names the folder of the agent that this process is.
const CHILD: &str = "SNAG_TEST_AGENT_FOLDER";

fn main() {
    match std::env::var_os(CHILD) {
        Some(folder) => agent(&PathBuf::from(folder)),
        None => person(),
    }
}

fn person() {
    let folder = tempfile::tempdir().unwrap();
    let desktop = Desktop::start(EVERYTHING);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let _daemon = runtime.block_on(notifications::daemon(
        desktop.bus_address(),
        &std::sync::Arc::default(),
    ));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture/tests/desktop/program.py");
    let program = desktop.program_of(&script, "Orders");
    let mut child = desktop
        .command(std::env::current_exe().unwrap())
        .env(CHILD, folder.path())
        .env("SNAG_LOG", "info")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines = Lines::of(child.stdout.take().unwrap());
    let mut agent = Ended(child);
    let hand = desktop.hand();
    desktop::wait_until("the agent sees the hand", || {
        hand.move_to((300, 700));
        std::thread::sleep(Duration::from_millis(100));
        hand.move_to((310, 700));
        lines.count(|line| line["ready"] == true) > 0
    });
    hand.move_to(program.place("dead"));
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..6 {
        hand.click();
        std::thread::sleep(Duration::from_millis(90));
    }
    let occasion = lines.wait("the question", |line| line.get("occasion").cloned());
    assert_eq!(occasion["incident"], "rage_click", "{occasion}");
    assert_eq!(occasion["sentence"]["values"]["count"], "6", "{occasion}");
    assert_eq!(
        occasion["sentence"]["values"]["element"], "Refresh list",
        "{occasion}"
    );
    let picture = lines.wait("the picture", |line| line.get("picture").cloned());
    println!("{picture}");
    assert_eq!(
        (&picture["width"], &picture["height"]),
        (&json!(1280), &json!(800))
    );
    assert_eq!(picture["window_width"], 640);
    assert!(
        picture["colours"].as_u64().unwrap() > 10,
        "a picture of nothing: {picture}"
    );
    assert!(picture["steps"].as_u64().unwrap() > 0, "{picture}");
    assert!(picture["left_files"] == 0, "{picture}");
    let day = lines.wait("the day", |line| line.get("day").cloned());
    assert!(day["incidents"].as_u64().unwrap() >= 1, "{day}");
    lines.wait("ready for the pause", |line| {
        line.get("before_pause").cloned()
    });
    // The agent pauses while these are on their way, once it has seen the first of them.
    desktop::wait_until("the pause begins", || {
        hand.click();
        lines.count(|line| line["pauses"] == true) > 0
    });
    for _ in 0..10 {
        hand.click();
        std::thread::sleep(Duration::from_millis(15));
    }
    let paused = lines.wait("the pause", |line| line.get("paused").cloned());
    assert!(paused["seen"].as_u64() > Some(0), "{paused}");
    assert!(
        paused["seen"].as_u64() <= paused["accounted_for"].as_u64(),
        "{paused}"
    );
    for _ in 0..10 {
        hand.click();
        std::thread::sleep(Duration::from_millis(150));
    }
    stdin.write_all(b"clicked\n").unwrap();
    let after = lines.wait("what a pause stored", |line| {
        line.get("stored_in_pause").cloned()
    });
    assert_eq!(after, 0);
    let status = agent.ends();
    assert!(status.success());
    println!("test live ... ok");
}

fn say(line: Value) {
    println!("{line}");
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn agent(folder: &Path) {
    let begun = Zoned::now().date();
    let paths = Paths::at(folder.join("snag")).unwrap();
    identity().save(&paths.identity()).unwrap();
    let options = HostOptions {
        managed: folder.join("policy.json"),
        ..HostOptions::app()
    };
    let host = Host::start(paths.clone(), options).await.unwrap();
    let mut events = host.events();
    wait("the enrolment", || {
        host.overview().capture == CaptureState::NotAcknowledged
    })
    .await;
    assert!(!paths.status().exists() || host.health()[0].sentence.key == "health.input_waiting");
    host.acknowledge(&host.first_run().unwrap().version)
        .unwrap();
    wait("moves", || counted(&paths, "moves") > 0).await;
    assert_eq!(host.overview().capture, CaptureState::Capturing);
    say(json!({"ready": true}));

    let asked = tokio::time::timeout(Duration::from_secs(40), events.recv())
        .await
        .unwrap()
        .unwrap();
    let HostEvent::Ask {
        occasion,
        app,
        found,
    } = asked
    else {
        panic!("{asked:?}")
    };
    assert_eq!(occasion.incident, Some(IncidentKind::RageClick));
    say(json!({"occasion": occasion}));
    form(
        &host,
        &paths,
        Opening {
            occasion: Some(occasion),
            app: Some(app),
            found: Some(found),
            ..Opening::default()
        },
    )
    .await;

    // At midnight another day begins.
    let begun = begun.to_string();
    let days = || [None, Some(begun.as_str())].map(|date| host.knows_day(date).unwrap());
    wait("the incident is known", || {
        days().iter().any(|day| !day.incidents.is_empty())
    })
    .await;
    let day = days().into_iter().find(|day| !day.incidents.is_empty());
    let day = day.unwrap();
    say(json!({"day": {"incidents": day.incidents.len(), "spans": day.spans.len()}}));

    let clicks_before = clicks(&host);
    let seen_before = seen(&paths).await;
    say(json!({"before_pause": true}));
    wait("a click is seen", || {
        counted(&paths, "releases") > seen_before.0
    })
    .await;
    host.pause(PauseFor::Hour).unwrap();
    say(json!({"pauses": true}));
    // What happened before is stored within a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = host.knows_waiting(None).unwrap().total;
    let (seen, left_out) = {
        let now = seen(&paths).await;
        (now.0 - seen_before.0, now.1)
    };
    let recorded = clicks(&host) - clicks_before;
    say(json!({"paused": {"seen": seen, "accounted_for": recorded + left_out}}));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = host.knows_waiting(None).unwrap().total;
    host.stop().await;
    say(json!({"stored_in_pause": after - before}));
}

/// How much of a kind capture saw, by the status that is written every other second.
fn counted(paths: &Paths, kind: &str) -> u64 {
    let status = std::fs::read(paths.status()).unwrap_or_default();
    let status: Value = serde_json::from_slice(&status).unwrap_or_default();
    status["capture"]["counts"][kind]
        .as_u64()
        .unwrap_or_default()
}

/// Clicks among the records.
fn clicks(host: &Host) -> u64 {
    let (mut count, mut after) = (0, None);
    loop {
        let page = host.knows_waiting(after).unwrap();
        for record in &page.items {
            let record: Value = serde_json::from_str(&record.json).unwrap();
            if record["type"] == "event" && record["kind"] == "click" {
                count += record["count"].as_u64().unwrap_or(1);
            }
        }
        let Some(next) = page.next else { return count };
        after = Some(next);
    }
}

/// Releases that capture saw, and inputs that were left out since a pause was asked for. A press alone is no click: its
/// release may have come in the pause, of which nothing is seen.
async fn seen(paths: &Paths) -> (u64, u64) {
    // The status of before is some seconds old.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let status = std::fs::read(paths.status()).unwrap();
    let status: Value = serde_json::from_slice(&status).unwrap();
    let left_out = status["left_out"]["paused"].as_u64().unwrap_or_default();
    (
        status["capture"]["counts"]["releases"].as_u64().unwrap(),
        left_out,
    )
}

async fn form(host: &Host, paths: &Paths, opening: Opening) {
    let sources = host.feedback_sources().await.unwrap();
    assert!(
        sources
            .iter()
            .any(|source| source.is_screen && source.id.starts_with("screen:0"))
    );
    let window = sources
        .iter()
        .find(|source| !source.is_screen)
        .expect("the program's window")
        .clone();
    assert_eq!(window.name, "Program.py", "the program, not its title");
    let begun = Instant::now();
    let form = host.feedback_open(opening).await;
    let opened_ms = begun.elapsed().as_millis();
    let [finding] = form.draft.steps.as_slice() else {
        panic!("what was found is attached: {:?}", form.draft.steps)
    };
    assert_eq!(finding.incident, Some(IncidentKind::RageClick));
    assert!(form.steps.contains(finding) && form.steps.len() > 1);
    let view = form.picture.expect("a picture");
    let shown = host.feedback_picture(&view.id).unwrap();
    let shown_ms = begun.elapsed().as_millis();
    let pixels = Picture::decode(&shown.bytes).unwrap();
    let mut colours: Vec<&[u8]> = pixels.rgb().chunks_exact(3).collect();
    colours.sort_unstable();
    colours.dedup();
    let mut draft = form.draft;
    draft.description = "It doesn't react".into();
    draft.hidden.push(Area {
        x: 0.0,
        y: 0.0,
        width: 1_280.0,
        height: 800.0,
    });
    host.feedback_save_draft(draft.clone()).unwrap();
    let begun = Instant::now();
    let hidden = Picture::decode(&host.feedback_preview_picture(&draft).unwrap().bytes).unwrap();
    let ready_ms = begun.elapsed().as_millis();
    assert!(
        hidden
            .rgb()
            .chunks_exact(3)
            .all(|pixel| pixel == &hidden.rgb()[..3]),
        "all of it is hidden"
    );
    let retaken = host.feedback_retake(&window.id).await.unwrap();
    assert_eq!(retaken.size, window.size);
    assert_eq!(
        host.feedback_retake("screen:9").await.unwrap_err().key,
        "problem.picture_gone"
    );
    host.feedback_discard().unwrap();
    let left_files = std::fs::read_dir(paths.feedback()).map_or(0, Iterator::count);
    say(json!({"picture": {
        "width": view.size.width, "height": view.size.height, "window_width": window.size.width,
        "colours": colours.len(), "steps": form.steps.len(), "left_files": left_files,
        "opened_ms": opened_ms, "shown_ms": shown_ms, "hidden_and_encoded_ms": ready_ms,
    }}));
}

async fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain: {what}");
}
