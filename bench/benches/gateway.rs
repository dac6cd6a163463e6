//! `cargo bench -p gateway-bench`: the same as `cargo run --release -p gateway-bench -- all`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway_bench::runner::main()
}
