//! The address that a peer's requests count for, and what stands for one of a peer without any.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Of a peer on a unix socket. No connection comes from the unspecified addresses.
pub(crate) const ON_UNIX_SOCKET: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Of a peer that a proxy does not name.
pub(crate) const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The address, if it is one: only then can it be in a network.
pub(crate) fn known(address: IpAddr) -> Option<IpAddr> {
    Some(address.to_canonical()).filter(|address| !address.is_unspecified())
}

/// As operators see it.
pub(crate) fn shown(address: IpAddr) -> String {
    match known(address) {
        Some(address) => address.to_string(),
        None if address == ON_UNIX_SOCKET => "unix".into(),
        None => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_not_shown_as_one() {
        for (address, text) in [
            (ON_UNIX_SOCKET, "unix"),
            (UNKNOWN, "-"),
            (IpAddr::from([10, 0, 0, 1]), "10.0.0.1"),
            ("::ffff:10.0.0.1".parse().unwrap(), "10.0.0.1"),
            (Ipv6Addr::LOCALHOST.into(), "::1"),
        ] {
            assert_eq!(shown(address), text);
        }
    }
}
