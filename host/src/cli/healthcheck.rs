//! `dragoman healthcheck`: asks a gateway for its health, for supervisors that run a command.

use std::error::Error;
use std::time::Duration;

use clap::Args;
use hyper::StatusCode;

use super::client::Client;
use super::{Options, output};

/// How long the gateway may take to answer; supervisors give up later.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest reason that is shown, in bytes.
const REASON_BYTES_MAX: usize = 4 << 10;

#[derive(Args, Debug)]
pub(super) struct Healthcheck {
    #[command(flatten)]
    options: Options,

    /// Ask whether every front end listens (/readyz), not only whether the gateway works (/healthz)
    #[arg(long)]
    ready: bool,
}

pub(super) fn run(options: Options, check: Healthcheck) -> Result<(), Box<dyn Error>> {
    let options = options.and(check.options);
    let client = match options.remote.client()? {
        Some(client) => client,
        None => Client::of_health(&options.configuration()?.config)?,
    };
    let path = if check.ready { "/readyz" } else { "/healthz" };
    let answer = client.get(path, HEALTH_TIMEOUT);
    let (status, body) = answer.map_err(|error| client.silent(&*error))?;
    let shown = String::from_utf8_lossy(&body[..body.len().min(REASON_BYTES_MAX)]);
    let shown = shown.trim_end();
    match status {
        StatusCode::OK => Ok(output::line(shown)?),
        status => Err(format!("{client} answers {path} with {}: {shown}", status.as_u16()).into()),
    }
}
