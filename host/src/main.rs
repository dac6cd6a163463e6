//! The program `dragoman`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// An HTTP request makes about sixty allocations and a message a dozen, so the allocator matters.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    dragoman::cli::run()
}
