//! WebPs: what is read without making pixels, and what is left to the decoder.

use super::*;

/// Lossless WebPs that are read without their pixels, in the app's form and another's.
fn lossless_webps() -> Vec<Vec<u8>> {
    let mut plain = pixels(100, 60);
    for (x, y) in (0..100).flat_map(|x| (10..50).map(move |y| (x, y))) {
        plain
            .as_mut_rgb8()
            .unwrap()
            .put_pixel(x, y, Rgb([200, 210, 220]));
    }
    let clear = DynamicImage::from(pixels(33, 21).into_rgba8());
    let flat = DynamicImage::from(RgbImage::from_pixel(40, 30, Rgb([9, 8, 7])));
    let grey = DynamicImage::from(pixels(50, 20).into_luma8());
    let mut webps: Vec<Vec<u8>> = [plain, clear, flat, grey, pixels(64, 48)]
        .iter()
        .map(|picture| encoded(picture, ImageFormat::WebP))
        .collect();
    webps.push(include_bytes!("../samples/libwebp.webp").to_vec());
    webps
}

#[test]
fn a_webp_that_is_not_understood_is_left_to_the_decoder() {
    for bytes in [
        &include_bytes!("../samples/palette.webp")[..],
        include_bytes!("../samples/clear.webp"),
    ] {
        let picture = accept(bytes).unwrap();
        let data = webp::lossless(bytes).unwrap();
        assert!(!vp8l::is_whole(data, picture.width, picture.height));
        for end in (0..bytes.len()).step_by(5) {
            assert!(accept(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}

#[test]
fn what_is_read_of_a_lossless_webp_is_what_a_decoder_takes() {
    let mut state = 2_463_534_242_u32;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    let (mut taken, mut refused) = (0, 0);
    for whole in lossless_webps() {
        let picture = look(&whole).unwrap();
        let is_whole = |bytes: &[u8]| {
            let data = webp::lossless(bytes).unwrap();
            vp8l::is_whole(data, picture.width, picture.height)
        };
        assert!(is_whole(&whole), "{picture:?}");
        for end in (0..whole.len() - 22).step_by(7) {
            let data = &webp::lossless(&whole).unwrap()[..end];
            assert!(
                !vp8l::is_whole(data, picture.width, picture.height),
                "cut at {end}"
            );
        }
        for _ in 0..600 {
            let mut bytes = whole.clone();
            for _ in 0..=random(3) {
                let at = 20 + random(bytes.len() - 20);
                bytes[at] = random(256) as u8;
            }
            if is_whole(&bytes) {
                assert!(webp::decode_pixels(&bytes, &picture).is_ok());
                taken += 1;
            } else {
                refused += 1;
            }
        }
    }
    assert!(taken > 100 && refused > 100, "{taken} taken, {refused} not");
}

/// A WebP of these chunks.
fn built(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut webp = b"RIFF\0\0\0\0WEBP".to_vec();
    for (name, data) in chunks {
        webp.extend_from_slice(*name);
        webp.extend((data.len() as u32).to_le_bytes());
        webp.extend_from_slice(data);
        webp.resize(webp.len() + data.len() % 2, 0);
    }
    let length = webp.len() as u32 - 8;
    webp[4..8].copy_from_slice(&length.to_le_bytes());
    webp
}

/// The chunks of a WebP.
fn chunks(webp: &[u8]) -> Vec<(&[u8; 4], &[u8])> {
    let mut rest = &webp[12..];
    let mut chunks = Vec::new();
    while let Some((head, data)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes(*head.last_chunk().unwrap()) as usize;
        chunks.push((head.first_chunk().unwrap(), &data[..length]));
        rest = &data[length + length % 2..];
    }
    chunks
}

/// Of each form: with loss, with loss and transparency, without loss in three ways.
const FORMS: [&[u8]; 5] = [
    include_bytes!("../samples/lossy.webp"),
    include_bytes!("../samples/lossy-clear.webp"),
    include_bytes!("../samples/libwebp.webp"),
    include_bytes!("../samples/palette.webp"),
    include_bytes!("../samples/clear.webp"),
];

#[test]
fn nothing_lies_behind_the_pixels_of_a_webp() {
    for webp in FORMS {
        accept(webp).unwrap();
        let whole = chunks(webp);
        assert_eq!(built(&whole), webp);
        for (i, (name, data)) in whole.iter().enumerate() {
            if !matches!(*name, b"VP8 " | b"VP8L" | b"ALPH") {
                continue;
            }
            let with = |data: &[u8]| {
                let mut chunks = whole.clone();
                chunks[i].1 = data;
                accept(&built(&chunks))
            };
            let behind = [data, &b"a file of a kind that nobody knows; "[..]].concat();
            let found = with(&[&behind[..], &[7; 40]].concat());
            assert_eq!(found, Err(Fault::Trailing), "{name:?}");
            for part in [data.len() / 3, data.len() / 2, data.len() - 40] {
                assert_eq!(with(&data[..part]), Err(Fault::Damaged), "{name:?}");
            }
        }
    }
}

#[test]
fn nothing_hides_in_a_webps_chunks() {
    let webp = include_bytes!("../samples/lossy-clear.webp");
    let whole = chunks(webp);
    let with = |chunk: (&[u8; 4], &[u8])| accept(&built(&[&whole[..], &[chunk]].concat()));
    for chunk in [
        (b"EXIF", &b"Exif\0\0II*\0\x08\0\0\0\0"[..]),
        (b"EXIF", b"MM\0*\0\0\0\x08"),
        (b"XMP ", b"<x:xmpmeta/>"),
        (b"ICCP", &[0; 200]),
    ] {
        assert!(with(chunk).is_ok(), "{:?}", chunk.0);
    }
    for (name, data, fault) in [
        (b"JUNK", &b"x"[..], Fault::Private),
        (b"EXIF", b"MZ\x90\0", Fault::Foreign),
        (b"XMP ", b"MZ\x90\0\x03", Fault::Foreign),
        (b"ICCP", b"\x1f\x8b\x08\x08", Fault::Foreign),
        (b"ALPH", b"\0", Fault::Damaged),
        (b"VP8X", &[0; 10], Fault::Damaged),
    ] {
        assert_eq!(with((name, data)), Err(fault), "{name:?}");
    }
    let twice = [&whole[..], &[(b"XMP ", b"a"), (b"XMP ", b"a")]].concat();
    assert_eq!(accept(&built(&twice)), Err(Fault::Damaged));
    let mut padded = built(&[&whole[..], &[(b"XMP ", b"a")]].concat());
    *padded.last_mut().unwrap() = b'x';
    assert_eq!(accept(&padded), Err(Fault::Damaged));
    let long = [whole[0].1, b"hidden"].concat();
    let mut chunks = whole.clone();
    chunks[0].1 = &long;
    assert_eq!(accept(&built(&chunks)), Err(Fault::Damaged));
}
