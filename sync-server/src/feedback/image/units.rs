//! The units of a JPEG's scan, read code by code.
//!
//! No coefficient is kept, of a progressive picture only whether it is zero: a later scan
//! has a further bit of each that isn't.

use super::Fault;
use super::frame::{Frame, Head, Tables};
use super::huffman::{BLOCK, Bits, Codes, END, Meaning};

/// Blocks that a unit of several components has at most.
const UNIT_BLOCKS_MAX: usize = 10;

/// What each unit of a scan holds.
pub(super) enum Unit<'a> {
    /// Whole blocks, each by its two tables.
    Whole(Vec<usize>, Vec<[Codes; 2]>),
    /// The first bits of the first coefficient of each block.
    First(Vec<usize>, Vec<Codes>),
    /// So many further bits, one of each block's first coefficient.
    FirstRefined(usize),
    /// The first bits of other coefficients of one block.
    Band(Codes, &'a mut Vec<u64>, [u8; 2]),
    /// One further bit of other coefficients of one block.
    BandRefined(Codes, &'a mut Vec<u64>, [u8; 2]),
}

impl<'a> Unit<'a> {
    /// What each unit holds, and how many units there are.
    pub(super) fn new(
        head: &Head,
        frame: &'a mut Frame,
        tables: &Tables<'_>,
    ) -> Option<(Self, usize)> {
        let alone = head.components.len() == 1;
        // A component that has a scan to itself has one block in each unit.
        let mut order = Vec::new();
        for (i, (place, ..)) in head.components.iter().enumerate() {
            let component = &frame.components[*place];
            if !*tables
                .quantisation
                .get(usize::from(component.quantisation))?
            {
                return None;
            }
            let blocks = if alone {
                1
            } else {
                component.across * component.down
            };
            order.extend(std::iter::repeat_n(i, blocks));
        }
        if order.len() > UNIT_BLOCKS_MAX {
            return None;
        }
        let number = if alone {
            frame.components[head.components[0].0].blocks
        } else {
            frame.units
        };
        let dc = |meaning| -> Option<Vec<Codes>> {
            let components = head.components.iter();
            components
                .map(|(_, dc, _)| tables.dc(*dc, meaning))
                .collect()
        };
        let unit = if !frame.progressive {
            let ac = head.components.iter();
            let ac = ac.map(|(.., ac)| tables.ac(*ac, Meaning::Ac));
            let both = dc(Meaning::Dc)?.into_iter().zip(ac);
            let both = both
                .map(|(dc, ac)| Some([dc, ac?]))
                .collect::<Option<_>>()?;
            Self::Whole(order, both)
        } else if head.to == 0 {
            match head.high {
                0 => Self::First(order, dc(Meaning::Dc)?),
                _ => Self::FirstRefined(order.len()),
            }
        } else {
            let (place, _, ac) = head.components[0];
            let codes = tables.ac(ac, Meaning::Symbol)?;
            let set = &mut frame.components[place].set;
            set.resize(number, 0);
            let band = [head.from, head.to];
            match head.high {
                0 => Self::Band(codes, set, band),
                _ => Self::BandRefined(codes, set, band),
            }
        };
        Some((unit, number))
    }

    /// Reads units one after the other, between two restarts.
    pub(super) fn read<'b>(
        &mut self,
        mut bits: Bits<'b>,
        units: std::ops::Range<usize>,
    ) -> Result<Bits<'b>, Fault> {
        match self {
            Self::Whole(order, codes) => {
                let codes: Vec<&[Codes; 2]> = order.iter().map(|i| &codes[*i]).collect();
                return read_whole(bits, &codes, units.len());
            }
            Self::First(order, codes) => {
                for _ in units {
                    for codes in order.iter().map(|i| &codes[*i]) {
                        bits.take(codes)?;
                        bits.within()?;
                    }
                }
            }
            Self::FirstRefined(blocks) => {
                for _ in 0..units.len() * *blocks {
                    bits.number(1)?;
                    bits.within()?;
                }
            }
            Self::Band(codes, set, band) => {
                let mut empty = 0;
                for set in &mut set[units] {
                    read_band(&mut bits, codes, set, *band, &mut empty)?;
                    bits.within()?;
                }
            }
            Self::BandRefined(codes, set, band) => {
                let mut empty = 0;
                for set in &mut set[units] {
                    refine_band(&mut bits, codes, set, *band, &mut empty)?;
                    bits.within()?;
                }
            }
        }
        Ok(bits)
    }
}

/// Reads so many units of whole blocks. The bits are passed by value, so that they stay in
/// registers: this is where the time goes.
fn read_whole<'a>(
    mut bits: Bits<'a>,
    codes: &[&[Codes; 2]],
    units: usize,
) -> Result<Bits<'a>, Fault> {
    for _ in 0..units {
        for [dc, ac] in codes {
            let mut place = bits.take(dc)?;
            while place < BLOCK {
                place += bits.take(ac)?;
            }
            bits.within()?;
            if place > BLOCK && place < END {
                return Err(Fault::Damaged);
            }
        }
    }
    Ok(bits)
}

/// How many blocks have nothing more, this one among them.
fn empty_blocks(bits: &mut Bits<'_>, size: u8) -> Result<u32, Fault> {
    Ok((1 << size) + bits.number(size)?)
}

/// Reads which coefficients of a block aren't zero, and their first bits.
fn read_band(
    bits: &mut Bits<'_>,
    codes: &Codes,
    set: &mut u64,
    [from, to]: [u8; 2],
    empty: &mut u32,
) -> Result<(), Fault> {
    let mut place = from;
    while *empty == 0 && place <= to {
        let symbol = bits.take(codes)?;
        let (run, size) = (symbol >> 4, symbol & 15);
        place += run;
        match (run, size) {
            (15, 0) => {}
            (_, 0) => {
                *empty = empty_blocks(bits, run)?;
                break;
            }
            _ if place > to => return Err(Fault::Damaged),
            _ => {
                bits.number(size)?;
                *set |= 1 << place;
            }
        }
        place += 1;
    }
    *empty = empty.saturating_sub(1);
    Ok(())
}

/// Reads a further bit of each coefficient that isn't zero, and which become so.
fn refine_band(
    bits: &mut Bits<'_>,
    codes: &Codes,
    set: &mut u64,
    [from, to]: [u8; 2],
    empty: &mut u32,
) -> Result<(), Fault> {
    let mut place = from;
    while *empty == 0 && place <= to {
        let symbol = bits.take(codes)?;
        let (mut run, size) = (symbol >> 4, symbol & 15);
        match (run, size) {
            (15, 0) => {}
            (_, 0) => {
                *empty = empty_blocks(bits, run)?;
                break;
            }
            (_, 1) => drop(bits.number(1)?),
            _ => return Err(Fault::Damaged),
        }
        // So many that stay zero are passed, and all that aren't.
        while place <= to {
            if *set >> place & 1 == 1 {
                bits.number(1)?;
            } else if run == 0 {
                break;
            } else {
                run -= 1;
            }
            place += 1;
        }
        if size == 1 {
            if place > to {
                return Err(Fault::Damaged);
            }
            *set |= 1 << place;
        }
        place += 1;
    }
    if *empty > 0 {
        for place in place..=to {
            if *set >> place & 1 == 1 {
                bits.number(1)?;
            }
        }
        *empty -= 1;
    }
    Ok(())
}
