//! What the app and the process of its windows say to each other, over a socket that only the two hold.
//!
//! A frame is a head in JSON and a body of bytes, each with its length before it, so that a picture travels as it is.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use snag_agent::desktop::view::Theme;

use crate::window::Window;

/// Longest head, in bytes: an overview with all of its problems.
const HEAD_BYTES_MAX: u32 = 1 << 20;
/// Longest body, in bytes: more than the largest picture has, without loss.
const BODY_BYTES_MAX: u32 = 256 << 20;

/// What the app tells the windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ToWindows {
    /// Open a window; one that is open already comes to the front.
    Open {
        /// Which.
        window: Window,
        /// Its title.
        title: String,
        /// Its look.
        theme: Theme,
        /// Whether the person sees it; otherwise it is made, to be shown in a moment.
        shown: bool,
    },
    /// Keep a page that nobody sees: the next window is drawn by its process, and there at once.
    Keep,
    /// Close a window that isn't shown after all.
    Close {
        /// Which.
        window: Window,
    },
    /// Look like this from now on.
    Look {
        /// How.
        theme: Theme,
    },
    /// Something happened; the body is what there is to know, as JSON.
    Event {
        /// The event's name.
        name: String,
    },
    /// What a call came to; the body is the answer.
    Answer {
        /// The call's number.
        id: u64,
        /// What the body is.
        outcome: Outcome,
    },
}

/// What the body of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The answer as JSON.
    Json,
    /// Bytes as they are.
    Bytes,
    /// A sentence as JSON: why it can't be done.
    Refused,
}

/// What the windows tell the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FromWindows {
    /// A window asks for something; the body is the arguments as JSON.
    Call {
        /// The call's number, given back with the answer.
        id: u64,
        /// The command's name.
        command: String,
    },
    /// A window was closed.
    Closed {
        /// Which.
        window: Window,
        /// How often it had been asked for by then, so that a wish that crossed this is known.
        asked: u64,
    },
}

/// The end that frames are written to. One frame after the other, whoever writes.
pub struct Writer(Mutex<UnixStream>);

impl Writer {
    /// Writes to a stream.
    #[must_use]
    pub fn new(stream: UnixStream) -> Self {
        Self(Mutex::new(stream))
    }

    /// Writes a frame; returns when the system has it.
    ///
    /// # Errors
    /// The other end is gone, or the frame is too long.
    pub fn send(&self, head: &impl Serialize, body: &[u8]) -> io::Result<()> {
        write(&mut *self.0.lock(), head, body)
    }

    /// Ends the conversation, for both ends.
    pub fn close(&self) {
        if let Err(error) = self.0.lock().shutdown(std::net::Shutdown::Both) {
            tracing::debug!(%error, "the other end was gone already");
        }
    }
}

fn write(stream: &mut impl Write, head: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let length = |bytes: &[u8], most: u32| {
        u32::try_from(bytes.len())
            .ok()
            .filter(|length| *length <= most)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the frame is too long"))
    };
    let lengths = [
        length(&head, HEAD_BYTES_MAX)?,
        length(body, BODY_BYTES_MAX)?,
    ];
    for length in lengths {
        stream.write_all(&length.to_le_bytes())?;
    }
    stream.write_all(&head)?;
    stream.write_all(body)
}

/// Reads a frame; none at the end of the conversation.
///
/// # Errors
/// The conversation broke off within a frame, or what came is none.
pub fn read<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut first = [0; 4];
    if let Err(error) = stream.read_exact(&mut first) {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => Ok(None),
            _ => Err(error),
        };
    }
    let mut second = [0; 4];
    stream.read_exact(&mut second)?;
    let mut part = |length: [u8; 4], most: u32| -> io::Result<Vec<u8>> {
        let length = u32::from_le_bytes(length);
        if length > most {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no frame"));
        }
        let mut bytes = vec![0; length as usize];
        stream.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    let head = part(first, HEAD_BYTES_MAX)?;
    let body = part(second, BODY_BYTES_MAX)?;
    Ok(Some((serde_json::from_slice(&head)?, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_as_they_went() {
        let heads = [
            ToWindows::Open {
                window: Window::FirstRun,
                title: "Ä".to_owned(),
                theme: Theme::Dark,
                shown: true,
            },
            ToWindows::Answer {
                id: 7,
                outcome: Outcome::Bytes,
            },
        ];
        let mut bytes = Vec::new();
        for head in &heads {
            write(&mut bytes, head, b"\0\xff body").unwrap();
        }
        let mut rest = &bytes[..];
        for head in &heads {
            let (came, body) = read::<ToWindows>(&mut rest).unwrap().unwrap();
            assert_eq!((&came, &body[..]), (head, &b"\0\xff body"[..]));
        }
        assert!(read::<ToWindows>(&mut rest).unwrap().is_none());
        // Cut off anywhere else it is an error, not an end.
        for cut in [5, 9, bytes.len() - 1] {
            let mut part = &bytes[..cut];
            while let Ok(Some(_)) = read::<ToWindows>(&mut part) {}
            assert!(read::<ToWindows>(&mut &bytes[..5]).is_err());
        }
        assert!(read::<ToWindows>(&mut &[0xff; 64][..]).is_err());
    }
}
