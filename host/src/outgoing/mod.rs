//! Requests of the gateway to other servers over HTTP.
//!
//! A client follows no redirect, and connects only to the addresses that its [`Destinations`] allow.
//! The caller bounds the time of a request.

mod connector;
mod destinations;
mod kept_stream;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::http::Extensions;
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use crate::tls;
use connector::{Connector, RefusedDestination};
use kept_stream::Used;

pub use destinations::Destinations;

/// What requests say they are from.
pub const USER_AGENT: &str = concat!("dragoman/", env!("CARGO_PKG_VERSION"));

/// The buffer of the HTTP client, and so the longest head of a reply.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long a connection is kept for the next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections to one server that are kept.
const IDLE_CONNECTIONS_MAX: usize = 16;

/// Where a client may connect to, and whose certificates it trusts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientOptions {
    pub destinations: Destinations,
    /// A PEM file of CAs that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
}

/// A client for HTTP/1.1, with connections that are kept. Clones share them.
#[derive(Clone)]
pub struct HttpClient {
    keeping: HyperClient,
    /// Connects for each request.
    connecting: HyperClient,
}

type HyperClient = Client<HttpsConnector<Connector>, Full<Bytes>>;

/// Why there is no response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    pub kind: FailureKind,
    /// A fragment in lower case, without the URL.
    pub why: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureKind {
    /// The server has no address that may be connected to.
    Destination,
    /// The name was not resolved, or no address accepted the connection, or TLS failed.
    Connect,
    /// The connection ended, or what came is no HTTP.
    Response,
    /// The body of the response is too long.
    TooLong,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl HttpClient {
    /// Reads the certificates of the system, which takes some milliseconds. `Err`: a sentence's
    /// fragment with the path of what cannot be used.
    pub fn new(options: &ClientOptions) -> Result<Self, String> {
        let tls = client_config(options)?;
        let connector = Connector::new(options.destinations.clone());
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let connector = builder.enable_http1().wrap_connector(connector);
        let keeping = |connections_max: usize| {
            Client::builder(TokioExecutor::new())
                .http1_max_buf_size(HEAD_BYTES_MAX)
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_max_idle_per_host(connections_max)
                .build(connector.clone())
        };
        Ok(Self { keeping: keeping(IDLE_CONNECTIONS_MAX), connecting: keeping(0) })
    }

    /// Sends a request, and returns the response as soon as its head is there.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        send_by(&self.keeping, request).await.map_err(|error| Failure::of(&error))
    }

    /// The same for a request that may arrive twice: if a connection that was kept ends before the
    /// response, as it does where the server closes it at that moment, the request is sent once more,
    /// on a new connection.
    pub async fn send_idempotent(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Failure> {
        match send_by(&self.keeping, request.clone()).await {
            Err(error) if has_ended_while_kept(&error) => {
                send_by(&self.connecting, request).await.map_err(|error| Failure::of(&error))
            }
            sent => sent.map_err(|error| Failure::of(&error)),
        }
    }
}

impl Failure {
    fn of(error: &legacy::Error) -> Self {
        let kind = if find::<RefusedDestination>(error).is_some() {
            FailureKind::Destination
        } else if error.is_connect() {
            FailureKind::Connect
        } else {
            FailureKind::Response
        };
        Self { kind, why: reason(error) }
    }
}

async fn send_by(
    client: &HyperClient,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, legacy::Error> {
    let response = client.request(request).await?;
    if let Some(used) = response.extensions().get::<Used>() {
        used.note();
    }
    Ok(response)
}

/// Whether the connection had carried an earlier response, and has ended without a whole head of
/// this one.
fn has_ended_while_kept(error: &legacy::Error) -> bool {
    let mut extras = Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extras);
    }
    let was_kept = extras.get::<Used>().is_some_and(Used::is_noted);
    let is_cut = |error: &hyper::Error| {
        error.is_incomplete_message() || error.is_canceled() || error.is_closed()
    };
    let is_broken = |error: &io::Error| {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
    };
    was_kept
        && (find::<hyper::Error>(error).is_some_and(is_cut)
            || find::<io::Error>(error).is_some_and(is_broken))
}

/// The body of a response, of at most `bytes_max` bytes.
pub async fn read_body(response: Response<Incoming>, bytes_max: usize) -> Result<Bytes, Failure> {
    let body = Limited::new(response.into_body(), bytes_max).collect().await;
    let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Failure {
            kind: FailureKind::TooLong,
            why: format!("the answer is longer than {bytes_max} bytes"),
        },
        None => Failure { kind: FailureKind::Response, why: reason(&*error) },
    })?;
    Ok(body.to_bytes())
}

/// Trusts the certificates that the system trusts, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`,
/// and those of the CA file. Without any, https fails, and its message names the cause.
fn client_config(options: &ClientOptions) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &options.ca_file {
        for certificate in tls::read_authorities(path)? {
            let added = roots.add(certificate);
            added.map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("cannot use TLS: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The innermost cause: the outer ones only say that the request failed.
fn reason(mut error: &(dyn Error + 'static)) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
