//! Looking for a secret in everything that was written.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// The files below `folder`, links not followed. A folder below it that is taken away meanwhile holds none.
///
/// # Errors
/// When the folder can't be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries = match std::fs::read_dir(&next) {
            Err(error) if error.kind() == ErrorKind::NotFound && next != folder => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// The files below `folder` that hold `secret` as UTF-8, UTF-16 or hexadecimal,
/// in their name or their content.
///
/// # Errors
/// When the folder can't be read.
pub fn files_with(folder: &Path, secret: &str) -> Result<Vec<PathBuf>> {
    let mut found = files(folder)?;
    found.retain(|path| path.to_string_lossy().contains(secret));
    for needle in forms(secret) {
        found.extend(files_with_bytes(folder, &needle)?);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The files below `folder` whose content holds these bytes. A file that is taken away meanwhile holds nothing.
///
/// # Errors
/// When the folder can't be read.
pub fn files_with_bytes(folder: &Path, bytes: &[u8]) -> Result<Vec<PathBuf>> {
    let mut found = files(folder)?;
    found.retain(|path| contains(&std::fs::read(path).unwrap_or_default(), bytes));
    Ok(found)
}

/// Whether `bytes` hold `secret` in any of the forms of [`files_with`].
#[must_use]
pub fn holds(bytes: &[u8], secret: &str) -> bool {
    forms(secret).iter().any(|needle| contains(bytes, needle))
}

fn forms(secret: &str) -> Vec<Vec<u8>> {
    let utf16 = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hex = secret
        .bytes()
        .map(|b| format!("{b:02x}"))
        .collect::<String>()
        .into_bytes();
    vec![
        secret.as_bytes().to_vec(),
        secret.to_lowercase().into_bytes(),
        utf16,
        hex,
    ]
}

fn contains(content: &[u8], needle: &[u8]) -> bool {
    let Some(&first) = needle.first() else {
        return false;
    };
    let mut rest = content;
    while let Some(at) = rest.iter().position(|&byte| byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_secret_is_found_in_each_form() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("plain", b"abc hunter2 def".to_vec()),
            (
                "utf16",
                "hunter2"
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect(),
            ),
            ("hex", b"68756e74657232".to_vec()),
            ("clean", b"hunter".to_vec()),
        ] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let mut found = super::files_with(folder.path(), "hunter2").unwrap();
        found.sort();
        let names: Vec<_> = found
            .iter()
            .map(|p| p.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["hex", "plain", "utf16"]);
    }
}
