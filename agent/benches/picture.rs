//! From a screen of 1920 x 1080 to a file that may leave: the picture is taken from a real X server, an area is
//! hidden, the rest encoded without loss. The screen shows text on a plain ground, with a photograph on a quarter of it.
//!
//! `cargo bench -p snag-agent --bench picture`

#[path = "../capture/tests/desktop/mod.rs"]
mod desktop;

use std::time::{Duration, Instant};

use desktop::{Desktop, With};
use snag_agent::desktop::view::Area;
use snag_agent::host::OwnProcesses;
use snag_agent::screenshot;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    ConnectionExt as _, CreateGCAux, CreateWindowAux, ImageFormat, WindowClass,
};
use x11rb::wrapper::ConnectionExt as _;

const WIDTH: u16 = 1_920;
const HEIGHT: u16 = 1_080;
const TIMES: usize = 21;
/// Names the display that this process is to picture.
const CHILD: &str = "SNAG_BENCH_PICTURE";

fn main() {
    if std::env::var_os(CHILD).is_some() {
        measure();
        return;
    }
    let with = With {
        window_manager: false,
        bus: false,
    };
    let desktop = Desktop::of_size(with, &format!("{WIDTH}x{HEIGHT}"));
    let this = std::env::current_exe().expect("this program");
    let status = desktop.command(this).env(CHILD, "1").status();
    assert!(status.expect("it runs again").success());
}

fn measure() {
    let (connection, number) = x11rb::connect(None).expect("a display");
    draw(&connection, number);
    let hidden = [Area {
        x: 300.0,
        y: 200.0,
        width: 400.0,
        height: 120.0,
    }];
    let (mut taking, mut encoding, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let mut size_bytes = 0;
    for _ in 0..TIMES {
        let begin = Instant::now();
        let shot = screenshot::take(None, &OwnProcesses::default()).expect("a picture");
        let taken = begin.elapsed();
        let encoded = shot.picture.finished(&hidden, None).encode();
        size_bytes = encoded.expect("a file").bytes.len();
        taking.push(taken);
        encoding.push(begin.elapsed() - taken);
        all.push(begin.elapsed());
    }
    for (what, mut times) in [
        ("taken", taking),
        ("hidden and encoded", encoding),
        ("both", all),
    ] {
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        println!(
            "{WIDTH} x {HEIGHT} {what}, {TIMES} times: p50 {:.0} ms, {:.0} to {:.0} ms",
            ms(times[TIMES / 2]),
            ms(times[0]),
            ms(times[TIMES - 1])
        );
    }
    println!("the file has {size_bytes} bytes");
}

/// Lines of text, of which each letter is drawn, and something like a photograph.
fn draw(connection: &impl Connection, number: usize) {
    let screen = &connection.setup().roots[number];
    let window = connection.generate_id().expect("an id");
    let look = CreateWindowAux::new()
        .override_redirect(1)
        .background_pixel(0x00fa_fafa);
    connection
        .create_window(
            0,
            window,
            screen.root,
            0,
            0,
            WIDTH,
            HEIGHT,
            0,
            WindowClass::INPUT_OUTPUT,
            0,
            &look,
        )
        .expect("sent");
    connection.map_window(window).expect("sent");
    connection.sync().expect("mapped");
    let font = connection.generate_id().expect("an id");
    connection.open_font(font, b"fixed").expect("sent");
    let pen = connection.generate_id().expect("an id");
    let ink = CreateGCAux::new()
        .font(font)
        .foreground(0x0020_2428)
        .background(0x00fa_fafa);
    connection.create_gc(pen, window, &ink).expect("sent");
    let mut seed = 7_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16
    };
    for line in 0..HEIGHT / 14 {
        for part in 0..6 {
            let text: Vec<u8> = (0..40)
                .map(|_| match next() % 6 {
                    0 => b' ',
                    _ => b'a' + (next() % 26) as u8,
                })
                .collect();
            let (x, y) = (8 + part * 300, 14 + line as i16 * 14);
            connection
                .image_text8(window, pen, x, y, &text)
                .expect("sent");
        }
    }
    // A smooth ground with the noise of a sensor over it.
    let (width, height) = (WIDTH / 2, HEIGHT / 2);
    for row in 0..height {
        let mut pixels = Vec::new();
        for column in 0..width {
            let noise = (next() % 7) as u8;
            let light = |of: u16, by: u16| (u32::from(of) * 200 / u32::from(by)) as u8 + noise;
            pixels.extend_from_slice(&[light(row, height), light(column, width), 90 + noise, 0]);
        }
        connection
            .put_image(
                ImageFormat::Z_PIXMAP,
                window,
                pen,
                width,
                1,
                width as i16,
                row as i16,
                0,
                24,
                &pixels,
            )
            .expect("sent");
    }
    connection.sync().expect("drawn");
}
