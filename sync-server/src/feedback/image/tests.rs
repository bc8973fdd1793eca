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

/// JPEGs as other programs make them: with colours of half the size across, down, both; in
/// grey; all of a third form that is left to the decoder.
const WALKED: [&[u8]; 4] = [
    include_bytes!("samples/420.jpg"),
    include_bytes!("samples/422.jpg"),
    include_bytes!("samples/440.jpg"),
    include_bytes!("samples/gray.jpg"),
];
const LEFT: [&[u8]; 3] = [
    include_bytes!("samples/411.jpg"),
    include_bytes!("samples/cmyk.jpg"),
    include_bytes!("samples/progressive.jpg"),
];

/// A JPEG with a restart after each row of its units, whose rows were encoded one by one.
fn with_restarts(width: u32, rows: u32) -> Vec<u8> {
    let picture = pixels(width, rows * 8);
    let scan = |bytes: &[u8]| {
        bytes
            .windows(2)
            .position(|marker| marker == b"\xff\xda")
            .unwrap()
    };
    let whole = encoded(&picture, ImageFormat::Jpeg);
    let head = scan(&whole);
    let mut bytes = whole[..head].to_vec();
    bytes.extend(b"\xff\xdd\0\x04");
    bytes.extend((width.div_ceil(8) as u16).to_be_bytes());
    bytes.extend(&whole[head..head + 14]);
    for row in 0..rows {
        let strip = encoded(&picture.crop_imm(0, row * 8, width, 8), ImageFormat::Jpeg);
        bytes.extend(&strip[scan(&strip) + 14..strip.len() - 2]);
        bytes.extend([0xff, 0xd0 + (row % 8) as u8]);
    }
    let end = bytes.len() - 1;
    bytes[end] = 0xd9;
    bytes
}

#[test]
fn jpegs_of_every_form_are_taken() {
    for bytes in WALKED {
        assert_eq!(huffman::walk(bytes), Some(Ok(())));
        accept(bytes).unwrap();
    }
    for bytes in LEFT {
        assert_eq!(huffman::walk(bytes), None);
        accept(bytes).unwrap();
    }
    let bytes = with_restarts(100, 11);
    assert_eq!(huffman::walk(&bytes), Some(Ok(())));
    accept(&bytes).unwrap();
    let found = image::load_from_memory(&bytes).unwrap().into_rgb8();
    let meant = encoded(&pixels(100, 88), ImageFormat::Jpeg);
    let meant = image::load_from_memory(&meant).unwrap().into_rgb8();
    assert!(found == meant, "restarts change no pixel");
}

#[test]
fn a_jpeg_whose_pixels_were_cut_out_is_refused() {
    let end = b"\xff\xd9";
    let whole = encoded(&pixels(200, 100), ImageFormat::Jpeg);
    for bytes in WALKED.into_iter().chain([&whole[..]]) {
        let scan = bytes.windows(2).position(|marker| marker == b"\xff\xda");
        let scan = scan.unwrap() + 14;
        for cut in scan..bytes.len() - 4 {
            if bytes[cut - 1] != 0xff {
                let cut = [&bytes[..cut], end].concat();
                assert_eq!(accept(&cut), Err(Fault::Damaged));
            }
        }
    }
    let whole = with_restarts(100, 11);
    let restart = |name: u8| {
        let at = whole.windows(2).position(|marker| marker == [0xff, name]);
        at.unwrap()
    };
    let without_a_row = [&whole[..restart(0xd2)], &whole[restart(0xd3)..]].concat();
    assert_eq!(accept(&without_a_row), Err(Fault::Damaged));
    let without_the_last = [&whole[..restart(0xd7)], end].concat();
    assert_eq!(accept(&without_the_last), Err(Fault::Damaged));
}

#[test]
fn nothing_hides_behind_the_last_pixel() {
    let whole = encoded(&pixels(64, 48), ImageFormat::Jpeg);
    let pixels = &whole[..whole.len() - 2];
    let with = |what: &[u8]| accept(&[pixels, what, b"\xff\xd9"].concat());
    assert!(with(b"\0\0").is_ok(), "some programs fill up");
    assert_eq!(with(b"  <script>x"), Err(Fault::Foreign));
    assert_eq!(with(b"PK\x05\x06\0\0"), Err(Fault::Foreign));
}

#[test]
fn what_is_walked_is_what_a_decoder_takes() {
    let (own, restarts) = (
        encoded(&pixels(120, 88), ImageFormat::Jpeg),
        with_restarts(120, 9),
    );
    let wholes = WALKED.into_iter().chain([&own[..], &restarts]);
    let mut state = 2_463_534_242_u32;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    let (mut taken, mut refused, mut refused_alone) = (0, 0, 0);
    for whole in wholes {
        let scan = whole.windows(2).position(|marker| marker == b"\xff\xda");
        let scan = scan.unwrap();
        for _ in 0..500 {
            let mut bytes = whole.to_vec();
            // Where the pixels are, for the most part.
            let from = if random(4) == 0 { 2 } else { scan };
            match random(3) {
                0 => drop(bytes.drain(from + random(bytes.len() - from - 60)..bytes.len() - 50)),
                1 => bytes[from..].rotate_left(random(9)),
                _ => {
                    for _ in 0..=random(4) {
                        let at = from + random(bytes.len() - from);
                        bytes[at] = random(256) as u8;
                    }
                }
            }
            if look(&bytes).is_err() {
                continue;
            }
            let Some(walked) = huffman::walk(&bytes) else {
                continue;
            };
            match (jpeg::decode(&bytes), jpeg::decode_pixels(&bytes)) {
                (Ok(()), pixels) => {
                    assert_eq!((walked, pixels), (Ok(()), Ok(())));
                    taken += 1;
                }
                (Err(_), Err(_)) => refused += 1,
                // The decoder makes grey pixels of what is missing.
                (Err(_), Ok(())) => refused_alone += 1,
            }
        }
    }
    assert!(
        taken > 100 && refused > 50 && refused_alone > 100,
        "{taken} taken, {refused} refused by both, {refused_alone} by the walk alone"
    );
}

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
    webps.push(include_bytes!("samples/libwebp.webp").to_vec());
    webps
}

#[test]
fn a_webp_that_is_not_understood_is_left_to_the_decoder() {
    for bytes in [
        &include_bytes!("samples/palette.webp")[..],
        include_bytes!("samples/clear.webp"),
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
                assert_eq!(webp::decode_pixels(&bytes, &picture), Ok(()));
                taken += 1;
            } else {
                refused += 1;
            }
        }
    }
    assert!(taken > 100 && refused > 100, "{taken} taken, {refused} not");
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
                assert!(told.is_ok() || told == Err(Fault::Damaged));
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
