//! The entropy-coded data of a JPEG, read wholly without making pixels.
//!
//! Each code of each coefficient is decoded, as it says where the next one begins, and no
//! coefficient is kept, of a progressive picture only whether it is zero. That finds all
//! that can be wrong with such data, data that ends before the picture does among it, in
//! less than half of the time that pixels take.
//!
//! **Invariant:** [`walk`] takes only what has every block of every component in the bytes
//! it was given, of a progressive picture every bit of them.

use super::Fault;
use super::foreign::scan;
use super::frame::{Form, Frame, Head, Tables, is_plain};
use super::huffman::Bits;
use super::jpeg::segment;
use super::units::Unit;

/// Bytes behind the last code of a scan, other than zeros, that are taken: some cameras and
/// programs leave a few that no decoder reads.
const EXTRA_BYTES_MAX: usize = 16;
/// Reads all of a JPEG whose segments have been looked at; tells how it is written.
pub(super) fn walk(bytes: &[u8]) -> Result<Form, Fault> {
    let mut tables = Tables::default();
    let mut frame = None;
    let mut form = Form::Rare;
    let mut scans = 0;
    let mut at = 2;
    loop {
        let (marker, data, next) = segment(bytes, at).ok_or(Fault::Damaged)?;
        at = next;
        let known = match marker {
            0xc0..=0xc2 => {
                let found = Frame::new(data, marker == 0xc2);
                frame = found;
                frame.is_some().then_some(())
            }
            0xc4 => tables.add_codes(data),
            0xdb => tables.add_quantisation(data),
            0xdd => {
                let units = data.first_chunk().map(|units| u16::from_be_bytes(*units));
                units.map(|units| tables.restart_units = usize::from(units))
            }
            0xda => {
                let frame = frame.as_mut().ok_or(Fault::Damaged)?;
                let head = Head::new(data, frame).ok_or(Fault::Damaged)?;
                head.note(frame).ok_or(Fault::Damaged)?;
                scans += 1;
                form = if scans == 1 && is_plain(frame, &head) {
                    Form::Plain
                } else {
                    Form::Rare
                };
                let (unit, number) = Unit::new(&head, frame, &tables).ok_or(Fault::Damaged)?;
                let behind = read_scan(&bytes[at..], unit, number, tables.restart_units)?;
                at = bytes.len() - behind.len();
                Some(())
            }
            0xd9 => {
                let whole = frame.is_some_and(|frame: Frame| frame.is_whole());
                return whole.then_some(form).ok_or(Fault::Damaged);
            }
            _ => Some(()),
        };
        known.ok_or(Fault::Damaged)?;
    }
}

/// Reads the scan that `data` begins with; tells what follows it.
fn read_scan<'a>(
    mut data: &'a [u8],
    mut unit: Unit<'_>,
    units: usize,
    restart_units: usize,
) -> Result<&'a [u8], Fault> {
    let mut buffer = Vec::with_capacity(data.len());
    let (mut done, mut restart) = (0, 0);
    loop {
        let marker;
        (marker, data) = unstuff(data, &mut buffer);
        let last = restart_units == 0 || units - done <= restart_units;
        let part = if last { units - done } else { restart_units };
        let bits = unit.read(Bits::new(&mut buffer), done..done + part)?;
        let rest = bits.rest();
        let extra_bytes = rest.iter().filter(|byte| **byte != 0).count();
        if extra_bytes > if last { EXTRA_BYTES_MAX } else { 0 } {
            return Err(Fault::Trailing);
        }
        scan(rest)?;
        match marker {
            None if last => return Ok(data),
            Some(found) if !last && found == restart => {}
            _ => return Err(Fault::Damaged),
        }
        done += part;
        restart = (restart + 1) % 8;
    }
}

/// Takes the data up to the next marker out of its stuffing; then the number of a restart
/// and what follows it, or another marker and what follows it.
fn unstuff<'a>(mut data: &'a [u8], into: &mut Vec<u8>) -> (Option<u8>, &'a [u8]) {
    into.clear();
    while let Some(found) = data.iter().position(|byte| *byte == 0xff) {
        let (plain, rest) = data.split_at(found);
        into.extend_from_slice(plain);
        data = match rest.get(1) {
            Some(restart @ 0xd0..=0xd7) => return (Some(restart - 0xd0), &rest[2..]),
            // Any number of these may stand before a marker.
            Some(0xff) => &rest[1..],
            Some(0) => {
                into.push(0xff);
                &rest[2..]
            }
            Some(_) | None => return (None, rest),
        };
    }
    into.extend_from_slice(data);
    (None, &[])
}
