//! Spools of every schema version that was ever released are opened whole.

mod common;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use common::{fixture, label, with_seq};
use flate2::read::GzDecoder;
use snag_spool::{SCHEMA_VERSION, Spool, SpoolOptions};
use snag_wire::LabelHash;

fn unpack(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .replace("__", "/");
        let target = to.join(name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let mut gzip = GzDecoder::new(File::open(path).unwrap());
        io::copy(&mut gzip, &mut File::create(target).unwrap()).unwrap();
    }
}

#[test]
fn old_spools_are_opened_whole() {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for version in 1..=SCHEMA_VERSION {
        let dir = tempfile::tempdir().unwrap();
        unpack(&fixtures.join(format!("schema-{version}")), dir.path());
        let (spool, report) = Spool::open(dir.path(), SpoolOptions::default()).unwrap();
        assert!(report.is_clean(), "schema {version}: {report:?}");

        let mut expected = fixture();
        expected.push(label(5_000, 1));
        let stored = spool.peek(usize::MAX).unwrap();
        assert_eq!(stored.len(), 16);
        for record in &stored {
            let new = &expected[record.seq as usize - 1];
            assert_eq!(record.at_ms, new.at_ms);
            assert_eq!(record.place, new.place);
            assert_eq!(record.path, new.path);
            assert_eq!(record.record, with_seq(&new.record, record.seq));
        }
        let letters = spool.dead_letters(0, 10).unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!(
            (letters[0].record.seq, letters[0].code.as_str()),
            (3, "out_of_range")
        );
        assert_eq!(letters[0].record.record, with_seq(&expected[2].record, 3));
        assert_eq!(spool.load_state().unwrap().unwrap(), b"engine state");
        assert_eq!(spool.value("policy").unwrap().unwrap(), b"{}");
        assert!(spool.label_sent(LabelHash([1; 8])).unwrap());
        let drops: Vec<_> = spool
            .drops()
            .into_iter()
            .map(|d| (d.reason, d.count))
            .collect();
        assert_eq!(
            drops,
            [("queue_full".to_owned(), 4), ("rejected".to_owned(), 1)]
        );
        assert_eq!(spool.append(&fixture(), None).unwrap(), 22..42);
    }
}
