//! The TypeScript of the windows says what Rust says.
//!
//! `SNAG_UPDATE=1 cargo test -p snag-desktop --test bindings` writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use snag_agent::desktop::view;
use ts_rs::{Config, TS};

/// Everything that a command takes or answers, or an event carries; what these are made of comes along.
fn export(folder: &Path) {
    // Counts and sizes stay far below 2^53, and JSON.parse gives numbers, not BigInts.
    let config = Config::new().with_out_dir(folder).with_large_int("number");
    macro_rules! export {
        ($($name:ident),* $(,)?) => {
            $(view::$name::export_all(&config).expect("the type is written");)*
        };
    }
    export!(
        Overview,
        PauseFor,
        FirstRun,
        PictureSource,
        PictureView,
        Draft,
        FeedbackForm,
        FeedbackPreview,
        Conversation,
        Day,
        Deleted,
        RecordPage,
        SentBatch,
        LookView,
        Settings,
        SettingsChange,
        HealthLine,
        Sentence,
    );
}

/// Path below the folder → text. An index makes one import of all types possible.
fn generated() -> BTreeMap<PathBuf, String> {
    let folder = tempfile::tempdir().expect("a folder");
    export(folder.path());
    let mut files = read(folder.path());
    let index: String = files
        .keys()
        .map(|path| {
            let name = path.with_extension("").to_string_lossy().replace('\\', "/");
            format!("export type * from \"./{name}\";\n")
        })
        .collect();
    files.insert(
        "index.ts".into(),
        format!("// Written by the test `bindings` of snag-desktop.\n{index}"),
    );
    files
}

fn read(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .expect("it lies below")
                    .to_path_buf();
                files.insert(name, fs::read_to_string(&path).expect("text"));
            }
        }
    }
    files
}

#[test]
fn the_bindings_say_what_rust_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/src/ipc/bindings");
    let expected = generated();
    assert!(expected.len() > 20, "{} files", expected.len());
    if std::env::var_os("SNAG_UPDATE").is_some() {
        let _ = fs::remove_dir_all(&folder);
        for (name, text) in &expected {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
            fs::write(path, text).expect("the file is written");
        }
    }
    let found = read(&folder);
    let names = |files: &BTreeMap<PathBuf, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "run with SNAG_UPDATE=1");
    for (name, text) in expected {
        assert_eq!(
            found[&name],
            text,
            "{} drifted: run with SNAG_UPDATE=1",
            name.display()
        );
    }
}
