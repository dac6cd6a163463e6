//! Who sent a request, as far as the gateway can know: the peer of the connection, or what a trusted
//! proxy says of its client.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

// Names in parsed form: a look-up by text parses it each time.
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

use crate::peer_address;
use crate::runtime::net::http::proxy_names::is_proxy_header;
use crate::runtime::net::remote::Remote;

/// The sender of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Caller {
    /// None: a trusted proxy does not say, or says it in a form that cannot be read.
    pub(super) address: Option<IpAddr>,
    /// The request has passed a proxy, trusted or not, so that its address proves nothing.
    pub(super) proxied: bool,
    /// Whether its connection is encrypted: here, or as far as a trusted proxy.
    pub(super) secure: bool,
    /// Whether it is the peer of a unix socket, and no proxy's client.
    pub(super) on_unix_socket: bool,
}

impl Caller {
    /// The caller of a request that `remote` sent with these headers. From a trusted proxy it is
    /// the last address of X-Forwarded-For, or else of Forwarded (RFC 7239, section 5.2), that is
    /// not itself a trusted proxy's.
    pub(super) fn of(
        remote: &Remote,
        is_trusted: bool,
        headers: &HeaderMap,
        trusts: impl Fn(IpAddr) -> bool,
    ) -> Self {
        if !is_trusted {
            let proxied =
                remote.is_proxied || remote.address.is_none() || has_proxy_header(headers);
            return Self {
                address: remote.address,
                proxied,
                secure: remote.secure,
                on_unix_socket: remote.is_on_unix_socket(),
            };
        }
        let address = if headers.contains_key(&X_FORWARDED_FOR) {
            last_untrusted(elements(headers, &X_FORWARDED_FOR).map(parse_address), &trusts)
        } else {
            let elements = forwarded(headers);
            last_untrusted(elements.map(|element| parse_address(element?.get("for")?)), &trusts)
        };
        let secure = remote.secure || is_forwarded_https(headers, trusts);
        Self { address, proxied: true, secure, on_unix_socket: false }
    }
}

/// Whether the proxy says that its client came over https.
fn is_forwarded_https(headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> bool {
    let last = elements(headers, &X_FORWARDED_PROTO).next();
    let last = last.and_then(|scheme| str::from_utf8(scheme).ok()).map(str::trim);
    let is_https = |scheme: &[u8]| scheme.eq_ignore_ascii_case(b"https");
    match last {
        Some(scheme) => is_https(scheme.as_bytes()),
        None => {
            forwarded_parameter(headers, trusts, "proto").is_some_and(|scheme| is_https(&scheme))
        }
    }
}

/// One pass over the few headers of a request.
fn has_proxy_header(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| is_proxy_header(name.as_str()))
}

/// The comma-separated elements of a header, the last one first. They are bytes: a proxy appends to
/// what its client sent, which need not be text.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let values: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
    values.into_iter().rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','))
}

fn last_untrusted(
    addresses: impl Iterator<Item = Option<IpAddr>>,
    trusts: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut last = None;
    for address in addresses {
        last = Some(address?.to_canonical());
        if !last.is_some_and(&trusts) {
            break;
        }
    }
    last
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn parse_address(bytes: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(bytes).ok()?.trim_matches([' ', '\t']);
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port).or_else(bracketed)
}

/// The elements of Forwarded, the last one first. `None`: one that cannot be read.
fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Option<Element>> {
    let values: Vec<&HeaderValue> = headers.get_all(header::FORWARDED).iter().collect();
    values.into_iter().rev().flat_map(|value| {
        let elements = split(value.as_bytes(), b',').map_or(vec![None], |elements| {
            elements.into_iter().rev().map(Element::parse).collect()
        });
        elements.into_iter()
    })
}

/// A parameter of the element that names the client: what stands before it is the client's own.
fn forwarded_parameter(
    headers: &HeaderMap,
    trusts: impl Fn(IpAddr) -> bool,
    name: &str,
) -> Option<Vec<u8>> {
    let mut named = None;
    for element in forwarded(headers) {
        let element = element?;
        let address = element.get("for").and_then(parse_address);
        let is_proxy = address.is_some_and(|address| trusts(address.to_canonical()));
        named = Some(element);
        if !is_proxy {
            break;
        }
    }
    named?.take(name)
}

/// An element of Forwarded: its parameters, the values without quotes (RFC 7239, section 4).
struct Element(Vec<(String, Vec<u8>)>);

impl Element {
    /// `None` also where a parameter occurs twice: readers differ in which one they take.
    fn parse(element: &[u8]) -> Option<Self> {
        let mut parameters: Vec<(String, Vec<u8>)> = Vec::new();
        for pair in split(element, b';')?.into_iter().filter(|pair| !pair.trim_ascii().is_empty()) {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            let name = str::from_utf8(&pair[..equals]).ok()?.trim().to_ascii_lowercase();
            if parameters.iter().any(|(known, _)| *known == name) {
                return None;
            }
            parameters.push((name, unquoted(pair[equals + 1..].trim_ascii())?));
        }
        Some(Self(parameters))
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        let index = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(index).1)
    }
}

/// Splits where the separator is outside of quoted strings: proxies quote what their clients sent.
/// `None`: a quoted string does not end.
fn split(bytes: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    let (mut begin, mut quoted, mut escaped) = (0, false, false);
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if *byte == separator && !quoted => {
                parts.push(&bytes[begin..index]);
                begin = index + 1;
            }
            _ => (),
        }
    }
    parts.push(&bytes[begin..]);
    (!quoted).then_some(parts)
}

/// A token as it is, or what a quoted string says (RFC 9110, section 5.6.4). `None`: neither.
fn unquoted(value: &[u8]) -> Option<Vec<u8>> {
    if !value.contains(&b'"') {
        return Some(value.to_vec());
    }
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => bytes.push(*rest.next()?),
            b'"' => return None,
            byte => bytes.push(*byte),
        }
    }
    Some(bytes)
}

/// The host that the client asked for, as a trusted proxy says.
pub(super) fn forwarded_host(
    headers: &HeaderMap,
    trusts: impl Fn(IpAddr) -> bool,
) -> Option<String> {
    let forwarded = elements(headers, &X_FORWARDED_HOST).next();
    let forwarded = forwarded.and_then(|host| str::from_utf8(host).ok()).map(str::trim);
    let standard = || String::from_utf8(forwarded_parameter(headers, trusts, "host")?).ok();
    forwarded.map(str::to_owned).or_else(standard)
}

impl Caller {
    /// The address that its requests count for; all unknown callers count as one, and all on unix
    /// sockets, as those of streams do.
    pub(super) fn counted_address(self) -> IpAddr {
        let without = match self.on_unix_socket {
            true => peer_address::ON_UNIX_SOCKET,
            false => peer_address::UNKNOWN,
        };
        self.address.unwrap_or(without)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None if self.on_unix_socket => f.write_str("a unix socket"),
            None => f.write_str("an unknown address"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "127.0.0.9";

    fn caller(remote: &str, headers: &[(&str, &[u8])]) -> Caller {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        let trusts = |address: IpAddr| ["127.0.0.9", "10.0.0.1"].contains(&&*address.to_string());
        let remote: IpAddr = remote.parse().unwrap();
        Caller::of(&Remote::at(remote), trusts(remote.to_canonical()), &map, trusts)
    }

    #[test]
    fn a_peer_on_a_unix_socket_counts_like_one_of_a_stream_unless_a_proxy_is_before_it() {
        let of = |is_trusted| {
            let remote = Remote::on_unix_socket(1000);
            Caller::of(&remote, is_trusted, &HeaderMap::new(), |_| false)
        };
        let own = Remote::on_unix_socket(1000).counted_address();
        assert_eq!((of(false).address, of(false).counted_address()), (None, own));
        assert_eq!(of(true).counted_address(), peer_address::UNKNOWN, "it is the proxy's client");
    }

    fn plain_caller() -> Caller {
        Caller { address: None, proxied: false, secure: false, on_unix_socket: false }
    }

    fn address(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    #[test]
    fn a_peer_that_is_no_trusted_proxy_is_its_own_address() {
        let plain = Caller { address: address("127.0.0.1"), ..plain_caller() };
        assert_eq!(caller("127.0.0.1", &[]), plain);
        assert_eq!(caller("::ffff:127.0.0.1", &[]), plain);
        for name in ["via", "X_Forwarded_For", "x-real-ip", "cf-ray", "remote-user"] {
            let caller = caller("127.0.0.1", &[(name, b"203.0.113.66")]);
            assert_eq!(caller, Caller { proxied: true, ..plain }, "{name}");
        }
        for name in ["user-agent", "x-requested-with", "x-client-data", "sec-fetch-site"] {
            assert_eq!(caller("127.0.0.1", &[(name, b"via")]), plain, "{name}");
        }
    }

    #[test]
    fn a_trusted_proxy_says_who_its_client_is() {
        let proxied = Caller { address: None, proxied: true, ..plain_caller() };
        for (value, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("1.2.3.4, 203.0.113.7", "203.0.113.7"),
            ("203.0.113.7,10.0.0.1", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            let caller = caller(PROXY, &[("x-forwarded-for", value.as_bytes())]);
            assert_eq!(caller, Caller { address: address(expected), ..proxied }, "{value}");
        }
        let several: [(_, &[u8]); 2] =
            [("x-forwarded-for", b"1.2.3.4"), ("x-forwarded-for", b"203.0.113.7")];
        assert_eq!(caller(PROXY, &several).address, address("203.0.113.7"));
        let standard = b"for=1.2.3.4, for=\"[2001:db8::7]:1\";proto=https;host=a.example";
        assert_eq!(caller(PROXY, &[("forwarded", standard)]).address, address("2001:db8::7"));
        let others: [(&[u8], _); 5] = [
            (b"For=203.0.113.7 ; Proto=http", "203.0.113.7"),
            (b"for=203.0.113.7;host=\"a, for=10.9.9.9\"", "203.0.113.7"),
            (b"host=\"a;for=10.9.9.9\";for=203.0.113.7", "203.0.113.7"),
            (b"host=\"a\\\", for=10.9.9.9\";for=203.0.113.7", "203.0.113.7"),
            (b"for=\"unbalanced, for=203.0.113.8", ""),
        ];
        for (value, expected) in others {
            let caller = caller(PROXY, &[("forwarded", value)]);
            assert_eq!(caller.address, expected.parse().ok(), "{value:?}");
        }
    }

    #[test]
    fn what_a_trusted_proxy_says_unreadably_is_an_unknown_address() {
        let unknown = Caller { address: None, proxied: true, ..plain_caller() };
        assert_eq!(caller(PROXY, &[]), unknown);
        let unreadable: [&[u8]; 9] = [
            b"\xff",
            b"\xff, 10.0.0.1",
            b"unknown",
            b"",
            b"203.0.113.7, ",
            b"203.0.113.7, _hidden",
            b"203.0.113.7:port",
            b"203.0.113",
            b"203.0.113.7 203.0.113.8",
        ];
        for value in unreadable {
            assert_eq!(caller(PROXY, &[("x-forwarded-for", value)]), unknown, "{value:?}");
        }
        assert_eq!(caller(PROXY, &[("forwarded", b"for=unknown")]), unknown);
        assert_eq!(caller(PROXY, &[("forwarded", b"host=a.example")]), unknown);
        let unreadable: [&[u8]; 7] = [
            b"for=203.0.113.7\"",
            b"\"for=203.0.113.7",
            b"for=203.0.113.7;for=203.0.113.8",
            b"for=2\"03.0.113.7\"",
            b"for=\"203.0.113.7\"8",
            b"for=\"203.0.113.7\\\"",
            b"203.0.113.7",
        ];
        for value in unreadable {
            assert_eq!(caller(PROXY, &[("forwarded", value)]), unknown, "{value:?}");
        }
        // The client's own bytes stand before what the proxy adds, and do not matter.
        let appended = caller(PROXY, &[("x-forwarded-for", b"\xff, 203.0.113.7")]);
        assert_eq!(appended.address, address("203.0.113.7"));
    }

    #[test]
    fn only_a_trusted_proxy_says_that_its_client_is_encrypted() {
        let address: (_, &[u8]) = ("x-forwarded-for", b"203.0.113.7");
        let is_secure = |remote, proto| caller(remote, &[address, proto]).secure;
        assert!(is_secure(PROXY, ("x-forwarded-proto", b"https")));
        assert!(is_secure(PROXY, ("forwarded", b"for=203.0.113.7;proto=https")));
        assert!(!is_secure(PROXY, ("x-forwarded-proto", b"http")));
        // The proxy's own word is the last one.
        assert!(!is_secure(PROXY, ("x-forwarded-proto", b"https, http")));
        assert!(!is_secure("127.0.0.1", ("x-forwarded-proto", b"https")));
    }

    #[test]
    fn a_proxy_says_the_host_in_the_element_that_names_the_client() {
        let mut headers = HeaderMap::new();
        let trusts = |address: IpAddr| address.to_string() == "10.0.0.1";
        let mut host = |name: &'static str, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
            let host = forwarded_host(&headers, trusts);
            headers.clear();
            host
        };
        assert_eq!(host("x-forwarded-host", "chat.example").as_deref(), Some("chat.example"));
        assert_eq!(host("host", "127.0.0.1:5000"), None);
        for (value, expected) in [
            ("for=1.2.3.4;host=chat.example", Some("chat.example")),
            ("for=1.2.3.4;host=\"b.example, host=c.example\"", Some("b.example, host=c.example")),
            ("for=1.2.3.4;host=a.example, for=10.0.0.1;host=inner", Some("a.example")),
            // Of the element that names the client only.
            ("for=9.9.9.9;host=evil.example, for=1.2.3.4", None),
            ("for=9.9.9.9;host=evil.example, for=1.2.3.4, for=10.0.0.1;host=inner", None),
            ("for=9.9.9.9;host=evil.example, for=unknown", None),
            ("for=9.9.9.9;host=evil.example, \"for=1.2.3.4", None),
        ] {
            assert_eq!(host("forwarded", value).as_deref(), expected, "{value}");
        }
        let address: (_, &[u8]) = ("forwarded", b"for=9.9.9.9;proto=https, for=1.2.3.4");
        assert!(!caller(PROXY, &[address]).secure);
    }
}
