//! Screens that are large or scaled, and monitors that come and go.

use std::process::Stdio;

use jiff::Zoned;
use serde_json::json;
use snag_agent::desktop::view::Area;
use snag_agent::host::Opening;
use snag_agent::host::OwnProcesses;
use snag_agent::screenshot::{self, Picture};
use snag_wire::Size;
use x11rb::connection::Connection;
use x11rb::protocol::randr::{ConnectionExt as _, MonitorInfo};
use x11rb::protocol::xproto::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

use super::*;
use crate::desktop::{Desktop, EVERYTHING, Ended, Lines, With, wait_for};

/// Where a widget is, in pixels of the screen, as the child is told.
const PLACE: &str = "SNAG_TEST_CONDITIONS_PLACE";

/// Twice the usual size, as on a screen of 4K.
const SCALE: i16 = 2;

#[test]
fn a_scaled_screen_of_4k_is_pictured_in_its_own_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let desktop = Desktop::of_size(EVERYTHING, "3840x2160");
    let program = desktop.program_with(&script(), "Orders", &[("GDK_SCALE", "2")]);
    let (x, y) = program.place("dead");
    let mut command = desktop.command(std::env::current_exe().unwrap());
    as_child(&mut command, "screens::large_child", folder.path());
    succeeds(command.env(PLACE, format!("{} {}", x * SCALE, y * SCALE)));
}

fn size(width: u32, height: u32) -> Size {
    Size { width, height }
}

fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
    let at = (y * picture.size().width + x) as usize * 3;
    picture.rgb()[at..at + 3].try_into().unwrap()
}

#[test]
fn large_child() {
    if child_folder().is_none() {
        return;
    }
    let place = std::env::var(PLACE).unwrap();
    let (x, y) = place.split_once(' ').unwrap();
    let (x, y): (u32, u32) = (x.parse().unwrap(), y.parse().unwrap());
    let sources = screenshot::sources(&OwnProcesses::default()).unwrap();
    let window = sources.iter().find(|source| !source.is_screen).unwrap();
    assert_eq!(window.size, size(1_280, 840), "640 x 420, scaled");
    // An area over the button, in the picture's pixels: the button is gone, and what is around it is there.
    let area = Area {
        x: f64::from(x - 90),
        y: f64::from(y - 20),
        width: 180.0,
        height: 40.0,
    };
    let inside =
        |at_x: u32, at_y: u32| (x - 90..x + 90).contains(&at_x) && (y - 20..y + 20).contains(&at_y);
    let pixels =
        || (y - 60..y + 60).flat_map(|at_y| (x - 150..x + 150).map(move |at_x| (at_x, at_y)));
    // The program draws them some time after its window is there.
    let shot = wait_for("the words on the button", || {
        let shot = screenshot::take(None, &OwnProcesses::default()).unwrap();
        assert_eq!(shot.picture.size(), size(3_840, 2_160), "whole, not halved");
        let mut colours: Vec<[u8; 3]> = pixels()
            .filter(|(at_x, at_y)| inside(*at_x, *at_y))
            .map(|(at_x, at_y)| pixel(&shot.picture, at_x, at_y))
            .collect();
        colours.sort_unstable();
        colours.dedup();
        (colours.len() > 10).then_some(shot)
    });
    assert_eq!(shot.screen, Some(size(3_840, 2_160)));
    assert_eq!(shot.window, Some(size(1_280, 840)));
    let encoded = shot.picture.finished(&[area], None).encode().unwrap();
    assert_eq!(encoded.mime, "image/webp");
    let sent = Picture::decode(&encoded.bytes).unwrap();
    assert_eq!(sent.size(), size(3_840, 2_160));
    let hidden = pixel(&sent, x, y);
    for (at_x, at_y) in pixels() {
        let expected = if inside(at_x, at_y) {
            hidden
        } else {
            pixel(&shot.picture, at_x, at_y)
        };
        assert_eq!(pixel(&sent, at_x, at_y), expected, "{at_x} {at_y}");
    }

    let alone = screenshot::take(Some(&window.id), &OwnProcesses::default()).unwrap();
    assert_eq!(alone.picture.size(), size(1_280, 840));
}

#[test]
fn a_monitor_that_is_unplugged_is_gone_and_no_other_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let with = With {
        window_manager: true,
        bus: false,
    };
    let desktop = Desktop::start(with);
    let mut command = desktop.command(std::env::current_exe().unwrap());
    succeeds(as_child(
        &mut command,
        "screens::monitors_child",
        folder.path(),
    ));
}

/// The monitors of a display. RandR lets anybody say what they are.
struct Monitors {
    connection: RustConnection,
    root: u32,
    output: u32,
}

impl Monitors {
    fn of_this_display() -> Self {
        let (connection, number) = x11rb::connect(None).unwrap();
        let root = connection.setup().roots[number].root;
        let resources = connection
            .randr_get_screen_resources_current(root)
            .unwrap()
            .reply()
            .unwrap();
        Self {
            output: resources.outputs[0],
            root,
            connection,
        }
    }

    fn atom(&self, name: &str) -> u32 {
        let cookie = self.connection.intern_atom(false, name.as_bytes());
        cookie.unwrap().reply().unwrap().atom
    }

    fn plug(&self, name: &str, x: i16, width: u16, has_output: bool) {
        let info = MonitorInfo {
            name: self.atom(name),
            primary: false,
            automatic: false,
            x,
            y: 0,
            width,
            height: 800,
            width_in_millimeters: 200,
            height_in_millimeters: 200,
            outputs: has_output.then_some(self.output).into_iter().collect(),
        };
        let cookie = self.connection.randr_set_monitor(self.root, info);
        cookie.unwrap().check().unwrap();
    }

    fn unplug(&self, name: &str) {
        let cookie = self
            .connection
            .randr_delete_monitor(self.root, self.atom(name));
        cookie.unwrap().check().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn monitors_child() {
    let Some(folder) = child_folder() else {
        return;
    };
    let monitors = Monitors::of_this_display();
    monitors.plug("LEFT", 0, 800, true);
    monitors.plug("RIGHT", 800, 480, false);
    let host = start(&folder).await;
    let form = host.feedback_open(Opening::default()).await;
    let screens = |sources: Vec<snag_agent::desktop::view::PictureSource>| {
        sources
            .into_iter()
            .filter(|source| source.is_screen)
            .collect::<Vec<_>>()
    };
    let sources = screens(host.feedback_sources().await.unwrap());
    let named = |name: &str| {
        let source = sources.iter().find(|source| source.name == name);
        source.expect("a monitor").clone()
    };
    let (left, right) = (named("LEFT"), named("RIGHT"));
    assert_eq!(sources.len(), 2);
    assert_eq!((left.size, right.size), (size(800, 800), size(480, 800)));
    assert!(form.picture.is_some());
    let taken = host.feedback_retake(&right.id).await.unwrap();
    assert_eq!(taken.size, right.size);
    let mut draft = host.feedback_form().unwrap().draft;
    draft.description = "On the right screen".into();
    host.feedback_save_draft(draft.clone()).unwrap();

    monitors.unplug("RIGHT");
    let gone = host.feedback_retake(&right.id).await.unwrap_err();
    assert_eq!(gone.key, "problem.picture_gone");
    let left_over = screens(host.feedback_sources().await.unwrap());
    assert!(left_over.iter().all(|source| source.name != "RIGHT"));
    let form = host.feedback_form().unwrap();
    assert_eq!(form.picture.as_ref(), Some(&taken), "the picture stays");
    let shown = host.feedback_picture(&taken.id).unwrap();
    assert_eq!(Picture::decode(&shown.bytes).unwrap().size(), right.size);
    assert_eq!(
        host.feedback_retake(&left.id).await.unwrap().size,
        left.size
    );

    // The first one goes and the second moves up: its number is another's now, its name isn't.
    monitors.unplug("LEFT");
    monitors.plug("OTHER", 0, 640, true);
    let gone = host.feedback_retake(&left.id).await.unwrap_err();
    assert_eq!(gone.key, "problem.picture_gone");
    let sources = screens(host.feedback_sources().await.unwrap());
    let other = sources.iter().find(|source| source.name == "OTHER");
    let other = other.expect("the new one").clone();
    assert_eq!(
        other.id.rsplit_once(':').unwrap().0,
        left.id.rsplit_once(':').unwrap().0
    );
    assert_eq!(
        host.feedback_retake(&other.id).await.unwrap().size,
        size(640, 800)
    );
    host.feedback_send(&host.feedback_form().map(|form| form.draft).unwrap())
        .unwrap();
    host.stop().await;
}

#[test]
fn the_end_of_the_x_server_is_said_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut desktop = Desktop::start(EVERYTHING);
    let program = desktop.program_of(&script(), "Orders");
    let (x, y) = program.place("dead");
    let mut command = desktop.command(std::env::current_exe().unwrap());
    as_child(&mut command, "screens::server_child", folder.path());
    let mut child = command
        .env(PLACE, format!("{x} {y}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = Lines::of(child.stdout.take().unwrap());
    let mut child = Ended(child);
    lines.wait("the clicks", |line| line.get("clicked").cloned());
    desktop.end_server();
    lines.wait("that it is said", |line| line.get("said").cloned());
    assert!(child.ends().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_child() {
    let Some(folder) = child_folder() else {
        return;
    };
    let place = std::env::var(PLACE).unwrap();
    let (x, y) = place.split_once(' ').unwrap();
    let begun = Zoned::now().date().to_string();
    let host = start_capturing(&folder).await;
    let hand = Hand::new(&std::env::var("DISPLAY").unwrap());
    rage(&hand, (x.parse().unwrap(), y.parse().unwrap()));
    println!("\n{}", json!({"clicked": true}));
    until("it is said", || {
        matches!(
            host.overview().capture,
            CaptureState::Unavailable { reason } if reason.key == "problem.input"
        )
    })
    .await;
    until("the incident and its session are stored", || {
        // At midnight another day begins.
        let days = [None, Some(begun.as_str())].map(|date| host.knows_day(date).unwrap());
        days.iter().any(|day| !day.incidents.is_empty())
            && host.knows_waiting(None).unwrap().total > 0
    })
    .await;
    let form = host.feedback_open(Opening::default()).await;
    assert!(form.picture.is_none());
    let mut draft = form.draft;
    draft.description = "The screen went away".into();
    host.feedback_send(&draft).unwrap();
    println!("\n{}", json!({"said": true}));
    host.stop().await;
}
