//! Deflated data that lies in parts, read to its last byte.
//!
//! **Invariant:** a stream is taken only where it is whole, its checksum is right and its
//! last byte is the last one that there is.

/// How far deflated data refers back; the inflater finds that in its buffer.
const WINDOW: usize = 32 << 10;
/// The inflater's buffer.
const BUFFER: usize = 4 * WINDOW;
/// Bytes at the stream's end that the inflater gets one by one. It reads up to eight ahead,
/// and only so it can be told which of them was the last one that it needed.
const AHEAD: usize = 8;

/// Inflates a stream piece by piece into `take`, which says `None` at the first byte that
/// is too many; `None` too where the stream isn't whole, or isn't all that there is.
pub(super) fn inflate(parts: &[&[u8]], mut take: impl FnMut(&[u8]) -> Option<()>) -> Option<()> {
    let mut inflater = Inflater {
        stream: fdeflate::Decompressor::new(),
        buffer: vec![0; BUFFER],
        filled: 0,
    };
    let mut left: usize = parts.iter().map(|part| part.len()).sum();
    for part in parts {
        let mut part = *part;
        while !part.is_empty() {
            let some = if left > AHEAD {
                part.len().min(left - AHEAD)
            } else {
                1
            };
            let (now, later) = part.split_at(some);
            inflater.feed(now, &mut take)?;
            left -= some;
            part = later;
        }
    }
    inflater.stream.is_done().then_some(())
}

struct Inflater {
    stream: fdeflate::Decompressor,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were made.
    filled: usize,
}

impl Inflater {
    /// Inflates all of `bytes`; `None` where that can't be, or the stream is over.
    fn feed(&mut self, mut bytes: &[u8], take: &mut impl FnMut(&[u8]) -> Option<()>) -> Option<()> {
        loop {
            let read = self
                .stream
                .read(bytes, &mut self.buffer, self.filled, false);
            let (read_bytes, made) = read.ok()?;
            bytes = &bytes[read_bytes..];
            let end = self.filled + made;
            take(&self.buffer[self.filled..end])?;
            self.filled = end;
            if end < BUFFER {
                // There was room for more: only the stream's end leaves bytes then.
                return bytes.is_empty().then_some(());
            }
            self.buffer.copy_within(BUFFER - WINDOW.., 0);
            self.filled = WINDOW;
        }
    }
}
