//! One app for each data folder: a second start hands what it was asked to the first, and ends.
//!
//! A lock on a file says who is first, and goes with its process; a socket beside it takes the requests. Both lie
//! in folders that only this person can enter, so that another person's app neither hears nor hinders this one.
//! D-Bus isn't needed: where there is none there is no tray either, and a second start is the only way back in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Longest time that an answer takes.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// Longest time that a request takes: less than an answer, for which somebody may wait behind it.
const REQUEST_DEADLINE: Duration = Duration::from_secs(3);

/// Longest time that a start waits for another app to take its request or to end, which may take ten seconds of sending.
const TURN_DEADLINE: Duration = Duration::from_secs(15);

/// Longest request, in bytes: a link.
const REQUEST_BYTES_MAX: u64 = 4_096;

/// What a second start was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// A `snag://` link.
    pub link: Option<String>,
    /// Whether it was started by the desktop's session, not by a person: nothing opens then.
    pub hidden: bool,
}

/// Whether this process is the first.
pub enum Instance {
    /// It is, and is told what others are asked.
    First(First),
    /// Another one is, and was told.
    Second,
}

/// The first process over a folder.
pub struct First {
    /// Holds the lock until the process ends.
    _lock: File,
    listener: UnixListener,
}

/// Finds out which it is.
///
/// # Errors
/// When the folder can't be written to, or the first process doesn't answer.
pub fn take(folder: &Path, request: &Request) -> io::Result<Instance> {
    let lock = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join("app.lock"))?;
    let socket = socket_path(folder);
    let begin = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return first(lock, &socket).map(Instance::First),
            Err(std::fs::TryLockError::WouldBlock) => {}
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
        match hand_over(&socket, request) {
            Ok(()) => return Ok(Instance::Second),
            Err(error) if begin.elapsed() > TURN_DEADLINE => return Err(error),
            // It has the lock and isn't listening yet; or it is ending, and then it is this one's turn.
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn first(lock: File, socket: &Path) -> io::Result<First> {
    // What an earlier process left behind answers nobody.
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(First {
        _lock: lock,
        listener,
    })
}

/// The socket: in the data folder, or where its path would be too long for one, in the session's folder.
fn socket_path(folder: &Path) -> PathBuf {
    let near = folder.join("app.sock");
    // 108 bytes on Linux, 104 on macOS, with the zero at the end.
    if near.as_os_str().len() < 100 {
        return near;
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    match runtime {
        Some(runtime) if runtime.is_absolute() => {
            let named: u64 = near
                .as_os_str()
                .as_encoded_bytes()
                .iter()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                    (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
                });
            runtime.join(format!("snag-{named:016x}.sock"))
        }
        _ => near,
    }
}

fn hand_over(socket: &Path, request: &Request) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer == "ok\n" {
        Ok(())
    } else {
        Err(io::Error::other("the running app didn't take the request"))
    }
}

impl First {
    /// Calls `told` with every request, on a thread of its own, until the process ends. It says whether it takes the
    /// request: an app that is ending doesn't, and the second start waits to be the first.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn listen(self, told: impl Fn(Request) -> bool + Send + 'static) -> io::Result<()> {
        std::thread::Builder::new()
            .name("instance".to_owned())
            .spawn(move || {
                // The whole of it: the lock is held for as long as the thread listens.
                let this = self;
                for stream in this.listener.incoming() {
                    match stream.and_then(|stream| answer(stream, &told)) {
                        Ok(()) => {}
                        Err(error) => {
                            tracing::warn!(%error, "a second start couldn't be understood");
                        }
                    }
                }
            })
            .map(drop)
    }
}

fn answer(stream: UnixStream, told: &impl Fn(Request) -> bool) -> io::Result<()> {
    // A process that connects and says nothing must not keep others out.
    stream.set_read_timeout(Some(REQUEST_DEADLINE))?;
    let mut line = String::new();
    BufReader::new(io::Read::take(&stream, REQUEST_BYTES_MAX)).read_line(&mut line)?;
    let request = serde_json::from_str(&line)?;
    if told(request) {
        (&stream).write_all(b"ok\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_second_tells_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let Instance::First(first) = take(folder.path(), &Request::default()).expect("free") else {
            panic!("nobody else is here");
        };
        let (told, heard) = mpsc::channel();
        first
            .listen(move |request| told.send(request).is_ok())
            .expect("a thread");
        let request = Request {
            link: Some("snag://knows".to_owned()),
            hidden: false,
        };
        assert!(matches!(
            take(folder.path(), &request).expect("it answers"),
            Instance::Second
        ));
        let got = heard.recv_timeout(Duration::from_secs(5)).expect("told");
        assert_eq!(got, request);
    }

    #[test]
    fn a_start_while_the_first_ends_is_the_next_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let Instance::First(ending) = take(folder.path(), &Request::default()).expect("free")
        else {
            panic!("nobody else is here");
        };
        std::thread::scope(|scope| {
            let next = scope.spawn(|| take(folder.path(), &Request::default()));
            // It takes no request any more, and then it is gone.
            let (stream, _) = ending.listener.accept().expect("somebody asks");
            answer(stream, &|_| false).expect("refused");
            drop(ending);
            let next = next.join().expect("no panic").expect("it is free");
            assert!(matches!(next, Instance::First(_)));
        });
    }

    #[test]
    fn what_a_killed_process_left_is_no_obstacle() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("app.lock"), "").expect("written");
        drop(UnixListener::bind(folder.path().join("app.sock")).expect("bound"));
        assert!(matches!(
            take(folder.path(), &Request::default()).expect("free"),
            Instance::First(_)
        ));
    }

    #[test]
    fn another_folder_is_another_app() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = take(one.path(), &Request::default()).expect("free");
        let second = take(other.path(), &Request::default()).expect("free");
        assert!(matches!(first, Instance::First(_)));
        assert!(matches!(second, Instance::First(_)));
    }

    #[test]
    fn a_folder_whose_path_is_too_long_for_a_socket_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("d".repeat(120));
        std::fs::create_dir(&deep).expect("made");
        let path = socket_path(&deep);
        // In the session's folder where there is one; never a truncated name.
        assert!(path.starts_with(&deep) || path.as_os_str().len() < 100);
    }
}
