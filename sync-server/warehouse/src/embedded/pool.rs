//! Threads that own connections, and the requests they take.
//!
//! **Invariants.** A connection stays on its thread. Settings belong to a connection for
//! its whole life, so that no statement can leave any behind for the next: each distinct
//! set has a connection of its own. A request whose asker has gone is not begun; one that
//! runs already is killed. The queue is bounded; askers wait for a place in it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::connection::Connection;
use super::engine::Engine;
use crate::query::identifier;
use crate::{ErrorKind, Query, WarehouseError};

/// Requests that wait for a thread, per pool.
const QUEUE: usize = 64;
/// Connections a thread keeps, each with other settings; the least recently used goes.
const SESSIONS: usize = 8;

/// What makes connections differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionKey {
    database: Option<String>,
    /// In order; `readonly` is last, since nothing can be set after it.
    settings: Vec<(String, String)>,
    /// A statement that changes its session (`SET`, `USE`): the connection is not kept.
    once: bool,
}

impl SessionKey {
    pub(super) fn new(query: &Query, base: &[(&str, &str)]) -> Self {
        let mut settings: Vec<(String, String)> = base
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        settings.extend(query.settings.iter().cloned());
        if query.readonly {
            settings.retain(|(name, _)| name != "readonly");
            settings.push(("readonly".to_owned(), "1".to_owned()));
        }
        Self {
            database: query.database.clone(),
            settings,
            once: !query.readonly && changes_session(&query.sql),
        }
    }
}

/// Whether a statement's first word changes the session it runs in, or creates what lives
/// in it. With `readonly` none of them is let through.
fn changes_session(sql: &str) -> bool {
    let text = sql.trim_start();
    // A comment in front, or several statements, may hide one: be careful.
    let first = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    let upper = text.to_ascii_uppercase();
    matches!(
        first.to_ascii_uppercase().as_str(),
        "SET" | "USE" | "BEGIN" | ""
    ) || upper.contains("TEMPORARY")
        || upper
            .trim_end_matches([';', ' ', '\n', '\t', '\r'])
            .contains(';')
}

/// A connection with its settings and its database.
pub(super) struct Session {
    connection: Connection,
    tag: String,
}

impl Session {
    pub(super) fn open(
        engine: &Engine,
        key: &SessionKey,
        database: &str,
    ) -> Result<Self, WarehouseError> {
        static TAG: AtomicU64 = AtomicU64::new(0);
        let tag = format!("snag-{}", TAG.fetch_add(1, Ordering::Relaxed));
        let mut connection = engine.connect()?;
        let database = key.database.as_deref().unwrap_or(database);
        connection.query(&format!("USE {}", identifier(database)), "Null", &[])?;
        // As statements, not as arguments of the connection: those take any option of the
        // engine's command line, and pass over a setting that does not exist.
        connection.query(&set_statement(&tag, &key.settings), "Null", &[])?;
        Ok(Self { connection, tag })
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// `SET` of the settings and the tag, which comes last so that nothing takes its place;
/// `readonly` may be among them, since it binds only what follows.
fn set_statement(tag: &str, settings: &[(String, String)]) -> String {
    let mut statement = String::from("SET ");
    for (name, value) in settings {
        statement.push_str(&format!("{} = {}, ", identifier(name), text(value)));
    }
    statement + &format!("log_comment = {}", text(tag))
}

/// A value as a string literal.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

type Work = Box<dyn FnOnce(Result<&mut Session, WarehouseError>) + Send>;

struct Request {
    key: SessionKey,
    work: Work,
    /// Whether the asker still waits, and what to kill when it does not.
    watch: Arc<Watch>,
}

/// What an asker and the thread that works for it share.
#[derive(Default)]
pub(super) struct Watch {
    state: Mutex<WatchState>,
}

#[derive(Default)]
enum WatchState {
    #[default]
    Waiting,
    /// Running on the connection with this tag.
    Running(String),
    Done,
    Gone,
}

impl Watch {
    fn lock(&self) -> std::sync::MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work begins on `session`; `false` when nobody waits for it any more.
    pub(super) fn begin(&self, session: &Session) -> bool {
        let mut state = self.lock();
        if matches!(*state, WatchState::Gone) {
            return false;
        }
        *state = WatchState::Running(session.tag.clone());
        true
    }

    /// Work has ended: there is nothing to kill any more.
    pub(super) fn end(&self) {
        *self.lock() = WatchState::Done;
    }
}

/// Kills the request when its asker's future, or the stream it came to, is dropped before
/// the end.
pub(super) struct Guard {
    watch: Arc<Watch>,
    engine: Arc<Engine>,
    answered: bool,
}

impl Guard {
    pub(super) fn new(watch: Arc<Watch>, engine: Arc<Engine>) -> Self {
        Self {
            watch,
            engine,
            answered: false,
        }
    }

    /// The answer is there: nothing is left to be killed.
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        // The lock is held until the kill is sent, so that the thread can't begin the next
        // request on that connection and have it killed instead.
        let mut state = self.watch.lock();
        if let WatchState::Running(tag) = &*state
            && let Ok(mut connection) = self.engine.connect()
        {
            let kill = "KILL QUERY WHERE Settings['log_comment'] = {tag:String} ASYNC";
            let killed = connection.query(kill, "Null", &[("tag".to_owned(), tag.clone())]);
            if let Err(error) = killed {
                tracing::warn!(code = error.code, "an abandoned query could not be killed");
            }
        }
        if !matches!(*state, WatchState::Done) {
            *state = WatchState::Gone;
        }
    }
}

/// Threads that share a queue.
pub(super) struct Pool {
    requests: Option<mpsc::Sender<Request>>,
    threads: Vec<JoinHandle<()>>,
    engine: Arc<Engine>,
}

impl Pool {
    pub(super) fn start(
        name: &str,
        threads: usize,
        engine: &Arc<Engine>,
        database: &str,
    ) -> Result<Self, WarehouseError> {
        let (requests, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..threads)
            .map(|number| {
                let (engine, queue, database) =
                    (Arc::clone(engine), Arc::clone(&queue), database.to_owned());
                std::thread::Builder::new()
                    .name(format!("{name}-{number}"))
                    .spawn(move || work(&engine, &queue, &database))
                    .map_err(|error| {
                        WarehouseError::new(ErrorKind::Unavailable, format!("no thread: {error}"))
                    })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            requests: Some(requests),
            threads,
            engine: Arc::clone(engine),
        })
    }

    /// Runs `work` on a thread of the pool, with a connection made for `key`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        key: SessionKey,
        work: impl FnOnce(&mut Session) -> Result<T, WarehouseError> + Send + 'static,
    ) -> Result<T, WarehouseError> {
        let (reply, answer) = oneshot::channel();
        let watch = Arc::new(Watch::default());
        let request = Request {
            key,
            work: Box::new(move |session| drop(reply.send(session.and_then(work)))),
            watch: Arc::clone(&watch),
        };
        let requests = self.requests.as_ref().ok_or_else(WarehouseError::closed)?;
        requests
            .send(request)
            .await
            .map_err(|_| WarehouseError::closed())?;
        let mut guard = Guard::new(watch, Arc::clone(&self.engine));
        let outcome = answer.await.map_err(|_| WarehouseError::closed())?;
        guard.answered();
        outcome
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.requests.take());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a warehouse thread panicked");
            }
        }
    }
}

fn work(engine: &Engine, queue: &Mutex<mpsc::Receiver<Request>>, database: &str) {
    let mut sessions: Vec<(SessionKey, Session)> = Vec::new();
    loop {
        let request = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(Request { key, work, watch }) = request else {
            return;
        };
        let held = sessions.iter().position(|(held, _)| *held == key);
        let session = match held {
            Some(index) => Ok(sessions.remove(index).1),
            None => Session::open(engine, &key, database),
        };
        match session {
            Ok(mut session) => {
                if !watch.begin(&session) {
                    sessions.push((key, session));
                    continue;
                }
                work(Ok(&mut session));
                watch.end();
                engine.used();
                if !key.once {
                    sessions.push((key, session));
                    if sessions.len() > SESSIONS {
                        sessions.remove(0);
                    }
                }
            }
            Err(error) => work(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::changes_session;

    #[test]
    fn statements_that_change_their_session_are_told() {
        for sql in [
            "SET a = 1",
            " use x",
            "CREATE TEMPORARY TABLE t (a UInt8)",
            "SELECT 1; SET a = 1",
            "/**/ SET a=1",
        ] {
            assert!(changes_session(sql), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SELECT 1;\n",
            "INSERT INTO t SELECT 1",
            "CREATE TABLE settings (a UInt8)",
        ] {
            assert!(!changes_session(sql), "{sql}");
        }
    }
}
