//! Requests of front ends to the servers that their manifests name.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use core_model::{Outcome, Refusal, Reply};
use frontend_api::Fetch;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::Request;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{OnceCell, Semaphore};

use crate::config::UpstreamConfig;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::metrics::Limit;

/// Requests under way, of all front ends: each holds a socket for as long as its time-out.
const FETCHES_MAX: usize = 64;

/// The body of a reply: far longer than the few hundred bytes that a code exchange answers.
const REPLY_BYTES_MAX: usize = 16 * 1024;

/// The buffer of the HTTP client, and so the longest head of a reply.
const HEAD_BYTES_MAX: usize = 64 * 1024;

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

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
    /// Asks a server. Nothing is repeated or remembered. A failure is logged, without the URL, which
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
            .header(USER_AGENT, concat!("dragoman/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|_| "the URL is too long, or not one".to_owned())?;
        let client = self.client.get_or_try_init(client).await?;
        let timeout = upstream.timeout;
        tokio::time::timeout(timeout, receive(client, request))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} ms", timeout.as_millis())))
    }
}

async fn receive(client: &HttpClient, request: Request<Empty<Bytes>>) -> Result<Reply, String> {
    let response = client.request(request).await.map_err(|error| reason(&error))?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), REPLY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => format!("the answer is longer than {REPLY_BYTES_MAX} bytes"),
        None => reason(&*error),
    })?;
    let body = String::from_utf8(body.to_bytes().into());
    Ok(Reply::Fetched { status, body: body.map_err(|_| "the answer is not UTF-8".to_owned())? })
}

async fn client() -> Result<HttpClient, String> {
    let made = tokio::task::spawn_blocking(|| {
        let tls = tls().map_err(|error| format!("cannot use TLS: {error}"))?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let connector = builder.enable_http1().wrap_connector(http);
        Ok(Client::builder(TokioExecutor::new())
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector))
    });
    made.await.map_err(|error| error.to_string())?
}

/// Trusts the certificates that the system trusts, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
/// Without any, https fails, and its message names the cause.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions()?.with_root_certificates(roots);
    Ok(builder.with_no_client_auth())
}

/// The innermost cause: the outer ones only say that the request failed.
fn reason(mut error: &(dyn Error + 'static)) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
