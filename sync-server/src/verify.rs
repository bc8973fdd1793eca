//! Rollups compared with a recount.
