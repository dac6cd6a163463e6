//! Where and how a listener accepts connections: addresses with a port, and unix sockets.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use super::public_url::PublicUrl;
use crate::passed::PassedSocket;
use crate::tls::Tls;

/// An address to listen on.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ListenAddress {
    Ip(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
    /// A socket that the service manager has opened.
    Passed(Arc<PassedSocket>),
}

/// One address of a listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    pub address: ListenAddress,
    pub options: EndpointOptions,
    /// Where clients reach it, if not at its address.
    pub public_url: Option<PublicUrl>,
}

/// How connections to an address are accepted. Listeners that share an address have the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointOptions {
    /// Leaves IPv4 to another address of the listener with the same port.
    pub only_v6: bool,
    pub socket: SocketAccess,
    /// `None`: connections are not encrypted.
    pub tls: Option<Arc<Tls>>,
    /// What the application protocol is called in the handshake (ALPN), if it has a name.
    pub protocol: Option<&'static str>,
    /// Whether each connection begins with a header of a proxy.
    pub proxy_protocol: bool,
}

/// Which processes of this machine may connect to a unix socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SocketAccess {
    /// The permissions of the file. Default 0660: its owner and its group.
    pub mode: u32,
    /// The group of the file. Default: that of the process.
    pub group: Option<u32>,
    /// The users whose processes may connect; empty: those that the file's permissions allow.
    pub allow_uids: Vec<u32>,
}

impl Default for SocketAccess {
    fn default() -> Self {
        Self { mode: 0o660, group: None, allow_uids: Vec::new() }
    }
}

impl SocketAccess {
    /// Whether every user of the machine may connect.
    fn is_open(&self) -> bool {
        self.mode & 0o002 != 0 && self.allow_uids.is_empty()
    }
}

impl ListenAddress {
    /// `None`: a unix socket.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) => None,
            Self::Passed(socket) => socket.ip(),
        }
    }

    /// Whether the operating system chooses the port.
    pub fn has_any_port(&self) -> bool {
        self.ip().is_some_and(|address| address.port() == 0)
    }

    /// Whether its connections come from addresses that the internet cannot use. Those of a unix
    /// socket come from a proxy, and from anywhere behind it.
    pub fn is_private(&self) -> bool {
        self.ip().is_some_and(|address| is_private(address.ip()))
    }
}

impl Endpoint {
    /// Whether only some can connect: processes of this machine, and not every user's, or those
    /// that have a certificate.
    pub(super) fn is_guarded(&self) -> bool {
        let tls = self.options.tls.as_ref();
        if tls.is_some_and(|tls| tls.settings.client_ca.is_some() && tls.settings.require) {
            return true;
        }
        match &self.address {
            ListenAddress::Ip(address) => address.ip().is_loopback(),
            ListenAddress::Unix(_) => !self.options.socket.is_open(),
            ListenAddress::Passed(socket) => match socket.ip() {
                Some(address) => address.ip().is_loopback(),
                None => {
                    let only_some = !self.options.socket.allow_uids.is_empty();
                    only_some || !socket.is_open_to_all_users()
                }
            },
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { address: address.into(), options: EndpointOptions::default(), public_url: None }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Passed(socket) => socket.fmt(f),
        }
    }
}

/// Whether an address is loopback, private or link-local, and so not reachable from the internet. The
/// unspecified address is not: a listener on it is reachable on every address of the machine.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
