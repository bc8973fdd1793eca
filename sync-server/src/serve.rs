//! Listening.
