//! Writes the spool that `tests/upgrade.rs` opens with every later version:
//! `cargo run -p snag-spool --example fixture -- agent/spool/tests/fixtures/schema-N`.
//! Run it once for each new `SCHEMA_VERSION`, and keep the old ones.
#[path = "../tests/common/mod.rs"]
mod common;

use std::fs::{self, File};
use std::io;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use snag_spool::{Refusal, Spool, SpoolOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let target = std::env::args().nth(1).ok_or("where to?")?;
    let dir = tempfile::tempdir()?;
    {
        let (spool, _) = Spool::open(dir.path(), SpoolOptions::default())?;
        spool.append(&common::fixture(), Some(b"engine state"))?;
        spool.append_labels(&[common::label(5_000, 1)])?;
        spool.set_value("policy", Some(b"{}"))?;
        spool.count_drops("queue_full", 4)?;
        let refused = Refusal {
            seq: 3,
            code: "out_of_range".into(),
            message: "count is too high".into(),
        };
        spool.settle(5, &[refused])?;
    }
    fs::create_dir_all(&target)?;
    pack(dir.path(), Path::new(&target), "")?;
    Ok(())
}

fn pack(from: &Path, to: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            pack(&entry.path(), to, &format!("{name}__"))?;
        } else {
            let file = File::create(to.join(format!("{name}.gz")))?;
            let mut gzip = GzEncoder::new(file, Compression::best());
            io::copy(&mut File::open(entry.path())?, &mut gzip)?;
            gzip.finish()?;
        }
    }
    Ok(())
}
