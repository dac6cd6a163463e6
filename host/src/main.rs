//! The program `dragoman`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request over HTTP is some sixty allocations, and a message a dozen.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    dragoman::cli::run()
}
