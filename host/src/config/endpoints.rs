//! Reads where listeners listen, and how.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use figment::value::Value;
use frontend_api::{Listener, Transport};

use super::endpoint::{Endpoint, EndpointOptions, ListenAddress, SocketAccess};
use super::listens::Listen;
use super::parse;
use super::problem::ValueSource;
use super::public_url::PublicUrl;
use super::section::{Part, Reader, Section};
use super::tls::{SharedTls, TlsChoice};
use crate::passed::{self, PassedSocket};

/// The longest path of a unix socket: `sun_path` of unix(7), with the zero at its end.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// What a table says of how a listener listens; its front end's section says the rest.
#[derive(Clone, Default)]
pub(super) struct Given {
    socket_mode: Option<u32>,
    socket_group: Option<u32>,
    allow_uids: Option<Vec<u32>>,
    tls: Option<TlsChoice>,
    proxy_protocol: Option<bool>,
    pub(super) public_url: Option<PublicUrl>,
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
        public_url: section.read("public_url", PublicUrl::parse),
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
            public_url: self.public_url.or_else(|| other.public_url.clone()),
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
    pub(super) reader: &'a Reader,
    pub(super) section: &'a Section<'s>,
    /// Where relative paths start.
    pub(super) folder: &'a Path,
    /// What the front end's section says for all its listeners.
    pub(super) given: Given,
    pub(super) shared: &'a SharedTls<'a>,
    /// The name of the dialect in handshakes, where its transport has none.
    pub(super) protocol: Option<&'static str>,
}

/// A key as an operator would write it, and the source of its value.
pub(super) type Place = (String, ValueSource);

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
        let is_given = self.section.value(key).is_some();
        let parts = self.section.parts(key);
        if !is_given {
            // Has its keys known.
            let table = self.section.table(key);
            table.value("address");
            given(&table, self.shared);
            let address = default_address(listener);
            let place = (self.section.shown(key), ValueSource::Default);
            return self.found(listener, &place, address, self.given.clone());
        }
        let mut found = Vec::new();
        for part in &parts {
            match part {
                Part::Plain(plain) => {
                    let place = self.section.place_of(plain);
                    let read = |value: &Value| self.addresses(value, &place);
                    let addresses = self.section.read_part(plain, read).unwrap_or_default();
                    let given = self.given.clone();
                    found.extend(self.found(listener, &place, addresses, given));
                }
                Part::Table(table) => {
                    let given = given(table, self.shared);
                    check_public_url(table, &given, listener);
                    let given = given.or(&self.given);
                    let addresses = self.addresses_in(table, listener);
                    check_socket_keys(table, &addresses);
                    table.finish();
                    let place = (table.shown("address"), table.source_of("address"));
                    found.extend(self.found(listener, &place, addresses, given));
                }
            }
        }
        if parts.is_empty() {
            self.section.complain(key, "an empty list; name an address, or leave the key out");
        }
        leave_v4_to_others(&mut found);
        found
    }

    /// The addresses that a listener's table names, or the default one.
    fn addresses_in(&self, table: &Section<'_>, listener: &Listener) -> Vec<ListenAddress> {
        if table.value("address").is_none() {
            let default = default_address(listener);
            if default.is_none() {
                table.complain_of_absent("address", "missing; where to listen");
            }
            return default.into_iter().collect();
        }
        let mut addresses = Vec::new();
        let parts = table.parts("address");
        for part in &parts {
            match part {
                Part::Plain(plain) => {
                    let place = table.place_of(plain);
                    let read = table.read_part(plain, |value| self.addresses(value, &place));
                    addresses.extend(read.unwrap_or_default());
                }
                Part::Table(_) => {
                    table.complain("address", "expected an address, or a list of them");
                }
            }
        }
        if parts.is_empty() {
            table.complain("address", "an empty list; name an address");
        }
        addresses
    }

    fn found(
        &self,
        listener: &Listener,
        (key, source): &Place,
        addresses: impl IntoIterator<Item = ListenAddress>,
        given: Given,
    ) -> Vec<Found> {
        let protocol = match listener.transport {
            Transport::Http | Transport::WebSocket => Some("http/1.1"),
            Transport::Tcp | Transport::TcpLines => self.protocol,
        };
        let public_url = given.public_url.as_ref().and_then(|url| url.of(listener.transport));
        let options = given.options(protocol);
        let one = |address: ListenAddress| Found {
            listener: listener.clone(),
            listen: Listen {
                key: key.clone(),
                transport: listener.transport,
                routes: Some(listener.routes.clone()),
                address: address.clone(),
                options: options.clone(),
                source: source.clone(),
            },
            endpoint: Endpoint {
                address,
                options: options.clone(),
                public_url: public_url.clone(),
            },
        };
        addresses.into_iter().map(one).collect()
    }

    /// `127.0.0.1:5000`, `localhost:5000`, `unix:/run/dragoman/chat.sock` or `systemd:chat`.
    fn addresses(&self, value: &Value, place: &Place) -> Result<Vec<ListenAddress>, String> {
        let expected = || {
            "expected an IP address and a port, such as \"127.0.0.1:5000\", or a unix socket, such \
             as \"unix:/run/dragoman/chat.sock\""
                .to_owned()
        };
        let text = value.as_str().ok_or_else(expected)?;
        if let Some(sockets) = passed_sockets(text, self.reader, place) {
            return Ok(sockets?.into_iter().map(ListenAddress::Passed).collect());
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return self.socket(path, place).map(|address| vec![address]);
        }
        if let Ok(address) = text.parse() {
            return Ok(vec![ListenAddress::Ip(address)]);
        }
        let port = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
        port.map(loopback).ok_or_else(expected)
    }

    fn socket(&self, path: &str, (key, source): &Place) -> Result<ListenAddress, String> {
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
        if let Some(folder) = path.parent().filter(|folder| is_missing(folder)) {
            let what = format!(
                "{key}: there is no folder {}; make it before the gateway starts, or choose another \
                 path",
                folder.display()
            );
            self.reader.warn(source.clone(), what);
        }
        Ok(ListenAddress::Unix(path))
    }
}

/// The working directory, which has an empty path, is there.
fn is_missing(folder: &Path) -> bool {
    !folder.as_os_str().is_empty() && !folder.is_dir()
}

/// The sockets that `systemd:<name>` stands for; none outside of `serve`, to which alone they are
/// passed. `None`: the text is not of that form.
pub(super) fn passed_sockets(
    text: &str,
    reader: &Reader,
    (key, source): &Place,
) -> Option<Result<Vec<Arc<PassedSocket>>, String>> {
    let name = text.strip_prefix("systemd:")?;
    if name.is_empty() {
        return Some(Err("expected the name of a passed socket after systemd:".into()));
    }
    let Some(received) = passed::received() else {
        let what = format!(
            "{key} = {text:?}: not checked, since the service manager passes sockets to \
             `dragoman serve` only"
        );
        reader.warn(source.clone(), what);
        return Some(Ok(Vec::new()));
    };
    Some(received.named(name))
}

/// The address of a listener whose key says none.
fn default_address(listener: &Listener) -> Option<ListenAddress> {
    let address = listener.address.as_deref();
    let parsed = |address: &str| address.parse().expect("a manifest's default address is one");
    address.map(|address| ListenAddress::Ip(parsed(address)))
}

fn check_public_url(table: &Section<'_>, given: &Given, listener: &Listener) {
    let is_wrong = |url: &PublicUrl| url.of(listener.transport).is_none();
    if given.public_url.as_ref().is_some_and(is_wrong) {
        let expected = match listener.transport {
            Transport::Http => "https://chat.example.org",
            Transport::WebSocket => "wss://chat.example.org",
            Transport::Tcp | Transport::TcpLines => "tls://chat.example.org:6697",
        };
        table.complain("public_url", &format!("this listener has one such as {expected:?}"));
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

/// The keys that hold for unix sockets only.
const SOCKET_KEYS: [&str; 3] = ["socket_mode", "socket_group", "allow_uids"];

/// Reports keys of unix sockets that are not at their defaults, in a table whose addresses are all of
/// TCP. No address: one that is wrong, which is reported, or sockets that are not passed yet.
pub(super) fn check_socket_keys<'a>(
    section: &Section<'_>,
    addresses: impl IntoIterator<Item = &'a ListenAddress>,
) {
    let mut addresses = addresses.into_iter().peekable();
    if addresses.peek().is_none() || addresses.any(|address| address.ip().is_none()) {
        return;
    }
    let is_default = |value: &Value| match value {
        Value::Array(_, elements) => elements.is_empty(),
        value => value.as_str() == Some("0660"),
    };
    let is_set = |key: &&str| section.value(key).is_some_and(|value| !is_default(value));
    for key in SOCKET_KEYS.into_iter().filter(is_set) {
        section.complain(
            key,
            "holds for unix sockets, and there is none here; name one, such as \
             \"unix:/run/dragoman/chat.sock\", or restrict addresses with allow",
        );
    }
}
