//! The process's log: text for people or JSON for machines, on standard error.
//!
//! Threads that log only append to a bounded queue; a thread of its own writes to standard error. So
//! a full pipe cannot block the gateway and a broken one cannot end it: lines are dropped and
//! counted. Not tracing-appender: it reports its own failures with `println!`, which panics when
//! standard output is broken too.

mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, Write, stderr};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::{LogConfig, LogFormat};
use queue::Queue;

/// Bytes of lines that may wait while standard error takes none.
const QUEUE_BYTES_MAX: usize = 1 << 20;

/// How long the end of the process may wait for the last lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

static QUEUE: Queue = Queue::new(QUEUE_BYTES_MAX);

/// Replaces the filter of the process's log.
type Refilter = Box<dyn Fn(EnvFilter) + Send + Sync>;

static REFILTER: OnceLock<Refilter> = OnceLock::new();

/// Sets the process's log up, once. The filter was checked when the configuration was read.
///
/// # Errors
///
/// When the thread that writes the log cannot be started.
pub fn init(config: &LogConfig) -> std::io::Result<()> {
    std::thread::Builder::new().name("log".into()).spawn(|| QUEUE.write_to(stderr()))?;
    std::panic::set_hook(Box::new(log_panic));
    let log = tracing_subscriber::fmt().with_writer(|| Line).log_internal_errors(false);
    let filter = filter(&config.filter);
    let refilter: Refilter = match config.format {
        LogFormat::Text => {
            let log = log.with_ansi(stderr().is_terminal());
            let log = log.with_env_filter(filter).with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            // The handle fails only if the subscriber is gone.
            Box::new(move |filter| drop(handle.reload(filter)))
        }
        LogFormat::Json => {
            let log = log.json().with_env_filter(filter).with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            Box::new(move |filter| drop(handle.reload(filter)))
        }
    };
    // `init` runs once.
    drop(REFILTER.set(refilter));
    Ok(())
}

/// Replaces the filter, if the log was set up by [`init`].
pub fn refilter(words: &str) {
    if let Some(refilter) = REFILTER.get() {
        refilter(filter(words));
    }
}

/// Waits until all lines are written, but not long: standard error may be a pipe that no process
/// reads.
pub fn flush() {
    QUEUE.flush(FLUSH_TIMEOUT);
}

/// How many lines were lost because standard error did not take them.
pub fn dropped_lines() -> u64 {
    QUEUE.dropped()
}

/// The client of the cluster's servers writes lines for each attempt to reach one, and `core-cluster` says
/// once what matters of them.
const QUIETED: &str = "async_nats=off";

fn filter(words: &str) -> EnvFilter {
    let filter = EnvFilter::builder().parse_lossy(words);
    let is_verbose = filter.max_level_hint() > Some(LevelFilter::OFF);
    if !is_verbose || words.contains("async_nats") {
        return filter;
    }
    filter.add_directive(QUIETED.parse().expect("it is a directive"))
}

/// Writes one line of the log: the formatter calls `write` once for each event.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        QUEUE.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// In place of the standard hook, which writes to standard error itself and so may block.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("<unnamed>");
    let mut text = format!("thread '{thread}' {panic}\n");
    let backtrace = Backtrace::capture();
    // A panic in redb is damage of the store's file: the engine catches it and says so.
    let is_damage = panic.location().is_some_and(|at| at.file().contains("/redb-"));
    if backtrace.status() == BacktraceStatus::Captured && !is_damage {
        text += &format!("{backtrace}\n");
    }
    QUEUE.push(text.as_bytes());
}
