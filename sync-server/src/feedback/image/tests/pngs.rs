//! PNGs: every form of good ones, and what may lie nowhere in them.

use std::io::Write as _;

use ::png::{BitDepth, ColorType};

use super::*;

/// Interlaced pictures of each kind of pixel, as ImageMagick writes them.
const INTERLACED: [&[u8]; 6] = [
    include_bytes!("../samples/interlaced-1.png"),
    include_bytes!("../samples/interlaced-4.png"),
    include_bytes!("../samples/interlaced-16.png"),
    include_bytes!("../samples/interlaced-palette.png"),
    include_bytes!("../samples/interlaced-rgba.png"),
    include_bytes!("../samples/interlaced-narrow.png"),
];

/// A picture of any pixels, in rows that aren't filtered, with its deflated stream.
fn plain(width: u32, height: u32, color: ColorType, depth: BitDepth) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == ColorType::Indexed {
        encoder.set_palette(vec![7; 3 * 256.min(1 << depth as u8)]);
    }
    let row = (width as usize * color.samples() * depth as usize).div_ceil(8);
    let pixels: Vec<u8> = (0..row * height as usize)
        .map(|i| ((i * i) >> 3) as u8)
        .collect();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    let rows: Vec<u8> = pixels
        .chunks(row)
        .flat_map(|row| [&[0], row].concat())
        .collect();
    (bytes, rows)
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// All chunks up to the pixels, then these pixels, a chunk for each.
fn with_pixels(png: &[u8], pixels: &[&[u8]]) -> Vec<u8> {
    let idat = png.windows(4).position(|name| name == b"IDAT").unwrap();
    let mut with = png[..idat - 4].to_vec();
    for pixels in pixels {
        with.extend(chunk(b"IDAT", pixels));
    }
    with.extend(chunk(b"IEND", b""));
    with
}

const FORMS: [(ColorType, &[BitDepth]); 5] = [
    (
        ColorType::Grayscale,
        &[
            BitDepth::One,
            BitDepth::Two,
            BitDepth::Four,
            BitDepth::Eight,
            BitDepth::Sixteen,
        ],
    ),
    (
        ColorType::Indexed,
        &[
            BitDepth::One,
            BitDepth::Two,
            BitDepth::Four,
            BitDepth::Eight,
        ],
    ),
    (ColorType::Rgb, &[BitDepth::Eight, BitDepth::Sixteen]),
    (
        ColorType::GrayscaleAlpha,
        &[BitDepth::Eight, BitDepth::Sixteen],
    ),
    (ColorType::Rgba, &[BitDepth::Eight, BitDepth::Sixteen]),
];

#[test]
fn every_form_is_taken_and_no_row_may_be_missing_or_too_many() {
    for (color, depths) in FORMS {
        for depth in depths {
            for (width, height) in [(1, 1), (3, 5), (17, 4), (400, 300)] {
                let (png, rows) = plain(width, height, color, *depth);
                let form = (color, *depth, width, height);
                accept(&png).unwrap_or_else(|fault| panic!("{form:?}: {fault:?}"));
                accept(&with_pixels(&png, &[&deflated(&rows)])).unwrap();
                for wrong in [
                    &rows[..rows.len() - 1],
                    &[&rows[..], b"\0"].concat(),
                    &[&rows[..], &rows[..rows.len() / height as usize]].concat(),
                    &rows.repeat(2),
                    b"",
                ] {
                    let found = accept(&with_pixels(&png, &[&deflated(wrong)]));
                    assert_eq!(
                        found,
                        Err(Fault::Damaged),
                        "{form:?}, {} bytes",
                        wrong.len()
                    );
                }
                let mut filter = rows.clone();
                filter[0] = 5;
                let found = accept(&with_pixels(&png, &[&deflated(&filter)]));
                assert_eq!(found, Err(Fault::Damaged), "{form:?}");
            }
        }
    }
    for png in INTERLACED {
        accept(png).unwrap();
        let idat = png.windows(4).position(|name| name == b"IDAT").unwrap();
        let mut rows = Vec::new();
        let mut stream = flate2::read::ZlibDecoder::new(&png[idat + 4..]);
        std::io::Read::read_to_end(&mut stream, &mut rows).unwrap();
        accept(&with_pixels(png, &[&deflated(&rows)])).unwrap();
        for wrong in [&rows[..rows.len() - 1], &[&rows[..], b"\0"].concat()] {
            let found = accept(&with_pixels(png, &[&deflated(wrong)]));
            assert_eq!(found, Err(Fault::Damaged));
        }
    }
}

#[test]
fn numbers_of_colours_need_colours() {
    let (png, _) = plain(8, 8, ColorType::Indexed, BitDepth::Eight);
    let at = png.windows(4).position(|name| name == b"PLTE").unwrap() - 4;
    let end = at + 12 + 768;
    let with = |palette: &[u8]| [&png[..at], palette, &png[end..]].concat();
    for colours in [1, 200, 256] {
        let palette = chunk(b"PLTE", &vec![7; 3 * colours]);
        accept(&with(&palette)).unwrap_or_else(|fault| panic!("{colours}: {fault:?}"));
    }
    for bytes in [0, 1, 2, 4, 767, 769, 771] {
        let palette = chunk(b"PLTE", &vec![7; bytes]);
        assert_eq!(accept(&with(&palette)), Err(Fault::Damaged), "{bytes}");
    }
    assert_eq!(accept(&with(&[])), Err(Fault::Damaged), "none");
}

#[test]
fn a_stream_in_any_parts_is_one_stream() {
    let (png, rows) = plain(90, 50, ColorType::Rgb, BitDepth::Eight);
    let stream = deflated(&rows);
    for size in [1, 2, 7, 8, 9, 100, 4_096] {
        let parts: Vec<&[u8]> = stream.chunks(size).collect();
        accept(&with_pixels(&png, &parts)).unwrap();
        let parts = [&[&b""[..]], &parts[..], &[b""]].concat();
        accept(&with_pixels(&png, &parts)).unwrap();
        let found = accept(&with_pixels(&png, &parts[..parts.len() - 2]));
        assert_eq!(found, Err(Fault::Damaged));
    }
    // Parts that don't stand together are not one.
    let (first, second) = stream.split_at(40);
    let mut apart = with_pixels(&png, &[first]);
    apart.truncate(apart.len() - 12);
    apart.extend(chunk(b"tEXt", b"Comment\0between"));
    apart.extend(chunk(b"IDAT", second));
    apart.extend(chunk(b"IEND", b""));
    assert_eq!(accept(&apart), Err(Fault::Damaged));
}

#[test]
fn nothing_lies_behind_the_streams_end() {
    // Of streams of many lengths, so that the end falls on every place of a window.
    for side in 1..60 {
        let (png, rows) = plain(side, side, ColorType::Grayscale, BitDepth::Eight);
        let stored = flate2::Compression::none();
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), stored);
        encoder.write_all(&rows).unwrap();
        for stream in [deflated(&rows), encoder.finish().unwrap()] {
            accept(&with_pixels(&png, &[&stream])).unwrap();
            for behind in [&b"\0"[..], b"\xff\xff", b"12345678", b"123456789", &stream] {
                let one = [&stream[..], behind].concat();
                for pixels in [&[&one[..]][..], &[&stream, behind], &[&one, b""]] {
                    let found = accept(&with_pixels(&png, pixels));
                    assert_eq!(
                        found,
                        Err(Fault::Damaged),
                        "{side}: {} behind",
                        behind.len()
                    );
                }
            }
            for end in stream.len().saturating_sub(12)..stream.len() {
                let found = accept(&with_pixels(&png, &[&stream[..end]]));
                assert_eq!(found, Err(Fault::Damaged));
            }
            let mut sum = stream.clone();
            *sum.last_mut().unwrap() ^= 1;
            assert_eq!(accept(&with_pixels(&png, &[&sum])), Err(Fault::Damaged));
        }
    }
}

#[test]
fn no_archive_or_page_lies_in_pixels() {
    let mut rows = vec![0_u8; 50 * 101];
    let hidden: [&[u8]; 4] = [
        b"<script>alert(1)</script>",
        b"%PDF-1.7\n",
        b"PK\x01\x02 and so on until PK\x05\x06",
        b"#!/bin/sh\n",
    ];
    let (png, _) = plain(100, 50, ColorType::Grayscale, BitDepth::Eight);
    let stored = |rows: &[u8]| {
        let stored = flate2::Compression::none();
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), stored);
        encoder.write_all(rows).unwrap();
        with_pixels(&png, &[&encoder.finish().unwrap()])
    };
    accept(&stored(&rows)).unwrap();
    for hidden in hidden {
        rows[10 * 101 + 3..][..hidden.len()].copy_from_slice(hidden);
        assert_eq!(accept(&stored(&rows)), Err(Fault::Foreign));
    }
}

#[test]
fn metadata_of_known_programs_is_taken() {
    let (png, _) = plain(9, 9, ColorType::Rgb, BitDepth::Eight);
    let zip = |text: &[u8]| deflated(text);
    let good: [(&[u8; 4], Vec<u8>); 12] = [
        (b"tEXt", b"Software\0Sn\xe4g\n2".to_vec()),
        (b"tEXt", b"Comment\0ends with a zero\0".to_vec()),
        (b"zTXt", [&b"Comment\0\0"[..], &zip(b"hello")].concat()),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>".to_vec()),
        (
            b"iTXt",
            [&b"T\0\x01\0de\0\xc3\xbc\0"[..], &zip(b"hello")].concat(),
        ),
        (b"iCCP", [&b"sRGB\0\0"[..], &zip(&[0; 500])].concat()),
        (b"eXIf", b"MM\0*\0\0\0\x08\0\0".to_vec()),
        (b"eXIf", b"Exif\0\0II*\0\x08\0\0\0".to_vec()),
        (b"pHYs", vec![0; 9]),
        (b"iDOT", vec![0; 28]),
        (b"vpAg", vec![0; 9]),
        (b"sPLT", b"p\0\x08123456123456".to_vec()),
    ];
    for (name, data) in &good {
        let found = accept(&with_chunk(&png, name, data));
        assert!(found.is_ok(), "{name:?}: {found:?}");
    }
}

#[test]
fn metadata_holds_nothing_else() {
    let (png, _) = plain(9, 9, ColorType::Rgb, BitDepth::Eight);
    let foreign: [&[u8]; 24] = [
        b"MZ\x90\0\x03\0\0\0",
        b"\x1f\x8b\x08\0\0\0\0\0",
        b"BZh91AY&SY",
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07\x01\0",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd\x04",
        b"\xca\xfe\xba\xbe\0\0\0\x34",
        b"\xcf\xfa\xed\xfe\x07\0\0\x01",
        b"\x7fELF\x02\x01\x01",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"PK\x05\x06",
        b"PK\x07\x08",
        b"#!/usr/bin/env python",
        b"<SVG onload=alert(1)>",
        b"<img src=x onerror=alert(1)>",
        b"{\\rtf1 x}",
        b"%!PS-Adobe-3.0",
        b"!<arch>\n",
        b"GIF89a",
        b"OggS\0\x02",
        b"SQLite format 3\0",
        b"\0asm\x01\0\0\0",
        b"ustar\x0000",
    ];
    for foreign in foreign {
        for before in [&b""[..], b"harmless "] {
            let data = [b"Comment\0", before, foreign].concat();
            let found = accept(&with_chunk(&png, b"tEXt", &data));
            assert_eq!(found, Err(Fault::Foreign), "{foreign:?}");
        }
        if !foreign.starts_with(b"MZ") {
            let data = [b"II*\0", foreign].concat();
            let found = accept(&with_chunk(&png, b"eXIf", &data));
            assert_eq!(found, Err(Fault::Foreign), "{foreign:?}");
        }
        let data = [&b"Comment\0\0"[..], &deflated(b"hello"), foreign].concat();
        assert!(accept(&with_chunk(&png, b"zTXt", &data)).is_err());
        let data = [&b"sRGB\0\0"[..], &deflated(&[0; 99]), foreign].concat();
        assert!(accept(&with_chunk(&png, b"iCCP", &data)).is_err());
    }
    for (name, data, fault) in [
        (b"prIv", &b"x"[..], Fault::Private),
        (b"CgBI", b"1234", Fault::Private),
        (b"tEXt", b"no end of the keyword", Fault::Damaged),
        (b"zTXt", b"Comment\0\x01x", Fault::Damaged),
        (b"pHYs", b"0123456789", Fault::Damaged),
        (b"sRGB", b"PK", Fault::Damaged),
        (b"eXIf", b"MZ\x90\0", Fault::Foreign),
        (b"sPLT", b"p\0\x0812345", Fault::Damaged),
    ] {
        let found = accept(&with_chunk(&png, name, data));
        assert_eq!(found, Err(fault), "{name:?}");
    }
    // A checksum says of metadata, too, whether it is whole.
    let mut turned = with_chunk(&png, b"tEXt", b"Comment\0hello");
    turned[33 + 8 + 10] ^= 1;
    assert_eq!(accept(&turned), Err(Fault::Damaged));
    // A text that says nothing a thousand times over.
    let bomb = [&b"Comment\0\0"[..], &deflated(&vec![0; 40 << 20])].concat();
    assert_eq!(
        accept(&with_chunk(&png, b"zTXt", &bomb)),
        Err(Fault::Damaged)
    );
    let two = with_chunk(&png, b"PLTE", &[0; 6]);
    accept(&two).unwrap();
    assert_eq!(
        accept(&with_chunk(&two, b"PLTE", &[0; 6])),
        Err(Fault::Damaged)
    );
}
