//! The header that a proxy puts before a connection, to name its client: the PROXY protocol, versions
//! 1 and 2 (`proxy-protocol.txt` of HAProxy).
//!
//! [`read`] says after each piece how much more to read, so that nothing behind the header is read
//! with it: that belongs to TLS or the dialect.

use std::net::IpAddr;

use ppp::v2::{self, Command, Type};
use ppp::{v1, v2::Addresses};

/// How every header of version 2 begins (section 2.2).
const SIGNATURE: &[u8] = v2::PROTOCOL_PREFIX;

/// The bytes of version 2 up to the length, with it.
const FIXED_BYTES: usize = 16;

/// The longest line of version 1, with its end (section 2.1).
const LINE_BYTES_MAX: usize = 107;

/// What may follow the fixed bytes. Addresses take 216 bytes at most, and the extensions that proxies
/// send some hundred; the length field itself allows 64 KiB.
const EXTENSION_BYTES_MAX: usize = 4096;

/// Bits of the client field of `PP2_TYPE_SSL` (section 2.2.6): the client came over TLS, and showed a
/// certificate on this connection or before on the same session.
const CLIENT_TLS: u8 = 0x01;
const CLIENT_CERTIFICATE: u8 = 0x02 | 0x04;

/// The common name in the client's certificate, within `PP2_TYPE_SSL`.
const SUBTYPE_CN: u8 = 0x22;

/// What a proxy says of its client.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProxyHeader {
    /// The proxy connects on its own behalf, as to see whether the gateway is there.
    pub is_local: bool,
    /// `None`: the proxy does not say.
    pub source: Option<IpAddr>,
    /// Whether the client speaks TLS with the proxy.
    pub secure: bool,
    /// The common name in the client's certificate, if the proxy has verified one.
    pub common_name: Option<String>,
    /// The protocol that client and proxy have agreed on.
    pub alpn: Option<String>,
}

/// What the bytes so far are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Progress {
    /// A header as far as it goes; so many bytes more can be read without going beyond it.
    More(usize),
    Whole(ProxyHeader),
    /// No header; in words for the operator.
    Wrong(String),
}

/// Reads a header from its first bytes; none of them may be behind its end.
pub fn read(bytes: &[u8]) -> Progress {
    let begun = &bytes[..bytes.len().min(SIGNATURE.len())];
    let is_binary = SIGNATURE.starts_with(begun);
    let is_text = b"PROXY ".starts_with(&begun[..begun.len().min(6)]);
    if !is_binary && !is_text {
        return Progress::Wrong("it does not begin with a PROXY header".into());
    }
    if begun.len() < SIGNATURE.len() {
        return Progress::More(SIGNATURE.len() - begun.len());
    }
    if is_binary { read_binary(bytes) } else { read_line(bytes) }
}

fn read_line(bytes: &[u8]) -> Progress {
    if bytes.last() != Some(&b'\n') {
        return if bytes.len() < LINE_BYTES_MAX {
            Progress::More(1)
        } else {
            Progress::Wrong(format!("the PROXY line has no end within {LINE_BYTES_MAX} bytes"))
        };
    }
    if !is_strict_line(bytes) {
        return Progress::Wrong("the PROXY line is wrong: it is not as version 1 has it".into());
    }
    let source = match v1::Header::try_from(bytes).map(|header| header.addresses) {
        Ok(v1::Addresses::Tcp4(addresses)) => Some(addresses.source_address.into()),
        Ok(v1::Addresses::Tcp6(addresses)) => Some(addresses.source_address.into()),
        Ok(v1::Addresses::Unknown) => None,
        Err(error) => return Progress::Wrong(format!("the PROXY line is wrong: {error}")),
    };
    Progress::Whole(ProxyHeader { source, ..ProxyHeader::default() })
}

/// Whether a line has the one form that section 2.1 gives it: the library takes ports as Rust's numbers
/// are, with a sign or leading zeros, and a front end that reads them otherwise may see another line.
fn is_strict_line(line: &[u8]) -> bool {
    let Some(line) = line.strip_suffix(b"\r\n").and_then(|line| str::from_utf8(line).ok()) else {
        return false;
    };
    let mut words = line.split(' ').skip(1);
    match words.next() {
        Some("TCP4" | "TCP6") => {
            let [_, _, source_port, destination_port] = [(); 4].map(|()| words.next());
            is_port(source_port) && is_port(destination_port) && words.next().is_none()
        }
        // Whatever follows is ignored.
        Some("UNKNOWN") => true,
        _ => false,
    }
}

fn is_port(word: Option<&str>) -> bool {
    let Some(word) = word else { return false };
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = word.len() > 1 && word.starts_with('0');
    is_plain && !has_leading_zero && word.parse::<u16>().is_ok()
}

fn read_binary(bytes: &[u8]) -> Progress {
    if bytes.len() < FIXED_BYTES {
        return Progress::More(FIXED_BYTES - bytes.len());
    }
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if length > EXTENSION_BYTES_MAX {
        return Progress::Wrong(format!(
            "the PROXY header announces {length} bytes, more than {EXTENSION_BYTES_MAX}"
        ));
    }
    let missing = (FIXED_BYTES + length).saturating_sub(bytes.len());
    if missing > 0 {
        return Progress::More(missing);
    }
    match v2::Header::try_from(bytes) {
        Ok(header) => announced(&header),
        Err(error) => Progress::Wrong(format!("the PROXY header is wrong: {error}")),
    }
}

fn announced(header: &v2::Header<'_>) -> Progress {
    let mut found =
        ProxyHeader { is_local: header.command == Command::Local, ..Default::default() };
    if found.is_local {
        // The receiver must ignore the rest (section 2.2).
        return Progress::Whole(found);
    }
    found.source = match header.addresses {
        Addresses::IPv4(addresses) => Some(addresses.source_address.into()),
        Addresses::IPv6(addresses) => Some(addresses.source_address.into()),
        Addresses::Unspecified | Addresses::Unix(_) => None,
    };
    for extension in header.tlvs() {
        let Ok(extension) = extension else {
            return Progress::Wrong("an extension of the PROXY header is cut off".into());
        };
        if extension.kind == Type::ALPN as u8 {
            found.alpn = Some(String::from_utf8_lossy(&extension.value).into_owned());
        } else if extension.kind == Type::SSL as u8
            && let Err(why) = read_tls(&extension.value, &mut found)
        {
            return Progress::Wrong(why.into());
        }
    }
    Progress::Whole(found)
}

/// Section 2.2.6: a byte of bits, four bytes that are zero if a certificate was verified, and
/// extensions in their turn.
fn read_tls(value: &[u8], found: &mut ProxyHeader) -> Result<(), &'static str> {
    let Some((&[client, v0, v1, v2, v3], mut rest)) = value.split_first_chunk() else {
        return Err("the TLS extension of the PROXY header is cut off");
    };
    found.secure = client & CLIENT_TLS != 0;
    let has_certificate = client & CLIENT_CERTIFICATE != 0 && [v0, v1, v2, v3] == [0; 4];
    while let Some((&[kind, high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((value, after)) = after.split_at_checked(length) else {
            return Err("the TLS extension of the PROXY header is cut off");
        };
        if kind == SUBTYPE_CN && has_certificate {
            found.common_name = Some(String::from_utf8_lossy(value).into_owned());
        }
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err("the TLS extension of the PROXY header is cut off") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[0x20 | command, family], &length, body].concat()
    }

    fn whole(bytes: &[u8]) -> ProxyHeader {
        match read(bytes) {
            Progress::Whole(header) => header,
            other => panic!("{other:?}"),
        }
    }

    /// Addresses 192.0.2.7 → 10.0.0.1.
    const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80];

    fn tls(client: u8, verify: u32, cn: &[u8]) -> Vec<u8> {
        let cn = [&[SUBTYPE_CN, 0, cn.len() as u8][..], cn].concat();
        let value = [&[client][..], &verify.to_be_bytes(), &cn].concat();
        [&[0x20, 0, value.len() as u8][..], &value].concat()
    }

    #[test]
    fn both_versions_name_the_client() {
        let source = |bytes: &[u8]| whole(bytes).source.map(|source| source.to_string());
        let v4 = Some("192.0.2.7".to_owned());
        assert_eq!(source(b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n"), v4);
        assert_eq!(source(b"PROXY TCP6 2001:db8::7 ::1 4660 80\r\n"), Some("2001:db8::7".into()));
        assert_eq!(source(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(source(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None);
        assert_eq!(source(&binary(1, 0x11, &V4)), v4);
        let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7], &[0; 16], &[1, 2, 3, 4]].concat();
        assert_eq!(source(&binary(1, 0x21, &v6)), Some("2001:db8::7".into()));
        assert_eq!(source(&binary(1, 0x31, &[0; 216])), None);
        assert_eq!(source(&binary(1, 0x00, &[])), None);
        let local = whole(&binary(0, 0x11, &V4));
        assert_eq!(local, ProxyHeader { is_local: true, ..ProxyHeader::default() });
    }

    #[test]
    fn extensions_tell_of_the_clients_tls() {
        let header =
            |tls: &[u8]| whole(&binary(1, 0x11, &[&V4[..], b"\x01\x00\x02h2", tls].concat()));
        let verified = header(&tls(0x07, 0, b"app"));
        assert!(verified.secure);
        assert_eq!(verified.common_name.as_deref(), Some("app"));
        assert_eq!(verified.alpn.as_deref(), Some("h2"));
        let unverified = header(&tls(0x07, 1, b"app"));
        assert_eq!((unverified.secure, unverified.common_name), (true, None));
        assert_eq!(header(&tls(0x01, 0, b"app")).common_name, None, "it showed none");
        assert!(!header(&tls(0x00, 0, b"")).secure);
    }

    /// Cut anywhere, a header asks for more, and never for bytes behind it.
    #[test]
    fn a_header_that_is_cut_asks_for_no_more_than_its_rest() {
        let text = b"PROXY TCP6 2001:db8::7 2001:db8::8 65535 65535\r\n".to_vec();
        let long = binary(1, 0x11, &[&V4[..], &tls(0x07, 0, b"app")].concat());
        for header in [text, b"PROXY UNKNOWN\r\n".to_vec(), binary(0, 0, &[]), long] {
            for cut in 0..header.len() {
                let Progress::More(more) = read(&header[..cut]) else {
                    panic!("{:?}", read(&header[..cut]))
                };
                assert!(more > 0 && cut + more <= header.len(), "{cut} + {more}");
            }
            whole(&header);
        }
    }

    #[test]
    fn what_is_no_header_is_refused_at_once() {
        let long_line = format!("PROXY UNKNOWN {}", "x".repeat(LINE_BYTES_MAX));
        let wrong: [(&[u8], &str); 10] = [
            (b"GET / HTTP/1.1\r\n", "does not begin"),
            (b"\x16\x03\x01", "does not begin"),
            (b"proxy TCP4", "does not begin"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 4660\r\n", "line is wrong"),
            (b"PROXY TCP4 2001:db8::7 10.0.0.1 1 2\r\n", "line is wrong"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n", "line is wrong"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n", "line is wrong"),
            (b"PROXY \xff\xff\xff\xff\xff\xff\r\n", "line is wrong"),
            (b"PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n", "line is wrong"),
            (&long_line.as_bytes()[..LINE_BYTES_MAX], "no end within 107"),
        ];
        for (bytes, part) in wrong {
            let Progress::Wrong(why) = read(bytes) else { panic!("{bytes:?}: {:?}", read(bytes)) };
            assert!(why.contains(part), "{why}");
        }
        let v1_as_v2 = [SIGNATURE, &[0x11, 0x11, 0, 0]].concat();
        let too_short = binary(1, 0x11, &V4[..11]);
        let command = binary(2, 0x11, &V4);
        let family = binary(1, 0x41, &V4);
        let cut_extension = binary(1, 0x11, &[&V4[..], &[1, 0, 9, b'x']].concat());
        let cut_tls = binary(1, 0x11, &[&V4[..], &[0x20, 0, 3, 1, 0, 0]].concat());
        let cut_name =
            binary(1, 0x11, &[&V4[..], &[0x20, 0, 8, 7, 0, 0, 0, 0, 0x22, 0, 9]].concat());
        for bytes in [v1_as_v2, too_short, command, family, cut_extension, cut_tls, cut_name] {
            assert!(matches!(read(&bytes), Progress::Wrong(_)), "{bytes:?}: {:?}", read(&bytes));
        }
        let absurd = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
        let why = "the PROXY header announces 65535 bytes, more than 4096";
        assert_eq!(read(&absurd), Progress::Wrong(why.into()));
    }
}
