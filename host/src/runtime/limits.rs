//! Rate limits, connection counts and the memory of unfinished messages.

pub(crate) mod low_priority;
pub(crate) mod memory_budget;
pub(crate) mod open_files;
mod pace;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::config::Limits;

pub(crate) use pace::Pace;

/// The first and the longest time for which a connection is not read from after a refusal: short
/// enough that a peer refused once does not notice, long enough that a thousand flooding peers
/// leave most of a thread to the others.
pub(crate) const READ_PAUSE: (Duration, Duration) =
    (Duration::from_millis(5), Duration::from_millis(20));

/// Addresses whose request rate is remembered, for each front end: 100 bytes each. Beyond it, idle
/// ones are forgotten first.
const ADDRESSES_MAX: usize = 65_536;

/// A token bucket as one number, the time at which it is full again (the generic cell rate
/// algorithm).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gcra {
    full_at_ns: u64,
}

impl Gcra {
    /// Takes `n` tokens; `Err` is the time in milliseconds until there are as many, or until the
    /// bucket is full where `n` is more than the burst. `per_s` 0: no limit.
    pub(crate) fn take_many(
        &mut self,
        now_ns: u64,
        n: u64,
        per_s: u32,
        burst: u32,
    ) -> Result<(), u64> {
        if per_s == 0 {
            return Ok(());
        }
        let time_of = |n: u64| n.saturating_mul(1_000_000_000) / u64::from(per_s);
        let full_at_ns = self.full_at_ns.max(now_ns);
        let debt_ns = full_at_ns - now_ns;
        let debt_ns_max = time_of(u64::from(burst).saturating_sub(n));
        if debt_ns > debt_ns_max {
            return Err((debt_ns - debt_ns_max).div_ceil(1_000_000));
        }
        self.full_at_ns = full_at_ns.saturating_add(time_of(n));
        Ok(())
    }

    /// Takes `n` tokens although there may be fewer. `per_s` 0: no limit.
    pub(crate) fn owe(&mut self, now_ns: u64, n: u64, per_s: u32) {
        if let Some(time_ns) = n.saturating_mul(1_000_000_000).checked_div(u64::from(per_s)) {
            self.full_at_ns = self.full_at_ns.max(now_ns).saturating_add(time_ns);
        }
    }

    /// Takes one token; `Err` is the time in milliseconds until there is one. `per_s` 0: no limit.
    pub(crate) fn take(&mut self, now_ns: u64, per_s: u32, burst: u32) -> Result<(), u64> {
        if per_s == 0 {
            return Ok(());
        }
        self.take_one(now_ns, Duration::from_nanos(1_000_000_000 / u64::from(per_s)), burst)
    }

    /// Takes one token of a bucket that gets one every `period`.
    pub(crate) fn take_one(
        &mut self,
        now_ns: u64,
        period: Duration,
        burst: u32,
    ) -> Result<(), u64> {
        let period_ns = period.as_nanos() as u64;
        let full_at_ns = self.full_at_ns.max(now_ns);
        let debt_ns = full_at_ns - now_ns;
        let debt_ns_max = period_ns.saturating_mul(u64::from(burst.max(1) - 1));
        if debt_ns > debt_ns_max {
            return Err((debt_ns - debt_ns_max).div_ceil(1_000_000));
        }
        self.full_at_ns = full_at_ns + period_ns;
        Ok(())
    }

    /// Gives back what [`take_one`](Self::take_one) took.
    pub(crate) fn give_back(&mut self, period: Duration) {
        self.full_at_ns = self.full_at_ns.saturating_sub(period.as_nanos() as u64);
    }

    pub(crate) fn is_full(self, now_ns: u64) -> bool {
        self.full_at_ns <= now_ns
    }
}

/// The rates of one peer: of a stream connection, or for HTTP of an address; and, in a table of
/// their own, the bytes of an address.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateLimiter {
    requests: Gcra,
    messages: Gcra,
    bytes: Gcra,
    /// Bytes of the longest avatar that a message of the peer carries.
    pub(crate) avatar_bytes: u64,
}

impl RateLimiter {
    /// Counts a request; `Err` is the time in milliseconds to wait.
    pub(crate) fn request(&mut self, now_ns: u64, limits: &Limits) -> Result<(), u64> {
        self.requests.take(now_ns, limits.requests_per_s, limits.requests_burst)
    }

    /// Counts what a command has its listeners sent; `Err` is the time in milliseconds to wait. The
    /// burst is one second's worth.
    pub(crate) fn bytes(&mut self, now_ns: u64, bytes: u64, limits: &Limits) -> Result<(), u64> {
        self.bytes.take_many(now_ns, bytes, limits.bytes_per_s, limits.bytes_per_s)
    }

    /// Counts bytes that were sent already.
    pub(crate) fn owe_bytes(&mut self, now_ns: u64, bytes: u64, limits: &Limits) {
        self.bytes.owe(now_ns, bytes, limits.bytes_per_s);
    }

    /// Counts a message; `Err` is the time in milliseconds to wait.
    pub(crate) fn message(&mut self, now_ns: u64, limits: &Limits) -> Result<(), u64> {
        self.messages.take(now_ns, limits.messages_per_s, limits.messages_burst)
    }

    fn is_idle(self, now_ns: u64) -> bool {
        [self.requests, self.messages, self.bytes].iter().all(|rate| rate.is_full(now_ns))
    }
}

/// Pauses in reading from a stream connection after a refusal for its own or the gateway's load.
/// What the peer sends meanwhile waits in the peer's socket, so that refusing costs less than
/// asking, and peers within their limits have their turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReadPause {
    until: Option<Instant>,
    /// How long the last pause was.
    last: Duration,
}

impl ReadPause {
    /// Begins a pause; returns its end. Each pause that soon follows another is twice as long, but
    /// none is longer than [`READ_PAUSE`] or `at_most`.
    pub(crate) fn begin(&mut self, now: Instant, at_most: Duration) -> Instant {
        let (first, max) = READ_PAUSE;
        let again = self.until.is_some_and(|until| now < until + max);
        let pause = if again { (self.last * 2).clamp(first, max) } else { first };
        self.last = pause.min(at_most);
        let until = now + self.last;
        self.until = Some(until);
        until
    }
}

/// What counts as one address for a limit: an IPv4 address, or the /64 network of an IPv6 address,
/// which a provider gives to one customer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct AddressPrefix(IpAddr);

impl AddressPrefix {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            // Otherwise it would count with the peers of unix sockets, which have the address `::`.
            IpAddr::V6(address) if address.is_loopback() => Self(address.into()),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Self(Ipv6Addr::from_bits(network).into())
            }
            address => Self(address),
        }
    }

    /// As a number; IPv4 addresses are mapped.
    pub(crate) fn to_bits(self) -> u128 {
        match self.0 {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        }
    }
}

/// The rates of all addresses that recently made HTTP requests, or sent messages.
#[derive(Debug, Default)]
pub(crate) struct KeyedRateLimiter {
    limiters: Mutex<HashMap<AddressPrefix, RateLimiter>>,
}

impl KeyedRateLimiter {
    /// Lets `take` take from the rates of an address.
    pub(crate) fn with<T>(
        &self,
        address: IpAddr,
        now_ns: u64,
        take: impl FnOnce(&mut RateLimiter) -> T,
    ) -> T {
        let mut limiters = self.limiters.lock();
        if limiters.len() >= ADDRESSES_MAX {
            limiters.retain(|_, limiter| !limiter.is_idle(now_ns));
            if limiters.len() >= ADDRESSES_MAX {
                limiters.clear();
            }
        }
        take(limiters.entry(AddressPrefix::of(address)).or_default())
    }
}

/// Why a connection is one too many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ConnectionsFull {
    Total,
    OfAddress,
}

/// Counts the open connections of a front end.
#[derive(Debug, Default)]
pub(crate) struct ConnectionLimiter {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    by_address: HashMap<AddressPrefix, u32>,
}

/// One counted connection of a front end; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    limiter: Arc<ConnectionLimiter>,
    address: Option<AddressPrefix>,
}

impl ConnectionLimiter {
    /// Counts a connection. Without an address (a proxy's, which stands for many) only the total
    /// is limited.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        limits: &Limits,
    ) -> Result<Permit, ConnectionsFull> {
        let mut counts = self.counts();
        if limits.connections_max != 0 && counts.all >= limits.connections_max {
            return Err(ConnectionsFull::Total);
        }
        let address = address.map(AddressPrefix::of);
        counts.enter(address, limits)?;
        counts.all += 1;
        drop(counts);
        Ok(Permit { limiter: self.clone(), address })
    }

    pub(crate) fn count(&self) -> u32 {
        self.counts().all
    }

    /// The connections of the address that has most.
    pub(crate) fn count_of_fullest(&self) -> u32 {
        self.counts().by_address.values().max().copied().unwrap_or(0)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock()
    }
}

impl Counts {
    fn enter(
        &mut self,
        address: Option<AddressPrefix>,
        limits: &Limits,
    ) -> Result<(), ConnectionsFull> {
        let Some(address) = address else { return Ok(()) };
        let count = self.by_address.get(&address).copied().unwrap_or(0);
        let max = limits.connections_per_address_max;
        if max != 0 && count >= max {
            return Err(ConnectionsFull::OfAddress);
        }
        self.by_address.insert(address, count + 1);
        Ok(())
    }

    fn leave(&mut self, address: Option<AddressPrefix>) {
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
    /// Whether this limiter gave it.
    pub(crate) fn is_of(&self, limiter: &Arc<ConnectionLimiter>) -> bool {
        Arc::ptr_eq(&self.limiter, limiter)
    }

    /// Counts the connection for another address from now on.
    pub(crate) fn readdress(
        &mut self,
        address: Option<IpAddr>,
        limits: &Limits,
    ) -> Result<(), ConnectionsFull> {
        let address = address.map(AddressPrefix::of);
        if address != self.address {
            let mut counts = self.limiter.counts();
            counts.enter(address, limits)?;
            counts.leave(self.address);
            self.address = address;
        }
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.limiter.counts();
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
        let mut gcra = Gcra::default();
        let now = 5 * SECOND;
        assert_eq!((0..10).filter(|_| gcra.take(now, 10, 3).is_ok()).count(), 3);
        assert_eq!(gcra.take(now, 10, 3), Err(100));
        assert_eq!(gcra.take(now + SECOND / 10, 10, 3), Ok(()));
        assert_eq!(gcra.take(now + SECOND / 10, 10, 3), Err(100));
        assert_eq!((0..10).filter(|_| gcra.take(now + 9 * SECOND, 10, 3).is_ok()).count(), 3);
    }

    #[test]
    fn many_tokens_are_taken_at_once_and_more_than_the_burst_from_a_full_bucket() {
        let mut gcra = Gcra::default();
        let now = 5 * SECOND;
        assert_eq!(gcra.take_many(now, 60, 100, 100), Ok(()));
        assert_eq!(gcra.take_many(now, 40, 100, 100), Ok(()));
        assert_eq!(gcra.take_many(now, 10, 100, 100), Err(100));
        assert_eq!(gcra.take_many(now + SECOND / 10, 10, 100, 100), Ok(()));
        assert_eq!(gcra.take_many(now + SECOND, 500, 100, 100), Err(100));
        assert_eq!(gcra.take_many(now + 2 * SECOND, 500, 100, 100), Ok(()));
        assert!(gcra.take_many(now + 6 * SECOND, 1, 100, 100).is_err(), "all 500 are paid for");
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let mut gcra = Gcra::default();
        assert!((0..1000).all(|_| gcra.take(0, 0, 0).is_ok()));
    }

    #[test]
    fn repeated_refusals_pause_reading_for_longer_up_to_a_bound() {
        let (first, max) = READ_PAUSE;
        let mut pause = ReadPause::default();
        let mut now = Instant::now();
        for expected in [first, first * 2, max, max] {
            let until = pause.begin(now, max);
            assert_eq!(until, now + expected);
            now = until;
        }
        assert_eq!(pause.begin(now, first / 2), now + first / 2);
        now += max * 2;
        assert_eq!(pause.begin(now, max), now + first, "a while later the first pause again");
    }

    #[test]
    fn rates_are_per_address_and_for_ipv6_per_network() {
        let limiter = KeyedRateLimiter::default();
        let limits = Limits { requests_per_s: 1, requests_burst: 1, ..Limits::default() };
        let ask = |address: &str| {
            let address = address.parse().unwrap();
            limiter.with(address, 0, |rates| rates.request(0, &limits)).is_ok()
        };
        assert!(ask("10.0.0.1") && ask("10.0.0.2") && ask("2001:db8::1"));
        assert!(!ask("10.0.0.1") && !ask("::ffff:10.0.0.2") && !ask("2001:db8::2"));
    }

    #[test]
    fn remembered_addresses_are_bounded() {
        let limiter = KeyedRateLimiter::default();
        let limits = Limits::default();
        for address in 0..=ADDRESSES_MAX as u32 {
            let address = std::net::Ipv4Addr::from_bits(address).into();
            limiter.with(address, 0, |rates| rates.request(0, &limits)).unwrap();
        }
        assert!(limiter.limiters.lock().len() <= ADDRESSES_MAX);
    }

    #[test]
    fn connections_are_counted_in_total_and_by_address() {
        let limiter = Arc::new(ConnectionLimiter::default());
        let limits =
            Limits { connections_max: 3, connections_per_address_max: 2, ..Limits::default() };
        let admit = |address: &str| limiter.admit(Some(address.parse().unwrap()), &limits);
        let first = admit("10.0.0.1").unwrap();
        let _second = admit("10.0.0.1").unwrap();
        assert_eq!(admit("10.0.0.1").unwrap_err(), ConnectionsFull::OfAddress);
        let mut third = admit("10.0.0.2").unwrap();
        assert_eq!(admit("10.0.0.3").unwrap_err(), ConnectionsFull::Total);
        let full = third.readdress(Some("10.0.0.1".parse().unwrap()), &limits);
        assert_eq!(full, Err(ConnectionsFull::OfAddress));
        drop(first);
        third.readdress(Some("10.0.0.1".parse().unwrap()), &limits).unwrap();
        assert_eq!(admit("10.0.0.1").unwrap_err(), ConnectionsFull::OfAddress);
        drop(third);
        admit("10.0.0.1").unwrap();
        assert_eq!(limiter.count(), 1);
    }
}
