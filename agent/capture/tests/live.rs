//! Capture on a real desktop under Xvfb: what a hand does arrives, complete, in order, with its element and the
//! program's answers, and nothing of what was typed.

#![cfg(target_os = "linux")]

mod desktop;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use desktop::{
    Desktop, EVERYTHING, Ended, Hand, Lines, Pace, Program, Text, With, output_of, wait_for,
    wait_until,
};
use serde_json::Value;
use x11rb::protocol::xproto::ConnectionExt as _;

/// Longer than the detector waits for an answer.
const LONGER_THAN_AN_ANSWER: Duration = Duration::from_millis(3_200);
/// Generous, so that a busy machine does not make elements unknown.
const PATIENT: &str = "--deadline-ms=5000";
/// The same for whose window something is.
const PATIENT_WINDOWS: &str = "--window-deadline-ms=5000";

const DUMP: &str = env!("CARGO_BIN_EXE_snag-capture-dump");

/// `snag-capture-dump`, running.
struct Dump {
    process: Ended,
    lines: Lines,
    errors: Text,
}

impl Dump {
    fn start(desktop: &Desktop, arguments: &[&str]) -> Self {
        let mut command = desktop.command(DUMP);
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the dump starts");
        let lines = Lines::of(child.stdout.take().expect("a pipe"));
        let errors = Text::of(child.stderr.take().expect("a pipe"));
        lines.wait("capture is ready", |line| line.get("ready").cloned());
        Self {
            process: Ended(child),
            lines,
            errors,
        }
    }

    fn tell(&mut self, command: &str) {
        use std::io::Write as _;
        let stdin = self.process.0.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{command}")
            .and_then(|()| stdin.flush())
            .expect("the dump reads");
    }

    fn health(&mut self) -> Value {
        let before = self.lines.count(|line| line.get("health").is_some());
        self.tell("health");
        wait_until("health is told", || {
            self.lines.count(|line| line.get("health").is_some()) > before
        });
        self.lines
            .all()
            .iter()
            .rev()
            .find_map(|line| line.get("health").cloned())
            .expect("health")
    }

    fn count(&self, kind: &str) -> usize {
        self.lines.count(|line| line["in"] == kind)
    }

    fn of(&self, kind: &str) -> Vec<Value> {
        self.lines
            .all()
            .into_iter()
            .filter(|line| line["in"] == kind)
            .collect()
    }

    /// Stops it and gives all that it told.
    fn stop(mut self) -> Vec<Value> {
        self.tell("stop");
        let status = self.process.ends();
        assert!(status.success(), "{status}");
        wait_until("all is read", || {
            self.lines
                .all()
                .last()
                .is_some_and(|line| line.get("health").is_some())
        });
        let all = self.lines.all();
        let times: Vec<u64> = all.iter().filter_map(|line| line["t"].as_u64()).collect();
        assert!(times.is_sorted(), "times never fall");
        all
    }
}

fn incidents<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines
        .iter()
        .filter_map(|line| line.get("incident"))
        .filter(|incident| incident["kind"] == kind)
        .collect()
}

fn role(press: &Value) -> &str {
    press["element"]["role"].as_str().unwrap_or("unknown")
}

/// What was done, to be compared with what arrived.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    presses: usize,
    releases: usize,
    keys: usize,
    wheel: usize,
    focus: usize,
}

impl Done {
    fn arrived(dump: &Dump, before: &Done) -> Self {
        Self {
            presses: dump.count("press") - before.presses,
            releases: dump.count("release") - before.releases,
            keys: dump.count("key") - before.keys,
            wheel: dump.count("wheel") - before.wheel,
            focus: dump.count("focus") - before.focus,
        }
    }
}

/// 300 clicks with moves, keys, wheel steps and changes of the focus, a step each `pace`.
fn drive(hand: &Hand, dump: &Dump, pace: Duration, places: &[(i16, i16)], other: u32) -> Done {
    let mut done = Done::default();
    let focus_before = dump.count("focus");
    let mut pace = Pace::of(pace);
    for click in 0..300_usize {
        let (x, y) = places[click % places.len()];
        if click % 50 == 25 {
            std::thread::sleep(Duration::from_millis(300));
            // The next click, into the other window, brings the focus back.
            hand.activate(other);
            done.focus += 2;
            // Nobody sees a window that is there for less; the server tells of changes, not of their values.
            wait_until("the other window's focus is told", || {
                dump.count("focus") >= focus_before + done.focus - 1
            });
        }
        for step in [3, 0] {
            hand.move_to((x + step, y));
            pace.step();
        }
        hand.press(1);
        pace.step();
        hand.release(1);
        pace.step();
        done.presses += 1;
        done.releases += 1;
        if click % 3 == 0 {
            hand.key(u32::from(b'a') + u32::try_from(click % 26).expect("small"));
            done.keys += 1;
            pace.step();
        }
        if click % 5 == 0 {
            hand.wheel();
            done.wheel += 1;
            pace.step();
        }
    }
    done
}

/// Two programs beside each other, and what there is to click in the first.
struct Two {
    first: Program,
    _second: Program,
    /// The window of the second.
    other: u32,
}

fn two_programs(desktop: &Desktop, hand: &Hand) -> Two {
    let mut first = desktop.program("Orders");
    let one = wait_for("the first program is active", || hand.active());
    let second = desktop.program("Customers");
    let two = wait_for("the second program is active", || {
        hand.active().filter(|window| *window != one)
    });
    // Clicks are meant for the first: the second lies beside it.
    let moved = desktop
        .command("xdotool")
        .args(["windowmove", &two.to_string(), "0", "0"])
        .status();
    assert!(moved.expect("xdotool (package xdotool) runs").success());
    let moved = desktop
        .command("xdotool")
        .args(["windowmove", &one.to_string(), "660", "300"])
        .status();
    assert!(moved.expect("xdotool runs").success());
    hand.activate(one);
    std::thread::sleep(Duration::from_millis(300));
    first.look_again();
    Two {
        first,
        _second: second,
        other: two,
    }
}

#[test]
fn three_hundred_clicks_at_human_and_at_1_khz_pace_arrive_complete() {
    let desktop = Desktop::start(EVERYTHING);
    let hand = desktop.hand();
    let two = two_programs(&desktop, &hand);
    let dump = Dump::start(&desktop, &[PATIENT]);
    wait_until("the first focus is told", || dump.count("focus") == 1);
    let places = [
        two.first.place("live"),
        two.first.place("check"),
        two.first.place("dead"),
    ];
    let roles = ["push_button", "check_box", "push_button"];
    let mut before = Done {
        focus: 1,
        ..Done::default()
    };
    for pace in [Duration::from_millis(25), Duration::from_millis(1)] {
        let done = drive(&hand, &dump, pace, &places, two.other);
        wait_until_equal(&done, || Done::arrived(&dump, &before));
        // Nothing comes twice or late either.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(Done::arrived(&dump, &before), done);
        let presses = dump.of("press");
        for (index, press) in presses[before.presses..].iter().enumerate() {
            assert_eq!(
                role(press),
                roles[index % 3],
                "click {index} at a pace of {pace:?}: {press}"
            );
            let (x, y) = places[index % 3];
            assert_eq!(
                (press["x"].as_i64(), press["y"].as_i64()),
                (Some(x.into()), Some(y.into()))
            );
        }
        before = Done {
            focus: dump.count("focus"),
            ..done_total(&dump)
        };
    }
    let all = dump.stop();
    let health = &all.last().expect("health")["health"];
    assert_eq!(health["losses"]["overload"], 0);
    assert_eq!(health["losses"]["moves_merged"], 0);
    assert_eq!(health["counts"]["presses"], 600);
    assert_eq!(health["lookups"]["element_found"], 600);
}

/// Waits until what arrived is what was done; says both where it is not.
fn wait_until_equal<T: PartialEq + std::fmt::Debug>(done: &T, arrived: impl Fn() -> T) {
    let until = Instant::now() + desktop::PATIENCE;
    while arrived() != *done && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(arrived(), *done);
}

fn done_total(dump: &Dump) -> Done {
    Done::arrived(dump, &Done::default())
}

#[test]
fn rage_and_dead_clicks_are_found_where_they_are_and_answers_are_seen_elsewhere() {
    let desktop = Desktop::start(EVERYTHING);
    let hand = desktop.hand();
    let mut program = desktop.program("Orders");
    let dump = Dump::start(&desktop, &[PATIENT]);
    // The focus is somewhere else first, as it moves to what is clicked.
    hand.click_at(program.place("entry"));
    std::thread::sleep(LONGER_THAN_AN_ANSWER);
    for widget in ["live", "unnamed", "check", "tab_details", "tab_general"] {
        hand.click_at(program.place(widget));
        std::thread::sleep(LONGER_THAN_AN_ANSWER);
    }
    assert_eq!(
        (
            program.clicks("live"),
            program.clicks("unnamed"),
            program.clicks("check")
        ),
        (1, 1, 1)
    );
    let answered = dump.of("press");
    assert_eq!(
        dump.lines.count(|line| line.get("incident").is_some()),
        0,
        "all were answered: {:#?}",
        dump.lines.all()
    );
    assert!(dump.count("reaction") >= 5);
    // A menu's entry, which lies in a window of its own.
    let (x, y) = program.place("file_menu");
    let entry = (x + 10, y + 25);
    let below = outermost(&hand, entry);
    hand.click_at((x, y));
    wait_until("the menu is open", || outermost(&hand, entry) != below);
    // GTK takes a click that comes sooner for the end of the one that opened the menu.
    std::thread::sleep(Duration::from_millis(700));
    hand.move_to(entry);
    std::thread::sleep(Duration::from_millis(120));
    // Once the button is let go the menu is gone, and with it what was clicked.
    let told = dump.count("press");
    hand.press(1);
    wait_until("the press on the entry is told", || {
        dump.count("press") > told
    });
    hand.release(1);
    wait_until("the menu's entry is chosen", || program.clicks("menu") == 1);
    std::thread::sleep(LONGER_THAN_AN_ANSWER);
    // Nothing answers these: one by itself, and one as a title that changes for another reason comes too early.
    let told = dump.count("focus");
    program.tell("title Orders of today");
    wait_until("the title is told", || dump.count("focus") > told);
    std::thread::sleep(Duration::from_millis(500));
    hand.click_at(program.place("dead"));
    std::thread::sleep(LONGER_THAN_AN_ANSWER);
    // Moving on over other widgets lights them up, which is no answer.
    hand.click_at(program.place("dead"));
    for widget in ["live", "check", "entry"] {
        std::thread::sleep(Duration::from_millis(200));
        hand.move_to(program.place(widget));
    }
    std::thread::sleep(LONGER_THAN_AN_ANSWER);
    hand.move_to(program.place("dead"));
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..5 {
        hand.click();
        std::thread::sleep(Duration::from_millis(60));
    }
    std::thread::sleep(LONGER_THAN_AN_ANSWER);
    wait_until("the program saw the clicks", || program.clicks("dead") == 7);
    let all = dump.stop();
    let roles: Vec<&str> = answered.iter().map(role).collect();
    assert_eq!(
        roles,
        [
            "text",
            "push_button",
            "push_button",
            "check_box",
            "tab",
            "tab"
        ]
    );
    assert_ne!(
        answered[1]["element"]["id"], answered[2]["element"]["id"],
        "an unnamed button is told apart by its place"
    );
    let presses: Vec<&Value> = all.iter().filter(|line| line["in"] == "press").collect();
    assert_eq!(role(presses[7]), "menu_item");
    let rage = incidents(&all, "rage_click");
    assert_eq!(rage.len(), 1, "{rage:?}");
    assert_eq!(
        (rage[0]["role"].as_str(), rage[0]["count"].as_u64()),
        (Some("push_button"), Some(5))
    );
    let dead: Vec<u64> = incidents(&all, "dead_click")
        .iter()
        .map(|dead| dead["t"].as_u64().expect("ms"))
        .collect();
    let expected: Vec<u64> = [8, 9, 10]
        .iter()
        .map(|index| presses[*index]["t"].as_u64().expect("ms"))
        .collect();
    assert_eq!(
        dead, expected,
        "the dead button twice by itself and once for the rage run"
    );
    let labels: Vec<&str> = all
        .iter()
        .filter_map(|line| line["label"]["text"].as_str())
        .collect();
    assert!(
        labels.contains(&"Refresh list") && labels.contains(&"Apply changes"),
        "{labels:?}"
    );
}

#[test]
fn nothing_of_what_is_typed_or_written_into_a_title_is_in_anything_captured() {
    let desktop = Desktop::start(EVERYTHING);
    let hand = desktop.hand();
    let mut program = desktop.program("Orders");
    let mut dump = Dump::start(&desktop, &[PATIENT]);
    let secret = "xq7zkv9wj2";
    for widget in ["entry", "password"] {
        hand.click_at(program.place(widget));
        std::thread::sleep(Duration::from_millis(200));
        hand.type_text(secret);
    }
    hand.control(u32::from(b'z'));
    hand.control(u32::from(b'c'));
    hand.click_at(program.place("entry"));
    hand.click_at(program.place("password"));
    program.tell("title Order 4711-88 of jane.roe@example.org");
    wait_until("the title is told", || dump.count("focus") >= 2);
    // 10 characters twice; Control and a letter twice.
    wait_until("the keys arrive", || dump.count("key") == 24);
    let classes: Vec<String> = dump
        .of("key")
        .iter()
        .map(|key| key["class"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(classes.iter().filter(|class| *class == "char").count(), 20);
    assert_eq!(classes[20..], ["modifier", "undo", "modifier", "copy"]);
    dump.health();
    let errors = dump.errors.all();
    let all = dump.stop();
    let roles: Vec<&str> = all
        .iter()
        .filter(|line| line["in"] == "press")
        .map(role)
        .collect();
    assert_eq!(roles, ["text", "password_text", "text", "password_text"]);
    let text = format!("{all:?}{errors:?}").to_lowercase();
    // The password field's name is part of what must not be read.
    for word in [secret, "xq7", "hunter2", "4711", "jane", "roe@"] {
        assert!(!text.contains(word), "{word} was captured");
    }
}

#[test]
fn a_program_that_hangs_costs_its_clicks_their_element_and_nothing_more() {
    let desktop = Desktop::start(EVERYTHING);
    let hand = desktop.hand();
    let program = desktop.program("Orders");
    let dump = Dump::start(&desktop, &["--deadline-ms=400"]);
    let known = |dump: &Dump| {
        dump.of("press")
            .iter()
            .filter(|press| role(press) == "push_button")
            .count()
    };
    wait_until("the button is known", || {
        hand.click_at(program.place("live"));
        std::thread::sleep(Duration::from_millis(700));
        known(&dump) > 0
    });
    let before = dump.count("press");
    let known_before = known(&dump);
    program.process.signal("STOP");
    let began = Instant::now();
    for _ in 0..5 {
        hand.click_at(program.place("live"));
        hand.key(u32::from(b'a'));
    }
    wait_until("the clicks arrive", || {
        dump.count("press") == before + 5 && dump.count("key") == 5
    });
    // Five clicks took a second by themselves; the deadline of each runs from its own press.
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(known(&dump), known_before);
    program.process.signal("CONT");
    wait_until("the button is known again", || {
        hand.click_at(program.place("live"));
        std::thread::sleep(Duration::from_millis(700));
        known(&dump) > known_before
    });
    let all = dump.stop();
    let kinds: Vec<&str> = all
        .iter()
        .filter_map(|line| line["in"].as_str())
        .filter(|kind| ["press", "release", "key"].contains(kind))
        .collect();
    let hung = &kinds[before * 2..before * 2 + 15];
    assert_eq!(
        hung.chunks(3)
            .filter(|chunk| *chunk == ["press", "release", "key"])
            .count(),
        5,
        "{hung:?}"
    );
    let health = &all.last().expect("health")["health"];
    assert!(
        health["lookups"]["element_late"]
            .as_u64()
            .is_some_and(|late| late > 0)
            || health["lookups"]["element_unknown"]
                .as_u64()
                .is_some_and(|unknown| unknown > 0)
    );
}

#[test]
fn without_a_bus_or_a_window_manager_clicks_arrive_and_health_says_what_does_not() {
    let desktop = Desktop::start(With {
        window_manager: false,
        bus: false,
    });
    let hand = desktop.hand();
    let mut dump = Dump::start(&desktop, &[]);
    let first = dump.lines.wait("the first input", |line| {
        line.get("in").map(|_| line.clone())
    });
    assert_eq!(
        (first["in"].as_str(), first["reactions"].as_bool()),
        (Some("capture"), Some(false))
    );
    let silent = dump.health();
    assert!(
        silent["silent"]
            .as_str()
            .is_some_and(|why| why.contains("nobody has used")),
        "{silent}"
    );
    for _ in 0..3 {
        hand.click_at((100, 100));
    }
    wait_until("the clicks arrive", || {
        dump.count("press") == 3 && dump.count("release") == 3
    });
    assert!(
        dump.of("press")
            .iter()
            .all(|press| press.get("element").is_none())
    );
    let health = dump.health();
    for source in ["element", "reactions"] {
        assert_eq!(health[source]["state"], "off");
        assert!(
            health[source]["reason"]
                .as_str()
                .is_some_and(|why| why.contains("bus")),
            "{health}"
        );
    }
    assert_eq!(health["window"]["state"], "limited");
    assert!(
        health["window"]["reason"]
            .as_str()
            .is_some_and(|why| why.contains("window manager")),
        "{health}"
    );
    assert_eq!(health["input"]["state"], "working");
    assert!(health["silent"].is_null());
    assert!(
        health["last_input_unix_ms"]
            .as_u64()
            .is_some_and(|t| t > 1_600_000_000_000)
    );
    dump.stop();
}

#[test]
fn without_a_display_the_start_says_so() {
    let run = |settings: &[(&str, &str)]| {
        let mut command = Command::new(DUMP);
        command
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("XDG_SESSION_TYPE");
        let output = output_of(command.envs(settings.iter().copied()));
        assert_eq!(output.status.code(), Some(3));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).expect("text")
    };
    let none = run(&[]);
    assert!(
        none.contains("no display") && !none.contains("Wayland"),
        "{none}"
    );
    let wayland = run(&[("WAYLAND_DISPLAY", "wayland-0")]);
    assert!(wayland.contains("Wayland"), "{wayland}");
    let gone = run(&[("DISPLAY", ":32109")]);
    assert!(gone.contains("display cannot be used"), "{gone}");
}

#[test]
fn nothing_of_a_program_that_the_policy_leaves_out_is_looked_up() {
    let desktop = Desktop::start(EVERYTHING);
    let hand = desktop.hand();
    let mut program = desktop.program("Payroll");
    let dump = Dump::start(&desktop, &[PATIENT, "--deny=program.py"]);
    program.tell("title Salaries");
    for widget in ["live", "dead", "tab_details"] {
        hand.click_at(program.place(widget));
    }
    wait_until("the clicks arrive", || dump.count("release") == 3);
    let all = dump.stop();
    assert!(all.iter().any(|line| line["in"] == "focus"));
    let text = format!("{all:?}");
    for word in ["Payroll", "Salaries", "Apply", "push_button"] {
        assert!(!text.contains(word), "{word} was looked up");
    }
    assert!(all.iter().all(|line| line.get("label").is_none()));
}

#[test]
fn our_own_windows_are_left_out_and_a_pause_and_a_new_start_do_what_they_say() {
    let desktop = Desktop::start(EVERYTHING);
    let hand = desktop.hand();
    let two = two_programs(&desktop, &hand);
    let own = format!("--own={}", two.first.process.0.id());
    let mut dump = Dump::start(&desktop, &[PATIENT, PATIENT_WINDOWS, &own]);
    for widget in ["live", "entry"] {
        hand.click_at(two.first.place(widget));
    }
    hand.type_text("abc");
    hand.wheel();
    wait_until("they are left out", || {
        // Two moves, two presses, two releases, three keys and a wheel step.
        dump.health()["losses"]["own_windows"] == 10
    });
    assert_eq!(done_total(&dump), Done::default());
    assert_eq!(dump.count("move"), 0);
    hand.activate(two.other);
    wait_until("the other program's focus is told", || {
        dump.count("focus") == 1
    });
    hand.type_text("abc");
    wait_until("the other program's keys arrive", || dump.count("key") == 3);

    dump.tell("pause");
    wait_until("it is paused", || dump.health()["paused"] == true);
    assert!(
        dump.health()["silent"]
            .as_str()
            .is_some_and(|why| why.contains("paused"))
    );
    hand.type_text("abc");
    // Nothing tells that these were heard, which are left out only while it is paused.
    std::thread::sleep(Duration::from_millis(500));
    dump.tell("resume");
    wait_until("it goes on", || dump.health()["paused"] == false);
    wait_until("the focus is told anew", || dump.count("focus") == 2);
    hand.type_text("ab");
    wait_until("keys arrive again", || dump.count("key") == 5);

    let ready = dump.lines.count(|line| line.get("ready").is_some());
    dump.tell("restart");
    wait_until("it starts anew", || {
        dump.lines.count(|line| line.get("ready").is_some()) > ready
    });
    wait_until("the focus is told by the new one", || {
        dump.count("focus") == 3
    });
    hand.type_text("abcd");
    wait_until("keys arrive once each", || dump.count("key") == 9);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(dump.count("key"), 9);
    dump.stop();
}

#[test]
fn what_is_done_over_our_own_windows_is_not_taken_for_the_program_with_the_focus() {
    let desktop = Desktop::start(EVERYTHING);
    let hand = desktop.hand();
    let two = two_programs(&desktop, &hand);
    hand.activate(two.other);
    let own = format!("--own={}", two.first.process.0.id());
    let mut dump = Dump::start(&desktop, &[PATIENT, PATIENT_WINDOWS, &own]);
    wait_until("the other program's focus is told", || {
        dump.count("focus") == 1
    });
    let (x, y) = two.first.place("live");
    let mut pace = Pace::of(Duration::from_millis(5));
    // It lies beside the program that has the focus.
    for step in 0..40 {
        hand.move_to((x + step % 10, y));
        pace.step();
    }
    hand.wheel();
    wait_until("moves and the wheel are left out", || {
        dump.health()["losses"]["own_windows"] == 41
    });
    assert_eq!((dump.count("move"), dump.count("wheel")), (0, 0));
    // Moves that are read together with the last one in our window are left out as well.
    let mut place = 200;
    wait_until("it is known that the pointer has left", || {
        place = 300 - place;
        hand.move_to((place, 200));
        dump.count("move") > 0
    });
    let before = dump.count("move");
    for step in 0..40 {
        hand.move_to((100 + step, 100));
        pace.step();
    }
    hand.wheel();
    wait_until("the program's own arrive", || {
        dump.count("wheel") == 1 && dump.count("move") > before + 20
    });
    // Our window's title bar is the window manager's, and no other program's.
    let frame = top(&hand, (x, y));
    hand.move_to((x, frame + 8));
    std::thread::sleep(Duration::from_millis(120));
    assert_eq!(top(&hand, (x, frame + 8)), frame);
    hand.click();
    wait_until("it is clicked", || hand.active() != Some(two.other));
    hand.activate(two.other);
    // Those that are heard before the change of the focus is seen are left out with our window.
    wait_until("the program's key arrives", || {
        hand.type_text("a");
        dump.count("key") > 0
    });
    assert_eq!((dump.count("press"), dump.count("release")), (0, 0));
    dump.stop();
}

/// The outermost window at a point.
fn outermost(hand: &Hand, (x, y): (i16, i16)) -> u32 {
    let found = hand
        .connection
        .translate_coordinates(hand.root, hand.root, x, y)
        .expect("sent")
        .reply();
    found.expect("a window there").child
}

/// Where the outermost window at a point begins, from the top of the screen.
fn top(hand: &Hand, point: (i16, i16)) -> i16 {
    let place = hand
        .connection
        .get_geometry(outermost(hand, point))
        .expect("sent")
        .reply();
    place.expect("a place").y
}

#[test]
fn the_end_of_the_x_server_is_told_and_survived() {
    let mut desktop = Desktop::start(EVERYTHING);
    let hand = desktop.hand();
    let mut dump = Dump::start(&desktop, &[]);
    hand.click_at((100, 100));
    wait_until("a click arrives", || dump.count("press") == 1);
    desktop.end_server();
    let reason = dump.lines.wait("the loss is told", |line| {
        line["lost"].as_str().map(str::to_owned)
    });
    assert!(reason.contains("X server"), "{reason}");
    let health = dump.health();
    assert_eq!(health["input"]["state"], "off");
    assert!(
        health["silent"]
            .as_str()
            .is_some_and(|why| why.contains("X server")),
        "{health}"
    );
    let all = dump.stop();
    assert_eq!(
        all.iter().filter(|line| line.get("lost").is_some()).count(),
        1
    );
}

#[test]
fn a_reader_that_is_busy_for_seconds_misses_no_click() {
    let desktop = Desktop::start(EVERYTHING);
    let hand = desktop.hand();
    let mut dump = Dump::start(&desktop, &[]);
    dump.tell("flood 3000");
    let mut pace = Pace::of(Duration::from_millis(1));
    let places = [(200, 200), (400, 400)];
    for index in 0..2_000_usize {
        let (x, y) = places[index % 2];
        hand.move_to((x + i16::try_from(index % 50).expect("small"), y));
        pace.step();
        if index % 10 == 0 {
            hand.press(1);
            hand.release(1);
            pace.step();
        }
    }
    wait_until_equal(&(200, 200), || (dump.count("press"), dump.count("release")));
    // A busy X server merges moves before it tells anyone of them.
    let moves = dump.count("move");
    assert!((1_000..=2_000).contains(&moves), "{moves} of 2000");
    assert_eq!(dump.health()["losses"]["moves_merged"], 0);
    // No program has a window here: nothing has a focus to tell of.
    assert_eq!(dump.count("focus"), 0);
    dump.stop();
}
