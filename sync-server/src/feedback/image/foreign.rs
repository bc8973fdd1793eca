//! Files of other kinds that are hidden in a picture.
//!
//! Programs that open archives, documents, pages and scripts look for these beyond a
//! file's first bytes, so that one file can be a picture and something else.
//!
//! **Invariant:** what is looked for in all of a picture is so long that compressed pixels
//! don't hold it by chance: at five bytes, one of 100,000 of the largest pictures would.

use std::sync::LazyLock;

use super::Fault;

/// Texts, in letters of any case.
const TEXTS: [&[u8]; 16] = [
    b"<?php",
    b"<script",
    b"<html",
    b"<!doctype",
    b"<svg ",
    b"<iframe",
    b"<body",
    b"<object",
    b"<embed",
    b"<style",
    b"javascript:",
    b"<%@ page",
    b"@echo off",
    b"mime-version:",
    b"this program cannot be run in dos mode",
    b"this program must be run under",
];

/// Other bytes, exactly so.
const BYTES: [&[u8]; 50] = [
    b"%PDF-",
    b"%!PS-",
    b"{\\rtf",
    b"#!/bin/",
    b"#!/usr/",
    b"-----BEGIN ",
    b"Rar!\x1a\x07",
    b"7z\xbc\xaf\x27\x1c",
    b"\xfd7zXZ\0",
    b"1AY&SY",
    b"LZIP\x01",
    b"MSCF\0\0\0\0",
    b"ISc(\0",
    b"xar!\0\x1c",
    b"!<arch>\n",
    b"ustar\0",
    b"ustar  ",
    b"CD001\x01",
    b"ITSF\x03\0",
    b"\xed\xab\xee\xdb\x03",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"SQLite format 3",
    b"\x01\x14\x02\0\0\0\0\0\xc0\0",
    b"\x7fELF\x01\x01\x01",
    b"\x7fELF\x01\x02\x01",
    b"\x7fELF\x02\x01\x01",
    b"\x7fELF\x02\x02\x01",
    b"\xca\xfe\xba\xbe\0",
    b"\xce\xfa\xed\xfe\x07",
    b"\xcf\xfa\xed\xfe\x07",
    b"\xcf\xfa\xed\xfe\x0c",
    b"\xfe\xed\xfa\xce\0",
    b"\xfe\xed\xfa\xcf\x01",
    b"dex\n03",
    b"\0asm\x01\0\0\0",
    b"\x1bLuaQ",
    b"\x1bLuaR",
    b"\x1bLuaS",
    b"\x1bLuaT",
    b"GIF87a",
    b"GIF89a",
    b"OggS\0",
    b"fLaC\0\0\0\x22",
    b"ftypisom",
    b"ftypmp4",
    b"ftypqt  ",
    b"ftypavif",
    b"ftypheic",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    b"GRUB ",
];

/// What is too short to be looked for in pixels, and is enough in metadata.
const SHORT_TEXTS: [&[u8]; 6] = [b"<svg", b"<img", b"<meta ", b"<link ", b"<base ", b"<form"];
const SHORT_BYTES: [&[u8]; 24] = [
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"PK\x07\x08",
    b"\x7fELF",
    b"\xca\xfe\xba\xbe",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"\x1f\x8b\x08\0",
    b"\x1f\x8b\x08\x08",
    b"BZh9",
    b"Rar!",
    b"MSCF",
    b"8BPS",
    b"OggS",
    b"fLaC",
    b"wOFF",
    b"wOF2",
    b"Cr24",
    b"\x1a\x45\xdf\xa3",
];

/// An archive's directory and its end. Each of them is short, and an archive has both.
const DIRECTORY: &[u8] = b"PK\x01\x02";
const DIRECTORY_END: &[u8] = b"PK\x05\x06";

/// Every so many bytes two are looked up: wherever a signature lies, one of these pairs is
/// its own, as the shortest has a byte more.
const STRIDE: usize = 3;

/// A signature, and whether its letters may be of any case.
type Signature = (&'static [u8], bool);

/// Signatures, found by two bytes of their first [`STRIDE`] and one.
struct Signatures {
    /// By their first byte.
    all: Vec<Vec<Signature>>,
    /// A bit for each pair of bytes by which one is found.
    pairs: Vec<u64>,
}

impl Signatures {
    fn new(texts: &[&[&'static [u8]]], bytes: &[&[&'static [u8]]]) -> Self {
        let (mut all, mut pairs) = (vec![Vec::new(); 256], vec![0; (1 << 16) / 64]);
        let texts = texts.concat().into_iter().map(|text| (text, true));
        let bytes = bytes.concat().into_iter().map(|bytes| (bytes, false));
        for (signature, is_text) in texts.chain(bytes) {
            let cases = |byte: u8| match is_text {
                true => vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()],
                false => vec![byte],
            };
            let mut begins = cases(signature[0]);
            begins.dedup();
            for first in begins {
                all[usize::from(first)].push((signature, is_text));
            }
            for pair in signature.windows(2).take(STRIDE) {
                for first in cases(pair[0]) {
                    for second in cases(pair[1]) {
                        let pair = usize::from(first) << 8 | usize::from(second);
                        pairs[pair / 64] |= 1_u64 << (pair % 64);
                    }
                }
            }
        }
        Self { all, pairs }
    }

    /// Those that are found, one by one.
    fn find<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = &'static [u8]> + 'a {
        let looked_up = bytes
            .chunks(STRIDE)
            .zip(bytes.get(1..).unwrap_or_default().chunks(STRIDE));
        let marked = looked_up.enumerate().filter(|(_, (first, second))| {
            let pair = usize::from(first[0]) << 8 | usize::from(second[0]);
            self.pairs[pair / 64] >> (pair % 64) & 1 == 1
        });
        marked.flat_map(|(chunk, _)| {
            let pair = chunk * STRIDE;
            let begins = (pair + 1).saturating_sub(STRIDE)..=pair;
            begins.filter_map(|begin| self.at(&bytes[begin..]))
        })
    }

    /// The one that `here` begins with.
    fn at(&self, here: &[u8]) -> Option<&'static [u8]> {
        let begun = &self.all[usize::from(*here.first()?)];
        let is_here = |(signature, is_text): &&Signature| {
            here.get(..signature.len())
                .is_some_and(|found| match is_text {
                    true => found.eq_ignore_ascii_case(signature),
                    false => found == *signature,
                })
        };
        begun.iter().find(is_here).map(|(signature, _)| *signature)
    }
}

/// Looks for other files in metadata.
pub(super) fn scan(metadata: &[u8]) -> Result<(), Fault> {
    static ALL: LazyLock<Signatures> =
        LazyLock::new(|| Signatures::new(&[&TEXTS, &SHORT_TEXTS], &[&BYTES, &SHORT_BYTES]));
    match ALL.find(metadata).next() {
        Some(_) => Err(Fault::Foreign),
        None => Ok(()),
    }
}

/// Looks for other files in all of a picture, its pixels too: uncompressed ones can be any
/// bytes.
pub(super) fn scan_picture(bytes: &[u8]) -> Result<(), Fault> {
    static LONG: LazyLock<Signatures> =
        LazyLock::new(|| Signatures::new(&[&TEXTS], &[&BYTES, &[DIRECTORY, DIRECTORY_END]]));
    let (mut directory, mut end) = (false, false);
    for found in LONG.find(bytes) {
        match found {
            DIRECTORY => directory = true,
            DIRECTORY_END => end = true,
            _ => return Err(Fault::Foreign),
        }
        if directory && end {
            return Err(Fault::Foreign);
        }
    }
    Ok(())
}

/// Looks at metadata that is text: beside what [`scan`] looks for, it has no controls but
/// tabs and lines' ends, without which hardly any program or archive can be written.
pub(super) fn scan_text(text: &[u8]) -> Result<(), Fault> {
    // Some programs write the zero that ends a text in memory.
    let zeros = text.iter().rev().take_while(|byte| **byte == 0).count();
    let text = &text[..text.len() - zeros];
    if text
        .iter()
        .any(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r'))
    {
        return Err(Fault::Foreign);
    }
    scan(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_wherever_it_lies() {
        let short = [&SHORT_TEXTS[..], &SHORT_BYTES].concat();
        let long = [&TEXTS[..], &BYTES].concat();
        for begin in 0..2 * STRIDE {
            for behind in 0..STRIDE {
                for (signature, is_long) in
                    (short.iter().map(|of| (of, false))).chain(long.iter().map(|of| (of, true)))
                {
                    let lies = [&vec![0x80; begin][..], signature, &vec![0x80; behind]].concat();
                    assert_eq!(scan(&lies), Err(Fault::Foreign), "{signature:?} at {begin}");
                    if is_long {
                        assert_eq!(scan_picture(&lies), Err(Fault::Foreign), "{signature:?}");
                    }
                }
                for text in TEXTS.iter().chain(&SHORT_TEXTS) {
                    let lies = [&vec![b' '; begin][..], &text.to_ascii_uppercase()].concat();
                    assert_eq!(scan(&lies), Err(Fault::Foreign), "{text:?} at {begin}");
                }
            }
        }
        assert!(short.iter().all(|signature| signature.len() > STRIDE));
        assert!(long.iter().all(|signature| signature.len() > STRIDE + 1));
        for bytes in [&b""[..], b"P", b"PK", b"PK\x01", b"<htm", b"\x7fEL"] {
            assert_eq!((scan(bytes), scan_picture(bytes)), (Ok(()), Ok(())));
        }
        // An archive has both.
        let directory = [&[0; 7][..], DIRECTORY, &[0; 5]].concat();
        assert_eq!(scan_picture(&directory), Ok(()));
        let both = [&directory[..], DIRECTORY_END].concat();
        assert_eq!(scan_picture(&both), Err(Fault::Foreign));
    }
}
