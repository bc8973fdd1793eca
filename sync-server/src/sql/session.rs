//! What `session_id` keeps between requests: settings, parameters and the
//! database that `SET` and `USE` chose. Temporary tables are not kept: queries
//! run on connections that are shared.
//!
//! Invariant: a session belongs to the user who began it, and memory is bounded
//! in the number of sessions and in what each holds.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::exception::{Exception, code};
use super::params::Params;

const SESSIONS_MAX: usize = 10_000;
const ENTRIES_MAX: usize = 1_000;
const VALUE_BYTES_MAX: usize = 64 << 10;
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
const TIMEOUT_MAX_S: u64 = 3_600;

/// What a session holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The database of `USE`.
    pub database: Option<String>,
    /// Settings of `SET`, the last of each name.
    pub settings: Vec<(String, String)>,
    /// Parameters of `SET param_…`.
    pub bound: Vec<(String, String)>,
}

struct Session {
    state: State,
    timeout: Duration,
    last_used: Instant,
}

/// All sessions of a front.
#[derive(Default)]
pub(super) struct Sessions {
    by_user_and_id: Mutex<HashMap<(String, String), Session>>,
}

/// A request's hold on its session, if it has one.
pub(super) struct Hold {
    key: Option<(String, String)>,
    close: bool,
    /// What the session held when the request came.
    pub state: State,
}

impl Sessions {
    /// Finds or begins the session that a request names.
    pub(super) fn hold(&self, user: &str, params: &Params) -> Result<Hold, Exception> {
        let close = params.flag("close_session", false)?;
        let Some(id) = params.get("session_id").filter(|id| !id.is_empty()) else {
            return Ok(Hold {
                key: None,
                close: false,
                state: State::default(),
            });
        };
        let timeout = match params.get("session_timeout") {
            None => TIMEOUT_DEFAULT,
            Some(text) => match text.parse() {
                Ok(seconds @ 0..=TIMEOUT_MAX_S) => Duration::from_secs(seconds),
                Ok(_) => {
                    let message = format!(
                        "Session timeout '{text}' is larger than max_session_timeout: {TIMEOUT_MAX_S}"
                    );
                    return Err(Exception::new(code::INVALID_SESSION_TIMEOUT, message));
                }
                Err(_) => {
                    return Err(Exception::new(
                        code::INVALID_SESSION_TIMEOUT,
                        format!("Invalid session timeout: '{text}'"),
                    ));
                }
            },
        };
        let must_exist = params.flag("session_check", false)?;
        let key = (user.to_owned(), id.to_owned());
        let now = Instant::now();
        let mut sessions = self.by_user_and_id.lock();
        if sessions.get(&key).is_some_and(|s| s.is_over(now)) {
            sessions.remove(&key);
        }
        if !sessions.contains_key(&key) {
            if must_exist {
                return Err(Exception::new(code::SESSION_NOT_FOUND, "Session not found"));
            }
            if sessions.len() >= SESSIONS_MAX {
                sessions.retain(|_, s| !s.is_over(now));
            }
            if sessions.len() >= SESSIONS_MAX {
                return Err(Exception::new(
                    code::LIMIT_EXCEEDED,
                    "There are too many sessions",
                ));
            }
        }
        let session = sessions.entry(key.clone()).or_insert_with(|| Session {
            state: State::default(),
            timeout,
            last_used: now,
        });
        (session.last_used, session.timeout) = (now, timeout);
        Ok(Hold {
            key: Some(key),
            close,
            state: session.state.clone(),
        })
    }

    /// Changes a session; without one, the change ends with its request.
    pub(super) fn change(
        &self,
        hold: &Hold,
        change: impl FnOnce(&mut State),
    ) -> Result<(), Exception> {
        let Some(session) = hold.key.as_ref() else {
            return Ok(());
        };
        let mut sessions = self.by_user_and_id.lock();
        let Some(session) = sessions.get_mut(session) else {
            return Ok(());
        };
        let mut state = session.state.clone();
        change(&mut state);
        let pairs = || state.settings.iter().chain(&state.bound);
        if pairs().count() > ENTRIES_MAX
            || pairs().any(|(n, v)| n.len() + v.len() > VALUE_BYTES_MAX)
        {
            return Err(Exception::new(
                code::LIMIT_EXCEEDED,
                "The session holds too much",
            ));
        }
        session.state = state;
        Ok(())
    }

    /// The request is answered: closes the session where it asked for that.
    pub(super) fn release(&self, hold: &Hold) {
        if let (true, Some(key)) = (hold.close, &hold.key) {
            self.by_user_and_id.lock().remove(key);
        }
    }
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.last_used) > self.timeout
    }
}

impl State {
    /// Takes up the pairs of a `SET`.
    pub(super) fn set(&mut self, pairs: &[(String, String)]) {
        for (name, value) in pairs {
            let (list, name) = match name.strip_prefix("param_") {
                Some(name) => (&mut self.bound, name),
                None => (&mut self.settings, name.as_str()),
            };
            list.retain(|(n, _)| n != name);
            list.push((name.to_owned(), value.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_keeps_what_was_set_for_its_user_alone() {
        let sessions = Sessions::default();
        let params = Params::parse("session_id=a");
        let hold = sessions.hold("u", &params).unwrap();
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        let set = [
            pair("max_threads", "1"),
            pair("param_x", "2"),
            pair("max_threads", "3"),
        ];
        sessions.change(&hold, |s| s.set(&set)).unwrap();
        let state = sessions.hold("u", &params).unwrap().state;
        assert_eq!(state.settings, [pair("max_threads", "3")]);
        assert_eq!(state.bound, [pair("x", "2")]);
        assert_eq!(sessions.hold("v", &params).unwrap().state, State::default());
        assert_eq!(
            sessions.hold("u", &Params::default()).unwrap().state,
            State::default()
        );

        let closing = sessions
            .hold("u", &Params::parse("session_id=a&close_session=1"))
            .unwrap();
        sessions.release(&closing);
        let check = Params::parse("session_id=a&session_check=1");
        assert_eq!(
            sessions.hold("u", &check).err().map(|e| e.code),
            Some(code::SESSION_NOT_FOUND)
        );
    }

    #[test]
    fn sessions_end_and_are_bounded() {
        let sessions = Sessions::default();
        let params = Params::parse("session_id=a&session_timeout=0");
        let hold = sessions.hold("u", &params).unwrap();
        sessions
            .change(&hold, |s| s.database = Some("d".into()))
            .unwrap();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(sessions.hold("u", &params).unwrap().state.database, None);
        for bad in [
            "session_id=a&session_timeout=x",
            "session_id=a&session_timeout=3601",
        ] {
            assert_eq!(
                sessions
                    .hold("u", &Params::parse(bad))
                    .err()
                    .map(|e| e.code),
                Some(374)
            );
        }
        for i in 1..SESSIONS_MAX {
            sessions
                .hold("u", &Params::parse(&format!("session_id={i}")))
                .unwrap();
        }
        // The one that is over makes room for one more.
        std::thread::sleep(Duration::from_millis(2));
        sessions
            .hold("u", &Params::parse("session_id=new"))
            .unwrap();
        assert!(
            sessions
                .hold("u", &Params::parse("session_id=newer"))
                .is_err()
        );
        let hold = sessions.hold("u", &Params::parse("session_id=1")).unwrap();
        let long = vec![("a".to_owned(), "x".repeat(VALUE_BYTES_MAX))];
        assert!(sessions.change(&hold, |s| s.set(&long)).is_err());
    }
}
