//! Panics on the command line. redb panics on some damaged files; the engine catches that and says
//! that the store is damaged, and the message and backtrace of the panic would only stand before that
//! sentence. So nothing is printed until a panic ends the program.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::process::ExitCode;

use parking_lot::Mutex;

/// What the panics so far said, the last ones.
static UNSAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// More than one thread may panic before the program ends.
const UNSAID_MAX: usize = 8;

/// The exit code of a program that a panic has ended, as Rust has it.
const PANICKED: u8 = 101;

/// Runs the program, and prints what panics said only if one ends it.
pub(crate) fn until_one_ends_it(program: impl FnOnce() -> ExitCode) -> ExitCode {
    set_hook(Box::new(keep));
    catch_unwind(AssertUnwindSafe(program)).unwrap_or_else(|_| {
        for said in UNSAID.lock().drain(..) {
            eprintln!("{said}");
        }
        ExitCode::from(PANICKED)
    })
}

fn keep(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("<unnamed>");
    let mut said = format!("thread '{thread}' {panic}");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        said += &format!("\n{backtrace}");
    }
    let mut unsaid = UNSAID.lock();
    if unsaid.len() == UNSAID_MAX {
        unsaid.remove(0);
    }
    unsaid.push(said);
}
