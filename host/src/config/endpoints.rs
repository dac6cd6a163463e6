//! Where and how a listener accepts connections: addresses with a port, and unix sockets.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::Value;
use frontend_api::{Listener, Transport};

use super::listens::Listen;
use super::parse;
use super::section::{Part, Section};
use super::settings::is_private;
use super::tls::{SharedTls, TlsChoice};
use crate::tls::Tls;

/// The longest path of a unix socket: `sun_path` of unix(7), with the zero at its end.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// An address to listen on.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ListenAddress {
    Ip(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// One address of a listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    pub address: ListenAddress,
    pub options: EndpointOptions,
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
        Self { address: address.into(), options: EndpointOptions::default() }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What a table says of how a listener listens; its front end's section says the rest.
#[derive(Clone, Default)]
pub(super) struct Given {
    socket_mode: Option<u32>,
    socket_group: Option<u32>,
    allow_uids: Option<Vec<u32>>,
    tls: Option<TlsChoice>,
    proxy_protocol: Option<bool>,
}

/// The keys of [`EndpointOptions`] in a table.
pub(super) fn given(section: &Section<'_>, shared: &SharedTls<'_>) -> Given {
    let uids = || section.list("allow_uids", "user ids", parse::number(0..=u32::MAX));
    Given {
        socket_mode: section.read("socket_mode", parse::file_mode),
        socket_group: section.read("socket_group", parse::group),
        allow_uids: section.value("allow_uids").map(|_| uids()),
        tls: shared.choice(section),
        proxy_protocol: section.read("proxy_protocol", proxy_protocol),
    }
}

impl Given {
    fn or(self, other: &Self) -> Self {
        Self {
            socket_mode: self.socket_mode.or(other.socket_mode),
            socket_group: self.socket_group.or(other.socket_group),
            allow_uids: self.allow_uids.or_else(|| other.allow_uids.clone()),
            tls: self.tls.or_else(|| other.tls.clone()),
            proxy_protocol: self.proxy_protocol.or(other.proxy_protocol),
        }
    }

    fn options(self, protocol: Option<&'static str>) -> EndpointOptions {
        let default = SocketAccess::default();
        let socket = SocketAccess {
            mode: self.socket_mode.unwrap_or(default.mode),
            group: self.socket_group,
            allow_uids: self.allow_uids.unwrap_or_default(),
        };
        let tls = self.tls.flatten();
        let protocol = protocol.filter(|_| tls.is_some());
        let proxy_protocol = self.proxy_protocol.unwrap_or(false);
        EndpointOptions { only_v6: false, socket, tls, protocol, proxy_protocol }
    }
}

/// Reads where the listeners of a front end listen: from their keys, or from the manifest.
pub(super) struct EndpointReader<'a, 's> {
    pub(super) section: &'a Section<'s>,
    /// Where relative paths start.
    pub(super) folder: &'a Path,
    /// What the front end's section says for all its listeners.
    pub(super) given: Given,
    pub(super) shared: &'a SharedTls<'a>,
    /// The name of the dialect in handshakes, where its transport has none.
    pub(super) protocol: Option<&'static str>,
}

/// An address of a listener, with its place in the configuration.
pub(super) struct Found {
    pub(super) listener: Listener,
    pub(super) endpoint: Endpoint,
    pub(super) listen: Listen,
}

impl EndpointReader<'_, '_> {
    /// The addresses of one listener; none if it does not listen.
    pub(super) fn of(&self, listener: &Listener) -> Vec<Found> {
        let key = &listener.key;
        let default = || {
            let address = listener.address.as_deref();
            address.map(|it| {
                it.parse::<SocketAddr>().expect("a manifest's default address is an address")
            })
        };
        let is_given = self.section.value(key).is_some();
        let parts = self.section.parts(key);
        if !is_given {
            // Has its keys known.
            let table = self.section.table(key);
            table.value("address");
            given(&table, self.shared);
            let address = default().map(ListenAddress::Ip);
            return self.found(listener, self.section, key, address, self.given.clone());
        }
        let mut found = Vec::new();
        for part in &parts {
            match part {
                Part::Plain(plain) => {
                    let addresses = self.section.read_part(plain, |value| self.addresses(value));
                    let addresses = addresses.unwrap_or_default();
                    let given = self.given.clone();
                    found.extend(self.found(listener, self.section, key, addresses, given));
                }
                Part::Table(table) => {
                    let given = given(table, self.shared).or(&self.given);
                    let mut addresses = Vec::new();
                    for part in table.parts("address") {
                        let Part::Plain(plain) = &part else {
                            table.complain("address", "expected an address, or a list of them");
                            continue;
                        };
                        let read = table.read_part(plain, |value| self.addresses(value));
                        addresses.extend(read.unwrap_or_default());
                    }
                    if table.value("address").is_none() {
                        addresses.extend(default().map(ListenAddress::Ip));
                        if addresses.is_empty() {
                            table.complain_of_absent("address", "missing; where to listen");
                        }
                    }
                    table.finish();
                    found.extend(self.found(listener, table, "address", addresses, given));
                }
            }
        }
        if parts.is_empty() {
            self.section.complain(key, "an empty list; name an address, or leave the key out");
        }
        leave_v4_to_others(&mut found);
        found
    }

    fn found(
        &self,
        listener: &Listener,
        section: &Section<'_>,
        key: &str,
        addresses: impl IntoIterator<Item = ListenAddress>,
        given: Given,
    ) -> Vec<Found> {
        let protocol = match listener.transport {
            Transport::Http | Transport::WebSocket => Some("http/1.1"),
            Transport::Tcp | Transport::TcpLines => self.protocol,
        };
        let options = given.options(protocol);
        let one = |address: ListenAddress| Found {
            listener: listener.clone(),
            listen: Listen {
                key: section.shown(key),
                transport: listener.transport,
                routes: Some(listener.routes.clone()),
                address: address.clone(),
                options: options.clone(),
                source: section.source_or_default(key),
            },
            endpoint: Endpoint { address, options: options.clone() },
        };
        addresses.into_iter().map(one).collect()
    }

    /// `127.0.0.1:5000`, `localhost:5000` or `unix:/run/dragoman/chat.sock`.
    fn addresses(&self, value: &Value) -> Result<Vec<ListenAddress>, String> {
        let expected = || {
            "expected an IP address and a port, such as \"127.0.0.1:5000\", or a unix socket, such \
             as \"unix:/run/dragoman/chat.sock\""
                .to_owned()
        };
        let text = value.as_str().ok_or_else(expected)?;
        if let Some(path) = text.strip_prefix("unix:") {
            return self.socket(path).map(|address| vec![address]);
        }
        if let Ok(address) = text.parse() {
            return Ok(vec![ListenAddress::Ip(address)]);
        }
        let port = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
        port.map(loopback).ok_or_else(expected)
    }

    fn socket(&self, path: &str) -> Result<ListenAddress, String> {
        let path = self.folder.join(path);
        let length = path.as_os_str().len();
        if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().contains(&0) {
            return Err("expected the path of a socket after unix:".into());
        }
        if length > SOCKET_PATH_BYTES_MAX {
            return Err(format!(
                "the path of a socket has at most {SOCKET_PATH_BYTES_MAX} bytes, and {} has {length}",
                path.display()
            ));
        }
        Ok(ListenAddress::Unix(path))
    }
}

/// Whether connections must begin with the header of a proxy.
fn proxy_protocol(value: &Value) -> Result<bool, String> {
    match value.as_str() {
        Some("required") => Ok(true),
        Some("off") => Ok(false),
        _ => Err("expected \"required\" or \"off\"; a header that may be left out could be forged"
            .into()),
    }
}

/// `[::]` takes IPv4 too, unless another address with its port does.
fn leave_v4_to_others(found: &mut [Found]) {
    let ips = found.iter().filter_map(|one| one.endpoint.address.ip());
    let v4: Vec<u16> = ips.filter(|ip| ip.is_ipv4()).map(|ip| ip.port()).collect();
    for Found { endpoint, listen, .. } in found {
        let ip = endpoint.address.ip().filter(|ip| ip.is_ipv6() && ip.ip().is_unspecified());
        endpoint.options.only_v6 = ip.is_some_and(|ip| ip.port() != 0 && v4.contains(&ip.port()));
        listen.options.only_v6 = endpoint.options.only_v6;
    }
}

/// `localhost` is loopback (RFC 6761, section 6.3): of IPv4 and of IPv6, as this machine has them.
fn loopback(port: u16) -> Vec<ListenAddress> {
    let is_here = |address: &IpAddr| UdpSocket::bind((*address, 0)).is_ok();
    let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let here = addresses.into_iter().filter(is_here);
    here.map(|address| ListenAddress::Ip(SocketAddr::new(address, port))).collect()
}
