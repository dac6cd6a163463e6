//! Resolves the name of a server and connects to one of its addresses.
//!
//! The addresses that are checked are those that are connected to, so a name that resolves to
//! another address a moment later gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::Scheme;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tower_service::Service;

use super::destinations::Destinations;
use super::kept_stream::KeptStream;

/// How long one address may take to accept a connection, so that the next is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub(super) struct Connector(Arc<Destinations>);

/// None of a server's addresses may be connected to.
#[derive(Debug, thiserror::Error)]
#[error("{address} is not a public address")]
pub(super) struct RefusedDestination {
    address: IpAddr,
}

type Connected = Result<KeptStream, Box<dyn std::error::Error + Send + Sync>>;

impl Connector {
    pub(super) fn new(destinations: Destinations) -> Self {
        Self(Arc::new(destinations))
    }
}

impl Service<Uri> for Connector {
    type Response = KeptStream;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Connected> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let destinations = self.0.clone();
        Box::pin(async move { connect(&uri, &destinations).await })
    }
}

async fn connect(uri: &Uri, destinations: &Destinations) -> Connected {
    let host = uri.host().ok_or("the URL has no host")?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_https = uri.scheme() == Some(&Scheme::HTTPS);
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => lookup_host((host, port))
            .await
            .map_err(|error| format!("cannot resolve {host}: {error}"))?
            .collect(),
    };
    let (allowed, refused): (Vec<SocketAddr>, Vec<SocketAddr>) =
        found.into_iter().partition(|address| destinations.allow(address.ip()));
    if let (true, Some(refused)) = (allowed.is_empty(), refused.first()) {
        return Err(RefusedDestination { address: refused.ip() }.into());
    }
    let mut failure = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in allowed {
        let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(KeptStream::new(stream));
            }
            Err(error) => failure = error,
        }
    }
    Err(failure.into())
}
