//! `dragoman serve`: runs the gateway until it is told to stop.

use std::error::Error;

use super::Options;
use crate::{logging, runtime};

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let draft = options.configuration()?;
    let config = draft.config;
    logging::init(&config.server.log);
    for warning in draft.warnings.iter() {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.server.threads)
        .thread_name("network")
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the threads of the network: {error}"))?;
    runtime.block_on(runtime::serve(config))?;
    Ok(())
}
