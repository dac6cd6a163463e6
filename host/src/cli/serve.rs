//! `dragoman serve`: runs the gateway until it is told to stop.

use std::error::Error;
use std::io;

use tokio::runtime::{Builder, Runtime};

use super::Options;
use crate::config::Config;
use crate::{logging, runtime};

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let draft = options.configuration()?;
    let config = draft.config;
    logging::init(&config.server.log);
    for warning in draft.warnings.iter() {
        tracing::warn!("{warning}");
    }
    let runtime = network(&config)
        .map_err(|error| format!("cannot start the threads of the network: {error}"))?;
    let options = options.clone();
    Ok(runtime.block_on(runtime::serve(config, move || options.configuration()))?)
}

/// The threads of the network. A single one needs no queues that others may take from; but where
/// there are plugins there are two at least, so that one is left while a plugin takes its time.
fn network(config: &Config) -> io::Result<Runtime> {
    let plugins = config.frontends.iter().any(|frontend| frontend.plugin.is_some());
    let threads = config.server.threads.max(if plugins { 2 } else { 1 });
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).thread_name("network").enable_all().build()
}
