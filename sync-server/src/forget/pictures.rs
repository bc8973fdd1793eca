//! Deleting screenshots' objects, those alone that no row names any more.

use std::collections::{BTreeSet, HashSet};

use serde::Deserialize;
use snag_warehouse::{ErrorKind, Query, Warehouse, WarehouseError};
use uuid::Uuid;

use crate::objects::ObjectsError;
use crate::{AppState, db};

/// Hashes asked for in one query.
const CHUNK: usize = 2_000;

/// An object store that is away is answered as a warehouse that is away: later.
pub(crate) fn away(error: &ObjectsError) -> WarehouseError {
    WarehouseError::new(ErrorKind::Unavailable, error.to_string())
}

fn identity(org: &str) -> Result<Uuid, WarehouseError> {
    org.parse().map_err(|_| {
        WarehouseError::new(
            ErrorKind::Schema,
            "an organisation's key is not its identity",
        )
    })
}

/// Which of these pictures a row names, those of the items `except` not counted.
async fn named(
    warehouse: &Warehouse,
    org: &str,
    hashes: &[&String],
    except: &BTreeSet<Uuid>,
) -> Result<HashSet<String>, WarehouseError> {
    #[derive(Deserialize)]
    struct Named {
        hash: String,
    }
    let sql = "SELECT DISTINCT hash FROM screenshots FINAL WHERE org = {org:String} \
               AND hash IN {hashes:Array(String)} AND feedback NOT IN {except:Array(UUID)}";
    let query = Query::read(sql)
        .param("org", org)
        .param_strings("hashes", hashes)
        .param_strings("except", except.iter().map(Uuid::to_string));
    let rows: Vec<Named> = db::rows(warehouse, query).await?;
    Ok(rows.into_iter().map(|row| row.hash).collect())
}

/// The bytes of pictures and thumbnails that would be deleted with the items `except`.
///
/// # Errors
/// The warehouse's and the object store's.
pub(crate) async fn freed_bytes(
    state: &AppState,
    org: &str,
    hashes: &BTreeSet<String>,
    except: &BTreeSet<Uuid>,
) -> Result<u64, WarehouseError> {
    let id = identity(org)?;
    let mut bytes = 0;
    let hashes: Vec<&String> = hashes.iter().collect();
    for chunk in hashes.chunks(CHUNK) {
        let named = named(&state.warehouse, org, chunk, except).await?;
        for hash in chunk.iter().filter(|hash| !named.contains(**hash)) {
            let size = state.objects.size_with_thumbnail(id, hash).await;
            bytes += size.map_err(|error| away(&error))?;
        }
    }
    Ok(bytes)
}

/// Deletes those of these pictures that no row names, with their thumbnails; tells how
/// many, and their bytes. What is gone already is not counted.
///
/// # Errors
/// The warehouse's and the object store's.
pub(crate) async fn delete_unnamed(
    state: &AppState,
    org: &str,
    hashes: &BTreeSet<String>,
) -> Result<(u64, u64), WarehouseError> {
    let id = identity(org)?;
    let (mut number, mut bytes) = (0, 0);
    let hashes: Vec<&String> = hashes.iter().collect();
    for chunk in hashes.chunks(CHUNK) {
        // Whoever stores a picture holds the gate until its row is in.
        let _gate = state.objects.gate.write().await;
        let named = named(&state.warehouse, org, chunk, &BTreeSet::new()).await?;
        for hash in chunk.iter().filter(|hash| !named.contains(**hash)) {
            let freed = state.objects.delete(id, hash).await;
            let freed = freed.map_err(|error| away(&error))?;
            number += u64::from(freed > 0);
            bytes += freed;
        }
    }
    Ok((number, bytes))
}
