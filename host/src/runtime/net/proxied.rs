//! Connections behind a proxy that names its clients by the PROXY protocol.

use std::io;

use tokio::io::AsyncReadExt as _;

use crate::proxy_header::{Progress, ProxyHeader, read};
use crate::runtime::net::remote::Remote;
use crate::runtime::net::stream::Stream;

/// Why there is no header.
#[derive(Debug)]
pub(crate) enum NoHeader {
    /// The proxy has closed before it sent anything: it looks whether the gateway is there.
    Nothing,
    Wrong(String),
}

/// Reads the header, and nothing behind it; the proxy's client takes the place of the proxy.
pub(crate) async fn read_header(stream: &mut Stream, remote: &mut Remote) -> Result<(), NoHeader> {
    let mut bytes = Vec::new();
    loop {
        let more = match read(&bytes) {
            Progress::Whole(header) => {
                apply(header, remote);
                return Ok(());
            }
            Progress::Wrong(why) => return Err(NoHeader::Wrong(why)),
            Progress::More(more) => more,
        };
        let read = (&mut *stream).take(more as u64).read_buf(&mut bytes).await;
        if !matches!(read, Ok(1..)) {
            return Err(no_header(bytes.len(), read.err()));
        }
    }
}

/// A proxy that looks whether the gateway is there closes, or resets the connection.
fn no_header(read: usize, error: Option<io::Error>) -> NoHeader {
    match (read, error) {
        (0, _) => NoHeader::Nothing,
        (read, None) => NoHeader::Wrong(format!("the PROXY header ends after {read} bytes")),
        (read, Some(error)) => {
            NoHeader::Wrong(format!("after {read} bytes of the PROXY header: {error}"))
        }
    }
}

fn apply(header: ProxyHeader, remote: &mut Remote) {
    if header.is_local {
        return;
    }
    tracing::trace!(source = ?header.source, alpn = ?header.alpn, "a proxy names its client");
    *remote = Remote {
        address: header.source.map(|source| source.to_canonical()),
        uid: None,
        is_proxied: true,
        secure: header.secure,
        certificate: header.common_name.map(|name| crate::tls::common_name(&name).into()),
    };
}
