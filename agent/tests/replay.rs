//! `snag-agent replay` as a person calls it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn replay(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_snag-agent"))
        .arg("--data-dir")
        .arg(folder.path())
        .arg("replay")
        .args(arguments)
        .output()
        .unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/recordings"))
        .find(|folder| folder.is_dir())
        .expect("the folder shared/recordings lies beside the repository")
}

#[test]
fn shared_recordings_give_the_figures_of_their_readme() {
    let figures = [
        ("remote-desktop-a", 987, 1, "0.031608", None),
        ("remote-desktop-b", 977, 1, "0.052865", None),
        (
            "forms-from-workbook",
            1_617,
            0,
            "0.000000",
            Some("0.845983"),
        ),
    ];
    for (name, clicks, rage_clicks, frustration, efficiency) in figures {
        let file = recordings().join(format!("{name}.jsonl.gz"));
        let lines = lines(&replay(&[file.to_str().unwrap(), "--json"]));
        let sessions: Vec<_> = lines
            .iter()
            .filter_map(|line| line.get("session"))
            .collect();
        assert_eq!(sessions.len(), 1, "{name}");
        let session = sessions[0];
        assert_eq!(session["clicks"], clicks, "{name}");
        assert_eq!(session["rage_clicks"], rage_clicks, "{name}");
        let figure = |field: &str| format!("{:.6}", session[field].as_f64().unwrap());
        assert_eq!(figure("frustration"), frustration, "{name}");
        assert_eq!(
            session["efficiency"]
                .as_f64()
                .map(|e| format!("{e:.6}"))
                .as_deref(),
            efficiency
        );
        let incidents: Vec<_> = lines
            .iter()
            .filter_map(|line| line.get("incident"))
            .collect();
        assert_eq!(incidents.len(), rage_clicks, "{name}");
        for incident in incidents {
            assert_eq!(incident["kind"], "rage_click");
            assert_eq!(incident["app"], "remote-desktop");
            assert_eq!(incident["screen"], "remote-desktop");
        }
        if name == "forms-from-workbook" {
            assert_eq!(session["context_switches"], 997);
            assert_eq!(
                (&session["tasks_started"], &session["tasks_completed"]),
                (&50.into(), &50.into())
            );
        }
    }
}

#[test]
fn findings_are_ordered_by_end_and_name_what_the_recording_names() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/demo.jsonl");
    let lines = lines(&replay(&[file.to_str().unwrap(), "--json"]));
    let ends: Vec<_> = lines
        .iter()
        .map(|line| {
            line.as_object().unwrap().values().next().unwrap()["end"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert!(ends.is_sorted(), "{ends:?}");
    let kinds: Vec<_> = lines
        .iter()
        .filter_map(|line| line["incident"]["kind"].as_str())
        .collect();
    for kind in [
        "rage_click",
        "dead_click",
        "backtrack",
        "error_loop",
        "undo_storm",
    ] {
        assert!(kinds.contains(&kind), "{kind} isn't among {kinds:?}");
    }
    let screens: Vec<_> = lines
        .iter()
        .filter_map(|line| line["incident"]["screen"].as_str())
        .collect();
    assert!(screens.contains(&"Invoice entry"), "{screens:?}");
}

#[test]
fn a_malformed_line_is_named_and_exits_with_2() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(
        &mut file,
        b"{\"t\":0,\"in\":\"focus\",\"app\":\"a\",\"window\":\"w\",\"screen\":\"s\"}\n{\"t\":1,\"in\":\"key\",\"class\":\"q\"}\n",
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    for arguments in [vec![path], vec![path, "--json"], vec![path, "--send"]] {
        let output = replay(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(output.stdout, b"");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.starts_with(&format!("{path}:2: ")), "{message}");
    }
    assert_eq!(replay(&["/nowhere/recording.jsonl"]).status.code(), Some(2));
}

#[test]
fn sending_without_an_enrolment_says_what_to_do() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/demo.jsonl");
    let output = replay(&[file.to_str().unwrap(), "--send"]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("snag-agent enroll"), "{message}");
}
