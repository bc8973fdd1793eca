//! The ClickHouse-HTTP front.
