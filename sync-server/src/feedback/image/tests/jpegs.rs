//! JPEGs: every form of good ones, cut ones, and what may lie nowhere in them.

use super::frame::Form;
use super::*;

/// JPEGs as other programs make them: with colours of half the size across, down, both; in
/// grey.
const WALKED: [&[u8]; 4] = [
    include_bytes!("../samples/420.jpg"),
    include_bytes!("../samples/422.jpg"),
    include_bytes!("../samples/440.jpg"),
    include_bytes!("../samples/gray.jpg"),
];
/// In rarer forms: of other sizes of colours, of four of them, in scans one behind the
/// other.
const RARE: [&[u8]; 6] = [
    include_bytes!("../samples/411.jpg"),
    include_bytes!("../samples/cmyk.jpg"),
    include_bytes!("../samples/progressive.jpg"),
    include_bytes!("../samples/progressive-cmyk.jpg"),
    include_bytes!("../samples/progressive-gray.jpg"),
    include_bytes!("../samples/scans-apart.jpg"),
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
        assert_eq!(scans::walk(bytes), Ok(Form::Plain));
        accept(bytes).unwrap();
    }
    for bytes in RARE {
        assert_eq!(scans::walk(bytes), Ok(Form::Rare));
        accept(bytes).unwrap();
    }
    let bytes = with_restarts(100, 11);
    assert_eq!(scans::walk(&bytes), Ok(Form::Plain));
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
    for bytes in WALKED.into_iter().chain(RARE).chain([&whole[..]]) {
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
    assert!(with(&[0; 500]).is_ok());
    assert!(with(b"\x12\x34").is_ok(), "and some leave bytes");
    assert_eq!(with(b"a file of an unknown kind"), Err(Fault::Trailing));
    assert_eq!(with(b"  <script>x"), Err(Fault::Foreign));
    assert_eq!(with(b"PK\x05\x06\0\0"), Err(Fault::Foreign));
}

#[test]
fn nothing_hides_in_a_jpegs_segments() {
    let whole = encoded(&pixels(64, 48), ImageFormat::Jpeg);
    let with = |marker: u8, data: &[u8]| {
        let length = (data.len() as u16 + 2).to_be_bytes();
        accept(&[&whole[..2], &[0xff, marker], &length, data, &whole[2..]].concat())
    };
    accept(&whole).unwrap();
    for (marker, data) in [
        (0xe0, &b"JFIF\0\x01\x02\x01\0\x01\0\x01\x01\x01abc"[..]),
        (0xe1, b"Exif\0\0II*\0\x08\0\0\0"),
        (0xe2, b"ICC_PROFILE\0\x01\x01"),
        (0xed, b"Photoshop 3.0\x008BIM\x04\x04"),
        (0xee, b"Adobe\0\x64\0\0\0\0\x01"),
        (0xfe, b"LEAD Technologies Inc. V1.01\0"),
    ] {
        let found = with(marker, data);
        assert!(found.is_ok(), "{marker:x}: {found:?}");
    }
    for (marker, data, fault) in [
        (
            0xe0,
            &b"JFIF\0\x01\x02\x01\0\x01\0\x01\0\0*/alert(1)/*"[..],
            Fault::Damaged,
        ),
        (0xe5, b"\x1f\x8b\x08\x08 and an archive", Fault::Foreign),
        (
            0xe1,
            b"Exif\0\0MZ This program cannot be run in DOS mode",
            Fault::Foreign,
        ),
        (0xfe, b"MZ\x90\0\x03\0", Fault::Foreign),
        (0xdd, b"PK\x03\x04", Fault::Damaged),
        (0xdb, b"not a table", Fault::Damaged),
        (0xc4, b"not a table", Fault::Damaged),
        (0xf0, b"x", Fault::Unsupported),
        (0x02, b"x", Fault::Unsupported),
        (0xcc, b"x", Fault::Unsupported),
        (0xdf, b"x", Fault::Unsupported),
    ] {
        assert_eq!(with(marker, data), Err(fault), "{marker:x}");
    }
    // Bytes that belong to no segment.
    let between = [&whole[..2], b"x", &whole[2..]].concat();
    assert!(accept(&between).is_err());
    let frame = whole.windows(2).position(|marker| marker == b"\xff\xc0");
    let mut deep = whole.clone();
    deep[frame.unwrap() + 4] = 12;
    assert_eq!(accept(&deep), Err(Fault::Unsupported));
}

#[test]
fn what_is_walked_is_what_a_decoder_takes() {
    let (own, restarts) = (
        encoded(&pixels(120, 88), ImageFormat::Jpeg),
        with_restarts(120, 9),
    );
    let wholes = WALKED.into_iter().chain(RARE).chain([&own[..], &restarts]);
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
        for _ in 0..250 {
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
            let walked = scans::walk(&bytes);
            match (jpeg::decode(&bytes), jpeg::decode_pixels(&bytes)) {
                (Ok(()), pixels) => {
                    assert!(walked.is_ok() && pixels.is_ok(), "{walked:?}, {pixels:?}");
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
