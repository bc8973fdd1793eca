//! A disk that becomes full while the host runs, and a folder that can't be written to.
//!
//! The children have a mount of their own, in a name space that ends with them.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use snag_spool::{Spool, SpoolOptions};

use super::*;
use crate::click::clicks;
use crate::desktop::{Desktop, EVERYTHING};
use snag_agent::convert;
use snag_agent::desktop::view::{PauseFor, Sentence, SettingsChange, SubmissionState};
use snag_agent::host::Opening;
use snag_agent::pipeline::Pipeline;
use snag_agent::sync::LabelStore;
use snag_core::{Input, InputKind};

/// Where the program's dead button is, as the child is told.
const PLACE: &str = "SNAG_TEST_CONDITIONS_PLACE";

/// What lets this user mount something, in a name space of its own. None where nobody may: in a container without rights,
/// where these tests can do nothing and say so.
fn mounting() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let way = ways.into_iter().find(|way| {
        let mut unshare = Command::new("unshare");
        unshare
            .args(*way)
            .args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
        let output = unshare.output().expect("unshare (package util-linux)");
        output.status.success()
    });
    if way.is_none() {
        eprintln!("not tested: nothing can be mounted here");
    }
    way
}

/// Makes a command of `unshare` that mounts a memory disk on the folder, does what `then` says, and becomes this
/// program, which is to run one test.
fn on_own_disk(
    mut command: Command,
    way: &[&str],
    (test, folder): (&str, &Path),
    then: &str,
) -> Command {
    command
        .args(way)
        .args(["sh", "-ec"])
        .arg(format!(
            "mount -t tmpfs -o size=64m,mode=700 tmpfs \"${FOLDER}\"; {then} exec \"$0\" \"$@\""
        ))
        .arg(std::env::current_exe().unwrap());
    as_child(&mut command, test, folder);
    command
}

#[test]
fn a_disk_that_becomes_full_is_said_and_nothing_is_lost() {
    let Some(way) = mounting() else { return };
    let folder = tempfile::tempdir().unwrap();
    let desktop = Desktop::start(EVERYTHING);
    let program = desktop.program_of(&script(), "Orders");
    let (x, y) = program.place("dead");
    let command = desktop.command("unshare");
    let child = ("disk::full_child", folder.path());
    succeeds(on_own_disk(command, way, child, "").env(PLACE, format!("{x} {y}")));
}

/// Takes all the room that is left.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("filler");
    let mut file = File::create(&path).unwrap();
    for size in [1 << 20, 4_096, 1] {
        let block = vec![7; size];
        while file.write_all(&block).is_ok() {}
    }
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_child() {
    let Some(folder) = child_folder() else {
        return;
    };
    let place = std::env::var(PLACE).unwrap();
    let (x, y) = place.split_once(' ').unwrap();
    let place = (x.parse().unwrap(), y.parse().unwrap());
    let host = start_capturing(&folder).await;
    let hand = Hand::new(&std::env::var("DISPLAY").unwrap());
    rage(&hand, place);
    until("records are stored", || {
        host.knows_waiting(None)
            .is_ok_and(|page| page.total > 0 && page.total == host.overview().waiting_records)
    })
    .await;
    let full = || problems(&host).contains(&"problem.disk_full".to_owned());
    assert!(!full());

    let filler = fill(&folder);
    rage(&hand, place);
    until("the full disk is said", full).await;
    assert_eq!(health(&host, "storage"), "health.storage_full");
    let kept = host.knows_waiting(None).unwrap().total;
    until("records wait in memory", || {
        host.overview().waiting_records > kept
    })
    .await;
    let at_most = host.overview().waiting_records;
    until("the list counts them as the head does", || {
        host.knows_waiting(None).is_ok_and(|page| {
            page.unstored > 0 && page.total + page.unstored == host.overview().waiting_records
        })
    })
    .await;
    // What the person says can't be kept: it is said, and the form has it still.
    let form = host.feedback_open(Opening::default()).await;
    assert!(form.picture.is_some(), "a picture needs no disk");
    let mut draft = form.draft;
    draft.description = "The disk is full".into();
    let refused = host.feedback_save_draft(draft.clone()).unwrap_err();
    assert_eq!(refused.key, "problem.disk_full");
    let refused = host.feedback_send(&draft).unwrap_err();
    assert_eq!(refused.key, "problem.disk_full");
    let form = host.feedback_form().unwrap();
    assert_eq!(form.draft.description, "The disk is full");
    assert!(form.picture.is_some());
    assert!(host.conversations().is_empty());
    let left = std::fs::read_dir(folder.join("snag/feedback/items"));
    assert_eq!(left.map_or(0, Iterator::count), 0, "no half of it is left");
    // A pause holds, though it can't be kept for the next start.
    let pause = host.pause(PauseFor::Hour);
    assert_eq!(pause.unwrap_err().key, "problem.disk_full");
    assert!(matches!(
        host.overview().capture,
        CaptureState::Paused { .. }
    ));

    std::fs::remove_file(filler).unwrap();
    host.resume().unwrap();
    until("it is stored again", || {
        !full()
            && host
                .knows_waiting(None)
                .is_ok_and(|page| page.total >= at_most)
    })
    .await;
    let id = host.feedback_send(&draft).unwrap();
    assert_eq!(host.conversations()[0].id, id);
    assert_eq!(host.conversations()[0].state, SubmissionState::Waiting);
    host.stop().await;
    drop(host);
    let (spool, report) = Spool::open(&folder.join("snag"), SpoolOptions::default()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    let seqs: Vec<u64> = spool
        .peek(usize::MAX)
        .unwrap()
        .iter()
        .map(|record| record.seq)
        .collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    assert!(spool.drops().is_empty(), "{:?}", spool.drops());
}

#[test]
fn a_folder_that_cannot_be_written_to_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let then = format!("mount -o remount,ro \"${FOLDER}\";");
    enrolled("disk::read_only_child", folder.path(), &then);
}

#[test]
fn a_disk_that_is_full_at_the_start_is_said_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let then = format!("cat /dev/zero > \"${FOLDER}/filler\" || true;");
    enrolled("disk::full_at_start_child", folder.path(), &then);
}

/// Runs a child without a display, on whose disk an earlier run was enrolled.
fn enrolled(test: &str, folder: &Path, then: &str) {
    let Some(way) = mounting() else { return };
    let then = format!(
        "mkdir -m 700 \"${FOLDER}/snag\"; printf '%s' \"$IDENTITY\" > \"${FOLDER}/snag/identity.json\"; {then}"
    );
    let mut command = Command::new("unshare");
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"] {
        command.env_remove(name);
    }
    command.env("IDENTITY", serde_json::to_string(&identity()).unwrap());
    succeeds(&mut on_own_disk(command, way, (test, folder), &then));
}

/// Waits until a host does its work that couldn't when it started.
async fn goes_on(host: &Host, folder: &Path) {
    until("it goes on", || {
        host.overview().capture == CaptureState::NotAcknowledged
    })
    .await;
    assert_eq!(host.overview().organisation, "Example");
    assert_eq!(health(host, "storage"), "health.ok.storage");
    until("the local SDK", || folder.join("snag/sdk.json").exists()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_at_start_child() {
    let Some(folder) = child_folder() else {
        return;
    };
    // Once without anything, and once with what an earlier run left.
    for left in [0, 300] {
        if left > 0 {
            let (spool, _) = Spool::open(&folder.join("snag"), SpoolOptions::default()).unwrap();
            spool.append(&clicks(left), None).unwrap();
            drop(spool);
            fill(&folder);
        }
        let host = start(&folder).await;
        // A spool that is there may be readable: then it is full once there is something to store.
        if left == 0 {
            until("it is said", || problems(&host) == ["problem.disk_full"]).await;
            assert_eq!(health(&host, "storage"), "health.storage_full");
            assert!(matches!(
                host.overview().capture,
                CaptureState::Unavailable { .. }
            ));
        }
        // Some more tries, which may do no harm.
        tokio::time::sleep(Duration::from_secs(7)).await;
        std::fs::remove_file(folder.join("filler")).unwrap();
        goes_on(&host, &folder).await;
        let waiting = host.knows_waiting(None).unwrap().total;
        assert_eq!(waiting, u64::from(left), "what waited is there");
        host.stop().await;
        drop(host);
        let asides = std::fs::read_dir(folder.join("snag"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("aside"))
            .count();
        assert_eq!(asides, 0, "nothing was taken for damaged");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_child() {
    let Some(folder) = child_folder() else {
        return;
    };
    assert!(File::create(folder.join("x")).is_err());
    let host = start(&folder).await;
    until("it is said", || {
        problems(&host).contains(&"problem.read_only".to_owned())
    })
    .await;
    assert_eq!(health(&host, "storage"), "health.storage_read_only");
    let CaptureState::Unavailable { reason } = host.overview().capture else {
        panic!("{:?}", host.overview().capture)
    };
    assert_eq!(reason.key, "problem.read_only");
    assert_eq!(
        host.sync_now().await.unwrap_err().key,
        "problem.read_only",
        "not that it belongs to nobody, which can't be known"
    );
    let form = host.feedback_open(Opening::default()).await;
    let mut draft = form.draft;
    draft.description = "Nothing can be kept".into();
    for refused in [
        host.feedback_save_draft(draft.clone()).unwrap_err(),
        host.feedback_send(&draft).unwrap_err(),
    ] {
        assert_eq!(refused.key, "problem.read_only");
    }
    assert_eq!(
        host.feedback_form().unwrap().draft.description,
        "Nothing can be kept"
    );
    let change = SettingsChange {
        prompts: Some(false),
        ..SettingsChange::default()
    };
    assert_eq!(
        host.change_settings(&change).unwrap_err().key,
        "problem.read_only"
    );
    // The folder can be written to again: it goes on without a new start.
    let remount = |how: &str| {
        let mut mount = Command::new("mount");
        let status = mount.args(["-o", how]).arg(&folder).status();
        assert!(status.unwrap().success());
    };
    remount("remount,rw");
    goes_on(&host, &folder).await;
    host.acknowledge(&host.first_run().unwrap().version)
        .unwrap();
    until("it says that there is no display", || {
        let reason = Sentence::plain("problem.no_display");
        host.overview().capture == CaptureState::Unavailable { reason }
    })
    .await;
    // Feedback works without one, and has no picture then.
    assert!(host.feedback_form().unwrap().picture.is_none());
    let sources = host.feedback_sources().await;
    assert_eq!(sources.unwrap_err().key, "problem.no_display");
    host.feedback_send(&draft).unwrap();
    host.stop().await;
    drop(host);

    // The programs that nobody sits at end with a sentence.
    remount("remount,ro");
    for (data_dir, says) in [("snag", "Read-only"), ("missing", "Read-only")] {
        let output = Command::new(env!("CARGO_BIN_EXE_snag-agent"))
            .arg("--data-dir")
            .arg(folder.join(data_dir))
            .arg("run")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains(says) && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn what_waits_for_room_is_bounded_and_what_goes_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let then = format!("cat /dev/zero > \"${FOLDER}/filler\" || true;");
    enrolled("disk::bounded_child", folder.path(), &then);
}

#[test]
fn bounded_child() {
    let Some(folder) = child_folder() else {
        return;
    };
    // Opened while there was room, as by a process that runs when its disk becomes full.
    let filler = folder.join("filler");
    std::fs::remove_file(&filler).unwrap();
    let (spool, _) = Spool::open(&folder.join("snag"), SpoolOptions::default()).unwrap();
    let spool = Arc::new(spool);
    fill(&folder);
    let policy = convert::policy(&identity().policy, &[]).unwrap();
    let labels = Arc::new(LabelStore::new());
    let mut pipeline = Pipeline::live(policy, Arc::clone(&spool), labels).unwrap();
    let mut t = 1_700_000_000_000;
    let mut input = |pipeline: &mut Pipeline, kind| {
        t += 1_000;
        pipeline.input(&Input { t, kind });
    };
    let orders = InputKind::Focus {
        app: "erp".into(),
        window: "Orders".into(),
        screen: "Orders".into(),
    };
    input(&mut pipeline, orders);
    for number in 0..25_000 {
        let code = format!("E{number}");
        input(&mut pipeline, InputKind::Error { code });
    }
    let made = pipeline.pending();
    assert!(made >= 25_000, "{made}");
    for _ in 0..2 {
        let error = pipeline.flush().unwrap_err();
        assert!(error.is_full(), "{error}");
    }
    let kept = pipeline.pending();
    assert_eq!(kept, 20_000);
    std::fs::remove_file(filler).unwrap();
    pipeline.flush().unwrap();
    assert_eq!(pipeline.pending(), 0);
    assert_eq!(spool.waiting().records(), kept as u64);
    let drops = spool.drops();
    assert_eq!(drops.len(), 1, "{drops:?}");
    assert_eq!(drops[0].reason, "not_stored");
    assert_eq!(drops[0].count, (made - kept) as u64, "once, not each time");
}
