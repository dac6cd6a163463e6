//! The program `dragoman`.

use std::process::ExitCode;

fn main() -> ExitCode {
    dragoman::cli::run()
}
