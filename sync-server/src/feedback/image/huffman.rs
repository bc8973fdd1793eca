//! The entropy-coded data of a sequential JPEG, read wholly without making pixels.
//!
//! Each code of each coefficient is decoded, as it says where the next one begins, and no
//! coefficient is kept. That finds all that can be wrong with such data, data that ends
//! before the picture does among it, in less than half of the time that pixels take.
//!
//! **Invariant:** [`walk`] calls whole only what has every block of every component in the
//! bytes it was given. What it doesn't know, it leaves to the decoder.

use super::jpeg::segment;
use super::{Fault, scan};

/// Bits by which most codes are told; the others take all of [`CODE_BITS`].
const NEAR_BITS: u32 = 10;
/// The longest code.
const CODE_BITS: u32 = 16;
/// Bits that a code and its number have at most.
const STEP_BITS: u32 = CODE_BITS + 15;
/// Places of a block.
const BLOCK: u8 = 64;
/// What a code of a block's end adds to the place: more than any other reaches.
const END: u8 = 128;
/// Zeros behind the data, so that a block can be read without asking where they begin.
const BEYOND: usize = BLOCK as usize * STEP_BITS as usize / 8 + 16;

/// What a code says.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// Bits of the code and of the number behind it; 0 where there is no such code.
    bits: u8,
    /// How far it moves the place in the block.
    places: u8,
}

/// A table of codes.
struct Codes {
    /// What the next [`NEAR_BITS`] say, where they are enough.
    near: Vec<Step>,
    /// The longer codes: the number of [`CODE_BITS`] that the next code begins at.
    far: Vec<(usize, Step)>,
}

impl Codes {
    /// Codes of which there are `counts` of each length, in the order of `symbols`.
    fn new(counts: &[u8], symbols: &[u8], dc: bool) -> Option<Self> {
        let mut near = vec![Step::default(); 1 << NEAR_BITS];
        let mut far = Vec::new();
        let mut symbols = symbols.iter();
        let mut at = 0_usize;
        for (count, length) in counts.iter().zip(1_u8..) {
            for symbol in symbols.by_ref().take(usize::from(*count)) {
                let (run, size) = (symbol >> 4, symbol & 15);
                let (bits, places) = match (dc, run, size) {
                    (true, 0, _) => (length + size, 1),
                    (true, ..) => return None,
                    (false, 15, 0) => (length, 16),
                    (false, _, 0) => (length, END),
                    (false, ..) => (length + size, run + 1),
                };
                let step = Step { bits, places };
                let next = at + (1 << (CODE_BITS - u32::from(length)));
                if u32::from(length) <= NEAR_BITS {
                    let beyond = CODE_BITS - NEAR_BITS;
                    near.get_mut(at >> beyond..next >> beyond)?.fill(step);
                } else if next <= 1 << CODE_BITS {
                    far.push((next, step));
                } else {
                    return None;
                }
                at = next;
            }
        }
        Some(Self { near, far })
    }

    fn step(&self, window: u64) -> Step {
        let near = self.near[(window >> (64 - NEAR_BITS)) as usize];
        if near.bits > 0 {
            return near;
        }
        let code = (window >> (64 - CODE_BITS)) as usize;
        let before = self.far.partition_point(|(next, _)| *next <= code);
        self.far
            .get(before)
            .map_or(Step::default(), |(_, step)| *step)
    }
}

/// What the segments before a scan say.
#[derive(Default)]
struct Tables {
    dc: [Option<Codes>; 4],
    ac: [Option<Codes>; 4],
    /// Which quantisation tables there are.
    quantisation: [bool; 4],
    /// Units between two restarts; 0 for no restarts.
    restart_units: usize,
}

impl Tables {
    fn add_codes(&mut self, mut data: &[u8]) -> Option<()> {
        while let Some((class, rest)) = data.split_first() {
            let (counts, rest) = rest.split_at_checked(16)?;
            let number = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(number)?;
            let codes = Codes::new(counts, symbols, class >> 4 == 0)?;
            let place = match class >> 4 {
                0 => self.dc.get_mut(usize::from(class & 15)),
                1 => self.ac.get_mut(usize::from(class & 15)),
                _ => None,
            };
            *place? = Some(codes);
            data = rest;
        }
        Some(())
    }

    fn add_quantisation(&mut self, mut data: &[u8]) -> Option<()> {
        while let Some((class, rest)) = data.split_first() {
            *self.quantisation.get_mut(usize::from(class & 15))? = true;
            let bytes = if class >> 4 == 0 { 64 } else { 128 };
            data = rest.get(bytes..)?;
        }
        Some(())
    }
}

/// A picture of components in one scan, the first of which may be finer than the others.
struct Frame {
    units: usize,
    /// Of each component: its name, its quantisation table, its blocks in a unit.
    components: Vec<(u8, u8, usize)>,
}

impl Frame {
    fn new(data: &[u8]) -> Option<Self> {
        let (head, components) = data.split_at_checked(6)?;
        let side = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
        let known = head[0] == 8 && matches!(head[5], 1 | 3);
        if !known || components.len() != usize::from(head[5]) * 3 {
            return None;
        }
        let (mut wide, mut high) = (8, 8);
        let mut found = Vec::new();
        for (i, component) in components.chunks_exact(3).enumerate() {
            let [name, sampling, table] = *component.first_chunk()?;
            let blocks = match sampling {
                0x11 => 1,
                0x12 | 0x21 | 0x22 if i == 0 && head[5] == 3 => {
                    wide *= usize::from(sampling >> 4);
                    high *= usize::from(sampling & 15);
                    usize::from((sampling >> 4) * (sampling & 15))
                }
                _ => return None,
            };
            found.push((name, table, blocks));
        }
        Some(Self {
            units: side(3).div_ceil(wide) * side(1).div_ceil(high),
            components: found,
        })
    }

    /// The codes of each block of a unit, as the scan's head has them.
    fn blocks<'a>(&self, head: &[u8], tables: &'a Tables) -> Option<Vec<[&'a Codes; 2]>> {
        let (count, rest) = head.split_first()?;
        let (chosen, rest) = rest.split_at_checked(self.components.len() * 2)?;
        if usize::from(*count) != self.components.len() || rest != [0, 63, 0] {
            return None;
        }
        let mut blocks = Vec::new();
        for ((name, table, number), chosen) in self.components.iter().zip(chosen.chunks_exact(2)) {
            let [scanned, codes] = *chosen.first_chunk()?;
            let quantised = *tables.quantisation.get(usize::from(*table))?;
            if scanned != *name || !quantised {
                return None;
            }
            let dc = tables.dc.get(usize::from(codes >> 4))?.as_ref()?;
            let ac = tables.ac.get(usize::from(codes & 15))?.as_ref()?;
            blocks.extend(std::iter::repeat_n([dc, ac], *number));
        }
        Some(blocks)
    }
}

/// Whether a JPEG has all of its pixels; `None` where it is of a form that isn't known
/// here. Its segments have been looked at.
pub(super) fn walk(bytes: &[u8]) -> Option<Result<(), Fault>> {
    let mut tables = Tables::default();
    let mut frame = None;
    let mut at = 2;
    loop {
        let (marker, data, next) = segment(bytes, at)?;
        at = next;
        match marker {
            0xc0 | 0xc1 if frame.is_none() => frame = Some(Frame::new(data)?),
            0xc4 => tables.add_codes(data)?,
            0xdb => tables.add_quantisation(data)?,
            0xdd => tables.restart_units = usize::from(u16::from_be_bytes(*data.first_chunk()?)),
            0xe0..=0xef | 0xfe => {}
            0xda => {
                let frame = frame?;
                let blocks = frame.blocks(data, &tables)?;
                // One scan has it all: the picture's end is what follows.
                let scan = bytes.get(at..)?.strip_suffix(b"\xff\xd9")?;
                return walk_scan(scan, &blocks, frame.units, tables.restart_units);
            }
            _ => return None,
        }
    }
}

fn walk_scan(
    mut data: &[u8],
    blocks: &[[&Codes; 2]],
    mut units: usize,
    restart_units: usize,
) -> Option<Result<(), Fault>> {
    let mut buffer = Vec::with_capacity(data.len() + BEYOND);
    let mut restart = 0;
    loop {
        let marker;
        (marker, data) = unstuff(data, &mut buffer)?;
        let last = restart_units == 0 || units <= restart_units;
        let part = if last { units } else { restart_units };
        let whole = walk_part(&mut buffer, blocks, part);
        match (whole, marker) {
            (Err(fault), _) => return Some(Err(fault)),
            (Ok(()), None) if last => return Some(Ok(())),
            (Ok(()), Some(found)) if !last && found == restart => {}
            (Ok(()), _) => return Some(Err(Fault::Damaged)),
        }
        units -= part;
        restart = (restart + 1) % 8;
    }
}

/// Takes the data up to a restart, or its end, out of its stuffing; then the restart's
/// number, and what follows it.
fn unstuff<'a>(mut data: &'a [u8], into: &mut Vec<u8>) -> Option<(Option<u8>, &'a [u8])> {
    into.clear();
    while let Some(found) = data.iter().position(|byte| *byte == 0xff) {
        let (plain, rest) = data.split_at(found);
        into.extend_from_slice(plain);
        match rest.get(1)? {
            0 => into.push(0xff),
            restart @ 0xd0..=0xd7 => return Some((Some(restart - 0xd0), &rest[2..])),
            _ => return None,
        }
        data = &rest[2..];
    }
    into.extend_from_slice(data);
    Some((None, &[]))
}

/// Reads all blocks of units out of data that has no restart.
fn walk_part(data: &mut Vec<u8>, blocks: &[[&Codes; 2]], units: usize) -> Result<(), Fault> {
    let end = data.len() * 8;
    data.resize(data.len() + BEYOND, 0);
    let mut bits = Bits {
        data,
        at: 0,
        window: 0,
        left: 0,
    };
    for _ in 0..units {
        for [dc, ac] in blocks {
            let mut place = bits.take(dc)?;
            while place < BLOCK {
                place += bits.take(ac)?;
            }
            if bits.at > end || (place > BLOCK && place < END) {
                return Err(Fault::Damaged);
            }
        }
    }
    // Some programs leave bytes here that no decoder reads.
    scan(&bits.data[bits.at.div_ceil(8)..end / 8])
}

/// Data, and the bits of it that come next.
struct Bits<'a> {
    data: &'a [u8],
    /// Bits that were taken.
    at: usize,
    /// The bits behind them, from the highest on.
    window: u64,
    /// How many of these there are at least.
    left: u32,
}

impl Bits<'_> {
    /// Takes a code and its number; tells how far that moves the place in the block.
    #[inline]
    fn take(&mut self, codes: &Codes) -> Result<u8, Fault> {
        if self.left < STEP_BITS {
            let bytes = self.data.get(self.at / 8..).and_then(<[u8]>::first_chunk);
            let bytes = u64::from_be_bytes(*bytes.ok_or(Fault::Damaged)?);
            self.window = bytes << (self.at % 8);
            self.left = 57;
        }
        let Step { bits, places } = codes.step(self.window);
        if bits == 0 {
            return Err(Fault::Damaged);
        }
        self.window <<= bits;
        self.left -= u32::from(bits);
        self.at += usize::from(bits);
        Ok(places)
    }
}
