//! What peers do wrong, for operators who look for them: each fault as a line at debug, and once a
//! minute a line for each peer at info, in the form that docs/ops/fail2ban describes.
//!
//! Faults cost a lock and a look-up each. However many peers there are, the memory and the lines of a
//! minute are bounded.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::peer_address;
use crate::runtime::limits::AddressPrefix;

/// The target of all lines. Filters of fail2ban name it.
const TARGET: &str = "dragoman::peers";

/// Between two summaries.
pub(crate) const PERIOD: Duration = Duration::from_secs(60);

/// Peers that one summary tells apart: 100 bytes each.
const PEERS_MAX: usize = 1_024;

/// Lines of one summary.
const LINES_MAX: usize = 64;

/// A reason in the log is cut off after so many characters.
const REASON_CHARS_MAX: usize = 200;

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PeerFault {
    /// A wrong password or token, or one too many.
    SignIn,
    /// A frame, line or request that cannot be read.
    Malformed,
    /// Something that this peer may not do: a guard, a ban, an API key.
    Refused,
    /// Too much at once.
    Limited,
}

impl PeerFault {
    const ALL: [(Self, &'static str); 4] = [
        (Self::SignIn, "sign_in"),
        (Self::Malformed, "malformed"),
        (Self::Refused, "refused"),
        (Self::Limited, "limited"),
    ];

    /// What the status of an HTTP response says of its request.
    pub(crate) fn of_status(status: u16) -> Option<Self> {
        match status {
            401 | 403 => Some(Self::Refused),
            429 => Some(Self::Limited),
            400..=499 => Some(Self::Malformed),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// The faults of a minute, by peer.
#[derive(Debug, Default)]
pub(crate) struct PeerLog {
    peers: Mutex<Peers>,
}

#[derive(Debug, Default)]
struct Peers {
    counted: HashMap<AddressPrefix, Faults>,
    /// Faults of peers that found no room.
    others: u64,
}

/// The faults of one peer.
#[derive(Clone, Debug)]
struct Faults {
    /// Its last address: all of an IPv6 network count together.
    address: IpAddr,
    /// The front end of the last fault.
    frontend: Arc<str>,
    counts: [u64; PeerFault::ALL.len()],
}

impl Faults {
    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl PeerLog {
    /// Notes a fault. `address` is the client's, as a trusted proxy says; the unspecified address
    /// stands for one that is not known. `why` must have no secret.
    pub(crate) fn note(&self, frontend: &str, address: IpAddr, fault: PeerFault, why: &str) {
        let reason = match why.char_indices().nth(REASON_CHARS_MAX) {
            Some((end, _)) => &why[..end],
            None => why,
        };
        let (peer, fault_name) = (Shown(address), fault.word());
        tracing::debug!(target: TARGET, %peer, frontend, fault = fault_name, reason, "peer fault");
        self.count(frontend, address, fault);
    }

    fn count(&self, frontend: &str, address: IpAddr, fault: PeerFault) {
        let mut peers = self.peers.lock();
        let Peers { counted, others } = &mut *peers;
        let prefix = AddressPrefix::of(address);
        if counted.len() >= PEERS_MAX && !counted.contains_key(&prefix) {
            *others += 1;
            return;
        }
        let faults = counted.entry(prefix).or_insert_with(|| Faults {
            address,
            frontend: frontend.into(),
            counts: Default::default(),
        });
        faults.counts[fault as usize] += 1;
        faults.address = address;
        if &*faults.frontend != frontend {
            faults.frontend = frontend.into();
        }
    }

    /// Logs a line for each of the peers with the most faults since the last call, and one for all
    /// others.
    pub(crate) fn summarize(&self) {
        let Peers { counted, mut others } = std::mem::take(&mut *self.peers.lock());
        let mut faults: Vec<Faults> = counted.into_values().collect();
        faults.sort_by_key(|faults| (std::cmp::Reverse(faults.total()), faults.address));
        for Faults { address, frontend, counts } in faults.iter().take(LINES_MAX) {
            let [sign_in, malformed, refused, limited] = *counts;
            tracing::info!(
                target: TARGET,
                peer = %Shown(*address),
                sign_in,
                malformed,
                refused,
                limited,
                frontend = &**frontend,
                "peer faults"
            );
        }
        others += faults.iter().skip(LINES_MAX).map(Faults::total).sum::<u64>();
        if others > 0 {
            tracing::info!(target: TARGET, faults = others, "faults of further peers");
        }
    }
}

/// An address in the log.
struct Shown(IpAddr);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match peer_address::known(self.0) {
            Some(address) => address.fmt(f),
            None if self.0 == peer_address::ON_UNIX_SOCKET => f.write_str("unix"),
            None => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    impl PeerLog {
        /// The peers that are kept apart, and the faults of all others.
        fn size(&self) -> (usize, u64) {
            let peers = self.peers.lock();
            (peers.counted.len(), peers.others)
        }
    }

    #[test]
    fn every_kind_is_at_its_own_index() {
        for (at, (fault, _)) in PeerFault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, at);
        }
    }

    #[test]
    fn many_peers_take_no_more_memory_than_some() {
        let log = PeerLog::default();
        for host in 0..5_000 {
            let address = Ipv4Addr::from_bits(0x0a00_0000 + host).into();
            log.note("irc", address, PeerFault::Malformed, "nonsense");
        }
        assert_eq!(log.size(), (PEERS_MAX, 5_000 - PEERS_MAX as u64));
        log.note("irc", Ipv4Addr::from_bits(0x0a00_0000).into(), PeerFault::Limited, "known");
        assert_eq!(log.size(), (PEERS_MAX, 5_000 - PEERS_MAX as u64));
        log.summarize();
        assert_eq!(log.size(), (0, 0));
    }

    #[test]
    fn an_ipv6_network_is_one_peer() {
        let log = PeerLog::default();
        for host in 1..=100 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, host).into();
            log.note("irc", address, PeerFault::SignIn, "wrong password");
        }
        assert_eq!(log.size(), (1, 0));
        let other = Ipv6Addr::new(0x2001, 0xdb8, 0, 8, 0, 0, 0, 1).into();
        log.note("irc", other, PeerFault::SignIn, "wrong password");
        assert_eq!(log.size(), (2, 0));
    }

    #[test]
    fn peers_without_an_address_are_told_apart_and_from_loopback() {
        let log = PeerLog::default();
        let peers =
            [peer_address::ON_UNIX_SOCKET, peer_address::UNKNOWN, Ipv6Addr::LOCALHOST.into()];
        for address in peers {
            log.note("irc", address, PeerFault::SignIn, "wrong password");
        }
        assert_eq!(log.size(), (3, 0));
        assert_eq!(peers.map(|peer| Shown(peer).to_string()), ["unix", "unknown", "::1"]);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let log = PeerLog::default();
        let long = "茶".repeat(REASON_CHARS_MAX + 1);
        log.note("irc", Ipv4Addr::LOCALHOST.into(), PeerFault::Malformed, &long);
        assert_eq!(log.size(), (1, 0));
    }
}
