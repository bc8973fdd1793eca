//! Codes of a JPEG's entropy-coded data, and the bits that they are read from.

use super::Fault;

/// Bits by which most codes are told; the others take all of [`CODE_BITS`].
const NEAR_BITS: u32 = 10;
/// The longest code.
const CODE_BITS: u32 = 16;
/// Bits that a code and its number have at most.
const STEP_BITS: u32 = CODE_BITS + 15;
/// Places of a block.
pub(super) const BLOCK: u8 = 64;
/// What a code of a block's end adds to the place: more than any other reaches.
pub(super) const END: u8 = 128;
/// Zeros behind the data, so that a block can be read without asking where they begin: a
/// step for each place, and a bit for each that is refined.
const BEYOND: usize = BLOCK as usize * (STEP_BITS as usize + 1) / 8 + 16;

/// What codes stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The first number of a block.
    Dc,
    /// Another number of a block, and how many zeros come before it.
    Ac,
    /// What they say is used as it is.
    Symbol,
}

/// What a code says.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// Bits of the code and of the number behind it; 0 where there is no such code.
    bits: u8,
    /// How far it moves the place in the block, or the symbol.
    says: u8,
}

/// A table of codes.
pub(super) struct Codes {
    /// What the next [`NEAR_BITS`] say, where they are enough.
    near: Vec<Step>,
    /// The longer codes: the number of [`CODE_BITS`] that the next code begins at.
    far: Vec<(usize, Step)>,
}

impl Codes {
    /// Codes of which there are `counts` of each length, in the order of `symbols`.
    pub(super) fn new(counts: &[u8], symbols: &[u8], meaning: Meaning) -> Option<Self> {
        let mut near = vec![Step::default(); 1 << NEAR_BITS];
        let mut far = Vec::new();
        let mut symbols = symbols.iter();
        let mut at = 0_usize;
        for (count, length) in counts.iter().zip(1_u8..) {
            for symbol in symbols.by_ref().take(usize::from(*count)) {
                let (run, size) = (symbol >> 4, symbol & 15);
                let (bits, says) = match (meaning, run, size) {
                    (Meaning::Symbol, ..) => (length, *symbol),
                    (Meaning::Dc, 0, _) => (length + size, 1),
                    (Meaning::Dc, ..) => return None,
                    (Meaning::Ac, 15, 0) => (length, 16),
                    (Meaning::Ac, _, 0) => (length, END),
                    (Meaning::Ac, ..) => (length + size, run + 1),
                };
                let step = Step { bits, says };
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

/// Data without restarts, and the bits of it that come next.
pub(super) struct Bits<'a> {
    /// With [`BEYOND`] zeros at its end.
    data: &'a [u8],
    /// Bits that were taken.
    at: usize,
    /// Where the data ends and the zeros begin.
    end: usize,
    /// The bits that come next, from the highest on.
    window: u64,
    /// How many of these there are at least.
    left: u32,
}

impl<'a> Bits<'a> {
    /// Reads `data`, to which zeros are added.
    pub(super) fn new(data: &'a mut Vec<u8>) -> Self {
        let end = data.len() * 8;
        data.resize(data.len() + BEYOND, 0);
        Self {
            data,
            at: 0,
            end,
            window: 0,
            left: 0,
        }
    }

    /// Has a step's bits in the window.
    #[inline]
    fn have(&mut self) -> Result<(), Fault> {
        if self.left < STEP_BITS {
            let bytes = self.data.get(self.at / 8..).and_then(<[u8]>::first_chunk);
            let bytes = u64::from_be_bytes(*bytes.ok_or(Fault::Damaged)?);
            self.window = bytes << (self.at % 8);
            self.left = 57;
        }
        Ok(())
    }

    #[inline]
    fn drop(&mut self, number: u8) {
        self.window <<= number;
        self.left -= u32::from(number);
        self.at += usize::from(number);
    }

    /// Takes a code and its number; tells what it says.
    #[inline]
    pub(super) fn take(&mut self, codes: &Codes) -> Result<u8, Fault> {
        self.have()?;
        let Step { bits, says } = codes.step(self.window);
        if bits == 0 {
            return Err(Fault::Damaged);
        }
        self.drop(bits);
        Ok(says)
    }

    /// Takes up to 15 bits as a number.
    pub(super) fn number(&mut self, bits: u8) -> Result<u32, Fault> {
        if bits == 0 {
            return Ok(0);
        }
        self.have()?;
        let number = self.window >> (64 - u32::from(bits));
        self.drop(bits);
        u32::try_from(number).map_err(|_| Fault::Damaged)
    }

    /// Whether all that was taken was there. To be asked at each block's end.
    #[inline]
    pub(super) fn within(&self) -> Result<(), Fault> {
        if self.at > self.end {
            return Err(Fault::Damaged);
        }
        Ok(())
    }

    /// The whole bytes that weren't taken.
    pub(super) fn rest(&self) -> &[u8] {
        let taken = self.at.div_ceil(8);
        self.data.get(taken..self.end / 8).unwrap_or_default()
    }
}
