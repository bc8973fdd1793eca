//! What the segments of a JPEG say of its scans: codes, components, and which bits of
//! which coefficients each scan brings.

use super::huffman::{BLOCK, Codes, Meaning};

/// How a JPEG is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In one sequential scan of grey or three colours, as nearly all are.
    Plain,
    /// In another way.
    Rare,
}

/// Codes as a segment defines them.
type Definition<'a> = (&'a [u8], &'a [u8]);

/// What the segments before a scan say.
#[derive(Default)]
pub(super) struct Tables<'a> {
    dc: [Option<Definition<'a>>; 4],
    ac: [Option<Definition<'a>>; 4],
    /// Which quantisation tables there are.
    pub(super) quantisation: [bool; 4],
    /// Units between two restarts; 0 for no restarts.
    pub(super) restart_units: usize,
}

impl<'a> Tables<'a> {
    pub(super) fn add_codes(&mut self, mut data: &'a [u8]) -> Option<()> {
        while let Some((class, rest)) = data.split_first() {
            let (counts, rest) = rest.split_at_checked(16)?;
            let number = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(number)?;
            let place = match class >> 4 {
                0 => self.dc.get_mut(usize::from(class & 15)),
                1 => self.ac.get_mut(usize::from(class & 15)),
                _ => None,
            };
            *place? = Some((counts, symbols));
            data = rest;
        }
        Some(())
    }

    pub(super) fn add_quantisation(&mut self, mut data: &[u8]) -> Option<()> {
        while let Some((class, rest)) = data.split_first() {
            *self.quantisation.get_mut(usize::from(class & 15))? = true;
            let bytes = match class >> 4 {
                0 => 64,
                1 => 128,
                _ => return None,
            };
            data = rest.get(bytes..)?;
        }
        Some(())
    }

    pub(super) fn dc(&self, number: u8, meaning: Meaning) -> Option<Codes> {
        let (counts, symbols) = (*self.dc.get(usize::from(number))?)?;
        Codes::new(counts, symbols, meaning)
    }

    pub(super) fn ac(&self, number: u8, meaning: Meaning) -> Option<Codes> {
        let (counts, symbols) = (*self.ac.get(usize::from(number))?)?;
        Codes::new(counts, symbols, meaning)
    }
}

pub(super) struct Component {
    name: u8,
    /// Blocks in a unit of several components, across and down.
    pub(super) across: usize,
    pub(super) down: usize,
    pub(super) quantisation: u8,
    /// Blocks of the picture.
    pub(super) blocks: usize,
    /// Of each coefficient, how many of its lowest bits are still to come; `None` where all
    /// are.
    missing_bits: [Option<u8>; BLOCK as usize],
    /// Of each block of a progressive picture, which coefficients aren't zero.
    pub(super) set: Vec<u64>,
}

pub(super) struct Frame {
    pub(super) progressive: bool,
    /// Units of several components.
    pub(super) units: usize,
    pub(super) components: Vec<Component>,
}

impl Frame {
    pub(super) fn new(data: &[u8], progressive: bool) -> Option<Self> {
        let (head, described) = data.split_at_checked(6)?;
        let side = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
        let (high, wide) = (side(1), side(3));
        if described.is_empty() || described.len() != usize::from(head[5]) * 3 {
            return None;
        }
        let sampling = |component: &[u8]| {
            let (across, down) = (component[1] >> 4, component[1] & 15);
            let known = (1..=4).contains(&across) && (1..=4).contains(&down);
            known.then_some((usize::from(across), usize::from(down)))
        };
        let (mut most_across, mut most_down) = (1, 1);
        for component in described.chunks_exact(3) {
            let (across, down) = sampling(component)?;
            (most_across, most_down) = (most_across.max(across), most_down.max(down));
        }
        let mut components: Vec<Component> = Vec::new();
        for component in described.chunks_exact(3) {
            let (across, down) = sampling(component)?;
            if components.iter().any(|other| other.name == component[0]) {
                return None;
            }
            let columns = (wide * across).div_ceil(most_across).div_ceil(8);
            let rows = (high * down).div_ceil(most_down).div_ceil(8);
            components.push(Component {
                name: component[0],
                across,
                down,
                quantisation: component[2],
                blocks: columns * rows,
                missing_bits: [None; BLOCK as usize],
                set: Vec::new(),
            });
        }
        Some(Self {
            progressive,
            units: wide.div_ceil(8 * most_across) * high.div_ceil(8 * most_down),
            components,
        })
    }

    /// Whether all bits of all coefficients came.
    pub(super) fn is_whole(&self) -> bool {
        let mut missing = self.components.iter().flat_map(|of| of.missing_bits);
        missing.all(|bits| bits == Some(0))
    }
}

/// A scan's head: its components and their tables, and which bits of which coefficients.
pub(super) struct Head {
    /// Of each: its place in the frame, its tables.
    pub(super) components: Vec<(usize, u8, u8)>,
    pub(super) from: u8,
    pub(super) to: u8,
    /// The bit before the one that this scan brings; 0 where it brings the first.
    pub(super) high: u8,
    low: u8,
}

impl Head {
    pub(super) fn new(data: &[u8], frame: &Frame) -> Option<Self> {
        let (count, rest) = data.split_first()?;
        let (chosen, rest) = rest.split_at_checked(usize::from(*count) * 2)?;
        let [from, to, bits] = *rest.first_chunk()?;
        if rest.len() != 3 || chosen.is_empty() {
            return None;
        }
        let mut components: Vec<(usize, u8, u8)> = Vec::new();
        for chosen in chosen.chunks_exact(2) {
            let mut places = frame.components.iter();
            let place = places.position(|component| component.name == chosen[0])?;
            if components.iter().any(|(other, ..)| *other == place) {
                return None;
            }
            components.push((place, chosen[1] >> 4, chosen[1] & 15));
        }
        Some(Self {
            components,
            from,
            to,
            high: bits >> 4,
            low: bits & 15,
        })
    }

    /// Notes which bits of which coefficients this scan brings: none twice, and no further
    /// one before the first.
    pub(super) fn note(&self, frame: &mut Frame) -> Option<()> {
        let (from, to, high, low) = if frame.progressive {
            (self.from, self.to, self.high, self.low)
        } else {
            (0, BLOCK - 1, 0, 0)
        };
        let first_alone = from == 0 && to == 0;
        let band = (1..=to).contains(&from) && to < BLOCK && self.components.len() == 1;
        let known = !frame.progressive || first_alone || band;
        if !known || low > 13 || (high > 0 && high != low + 1) {
            return None;
        }
        let before = (high > 0).then_some(high);
        for (place, ..) in &self.components {
            let component = &mut frame.components[*place];
            let band = &mut component.missing_bits[usize::from(from)..=usize::from(to)];
            if band.iter().any(|missing| *missing != before) {
                return None;
            }
            band.fill(Some(low));
        }
        Some(())
    }
}

pub(super) fn is_plain(frame: &Frame, head: &Head) -> bool {
    let sampling = |component: &Component| (component.across, component.down);
    let sampling: Vec<(usize, usize)> = frame.components.iter().map(sampling).collect();
    let known = matches!(sampling[..], [(1, 1)] | [(1 | 2, 1 | 2), (1, 1), (1, 1)]);
    known
        && !frame.progressive
        && head.components.len() == sampling.len()
        && [head.from, head.to, head.high, head.low] == [0, BLOCK - 1, 0, 0]
}
