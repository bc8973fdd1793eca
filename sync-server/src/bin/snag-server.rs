//! The Snag server's command line.

fn main() {}
