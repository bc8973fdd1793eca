//! The pixels of a lossless WebP, read wholly without making them.
//!
//! As with a JPEG (`scans.rs`), each code is decoded, as it says where the next begins,
//! and no pixel is kept. What depends on pixels (codes chosen by a picture of their own, as
//! programs that try hard write them) is left to the decoder, and so is whatever looks
//! wrong: it has the last word.
//!
//! **Invariant:** [`is_whole`] is true only of data that has every pixel and no byte more.

/// The longest code, and of codes of codes' lengths.
const CODE_BITS: usize = 15;
/// Zeros behind the data, so that a window of 8 bytes can be read at its end.
const BEYOND: usize = 8;
/// Literals and lengths; codes of cached colours follow.
const GREEN: usize = 256 + 24;
/// The other alphabets: red, blue, alpha, distances.
const OTHERS: [usize; 4] = [256, 256, 256, 40];
/// In which order the lengths of the codes of lengths come.
const LENGTHS_ORDER: [usize; 19] = [
    17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
];
/// The first so many distances name pixels of the rows above.
const NEAR: usize = 120;

/// Whether the payload of a `VP8L` chunk has all pixels of a picture and nothing behind
/// them.
pub(super) fn is_whole(data: &[u8], width: u32, height: u32) -> bool {
    let mut padded = Vec::with_capacity(data.len() + BEYOND);
    padded.extend_from_slice(data);
    padded.extend([0; BEYOND]);
    let mut bits = Bits {
        data: &padded,
        at: 0,
        window: 0,
        left: 0,
    };
    let read = picture(&mut bits, width as usize, height as usize);
    read.is_some() && bits.at.div_ceil(8) == data.len()
}

fn picture(bits: &mut Bits<'_>, width: usize, height: usize) -> Option<()> {
    let head = (bits.take(8)?, bits.take(14)? + 1, bits.take(14)? + 1);
    let (_alpha, version) = (bits.take(1)?, bits.take(3)?);
    if head != (0x2f, width, height) || version != 0 {
        return None;
    }
    let mut columns = width;
    let mut seen = [false; 4];
    while bits.take(1)? == 1 {
        let transform = bits.take(2)?;
        if std::mem::replace(&mut seen[transform], true) {
            return None;
        }
        match transform {
            // Predictors and colours, of blocks of pixels.
            0 | 1 => {
                let side = 1 << (bits.take(3)? + 2);
                pixels(bits, columns.div_ceil(side), height.div_ceil(side), false)?;
            }
            // Green was subtracted.
            2 => {}
            // A palette; of a small one, several pixels are one.
            _ => {
                let colours = bits.take(8)? + 1;
                pixels(bits, colours, 1, false)?;
                columns = columns.div_ceil(match colours {
                    1..=2 => 8,
                    3..=4 => 4,
                    5..=16 => 2,
                    _ => 1,
                });
            }
        }
    }
    pixels(bits, columns, height, true)
}

/// Reads the codes of an image, then its pixels. Only the picture itself (`main`) may
/// choose its codes by another image.
fn pixels(bits: &mut Bits<'_>, columns: usize, rows: usize, main: bool) -> Option<()> {
    let cached = if bits.take(1)? == 1 {
        let size = bits.take(4)?;
        if !(1..=11).contains(&size) {
            return None;
        }
        1 << size
    } else {
        0
    };
    if main && bits.take(1)? == 1 {
        return None;
    }
    let green = Codes::read(bits, GREEN + cached)?;
    let [red, blue, alpha, distances] = {
        let [a, b, c, d] = OTHERS.map(|symbols| Codes::read(bits, symbols));
        [a?, b?, c?, d?]
    };
    let number = columns * rows;
    if [&green, &red, &blue, &alpha]
        .iter()
        .all(|codes| codes.alone)
        && green.first() < 256
    {
        return Some(());
    }
    let mut at = 0;
    while at < number {
        match bits.symbol(&green)? {
            0..256 => {
                bits.symbol(&red)?;
                bits.symbol(&blue)?;
                bits.symbol(&alpha)?;
                at += 1;
            }
            symbol @ 256..GREEN => {
                let length = bits.distance(symbol - 256)?;
                let symbol = bits.symbol(&distances)?;
                let back = match bits.distance(symbol)? {
                    1 => columns,
                    2 => 1,
                    // Some pixel of the seven rows above; which doesn't matter further down.
                    ..=NEAR => 7 * columns + 8,
                    far => far - NEAR,
                };
                if back > at || length > number - at {
                    return None;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    Some(())
}

/// A table of codes, by the bits that come next.
struct Codes {
    /// A symbol and the bits of its code.
    table: Vec<(u16, u8)>,
    mask: u64,
    /// There is one symbol, which takes no bits.
    alone: bool,
}

impl Codes {
    fn read(bits: &mut Bits<'_>, symbols: usize) -> Option<Self> {
        if bits.take(1)? == 1 {
            return Self::simple(bits, symbols);
        }
        let mut lengths = [0; 19];
        for place in LENGTHS_ORDER.iter().take(4 + bits.take(4)?) {
            lengths[*place] = bits.take(3)? as u8;
        }
        let codes = Self::new(&lengths)?;
        let mut left = if bits.take(1)? == 1 {
            let size = 2 + 2 * bits.take(3)?;
            2 + bits.take(size)?
        } else {
            symbols
        };
        if left > symbols {
            return None;
        }
        let mut lengths = Vec::with_capacity(symbols);
        let mut before = 8;
        while lengths.len() < symbols && left > 0 {
            left -= 1;
            let (length, times) = match bits.symbol(&codes)? {
                16 => (before, 3 + bits.take(2)?),
                17 => (0, 3 + bits.take(3)?),
                18 => (0, 11 + bits.take(7)?),
                length => (length as u8, 1),
            };
            if length > 0 {
                before = length;
            }
            lengths.extend(std::iter::repeat_n(length, times));
        }
        (lengths.len() <= symbols).then(|| Self::new(&lengths))?
    }

    /// One symbol or two.
    fn simple(bits: &mut Bits<'_>, symbols: usize) -> Option<Self> {
        let two = bits.take(1)? == 1;
        let size = if bits.take(1)? == 1 { 8 } else { 1 };
        let first = bits.take(size)?;
        let second = if two { bits.take(8)? } else { first };
        if first >= symbols || second >= symbols {
            return None;
        }
        let length = u8::from(two);
        Some(Self {
            table: vec![(first as u16, length), (second as u16, length)],
            mask: 1,
            alone: !two,
        })
    }

    /// Codes of these lengths, which have to use up all there are.
    fn new(lengths: &[u8]) -> Option<Self> {
        let longest = usize::from(*lengths.iter().max()?);
        if longest == 0 {
            return None;
        }
        let mut used = lengths
            .iter()
            .enumerate()
            .filter(|(_, length)| **length > 0);
        if let (Some((only, _)), None) = (used.next(), used.next()) {
            return Some(Self {
                table: vec![(only as u16, 0)],
                mask: 0,
                alone: true,
            });
        }
        let mut table = vec![(0, 0); 1 << longest];
        let mut code = 0_usize;
        for length in 1..=longest {
            for (symbol, _) in
                (lengths.iter().enumerate()).filter(|(_, found)| usize::from(**found) == length)
            {
                if code >= 1 << length {
                    return None;
                }
                // The first bit of a code is the lowest of the data.
                let from = code.reverse_bits() >> (usize::BITS as usize - length);
                for place in (from..1 << longest).step_by(1 << length) {
                    table[place] = (symbol as u16, length as u8);
                }
                code += 1;
            }
            code <<= 1;
        }
        (code == 2 << longest).then_some(Self {
            table,
            mask: (1 << longest) - 1,
            alone: false,
        })
    }

    fn first(&self) -> u16 {
        self.table[0].0
    }
}

/// Data, and the bits of it that come next.
struct Bits<'a> {
    data: &'a [u8],
    /// Bits that were taken.
    at: usize,
    /// The bits behind them, from the lowest on.
    window: u64,
    /// How many of these there are at least.
    left: usize,
}

impl Bits<'_> {
    /// Has so many bits in the window; at most 57.
    #[inline]
    fn have(&mut self, number: usize) -> Option<()> {
        if self.left < number {
            let bytes = self.data.get(self.at / 8..)?.first_chunk()?;
            self.window = u64::from_le_bytes(*bytes) >> (self.at % 8);
            self.left = 57;
        }
        Some(())
    }

    #[inline]
    fn drop(&mut self, number: usize) {
        self.window >>= number;
        self.left -= number;
        self.at += number;
    }

    fn take(&mut self, number: usize) -> Option<usize> {
        self.have(number)?;
        let found = self.window & ((1 << number) - 1);
        self.drop(number);
        usize::try_from(found).ok()
    }

    #[inline]
    fn symbol(&mut self, codes: &Codes) -> Option<usize> {
        self.have(CODE_BITS)?;
        let (symbol, length) = codes.table[(self.window & codes.mask) as usize];
        self.drop(usize::from(length));
        Some(usize::from(symbol))
    }

    /// The length or distance that a symbol and the bits behind it say.
    fn distance(&mut self, symbol: usize) -> Option<usize> {
        if symbol < 4 {
            return Some(symbol + 1);
        }
        let extra = (symbol - 2) / 2;
        Some(((2 + symbol % 2) << extra) + self.take(extra)? + 1)
    }
}
