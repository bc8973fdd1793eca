//! Starts the desktop app.

use std::process::ExitCode;

fn main() -> ExitCode {
    match snag_desktop::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Snag can't start: {error}");
            ExitCode::FAILURE
        }
    }
}
