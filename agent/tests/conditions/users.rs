//! Two people on one computer, each with a Snag of their own.

use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, ChildStdin, Stdio};

use serde_json::{Value, json};
use snag_agent::sdk::Access;

use super::*;
use crate::desktop::{Ended, Lines};

/// The folder that isn't the child's own.
const OTHER: &str = "SNAG_TEST_CONDITIONS_OTHER";

struct User {
    lines: Lines,
    stdin: ChildStdin,
    process: Ended,
    folder: PathBuf,
}

impl User {
    fn access(&self) -> Access {
        let file = self.folder.join("snag/sdk.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }
}

/// Starts this program as a user, with the folder of that name beside the other's.
fn user(program: &Path, folder: &Path, names: (&str, &str), uid: Option<u32>) -> User {
    let home = folder.join(names.0);
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = match uid {
        None => Command::new(program),
        Some(uid) => {
            std::os::unix::fs::chown(&home, Some(uid), Some(uid)).unwrap();
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={uid}"))
                .arg(format!("--regid={uid}"))
                .args(["--clear-groups", "--no-new-privs"])
                .arg(program);
            command
        }
    };
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"] {
        command.env_remove(name);
    }
    as_child(&mut command, "users::user_child", &home);
    let mut child: Child = command
        .env(OTHER, folder.join(names.1))
        .env("HOME", &home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("setpriv (package util-linux) starts");
    let lines = Lines::of(child.stdout.take().unwrap());
    let stdin = child.stdin.take().unwrap();
    let process = Ended(child);
    lines.wait("the user's host runs", |line| line.get("runs").cloned());
    User {
        lines,
        stdin,
        process,
        folder: home,
    }
}

/// The status of what an endpoint answers to a token.
fn asked(port: u16, token: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let wait = Some(Duration::from_secs(60));
    stream.set_read_timeout(wait).unwrap();
    let request = format!(
        "POST /v1/event HTTP/1.1\r\nConnection: close\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{{\"name\": \"x\"}}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer[9..12].parse().unwrap()
}

/// Everything in a folder that somebody else may do anything with.
fn open_to_others(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = std::fs::symlink_metadata(&path).unwrap();
        // sled makes its files for everybody; they lie in a folder that nobody else enters.
        if about.is_dir() {
            open_to_others(&path, found);
        } else if about.mode() & 0o077 != 0 {
            found.push((path, about.mode() & 0o777));
        }
    }
}

#[test]
fn two_users_see_nothing_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Only root can be somebody else; anybody can have two folders.
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let program = if is_root {
        // Where it was built, others may not look.
        let program = folder.path().join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        program
    } else {
        std::env::current_exe().unwrap()
    };
    let uid = |uid| is_root.then_some(uid);
    let mut ada = user(&program, folder.path(), ("ada", "ben"), uid(23_001));
    let mut ben = user(&program, folder.path(), ("ben", "ada"), uid(23_002));
    let (hers, his) = (ada.access(), ben.access());
    assert_ne!((hers.port, &hers.token), (his.port, &his.token));
    assert_eq!(asked(hers.port, &hers.token), 202);
    assert_eq!(asked(his.port, &his.token), 202);
    assert_eq!(asked(hers.port, &his.token), 401);
    assert_eq!(asked(his.port, &hers.token), 401);
    for user in [&mut ada, &mut ben] {
        let snag = user.folder.join("snag");
        let mode = std::fs::metadata(&snag).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o700, "nobody else enters");
        let mut found = Vec::new();
        open_to_others(&snag, &mut found);
        found.retain(|(path, _)| !path.starts_with(snag.join("spool")));
        assert_eq!(found, [], "each file is its owner's alone");
        user.stdin.write_all(b"look\n").unwrap();
        let seen = user
            .lines
            .wait("what it sees", |line| line.get("seen").cloned());
        if is_root {
            assert_eq!(seen, json!([]), "of the other's folder");
        }
        assert!(user.process.ends().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_child() {
    let Some(folder) = child_folder() else {
        return;
    };
    let say = |line: Value| println!("\n{line}");
    let host = start(&folder).await;
    let form = host.feedback_open(Default::default()).await;
    let mut draft = form.draft;
    draft.description = "Between me and IT".into();
    host.feedback_save_draft(draft).unwrap();
    say(json!({"runs": true}));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let other = PathBuf::from(std::env::var_os(OTHER).unwrap()).join("snag");
    let mut seen = Vec::new();
    if std::fs::read_dir(&other).is_ok() {
        seen.push("the folder");
    }
    for file in ["sdk.json", "status.json", "feedback"] {
        // Nothing may be learnt of it, not even whether it is there.
        if std::fs::symlink_metadata(other.join(file)).is_ok() {
            seen.push(file);
        }
    }
    if std::fs::write(other.join("pause.json"), b"{}").is_ok() {
        seen.push("written");
    }
    say(json!({"seen": seen}));
    host.stop().await;
}
