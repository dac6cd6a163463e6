//! Slows down guessing of passwords.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;

use crate::runtime::limits::{AddressPrefix, Gcra};

/// Failed sign-ins of an address, and of an account, before each further one waits for
/// [`FAILURE_PERIOD`]: enough for a user who has several passwords to try.
const FAILURES_BURST: u32 = 10;

const FAILURE_PERIOD: Duration = Duration::from_secs(5);

/// Addresses and accounts that are remembered: 100 bytes each. Beyond it, those without recent
/// failures are forgotten first.
const KEYS_MAX: usize = 65_536;

#[derive(Default)]
pub(crate) struct SignInGuard {
    by_address: Mutex<Buckets<AddressPrefix>>,
    by_account: Mutex<Buckets<String>>,
}

/// An attempt that counts as failed unless [`SignInGuard::succeeded`] is called.
#[derive(Debug)]
pub(crate) struct Attempt {
    address: AddressPrefix,
    account: String,
    counts_for_account: bool,
}

impl SignInGuard {
    /// Counts an attempt in advance, so that many at once do not get past the limit. `Err`: the
    /// time in milliseconds to wait.
    ///
    /// The account's limit does not apply to an address without a recent failure: by guessing, a
    /// stranger would otherwise keep the account's owner from signing in. A loopback address is not
    /// limited for itself: it may be a proxy's, which stands for many.
    pub(crate) fn begin(
        &self,
        address: IpAddr,
        account: &str,
        now_ns: u64,
    ) -> Result<Attempt, u64> {
        let is_proxy = address.is_loopback();
        let address = AddressPrefix::of(address);
        let mut addresses = self.by_address.lock();
        let of_address = addresses.of(&address, now_ns);
        let is_first = of_address.is_full(now_ns);
        let burst = if is_proxy { u32::MAX } else { FAILURES_BURST };
        of_address.take_one(now_ns, FAILURE_PERIOD, burst)?;
        let of_account = self.by_account.lock().of(account, now_ns).take_one(
            now_ns,
            FAILURE_PERIOD,
            FAILURES_BURST,
        );
        if let Err(wait_ms) = of_account
            && !is_first
        {
            addresses.of(&address, now_ns).give_back(FAILURE_PERIOD);
            return Err(wait_ms);
        }
        let account = account.to_owned();
        Ok(Attempt { address, account, counts_for_account: of_account.is_ok() })
    }

    /// The password was right, or was not checked.
    pub(crate) fn succeeded(&self, attempt: &Attempt, now_ns: u64) {
        let mut addresses = self.by_address.lock();
        addresses.of(&attempt.address, now_ns).give_back(FAILURE_PERIOD);
        drop(addresses);
        self.unanswered(attempt, now_ns);
    }

    /// No server has said whether the password was right: this counts for the address, which could
    /// have it asked without end otherwise, but not for the account.
    pub(crate) fn unanswered(&self, attempt: &Attempt, now_ns: u64) {
        if attempt.counts_for_account {
            let mut accounts = self.by_account.lock();
            accounts.of(attempt.account.as_str(), now_ns).give_back(FAILURE_PERIOD);
        }
    }

    /// The lengths of the accounts that are remembered.
    #[cfg(test)]
    pub(crate) fn accounts(&self) -> Vec<usize> {
        self.by_account.lock().0.keys().map(String::len).collect()
    }
}

#[derive(Debug)]
struct Buckets<K>(HashMap<K, Gcra>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Buckets<K> {
    fn of<Q>(&mut self, key: &Q, now_ns: u64) -> &mut Gcra
    where
        Q: ?Sized + ToOwned<Owned = K>,
    {
        if self.0.len() >= KEYS_MAX {
            self.0.retain(|_, bucket| !bucket.is_full(now_ns));
            if self.0.len() >= KEYS_MAX {
                self.0.clear();
            }
        }
        self.0.entry(key.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn failures_of_an_address_are_limited_and_successes_are_not() {
        let guard = SignInGuard::default();
        for account in 0..100 {
            let attempt = guard.begin(address("10.0.0.1"), &account.to_string(), 0).unwrap();
            guard.succeeded(&attempt, 0);
        }
        for account in 0..FAILURES_BURST {
            guard.begin(address("10.0.0.1"), &account.to_string(), 0).unwrap();
        }
        assert_eq!(guard.begin(address("10.0.0.1"), "ann", 0).unwrap_err(), 5_000);
        guard.begin(address("10.0.0.2"), "ann", 0).unwrap();
        guard.begin(address("10.0.0.1"), "ann", 5 * SECOND).unwrap();
        assert!(guard.begin(address("10.0.0.1"), "ann", 5 * SECOND).is_err());
    }

    #[test]
    fn attempts_without_an_answer_count_for_the_address_only() {
        let guard = SignInGuard::default();
        for _ in 0..FAILURES_BURST {
            let attempt = guard.begin(address("10.0.0.1"), "ann", 0).unwrap();
            guard.unanswered(&attempt, 0);
        }
        assert!(guard.begin(address("10.0.0.1"), "ann", 0).is_err());
        for _ in 0..FAILURES_BURST {
            guard.begin(address("10.0.0.2"), "ann", 0).unwrap();
        }
    }

    #[test]
    fn failures_of_an_account_are_limited_but_for_the_first_of_an_address() {
        let guard = SignInGuard::default();
        for host in 0..FAILURES_BURST {
            guard.begin(address(&format!("10.0.0.{host}")), "ann", 0).unwrap();
        }
        assert!(guard.begin(address("10.0.0.1"), "ann", 0).is_err(), "it has failed before");
        guard.begin(address("10.0.0.1"), "bob", 0).unwrap();
        let owner = guard.begin(address("10.0.1.1"), "ann", 0).unwrap();
        guard.succeeded(&owner, 0);
        guard.begin(address("10.0.1.1"), "ann", 0).unwrap();
        assert!(guard.begin(address("10.0.1.1"), "ann", 0).is_err(), "no longer the first");
    }
}
