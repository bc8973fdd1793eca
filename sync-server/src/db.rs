//! Small reads: a query whose rows are read into a type.

use serde::de::DeserializeOwned;
use snag_warehouse::{ErrorKind, Query, Warehouse, WarehouseError};

/// Runs a query and reads each row (a JSON object by column name) into `T`.
///
/// # Errors
/// The warehouse's own, or [`ErrorKind::Schema`] where a row is not a `T`.
pub async fn rows<T: DeserializeOwned>(
    warehouse: &Warehouse,
    query: Query,
) -> Result<Vec<T>, WarehouseError> {
    let query = query
        .format("JSONEachRow")
        .setting("output_format_json_quote_64bit_integers", 0);
    let bytes = warehouse.select(query).await?;
    serde_json::Deserializer::from_slice(&bytes)
        .into_iter()
        .collect::<Result<Vec<T>, _>>()
        .map_err(|error| {
            let message = format!("a row is not what was asked for: {error}");
            WarehouseError::new(ErrorKind::Schema, message)
        })
}
