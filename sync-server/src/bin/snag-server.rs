//! The Snag server's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    snag_server::cli::main()
}
