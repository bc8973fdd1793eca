//! Pictures whole, broken and hostile, of each kind.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, RgbaImage};

use super::*;

/// A picture with edges and gradients, so that no codec has it easy.
fn pixels(width: u32, height: u32) -> DynamicImage {
    DynamicImage::from(RgbImage::from_fn(width, height, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 9;
        Rgb([x as u8, y as u8, (noise as u8) & 31])
    }))
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn accept(bytes: &[u8]) -> Result<Picture, Fault> {
    let picture = look(bytes)?;
    decode(bytes, &picture)?;
    Ok(picture)
}

fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(data);
    let mut chunk = (data.len() as u32).to_be_bytes().to_vec();
    chunk.extend_from_slice(name);
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(&crc.sum().to_be_bytes());
    chunk
}

/// Puts a chunk behind IHDR.
fn with_chunk(png: &[u8], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut with = png[..33].to_vec();
    with.extend(chunk(name, data));
    with.extend_from_slice(&png[33..]);
    with
}

const FORMATS: [(ImageFormat, Kind); 3] = [
    (ImageFormat::Png, Kind::Png),
    (ImageFormat::Jpeg, Kind::Jpeg),
    (ImageFormat::WebP, Kind::Webp),
];

#[test]
fn whole_pictures_are_taken() {
    for (format, kind) in FORMATS {
        for (width, height) in [(1, 1), (7, 3), (640, 400), (33, 517)] {
            let bytes = encoded(&pixels(width, height), format);
            let picture = accept(&bytes).unwrap();
            let found = (picture.kind, picture.width, picture.height);
            assert_eq!(found, (kind, width, height));
        }
    }
    let gray = DynamicImage::from(pixels(50, 50).into_luma8());
    accept(&encoded(&gray, ImageFormat::Jpeg)).unwrap();
    let deep = DynamicImage::from(pixels(50, 50).into_rgba16());
    accept(&encoded(&deep, ImageFormat::Png)).unwrap();
    let clear = DynamicImage::from(RgbaImage::new(50, 50));
    accept(&encoded(&clear, ImageFormat::WebP)).unwrap();
}

#[test]
fn a_picture_cut_off_anywhere_is_refused() {
    for (format, _) in FORMATS {
        let bytes = encoded(&pixels(64, 48), format);
        for end in 0..bytes.len() {
            assert!(accept(&bytes[..end]).is_err(), "{format:?} cut at {end}");
        }
    }
}

#[test]
fn a_picture_with_a_hole_is_refused() {
    // Ends as it should, but lacks a part of its pixels.
    let png = encoded(&pixels(256, 256), ImageFormat::Png);
    let idat = png.windows(4).position(|name| name == b"IDAT").unwrap();
    let mut holed = png[..idat - 4].to_vec();
    holed.extend(chunk(b"IDAT", &png[idat + 4..idat + 200]));
    holed.extend(chunk(b"IEND", b""));
    assert_eq!(accept(&holed), Err(Fault::Damaged));
    // A bit that was turned over is seen by the checksum.
    let mut turned = png.clone();
    turned[idat + 50] ^= 1;
    assert_eq!(accept(&turned), Err(Fault::Damaged));

    let webp = encoded(&pixels(256, 256), ImageFormat::WebP);
    let mut holed = webp[..(webp.len() / 2) & !1].to_vec();
    let length = holed.len() as u32;
    holed[4..8].copy_from_slice(&(length - 8).to_le_bytes());
    holed[16..20].copy_from_slice(&(length - 20).to_le_bytes());
    assert_eq!(accept(&holed), Err(Fault::Damaged));
}

#[test]
fn nothing_may_follow_or_hide() {
    for (format, _) in FORMATS {
        let bytes = encoded(&pixels(64, 48), format);
        for foreign in [
            &b"\0"[..],
            b"PK\x05\x06\0\0\0\0",
            b"<script>alert(1)</script>",
        ] {
            let polyglot = [&bytes, foreign].concat();
            assert_eq!(accept(&polyglot), Err(Fault::Trailing), "{format:?}");
        }
        let twice = bytes.repeat(2);
        assert_eq!(accept(&twice), Err(Fault::Trailing), "{format:?}");
    }
    let png = encoded(&pixels(64, 48), ImageFormat::Png);
    assert!(accept(&with_chunk(&png, b"tEXt", b"Software\0Snag")).is_ok());
    for hidden in [
        &b"Comment\0<?PHP echo 1;"[..],
        b"a\0%PDF-1.7",
        b"a\0PK\x03\x04",
    ] {
        let found = accept(&with_chunk(&png, b"tEXt", hidden));
        assert_eq!(found, Err(Fault::Foreign));
    }
    let jpeg = encoded(&pixels(64, 48), ImageFormat::Jpeg);
    let with_comment = |comment: &[u8]| {
        let length = (comment.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], b"\xff\xfe", &length, comment, &jpeg[2..]].concat()
    };
    assert!(accept(&with_comment(b"made by hand")).is_ok());
    assert_eq!(accept(&with_comment(b"<html>")), Err(Fault::Foreign));
    let webp = encoded(&pixels(64, 48), ImageFormat::WebP);
    let with_exif = |exif: &[u8; 6]| {
        let mut with = [&webp[..], b"EXIF\x06\0\0\0", exif].concat();
        let length = with.len() as u32 - 8;
        with[4..8].copy_from_slice(&length.to_le_bytes());
        with
    };
    assert_eq!(accept(&with_exif(b"%PDF-1")), Err(Fault::Foreign));
}

#[test]
fn moving_pictures_are_refused() {
    let png = encoded(&pixels(64, 48), ImageFormat::Png);
    let frames = [0, 0, 0, 200, 0, 0, 0, 0];
    assert_eq!(
        accept(&with_chunk(&png, b"acTL", &frames)),
        Err(Fault::Animated)
    );
    let webp = encoded(&pixels(64, 48), ImageFormat::WebP);
    for chunk in [
        &b"VP8X\x0a\0\0\0\x02\0\0\0\x3f\0\0\x2f\0\0"[..],
        b"ANIM\x06\0\0\0\0\0\0\0\0\0",
    ] {
        let mut moving = [&webp[..12], chunk, &webp[12..]].concat();
        let length = moving.len() as u32 - 8;
        moving[4..8].copy_from_slice(&length.to_le_bytes());
        assert_eq!(accept(&moving), Err(Fault::Animated));
    }
}

#[test]
fn bombs_are_refused_by_their_claims() {
    let header = |width: u32, height: u32| {
        let mut data = [width.to_be_bytes(), height.to_be_bytes()].concat();
        data.extend([8, 6, 0, 0, 0]);
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        png.extend(chunk(b"IHDR", &data));
        png.extend(chunk(b"IDAT", b"\x78\x9c\x03\0\0\0\0\x01"));
        png.extend(chunk(b"IEND", b""));
        png
    };
    assert_eq!(accept(&header(50_000, 50_000)), Err(Fault::TooManyPixels));
    assert_eq!(
        accept(&header(u32::MAX, u32::MAX)),
        Err(Fault::TooManyPixels)
    );
    assert_eq!(accept(&header(5_000, 10_001)), Err(Fault::TooManyPixels));
    assert_eq!(accept(&header(0, 10)), Err(Fault::Damaged));
    assert_eq!(accept(&header(5_000, 10_000)), Err(Fault::Damaged));
    let mut jpeg = encoded(&pixels(64, 48), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|marker| marker == b"\xff\xc0");
    let frame = frame.unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(b"\xff\xff\xff\xff");
    assert_eq!(accept(&jpeg), Err(Fault::TooManyPixels));
    let mut webp = encoded(&pixels(64, 48), ImageFormat::WebP);
    webp[21..25].copy_from_slice(&[0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(accept(&webp), Err(Fault::TooManyPixels));
}

#[test]
fn other_files_are_no_pictures() {
    for bytes in [
        &b""[..],
        b"GIF89a\x01\0\x01\0\0\0\0;",
        b"BM\x3a\0\0\0",
        b"II*\0\x08\0\0\0",
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html></html>",
        b"PK\x03\x04",
        b"\0\0\0\x1cftypavif",
    ] {
        assert_eq!(accept(bytes), Err(Fault::Unknown));
    }
}

#[test]
fn strangers_bytes_never_panic() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for (format, _) in FORMATS {
        let whole = encoded(&pixels(40, 30), format);
        for _ in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..=random(6) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            if let Ok(picture) = look(&bytes) {
                // Damaged or not: it is told, not crashed on.
                let told = decode(&bytes, &picture);
                assert!(matches!(
                    told,
                    Ok(()) | Err(Fault::Damaged | Fault::Trailing)
                ));
            }
        }
    }
}

#[test]
fn thumbnails_keep_the_shape() {
    for (width, height, expected) in [
        (1_920, 1_080, (480, 270)),
        (300, 1_200, (120, 480)),
        (100, 50, (100, 50)),
    ] {
        let bytes = thumbnail(&encoded(&pixels(width, height), ImageFormat::Png)).unwrap();
        let picture = accept(&bytes).unwrap();
        assert_eq!((picture.width, picture.height), expected);
        assert_eq!(picture.kind, Kind::Webp);
    }
}

mod jpegs;
mod pngs;
mod webps;
