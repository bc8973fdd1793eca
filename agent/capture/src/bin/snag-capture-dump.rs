//! Captures the desktop it runs on and prints JSON lines, for tests and for a look at what capture sees.
//!
//! Arguments: `--own=PID` (leave out its windows), `--deny=PROGRAM` (leave it out by policy), `--deadline-ms=N` (for
//! elements), `--window-deadline-ms=N` (for windows).
//!
//! Lines of standard output: inputs as recordings hold them, `{"label": …}`, `{"incident": …}` (what the engine makes of
//! the inputs), `{"lost": …}` and, on request, `{"health": …}`. The first line is `{"ready": true}`. Lines of standard
//! input: `health`, `pause`, `resume`, `restart` (stop and start again in this process), `flood N` (does not read for
//! N ms), `stop`. Exit code 3 and a sentence on standard error: capture did not start.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::json;
use snag_capture::{Capture, CaptureItem, CaptureOptions};
use snag_core::{AppRules, Body, Effect, Engine, Policy, PolicySettings, Redactor};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let denied = arguments
        .iter()
        .filter_map(|argument| argument.strip_prefix("--deny="));
    let settings = PolicySettings {
        apps: AppRules::Deny(denied.map(str::to_owned).collect()),
        ..PolicySettings::default()
    };
    let policy = Policy::from_settings(&settings).expect("names of programs");
    let mut options = CaptureOptions::new(Arc::new(Redactor::new(&policy)));
    for argument in &arguments {
        match argument.split_once('=') {
            Some(("--own", pid)) => options
                .own_processes
                .add(pid.parse().expect("a process id")),
            Some(("--deadline-ms", ms)) => {
                options.element_deadline = Duration::from_millis(ms.parse().expect("milliseconds"));
            }
            Some(("--window-deadline-ms", ms)) => {
                options.window_deadline = Duration::from_millis(ms.parse().expect("milliseconds"));
            }
            Some(("--deny", _)) => {}
            _ => panic!("unknown argument {argument}"),
        }
    }
    let commands = read_commands();
    let mut capture = start(&options);
    say(&json!({"ready": true}));
    let mut engine = Engine::new(policy);
    loop {
        if let Some(item) = capture.next(Duration::from_millis(50)) {
            tell(&item, &mut engine);
        }
        let Ok(command) = commands.try_recv() else {
            continue;
        };
        let (command, number) = command.split_once(' ').unwrap_or((&command, "0"));
        match command {
            "health" => {
                say(&json!({"health": capture.health(), "words": capture.health().plain_words()}))
            }
            "pause" => capture.pause(true),
            "resume" => capture.pause(false),
            "restart" => {
                capture.stop();
                capture = start(&options);
                say(&json!({"ready": true}));
            }
            "flood" => {
                std::thread::sleep(Duration::from_millis(number.parse().expect("milliseconds")))
            }
            _ => break,
        }
    }
    while let Some(item) = capture.next(Duration::from_millis(400)) {
        tell(&item, &mut engine);
    }
    engine.finish(&mut |effect| say_effect(&effect));
    say(&json!({"health": capture.health()}));
}

fn start(options: &CaptureOptions) -> Capture {
    snag_capture::start(options.clone()).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(3);
    })
}

fn tell(item: &CaptureItem, engine: &mut Engine) {
    match item {
        CaptureItem::Input(input) => {
            say(&serde_json::to_value(input).expect("an input is JSON"));
            engine.step(input, &mut |effect| say_effect(&effect));
        }
        CaptureItem::Label(label) => say(&json!({"label": label})),
        CaptureItem::Lost { reason } => say(&json!({"lost": reason})),
    }
}

fn say_effect(effect: &Effect) {
    if let Effect::Record(record) = effect
        && let Body::Incident(incident) = &record.body
    {
        say(
            &json!({"incident": {"kind": incident.kind, "count": incident.count, "role": incident.role, "t": record.t}}),
        );
    }
}

fn say(value: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    // The reader may have gone: then nobody is left to tell.
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}

fn read_commands() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
        let _ = sender.send("stop".to_owned());
    });
    receiver
}
