//! Finding the engine's shared library at run time.

use std::env;
use std::path::PathBuf;

use crate::{ENGINE_VERSION, ErrorKind, WarehouseError};

/// The environment variable that names the library's file.
pub(crate) const LIBRARY_VARIABLE: &str = "SNAG_CHDB_LIBRARY";

/// The library is called so on every system; its macOS packages do not use `.dylib`.
const FILE_NAME: &str = "libchdb.so";

/// The file to load: the one that was asked for, or the first that exists of those places
/// where `make engine` and packages put it.
pub(crate) fn find(explicit: Option<PathBuf>) -> Result<PathBuf, WarehouseError> {
    // A place that was named and does not hold it is a mistake to report, not to work around.
    let named = explicit.or_else(|| {
        env::var_os(LIBRARY_VARIABLE)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    });
    let places = match named {
        Some(path) => vec![path],
        None => places(),
    };
    if let Some(path) = places.iter().find(|path| path.is_file()) {
        return Ok(path.clone());
    }
    let looked: Vec<_> = places
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Err(WarehouseError::new(
        ErrorKind::Unavailable,
        format!(
            "the embedded ClickHouse library ({FILE_NAME}) was not found; looked at: {}. \
             Run `make engine`, or set {LIBRARY_VARIABLE} to its file",
            looked.join(", ")
        ),
    ))
}

fn places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(folder) = env::current_exe()
        .ok()
        .as_deref()
        .and_then(|exe| exe.parent())
    {
        places.push(folder.join(FILE_NAME));
        if let Some(prefix) = folder.parent() {
            places.push(prefix.join("lib/snag").join(FILE_NAME));
        }
    }
    let cache = env::var_os("XDG_CACHE_HOME")
        .filter(|v| !v.is_empty())
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cache")));
    if let Some(cache) = cache {
        places.push(
            cache
                .join("snag/engine")
                .join(ENGINE_VERSION)
                .join(FILE_NAME),
        );
    }
    for folder in ["/usr/local/lib", "/usr/lib/snag", "/usr/lib"] {
        places.push(PathBuf::from(folder).join(FILE_NAME));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_missing_library_says_where_it_was_looked_for() {
        let error = find(Some("/nonexistent/libchdb.so".into())).unwrap_err();
        assert!(error.message.contains("/nonexistent/libchdb.so"), "{error}");
        assert!(error.message.contains("make engine"), "{error}");
    }
}
