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

impl From<io::Error> for NoHeader {
    fn from(error: io::Error) -> Self {
        Self::Wrong(error.to_string())
    }
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
        if (&mut *stream).take(more as u64).read_buf(&mut bytes).await? == 0 {
            return Err(match bytes.len() {
                0 => NoHeader::Nothing,
                read => NoHeader::Wrong(format!("the PROXY header ends after {read} bytes")),
            });
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
