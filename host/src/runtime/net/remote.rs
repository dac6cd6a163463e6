//! The other end of a connection, as its transport names it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::peer_address::{ON_UNIX_SOCKET, UNKNOWN};

/// Who connects.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Remote {
    /// `None`: the peer is on a unix socket, or a proxy does not name it.
    pub(crate) address: Option<IpAddr>,
    /// The user of a peer on a unix socket.
    pub(crate) uid: Option<u32>,
    /// Whether a proxy names it, by the PROXY protocol.
    pub(crate) is_proxied: bool,
    /// Whether the client's connection is encrypted: here, or as far as the proxy.
    pub(crate) secure: bool,
    /// The subject of the client's certificate, once it is verified.
    pub(crate) certificate: Option<Arc<str>>,
}

impl Remote {
    pub(crate) fn at(address: IpAddr) -> Self {
        Self { address: Some(address.to_canonical()), ..Self::default() }
    }

    pub(crate) fn on_unix_socket(uid: u32) -> Self {
        Self { uid: Some(uid), ..Self::default() }
    }

    /// Whether it is itself on a unix socket; what a proxy before it names is elsewhere.
    pub(crate) fn is_on_unix_socket(&self) -> bool {
        self.uid.is_some() && self.address.is_none() && !self.is_proxied
    }

    /// The address that its requests count for. All on unix sockets count as one, and all that a
    /// proxy does not name.
    pub(crate) fn counted_address(&self) -> IpAddr {
        let without = if self.is_on_unix_socket() { ON_UNIX_SOCKET } else { UNKNOWN };
        self.address.unwrap_or(without)
    }

    /// The address in words.
    pub(crate) fn shown_address(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }

    /// The identity that the client's certificate proves: `cert/CN=app`.
    pub(crate) fn certified_identity(&self) -> Option<String> {
        self.certificate.as_ref().map(|subject| format!("cert/{subject}"))
    }
}
