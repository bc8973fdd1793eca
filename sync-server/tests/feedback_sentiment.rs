//! Our sentiment beside TextBlob's, on labelled English texts.
//!
//! The texts are put together here: what people say of a program, times what they say it
//! of. They were written by whoever wrote `understand::usage`, before it was measured and
//! without a look at which of them it gets right; so they say that it isn't worse than
//! TextBlob on feedback about software, not how good it is on texts of another kind. For
//! those, `SNAG_SENTIMENT_TEXTS` names a file of `label<TAB>text` lines (`positive`,
//! `negative`, `neutral`), which is measured instead.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use snag_server::feedback::understand::judge;

const THINGS: [&str; 16] = [
    "the search",
    "the new editor",
    "the invoice screen",
    "the export",
    "the mobile app",
    "the login page",
    "the dashboard",
    "the calendar view",
    "the upload form",
    "the report builder",
    "the printing dialog",
    "the settings page",
    "the chat",
    "the import wizard",
    "the help centre",
    "the latest version",
];

const POSITIVE: [&str; 24] = [
    "I really like {}.",
    "{} is great, thank you!",
    "Love how fast {} has become.",
    "{} is a joy to use.",
    "Since the update {} is so much better.",
    "{} works perfectly for us.",
    "Well done with {}, everybody here is happy.",
    "{} looks beautiful now.",
    "I am impressed by {}.",
    "{} saves me an hour every day.",
    "Finally {} is easy to understand.",
    "{} is not bad at all.",
    "No problems with {} so far.",
    "{} is excellent and very clear.",
    "My whole team enjoys {}.",
    "{} makes my work so much easier.",
    "Best thing you did: {}.",
    "{} is wonderful \u{1f600}",
    "\u{1f44d} for {}",
    "I never have trouble with {}.",
    "{} is intuitive.",
    "{} is quick and reliable.",
    "Thanks for {}, it helps a lot.",
    "I can't complain about {}.",
];

const NEGATIVE: [&str; 28] = [
    "{} does not work.",
    "{} crashes every time I open it.",
    "I hate {}.",
    "{} is terribly slow.",
    "{} is confusing and ugly.",
    "Since the update {} is broken.",
    "{} freezes when I scroll.",
    "I can't find anything in {}.",
    "{} lost all my work.",
    "{} is not good.",
    "I don't like {} any more.",
    "{} is a complete mess.",
    "What a waste of time {} is.",
    "{} keeps failing with an error.",
    "{} is useless to me.",
    "Very disappointed by {}.",
    "{} is worse than before.",
    "{} takes forever to load.",
    "I gave up on {}.",
    "{} is annoying \u{1f621}",
    "\u{1f44e} for {}",
    "{} never does what I want and it is frustrating.",
    "{} is unreliable.",
    "It is impossible to use {}, awful.",
    "{} hangs and I have to restart.",
    "I am not happy with {}.",
    "{} won't open.",
    "The text in {} is too small to read.",
];

const NEUTRAL: [&str; 12] = [
    "Where is {}?",
    "I opened {} on Monday.",
    "{} has two buttons on the left.",
    "How do I get to {} from the menu?",
    "We use {} in our office.",
    "{} shows a list of orders.",
    "There are five columns in {}.",
    "Which role can see {}?",
    "{} was moved to the second tab.",
    "I am writing about {}.",
    "My colleague sent me here from {}.",
    "It would be nice if {} had a dark mode.",
];

fn texts() -> Vec<(String, String)> {
    if let Some(path) = std::env::var_os("SNAG_SENTIMENT_TEXTS") {
        let file = std::fs::read_to_string(path).expect("the file can be read");
        return file
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(label, text)| (label.to_owned(), text.to_owned()))
            .collect();
    }
    let mut texts = Vec::new();
    for (label, sentences) in [
        ("positive", &POSITIVE[..]),
        ("negative", &NEGATIVE),
        ("neutral", &NEUTRAL),
    ] {
        for sentence in sentences {
            for thing in THINGS {
                let text = sentence.replace("{}", thing);
                let mut characters = text.chars();
                let first = characters.next().map(|c| c.to_uppercase().to_string());
                let text = first.unwrap_or_default() + characters.as_str();
                texts.push((label.to_owned(), text));
            }
        }
    }
    texts
}

/// TextBlob's polarity of each text.
fn textblob(texts: &[(String, String)]) -> Vec<f64> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let said = Command::new("sh")
        .arg(here.join("setup.sh"))
        .args(["--where", "textblob"])
        .output()
        .expect("sh runs");
    let folder = String::from_utf8(said.stdout).expect("a path");
    let python = Path::new(folder.trim()).join("venv/bin/python");
    assert!(python.exists(), "TextBlob is not set up: run make test");
    let mut child = Command::new(python)
        .arg(here.join("textblob/polarity.py"))
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = child.stdin.take().expect("a pipe");
    let lines: String = texts.iter().map(|(_, text)| format!("{text}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("its end");
    writer.join().expect("a thread").expect("all is written");
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).expect("text");
    let found: Vec<f64> = said
        .lines()
        .map(|line| line.parse().expect("a number"))
        .collect();
    assert_eq!(found.len(), texts.len());
    found
}

#[test]
fn sentiment_is_not_less_accurate_than_textblob() {
    let texts = texts();
    assert!(texts.len() >= 1_000, "{}", texts.len());
    let theirs = textblob(&texts);
    let (mut ours_right, mut theirs_right, mut unjudged) = (0, 0, 0);
    let mut wrong = Vec::new();
    for ((label, text), polarity) in texts.iter().zip(theirs) {
        // TextBlob's own thresholds are the signs.
        let their_class = if polarity > 0.0 {
            "positive"
        } else if polarity < 0.0 {
            "negative"
        } else {
            "neutral"
        };
        theirs_right += usize::from(their_class == label);
        match judge(text).sentiment {
            Some((_, class)) if class == label => ours_right += 1,
            judged => {
                unjudged += usize::from(judged.is_none());
                wrong.push(format!("{label} {judged:?} {text}"));
            }
        }
    }
    let share = |right: usize| 100.0 * right as f64 / texts.len() as f64;
    println!(
        "{} texts: ours {:.1} % ({unjudged} unjudged), TextBlob {:.1} %",
        texts.len(),
        share(ours_right),
        share(theirs_right)
    );
    for line in wrong.iter().step_by(8) {
        println!("  {line}");
    }
    assert!(ours_right >= theirs_right, "{ours_right} < {theirs_right}");
    assert!(
        unjudged * 50 <= texts.len(),
        "English is taken for something else: {unjudged}"
    );
}
