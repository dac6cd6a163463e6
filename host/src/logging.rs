//! Where the log goes: standard error, as text for people or as JSON for machines.

use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Puts another filter in the place of that of the process's log.
type Refilter = Box<dyn Fn(EnvFilter) + Send + Sync>;

static REFILTER: OnceLock<Refilter> = OnceLock::new();

/// Sets the process's log up, once. The filter was checked when the configuration was read.
pub fn init(config: &LogConfig) {
    let log = tracing_subscriber::fmt().with_writer(stderr);
    let filter = filter(&config.filter);
    let refilter: Refilter = match config.format {
        LogFormat::Text => {
            let log = log.with_ansi(stderr().is_terminal());
            let log = log.with_env_filter(filter).with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            // Gone only with the log.
            Box::new(move |filter| drop(handle.reload(filter)))
        }
        LogFormat::Json => {
            let log = log.json().with_env_filter(filter).with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            Box::new(move |filter| drop(handle.reload(filter)))
        }
    };
    // The log is set up once.
    drop(REFILTER.set(refilter));
}

/// Has the log filtered in another way from now on, where it was set up here.
pub fn refilter(words: &str) {
    if let Some(refilter) = REFILTER.get() {
        refilter(filter(words));
    }
}

fn filter(words: &str) -> EnvFilter {
    EnvFilter::builder().parse_lossy(words)
}
