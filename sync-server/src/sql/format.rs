//! Output formats by name: what ClickHouse says of each in `Content-Type`.

/// The format of an answer when nobody names one.
pub(super) const DEFAULT: &str = "TabSeparated";

/// The `Content-Type` that ClickHouse gives a format, by its `system.formats`.
pub(super) fn content_type(format: &str) -> &'static str {
    let name = format.to_ascii_lowercase();
    let name = name.as_str();
    match name {
        "json"
        | "jsonstrings"
        | "jsoncompact"
        | "jsoncompactstrings"
        | "jsoncolumns"
        | "jsoncompactcolumns"
        | "jsoncolumnswithmetadata"
        | "jsonobjecteachrow" => "application/json; charset=UTF-8",
        "jsoneachrow" | "jsonstringseachrow" | "jsonlines" | "jsonl" | "ndjson"
        | "prettyjsoneachrow" | "prettyjsonlines" | "prettyndjson" => {
            "application/x-ndjson; charset=UTF-8"
        }
        "geojson" => "application/geo+json; charset=UTF-8",
        "csv" => "text/csv; charset=UTF-8; header=absent",
        "csvwithnames" | "csvwithnamesandtypes" => "text/csv; charset=UTF-8; header=present",
        "xml" => "application/xml; charset=UTF-8",
        "png" => "image/png",
        "prometheus" => "text/plain; version=0.0.4; charset=UTF-8",
        "native" | "parquet" | "arrow" | "arrowstream" | "orc" | "avro" | "avroconfluent"
        | "protobuf" | "protobufsingle" | "protobuflist" | "msgpack" | "bsoneachrow" | "npy"
        | "buffers" | "capnproto" | "mysqlwire" | "postgresqlwire" | "odbcdriver2" => {
            "application/octet-stream"
        }
        "tskv" => "text/tab-separated-values; charset=UTF-8",
        _ if name.starts_with("rowbinary") => "application/octet-stream",
        _ if name.starts_with("json") && name.ends_with("withprogress") => {
            "application/json; charset=UTF-8"
        }
        _ if ["tabseparated", "tsv", "lineasstring"]
            .iter()
            .any(|p| name.starts_with(p)) =>
        {
            "text/tab-separated-values; charset=UTF-8"
        }
        "raw" | "rawwithnames" | "rawwithnamesandtypes" => {
            "text/tab-separated-values; charset=UTF-8"
        }
        _ => "text/plain; charset=UTF-8",
    }
}

#[cfg(test)]
mod tests {
    use super::content_type;

    #[test]
    fn names_are_taken_in_any_case() {
        assert_eq!(content_type("jsoneachrow"), content_type("JSONEachRow"));
        assert_eq!(
            content_type("TSVRawWithNames"),
            "text/tab-separated-values; charset=UTF-8"
        );
        assert_eq!(content_type("Pretty"), "text/plain; charset=UTF-8");
        assert_eq!(
            content_type("JSONCompactEachRow"),
            "text/plain; charset=UTF-8"
        );
        assert_eq!(
            content_type("RowBinaryWithNamesAndTypes"),
            "application/octet-stream"
        );
    }
}
