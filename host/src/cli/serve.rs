//! `dragoman serve`: runs the gateway until a signal stops it.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::Options;
use crate::config::{Config, Problems, WhichConfig};
use crate::runtime::{ServeError, StallWatchdog};
use crate::{logging, open_files, passed, runtime};

/// The exit code of a gateway that ends like this at each start, until its configuration or its store
/// is another: EX_CONFIG of sysexits.h. Supervisors need not start it again.
const MISCONFIGURED: u8 = 78;

/// What the gateway exits with if it cannot serve.
pub(super) fn exit_code(why: &(dyn Error + 'static)) -> ExitCode {
    let is_lasting = why.downcast_ref().is_some_and(ServeError::is_lasting);
    if is_lasting || why.is::<Problems>() {
        return ExitCode::from(MISCONFIGURED);
    }
    ExitCode::FAILURE
}

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    passed::receive();
    let draft = options.configuration()?;
    let config = &draft.config;
    logging::init(&config.server.log)
        .map_err(|error| format!("cannot start the thread of the log: {error}"))?;
    let (version, path) = (crate::version::VERSION, options.file());
    let store = config.store.path.display();
    tracing::info!(version, configuration = %path.display(), %store, "dragoman starts");
    for warning in draft.warnings.iter() {
        tracing::warn!("{warning}");
    }
    open_files::raise_limit();
    if let Some(warning) = open_files::warning(config) {
        tracing::warn!("{warning}");
    }
    let network = network(config)
        .map_err(|error| format!("cannot start the threads of the network: {error}"))?;
    let (options, file) = (options.clone(), options.file());
    let reread = move |which: &WhichConfig| options.read(which);
    let served = network.runtime.block_on(runtime::serve(draft, file, Arc::new(reread)));
    logging::flush();
    Ok(served?)
}

/// How many tasks a thread runs between two polls for I/O, where there are plugins. tokio's default
/// of 61 made the engine's batches smaller, so that each message cost more. On the single-threaded
/// runtime it makes no difference.
const TASKS_BETWEEN_LOOKS: u32 = 256;

/// The network runtime, and the watchdog of plugin calls, which must be dropped first.
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
