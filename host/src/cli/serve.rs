//! `dragoman serve`: runs the gateway until a signal stops it.

use std::error::Error;
use std::io;

use tokio::runtime::{Builder, Runtime};

use super::Options;
use crate::config::Config;
use crate::runtime::StallWatchdog;
use crate::{logging, open_files, runtime};

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let draft = options.configuration()?;
    let config = draft.config;
    logging::init(&config.server.log)
        .map_err(|error| format!("cannot start the thread of the log: {error}"))?;
    for warning in draft.warnings.iter() {
        tracing::warn!("{warning}");
    }
    open_files::raise_limit();
    if let Some(warning) = open_files::warning(&config) {
        tracing::warn!("{warning}");
    }
    let network = network(&config)
        .map_err(|error| format!("cannot start the threads of the network: {error}"))?;
    let options = options.clone();
    let served = network.runtime.block_on(runtime::serve(config, move || options.configuration()));
    logging::flush();
    Ok(served?)
}

/// How many tasks a thread takes up between two looks at what has arrived, where there are plugins.
/// With tokio's 61 the engine's batches were smaller, which each message in them paid for: probably
/// because a batch wakes hundreds, who were held up by what arrived meanwhile. On the
/// single-threaded runtime it makes no difference.
const TASKS_BETWEEN_LOOKS: u32 = 256;

/// The threads of the network, and who looks after those that call plugins. It goes first.
struct Network {
    _watchdog: Option<StallWatchdog>,
    runtime: Runtime,
}

/// A single thread needs no queues that others may take from; but where there are plugins there is
/// one more, in reserve.
fn network(config: &Config) -> io::Result<Network> {
    let plugins = config.frontends.iter().any(|frontend| frontend.plugin.is_some());
    let threads = config.server.threads + usize::from(plugins);
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if plugins {
        builder.event_interval(TASKS_BETWEEN_LOOKS);
    }
    let runtime = builder.worker_threads(threads).thread_name("network").enable_all().build()?;
    let watchdog = plugins.then(|| StallWatchdog::start(runtime.handle().clone())).transpose()?;
    Ok(Network { _watchdog: watchdog, runtime })
}
