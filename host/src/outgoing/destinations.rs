//! Which addresses requests may be sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The addresses that a client may connect to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Destinations {
    #[default]
    Any,
    /// Those of the public internet, and of these networks. A request to any other could reach what
    /// only this machine or its network should: a database, or the metadata of a cloud.
    Public { and: Vec<IpNet> },
}

impl Destinations {
    pub(crate) fn allow(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Public { and } => {
                let address = address.to_canonical();
                is_public(address) || and.iter().any(|network| network.contains(&address))
            }
        }
    }
}

/// Whether an address is of the public internet, by the registries of special addresses (RFC 6890)
/// of IANA.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special
}

/// Only 2000::/3 is public, and prefixes that lead to an IPv4 address are as public as that is.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(v4(high, low)),
        [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        // Teredo, benchmarks, ORCHID and documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_and_its_networks_are_not_public() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let ip: IpAddr = address.parse().expect(address);
            assert!(!Destinations::Public { and: Vec::new() }.allow(ip), "{address}");
            assert!(Destinations::Any.allow(ip), "{address}");
        }
        for address in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"]
        {
            let ip: IpAddr = address.parse().expect(address);
            assert!(Destinations::Public { and: Vec::new() }.allow(ip), "{address}");
        }
    }

    #[test]
    fn networks_can_be_allowed_one_by_one() {
        let and = vec!["10.1.0.0/16".parse().unwrap()];
        let some = Destinations::Public { and };
        assert!(some.allow("10.1.2.3".parse().unwrap()));
        assert!(some.allow("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!some.allow("10.2.2.3".parse().unwrap()));
        assert!(!some.allow("127.0.0.1".parse().unwrap()));
    }
}
