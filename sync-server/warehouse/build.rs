//! Puts `migrations/NNNN_name.up.sql` and `.down.sql` into the crate.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join("../../migrations");
    let folder = folder
        .canonicalize()
        .expect("migrations/ is at the root of the repository");
    println!("cargo::rerun-if-changed={}", folder.display());

    // By version: the name, then the paths of up and down.
    let mut found: BTreeMap<u32, (String, [Option<String>; 2])> = BTreeMap::new();
    for entry in fs::read_dir(&folder).expect("migrations/ can be read") {
        let path = entry.expect("migrations/ can be read").path();
        println!("cargo::rerun-if-changed={}", path.display());
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name in UTF-8");
        let (stem, way) = match (file.strip_suffix(".up.sql"), file.strip_suffix(".down.sql")) {
            (Some(stem), _) => (stem, 0),
            (_, Some(stem)) => (stem, 1),
            _ if file.ends_with(".sql") => panic!("{file} is neither .up.sql nor .down.sql"),
            _ => continue,
        };
        let (version, name) = stem
            .split_once('_')
            .unwrap_or_else(|| panic!("{file} is not NNNN_name"));
        assert!(version.len() == 4, "{file}: the version has four digits");
        let version: u32 = version
            .parse()
            .unwrap_or_else(|_| panic!("{file}: the version has four digits"));
        let (known, ways) = found
            .entry(version)
            .or_insert_with(|| (name.to_owned(), [None, None]));
        assert!(
            known == name,
            "version {version} is both {known} and {name}"
        );
        ways[way] = Some(path.to_str().expect("a path in UTF-8").to_owned());
    }

    let mut code = String::from("&[\n");
    for (version, (name, [up, down])) in found {
        let up = up.unwrap_or_else(|| panic!("{version:04}_{name}.up.sql is missing"));
        let down = down.unwrap_or_else(|| panic!("{version:04}_{name}.down.sql is missing"));
        writeln!(
            code,
            "Migration {{ version: {version}, name: {name:?}, up: include_str!({up:?}), down: include_str!({down:?}) }},"
        )
        .expect("writing to a string");
    }
    code.push(']');
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("migrations.rs"), code).expect("OUT_DIR can be written");
}
