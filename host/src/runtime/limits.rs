//! How often and how many: token buckets, and counts of connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Limits;
use crate::runtime::bounds::{HOLD, PACED_ADDRESSES_MAX};
use crate::runtime::metrics::Limit;

/// A token bucket in one number: the moment at which it will be full again (the generic cell rate
/// algorithm).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    full_at_ns: u64,
}

impl Bucket {
    /// Takes one; `Err` is the time in milliseconds until there is one. `per_s` 0 is no limit.
    pub(crate) fn take(&mut self, now_ns: u64, per_s: u32, burst: u32) -> Result<(), u64> {
        if per_s == 0 {
            return Ok(());
        }
        let period_ns = 1_000_000_000 / u64::from(per_s);
        let full_at_ns = self.full_at_ns.max(now_ns);
        let debt_ns = full_at_ns - now_ns;
        let debt_ns_max = period_ns * u64::from(burst.max(1) - 1);
        if debt_ns > debt_ns_max {
            return Err((debt_ns - debt_ns_max).div_ceil(1_000_000));
        }
        self.full_at_ns = full_at_ns + period_ns;
        Ok(())
    }

    fn is_full(self, now_ns: u64) -> bool {
        self.full_at_ns <= now_ns
    }
}

/// The two rates of one peer: a stream connection, or for HTTP an address.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    requests: Bucket,
    messages: Bucket,
}

impl Pace {
    /// One more request; `Err` is the time in milliseconds until it is welcome.
    pub(crate) fn request(&mut self, now_ns: u64, limits: &Limits) -> Result<(), u64> {
        self.requests.take(now_ns, limits.requests_per_s, limits.requests_burst)
    }

    /// One more message.
    pub(crate) fn message(&mut self, now_ns: u64, limits: &Limits) -> Result<(), u64> {
        self.messages.take(now_ns, limits.messages_per_s, limits.messages_burst)
    }

    fn at_rest(self, now_ns: u64) -> bool {
        self.requests.is_full(now_ns) && self.messages.is_full(now_ns)
    }
}

/// The moments for which a stream connection is not read from after it was refused something for
/// its own or the gateway's load. What it sends waits with itself meanwhile, so that refusing
/// costs less than asking, and those who keep within their limits have their turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hold {
    until: Option<Instant>,
    /// How long the last one was.
    last: Duration,
}

impl Hold {
    /// It was refused: until when it is not read from. Each moment is twice the last where it came
    /// soon after that, but none is longer than [`HOLD`] or `at_most`.
    pub(crate) fn begin(&mut self, now: Instant, at_most: Duration) -> Instant {
        let (first, max) = HOLD;
        let again = self.until.is_some_and(|until| now < until + max);
        let moment = if again { (self.last * 2).clamp(first, max) } else { first };
        self.last = moment.min(at_most);
        let until = now + self.last;
        self.until = Some(until);
        until
    }
}

/// Whom a limit for each address counts as one: an IPv4 address, or the 64 bits of an IPv6
/// address that a provider gives to one customer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Neighborhood(IpAddr);

impl Neighborhood {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Self(Ipv6Addr::from_bits(network).into())
            }
            address => Self(address),
        }
    }
}

/// The paces of all addresses that lately made HTTP requests.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    paces: Mutex<HashMap<Neighborhood, Pace>>,
}

impl Paces {
    /// Lets `take` take from the pace of an address.
    pub(crate) fn of<T>(
        &self,
        address: IpAddr,
        now_ns: u64,
        take: impl FnOnce(&mut Pace) -> T,
    ) -> T {
        let mut paces = self.paces.lock().expect("nothing panics while it holds the paces");
        if paces.len() >= PACED_ADDRESSES_MAX {
            paces.retain(|_, pace| !pace.at_rest(now_ns));
            if paces.len() >= PACED_ADDRESSES_MAX {
                paces.clear();
            }
        }
        take(paces.entry(Neighborhood::of(address)).or_default())
    }
}

/// The open connections of a front end.
#[derive(Debug, Default)]
pub(crate) struct Census {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    by_address: HashMap<Neighborhood, u32>,
}

/// A place among the connections of a front end; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    census: Arc<Census>,
    address: Option<Neighborhood>,
}

impl Census {
    /// Counts a connection. Without an address (a proxy's, which stands for many) only the
    /// number of all counts.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        limits: &Limits,
    ) -> Result<Permit, Limit> {
        let mut counts = self.counts();
        if limits.connections_max != 0 && counts.all >= limits.connections_max {
            return Err(Limit::Connections);
        }
        let address = address.map(Neighborhood::of);
        counts.enter(address, limits)?;
        counts.all += 1;
        drop(counts);
        Ok(Permit { census: self.clone(), address })
    }

    pub(crate) fn count(&self) -> u32 {
        self.counts().all
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("nothing panics while it holds the counts")
    }
}

impl Counts {
    fn enter(&mut self, address: Option<Neighborhood>, limits: &Limits) -> Result<(), Limit> {
        let Some(address) = address else { return Ok(()) };
        let count = self.by_address.get(&address).copied().unwrap_or(0);
        let max = limits.connections_per_address_max;
        if max != 0 && count >= max {
            return Err(Limit::ConnectionsPerAddress);
        }
        self.by_address.insert(address, count + 1);
        Ok(())
    }

    fn leave(&mut self, address: Option<Neighborhood>) {
        let Some(address) = address else { return };
        if let Some(count) = self.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

impl Permit {
    /// Whether it is a place in this census.
    pub(crate) fn is_of(&self, census: &Arc<Census>) -> bool {
        Arc::ptr_eq(&self.census, census)
    }

    /// Counts it for another address from now on.
    pub(crate) fn readdress(&mut self, address: IpAddr, limits: &Limits) -> Result<(), Limit> {
        let address = Some(Neighborhood::of(address));
        if address != self.address {
            let mut counts = self.census.counts();
            counts.enter(address, limits)?;
            counts.leave(self.address);
            self.address = address;
        }
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.census.counts();
        counts.all -= 1;
        counts.leave(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::default();
        let now = 5 * SECOND;
        assert_eq!((0..10).filter(|_| bucket.take(now, 10, 3).is_ok()).count(), 3);
        assert_eq!(bucket.take(now, 10, 3), Err(100));
        assert_eq!(bucket.take(now + SECOND / 10, 10, 3), Ok(()));
        assert_eq!(bucket.take(now + SECOND / 10, 10, 3), Err(100));
        assert_eq!((0..10).filter(|_| bucket.take(now + 9 * SECOND, 10, 3).is_ok()).count(), 3);
    }

    #[test]
    fn a_rate_of_nothing_is_no_limit() {
        let mut bucket = Bucket::default();
        assert!((0..1000).all(|_| bucket.take(0, 0, 0).is_ok()));
    }

    #[test]
    fn who_is_refused_again_and_again_is_held_for_longer_up_to_a_bound() {
        let (first, max) = HOLD;
        let (mut hold, mut now) = (Hold::default(), Instant::now());
        for moment in [first, first * 2, max, max] {
            let until = hold.begin(now, max);
            assert_eq!(until, now + moment);
            now = until;
        }
        assert_eq!(hold.begin(now, first / 2), now + first / 2);
        now += max * 2;
        assert_eq!(hold.begin(now, max), now + first, "a while later as if for the first time");
    }

    #[test]
    fn addresses_are_paced_apart_and_ipv6_by_network() {
        let paces = Paces::default();
        let limits = Limits { requests_per_s: 1, requests_burst: 1, ..Limits::default() };
        let ask = |address: &str| {
            let address = address.parse().unwrap();
            paces.of(address, 0, |pace| pace.request(0, &limits)).is_ok()
        };
        assert!(ask("10.0.0.1") && ask("10.0.0.2") && ask("2001:db8::1"));
        assert!(!ask("10.0.0.1") && !ask("::ffff:10.0.0.2") && !ask("2001:db8::2"));
    }

    #[test]
    fn paces_of_many_addresses_are_bounded() {
        let paces = Paces::default();
        let limits = Limits::default();
        for address in 0..=PACED_ADDRESSES_MAX as u32 {
            let address = std::net::Ipv4Addr::from_bits(address).into();
            paces.of(address, 0, |pace| pace.request(0, &limits)).unwrap();
        }
        assert!(paces.paces.lock().unwrap().len() <= PACED_ADDRESSES_MAX);
    }

    #[test]
    fn connections_are_counted_in_all_and_by_address() {
        let census = Arc::new(Census::default());
        let limits =
            Limits { connections_max: 3, connections_per_address_max: 2, ..Limits::default() };
        let admit = |address: &str| census.admit(Some(address.parse().unwrap()), &limits);
        let first = admit("10.0.0.1").unwrap();
        let _second = admit("10.0.0.1").unwrap();
        assert_eq!(admit("10.0.0.1").unwrap_err(), Limit::ConnectionsPerAddress);
        let mut third = admit("10.0.0.2").unwrap();
        assert_eq!(admit("10.0.0.3").unwrap_err(), Limit::Connections);
        let full = third.readdress("10.0.0.1".parse().unwrap(), &limits);
        assert_eq!(full, Err(Limit::ConnectionsPerAddress));
        drop(first);
        third.readdress("10.0.0.1".parse().unwrap(), &limits).unwrap();
        assert_eq!(admit("10.0.0.1").unwrap_err(), Limit::ConnectionsPerAddress);
        drop(third);
        admit("10.0.0.1").unwrap();
        assert_eq!(census.count(), 1);
    }
}
