//! Our sentiment beside TextBlob's, on labelled English texts: 3,000 sentences of reviews
//! that people labelled, and what people say of programs.
//!
//! The reviews are the three sets of Kotzias et al., "From Group to Individual Labels using
//! Deep Features" (2015): sentences of Amazon, IMDb and Yelp reviews, as the npm package
//! `sentiment` ships them for its own tests. The others are put together here: what people
//! say of a program, times what they say it of, written by whoever wrote
//! `understand::usage`, before it was measured and without a look at which of them it gets
//! right. `SNAG_SENTIMENT_TEXTS` names a file of `label<TAB>text` lines (`positive`,
//! `negative`, `neutral`) to be measured, too.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
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

/// A text and its label.
type Labelled = (String, String);

/// Where a client of the tests was set up.
fn client(name: &str) -> PathBuf {
    let said = Command::new("sh")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/setup.sh"))
        .args(["--where", name])
        .output()
        .expect("sh runs");
    PathBuf::from(String::from_utf8(said.stdout).expect("a path").trim())
}

fn reviews() -> Vec<Labelled> {
    #[derive(serde::Deserialize)]
    struct Review {
        text: String,
        /// Null in the empty line that ends each set.
        class: Option<u8>,
    }
    let fixtures = client("node").join("node_modules/sentiment/test/fixtures");
    let read = |name: &str| -> Vec<Review> {
        let text = std::fs::read(fixtures.join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}; run make test"));
        serde_json::from_slice(&text).expect("JSON")
    };
    ["amazon.json", "imdb.json", "yelp.json"]
        .into_iter()
        .flat_map(read)
        .filter_map(|Review { text, class }| {
            let label = if class? == 1 { "positive" } else { "negative" };
            let words: Vec<&str> = text.split_whitespace().collect();
            Some((label.to_owned(), words.join(" ")))
        })
        .collect()
}

fn of_file(path: &OsStr) -> Vec<Labelled> {
    let file = std::fs::read_to_string(path).expect("the file can be read");
    file.lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(label, text)| (label.to_owned(), text.to_owned()))
        .collect()
}

fn of_programs() -> Vec<Labelled> {
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
fn textblob(texts: &[Labelled]) -> Vec<f64> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let python = client("textblob").join("venv/bin/python");
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
    compare("reviews", &reviews());
    compare("of programs", &of_programs());
    if let Some(path) = std::env::var_os("SNAG_SENTIMENT_TEXTS") {
        compare("of the file", &of_file(&path));
    }
}

fn compare(what: &str, texts: &[Labelled]) {
    assert!(texts.len() >= 1_000, "{what}: {}", texts.len());
    let theirs = textblob(texts);
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
        "{} texts {what}: ours {:.1} % ({unjudged} unjudged), TextBlob {:.1} %",
        texts.len(),
        share(ours_right),
        share(theirs_right)
    );
    for line in wrong.iter().step_by(8) {
        println!("  {line}");
    }
    assert!(
        ours_right >= theirs_right,
        "{what}: {ours_right} < {theirs_right}"
    );
    assert!(
        unjudged * 50 <= texts.len(),
        "{what}: English is taken for something else: {unjudged}"
    );
}
