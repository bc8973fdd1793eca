//! The sentences that the shell says. Its words are those of the catalogues.

use snag_agent::desktop::view::Sentence;
pub use snag_agent::desktop::words::{Language, Words};

/// What a failure of the system is called in a window.
#[must_use]
pub fn unknown(reason: impl std::fmt::Display) -> Sentence {
    sentence("problem.unknown", [("reason", reason.to_string())])
}

/// A sentence that the shell says; the test below holds its key against the catalogue.
#[must_use]
pub fn sentence<const N: usize>(key: &str, values: [(&str, String); N]) -> Sentence {
    Sentence {
        key: key.to_owned(),
        values: values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key that the source of this crate names is in the catalogue.
    #[test]
    fn every_key_is_in_the_catalogue() {
        let words = Words::of(Language::English);
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut keys = 0;
        let mut files = Vec::new();
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the source") {
                let path = entry.expect("an entry").path();
                let into = if path.is_dir() {
                    &mut folders
                } else {
                    &mut files
                };
                into.push(path);
            }
        }
        for path in files {
            let text = std::fs::read_to_string(&path).expect("text");
            for literal in text.split('"').skip(1).step_by(2) {
                let known = ["tray.", "notify.", "prompt.", "problem."];
                let is_key = known.iter().any(|start| literal.starts_with(start))
                    && !literal.ends_with('.')
                    && literal
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b"._".contains(&b));
                if is_key {
                    keys += 1;
                    let found = [literal.to_owned(), format!("{literal}_other")]
                        .iter()
                        .any(|key| words.has(key));
                    assert!(found, "{literal} of {}", path.display());
                }
            }
        }
        assert!(keys > 20, "{keys} keys");
    }
}
