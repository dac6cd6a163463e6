//! The program `gateway-bench`: the jobs, and the floors as its children.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway_bench::runner::main()
}
