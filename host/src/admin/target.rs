//! The target of a ban, as an operator writes it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use core_model::{BanNetwork, BanTarget, Banned, Uid};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::peer_address;
use crate::users::{Identity, Who};

const FORMS: &str = "a target is like user:bob, identity:tel/5551234 or network:10.0.0.0/8";

/// The bits before an IPv4 address in one of IPv6, `::ffff:0:0/96`.
const MAPPED: u8 = 96;

/// The target of a ban: `user:bob`, `identity:tel/5551234`, `network:10.0.0.0/8`, `network:10.0.0.1`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    User(Who),
    Identity(Identity),
    Network(IpNet),
}

impl Target {
    pub fn to_model(&self) -> BanTarget {
        match self {
            Self::User(who) => BanTarget::User(who.user_ref()),
            Self::Identity(identity) => BanTarget::Identity(identity.to_string()),
            Self::Network(network) => BanTarget::Network(to_model(*network)),
        }
    }

    pub fn of_model(banned: &Banned) -> Self {
        match banned {
            Banned::User(Uid(uid)) => Self::User(Who::Uid(Uid(*uid))),
            Banned::Identity(identity) => Self::Identity(Identity::stored(identity)),
            Banned::Network(network) => Self::Network(of_model(*network)),
        }
    }
}

/// Whether an address is in a banned network; that of a peer without any is in none.
pub fn in_network(network: BanNetwork, address: IpAddr) -> bool {
    peer_address::known(address).is_some_and(|address| network.contains(bits(address)))
}

/// The bits of an address, one of IPv4 mapped.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn to_model(network: IpNet) -> BanNetwork {
    let prefix = match network {
        IpNet::V4(v4) => MAPPED + v4.prefix_len(),
        IpNet::V6(v6) => v6.prefix_len(),
    };
    BanNetwork { bits: bits(network.network()), prefix }
}

fn of_model(BanNetwork { bits, prefix }: BanNetwork) -> IpNet {
    let address = Ipv6Addr::from_bits(bits);
    match (address.to_ipv4_mapped(), prefix.checked_sub(MAPPED)) {
        (Some(v4), Some(prefix)) => Ipv4Net::new_assert(v4, prefix).into(),
        _ => Ipv6Net::new_assert(address, prefix.min(128)).into(),
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, what) = text.split_once(':').unwrap_or(("", text));
        match kind {
            "user" => what.parse().map(Self::User),
            "identity" => what.parse().map(Self::Identity),
            "network" => network(what).map(Self::Network),
            _ => Err(format!("{text:?} is no target of a ban: {FORMS}")),
        }
    }
}

/// A network, or one address as a network.
pub fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    let network = text.parse::<IpNet>().or_else(|_| address());
    let network = network.map_err(|_| {
        format!("{text:?} is no address or network; expected one as in 10.0.0.0/8 or 2001:db8::1")
    })?;
    Ok(network.trunc())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(who) => write!(f, "user:{who}"),
            Self::Identity(identity) => write!(f, "identity:{identity}"),
            Self::Network(network) => write!(f, "network:{network}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_reads_back_as_it_is_written() {
        for text in [
            "user:10000",
            "identity:tel/5551234",
            "network:10.0.0.0/8",
            "network:10.1.2.3/32",
            "network:2001:db8::/32",
            "network:0.0.0.0/0",
        ] {
            let target: Target = text.parse().expect(text);
            assert_eq!(target.to_string(), text);
            if let BanTarget::Network(network) = target.to_model() {
                assert_eq!(Target::of_model(&Banned::Network(network)), target);
            }
        }
        let one: Target = "network:10.1.2.3".parse().expect("an address");
        assert_eq!(one.to_string(), "network:10.1.2.3/32");
        let cut: Target = "network:10.1.2.3/8".parse().expect("a network");
        assert_eq!(cut.to_string(), "network:10.0.0.0/8");
        for text in ["", "bob", "user:", "network:10.0.0.0/33", "identity:tel", "room:tea"] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_network_of_ipv4_contains_its_addresses_only() {
        let BanTarget::Network(network) = Target::Network("10.0.0.0/8".parse().unwrap()).to_model()
        else {
            unreachable!("made of a network")
        };
        let contains = |address: &str| network.contains(bits(address.parse().unwrap()));
        assert!(contains("10.255.0.1"));
        assert!(!contains("11.0.0.1"));
        assert!(!contains("::1"));
        let all = BanNetwork { bits: 0, prefix: 0 };
        assert!(in_network(all, "10.0.0.1".parse().unwrap()));
        for without in [peer_address::UNKNOWN, peer_address::ON_UNIX_SOCKET] {
            assert!(!in_network(all, without), "a peer without an address is in no network");
        }
    }
}
