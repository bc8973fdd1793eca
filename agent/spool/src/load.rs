//! Opens a store and looks at all that is in it.

use std::path::Path;

use crate::codec::Malformed;
use crate::keys::{CLASSES, chunk_key, damaged, decode};
use crate::ledger::{LEDGER_KEY, Ledger};
use crate::letter;
use crate::store::{Change, Store, Tree};
use crate::value;
use crate::{SCHEMA_VERSION, SpoolError, SpoolOptions};

const SCHEMA_KEY: &[u8] = b"schema";

pub(crate) struct Loaded {
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    /// The store was empty: begun just now.
    pub(crate) fresh: bool,
    /// Records that its ledger counts and that are not there.
    pub(crate) missing: u64,
}

pub(crate) struct Failure {
    pub(crate) error: SpoolError,
    /// How many records its ledger says waited in it, if it could be read.
    pub(crate) waiting: Option<u64>,
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        Self {
            error,
            waiting: None,
        }
    }
}

/// Opens a store and looks at every chunk in it.
pub(crate) fn load(path: &Path, options: &SpoolOptions) -> Result<Loaded, Failure> {
    let store = Store::open(path, options.cache_bytes)?;
    let schema = store.get(Tree::Meta, SCHEMA_KEY)?;
    let ledger = store.get(Tree::Meta, LEDGER_KEY)?;
    let written = ledger.map(|bytes| Ledger::parse(&bytes)).transpose();
    let waiting = match &written {
        Ok(Some(ledger)) => Some(ledger.waiting()),
        _ => None,
    };
    let fail = |error| Failure { error, waiting };
    let (ledger, fresh) = match (schema.as_deref(), written) {
        (None, Ok(None)) => {
            let schema = SCHEMA_VERSION.to_le_bytes().to_vec();
            store.commit(&[Change::Put(Tree::Meta, SCHEMA_KEY.to_vec(), schema)])?;
            (Ledger::default(), true)
        }
        (Some(schema), written) => {
            let found = schema.try_into().map_or(0, u32::from_le_bytes);
            if found != SCHEMA_VERSION {
                return Err(fail(SpoolError::Schema {
                    found,
                    known: SCHEMA_VERSION,
                }));
            }
            match written {
                Ok(written) => (written.unwrap_or_default(), false),
                Err(Malformed) => return Err(fail(damaged("the ledger", LEDGER_KEY))),
            }
        }
        (None, _) => return Err(fail(damaged("the schema version", SCHEMA_KEY))),
    };
    let counted = count(&store).map_err(fail)?;
    let missing = ledger.waiting().saturating_sub(counted.waiting());
    let ledger = Ledger {
        next_seq: ledger.next_seq.max(counted.next_seq),
        drops: ledger.drops,
        ..counted
    };
    Ok(Loaded {
        store,
        ledger,
        fresh,
        missing,
    })
}

/// Counts what is there, and decodes all of it, so that damage shows at once.
fn count(store: &Store) -> Result<Ledger, SpoolError> {
    let mut ledger = Ledger::default();
    for (tree, class) in CLASSES {
        let mut last = 0;
        store.scan(tree, |key, value| {
            let records = decode(value)?;
            let (Some(first), Some(end)) = (records.first(), records.last()) else {
                return Err(damaged("a chunk", key));
            };
            if key != chunk_key(first.seq) || first.seq <= last {
                return Err(damaged("a chunk", key));
            }
            last = end.seq;
            ledger.totals(class).add(records.len() as u64, value.len());
            Ok(true)
        })?;
        ledger.next_seq = ledger.next_seq.max(last + 1);
    }
    value::check(store)?;
    store.scan(Tree::Dead, |key, value| {
        letter::parse(value).map_err(|Malformed| damaged("a dead letter", key))?;
        ledger.dead += 1;
        Ok(true)
    })?;
    store.scan(Tree::Labels, |_, _| {
        ledger.labels += 1;
        Ok(true)
    })?;
    if ledger.waiting() == 0 {
        ledger.next_seq = 0;
    }
    Ok(ledger)
}
