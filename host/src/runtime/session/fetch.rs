//! Requests of front ends to the servers that their manifests name.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use core_model::{Outcome, Refusal, Reply};
use frontend_api::Fetch;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};
use tokio::sync::{OnceCell, Semaphore};

use crate::config::UpstreamConfig;
use crate::outgoing::{self, ClientOptions, HttpClient, read_body};
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::metrics::Limit;

/// Requests under way, of all front ends: each holds a socket for as long as its time-out.
const FETCHES_MAX: usize = 64;

/// The body of a reply: far longer than the few hundred bytes that a code exchange answers.
const REPLY_BYTES_MAX: usize = 16 * 1024;

pub(crate) struct Fetcher {
    /// Made at the first request: reading the system's certificates takes some milliseconds.
    client: OnceCell<HttpClient>,
    turns: Semaphore,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self { client: OnceCell::new(), turns: Semaphore::new(FETCHES_MAX) }
    }
}

impl Fetcher {
    /// Asks a server. Nothing is remembered, and nothing repeated, but once where a connection that was
    /// kept has ended instead of a response. A failure is logged, without the URL, which
    /// contains secrets.
    pub(crate) async fn fetch(&self, frontend: &Arc<FrontendHandle>, fetch: &Fetch) -> Outcome {
        let mut upstreams = frontend.upstreams.iter();
        let Some(upstream) = upstreams.find(|upstream| upstream.key == fetch.upstream) else {
            let why = format!("the manifest names no upstream {:?}", fetch.upstream);
            return Err(Refusal::Internal { why });
        };
        let Ok(_turn) = self.turns.try_acquire() else {
            frontend.metrics.note_refused(Limit::Overloaded);
            return Err(Refusal::Overloaded);
        };
        self.ask(upstream, fetch).await.map_err(|why| {
            let key = &upstream.key;
            if frontend.instance().upstream_log.admit(format!("{key}: {why}"), Instant::now()) {
                tracing::warn!(frontend = frontend.name, "{key}: {why}");
            }
            Refusal::Internal { why }
        })
    }

    async fn ask(&self, upstream: &UpstreamConfig, fetch: &Fetch) -> Result<Reply, String> {
        let url = upstream.url(&fetch.fields);
        let url = url.map_err(|name| format!("the front end gave no {name:?} for the URL"))?;
        let request = Request::get(url)
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, "identity")
            .header(USER_AGENT, outgoing::USER_AGENT)
            .body(Full::default())
            .map_err(|_| "the URL is too long, or not one".to_owned())?;
        let client = self.client.get_or_try_init(client).await?;
        let timeout = upstream.timeout;
        tokio::time::timeout(timeout, receive(client, request))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} ms", timeout.as_millis())))
    }
}

async fn receive(client: &HttpClient, request: Request<Full<Bytes>>) -> Result<Reply, String> {
    let response = client.send_idempotent(request).await.map_err(|failure| failure.why)?;
    let status = response.status().as_u16();
    let body = read_body(response, REPLY_BYTES_MAX).await.map_err(|failure| failure.why)?;
    let body = String::from_utf8(body.into());
    Ok(Reply::Fetched { status, body: body.map_err(|_| "the answer is not UTF-8".to_owned())? })
}

/// The servers are of the operator's choice, so any address will do.
async fn client() -> Result<HttpClient, String> {
    let made = tokio::task::spawn_blocking(|| HttpClient::new(&ClientOptions::default()));
    made.await.map_err(|error| error.to_string())?
}
