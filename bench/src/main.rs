//! The program `gateway-bench`: the jobs, and the floors as child processes.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway_bench::runner::main()
}
