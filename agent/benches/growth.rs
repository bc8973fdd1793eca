//! What the agent holds in memory after days of use: all of it but capture and the network, at full speed.
//!
//! Eight hours of a busy hand are a million moves, and windows, clicks and keys between them. What is recorded is stored
//! each second and settled each minute, as the server would; copies stay for the person to see.
//!
//! `cargo bench -p snag-agent --bench growth` (`-- 5 4` for five such days instead of three, with a page cache of 4 MiB)

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use snag_agent::pipeline::Pipeline;
use snag_agent::sync::LabelStore;
use snag_core::{Button, Element, Input, InputKind, KeyClass, Policy};
use snag_spool::{Spool, SpoolOptions};

/// Inputs of eight hours: 35 a second.
const A_DAY: u64 = 1_000_000;
const DAY_MS: u64 = 8 * 3_600_000;
const JOURNAL_MS: u64 = 7 * 86_400_000;

fn main() {
    // Cargo hands on `--bench`.
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let days = numbers.next().unwrap_or(3);
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = SpoolOptions {
        journal_ms: JOURNAL_MS,
        ..SpoolOptions::default()
    };
    if let Some(cache_mib) = numbers.next() {
        options.cache_bytes = cache_mib << 20;
    }
    let (spool, _) = Spool::open(folder.path(), options).expect("a spool");
    let spool = Arc::new(spool);
    let labels = Arc::new(LabelStore::new());
    let policy = Policy::default();
    let mut pipeline =
        Pipeline::live(policy, Arc::clone(&spool), Arc::clone(&labels)).expect("a pipeline");
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64);
    let begins_ms = now_ms - days * DAY_MS;
    let mut records = 0;
    println!("| inputs | records | resident | in the spool's files |");
    println!("|---|---|---|---|");
    row(0, records, &spool);
    for number in 0..days * A_DAY {
        let t = begins_ms + number * DAY_MS / A_DAY;
        let place = ((number % 1_200) as f64, (number % 97) as f64);
        hand(&mut pipeline, number, t, place);
        // A second, and a minute.
        if number % 35 == 0 {
            pipeline.advance(t);
            records += pipeline.pending() as u64;
            pipeline.flush().expect("stored");
        }
        if number % 2_100 == 0 {
            while let Some(last) = spool.peek(500).expect("read").last() {
                spool.settle(last.seq, &[]).expect("settled");
            }
        }
        if (number + 1) % (A_DAY / 4) == 0 {
            row(number + 1, records, &spool);
        }
    }
}

/// The pointer moves; now and then a click, a key, another window.
fn hand(pipeline: &mut Pipeline, number: u64, t: u64, (x, y): (f64, f64)) {
    let mut say = |kind| pipeline.input(&Input { t, kind });
    if number.is_multiple_of(4_000) {
        // Three hundred windows, as a day has.
        let window = number / 4_000 % 300;
        say(InputKind::Focus {
            app: format!("program{}", window % 12),
            window: format!("window {window}"),
            screen: format!("Screen {}", words(window)),
        });
    }
    if number.is_multiple_of(200) {
        let element = Some(Element {
            role: "push_button".into(),
            id: format!("{:016x}", number / 200 % 500),
        });
        let button = Button::Left;
        say(InputKind::Press {
            button,
            x,
            y,
            element: element.clone(),
        });
        say(InputKind::Release {
            button,
            x,
            y,
            element,
        });
        say(InputKind::Reaction);
    }
    if number.is_multiple_of(20) {
        say(InputKind::Key {
            class: KeyClass::Char,
        });
    }
    say(InputKind::Move { x, y });
}

/// A name without a number, which redaction would take out.
fn words(number: u64) -> String {
    number
        .to_string()
        .bytes()
        .map(|digit| {
            ["no", "on", "to", "of", "it", "at", "by", "up", "in", "as"][usize::from(digit - b'0')]
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn row(inputs: u64, records: u64, spool: &Spool) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .map(str::trim)
        .and_then(|line| line.strip_suffix(" kB"))
        .and_then(|kb| kb.parse::<f64>().ok())
        .unwrap_or_default();
    println!(
        "| {inputs} | {records} | {:.2} MB | {:.2} MB |",
        resident / 1_000.0,
        spool.size_on_disk() as f64 / 1_000_000.0
    );
}
