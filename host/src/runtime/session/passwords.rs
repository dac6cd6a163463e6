//! Hashes and verifies passwords (argon2id) on threads of low priority, a bounded number at a time.
//!
//! The queue takes turns by address, so that one address with many sign-ins delays another's by
//! one turn, and holds few of each address and account. When it is full, a newcomer displaces the
//! last of the address that has the most in it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use core_model::Refusal;
use data_encoding::BASE64;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::password_hash::{Form, SALT_BYTES, Verdict, hash, hash_with, verify};
use crate::runtime::limits::AddressPrefix;
use crate::runtime::limits::low_priority::LowPriorityThreads;

/// Passwords in the queue: at 30 ms each some four seconds' work of two threads, as long as a
/// client waits.
const QUEUED_MAX: usize = 256;

/// Of these, those of one address: many users may share it behind a proxy or NAT.
const QUEUED_PER_ADDRESS_MAX: usize = 32;

/// And those of one account, which is signed in to from some devices at once.
const QUEUED_PER_ACCOUNT_MAX: usize = 16;

/// Longer passwords are refused: hashing them takes longer than others.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1024;

/// The requester of a password hash or check.
#[derive(Clone, Debug)]
pub(crate) struct PasswordCaller {
    pub(crate) address: IpAddr,
    /// The account's number, or the name of an unknown one; none for a new account.
    pub(crate) account: Option<String>,
}

/// The password pool.
#[derive(Clone)]
pub(crate) struct Passwords {
    queue: Arc<Mutex<Queue>>,
    threads: Arc<LowPriorityThreads>,
    /// The hash of a random password, verified for accounts that do not exist so that they take as
    /// long.
    decoy: Arc<OnceLock<String>>,
}

#[derive(Default)]
struct Queue {
    idle_threads: usize,
    /// The addresses that wait, each once, in the order of their turns.
    turns: VecDeque<AddressPrefix>,
    waiting: HashMap<AddressPrefix, VecDeque<oneshot::Sender<ThreadPermit>>>,
    /// Waiting or being worked on.
    queued: usize,
    by_address: HashMap<AddressPrefix, usize>,
    by_account: HashMap<String, usize>,
}

/// A thread of the pool; the next in the queue gets it when dropped.
struct ThreadPermit(Arc<Mutex<Queue>>);

/// A place in the queue, until the work is done.
struct QueueSlot {
    queue: Arc<Mutex<Queue>>,
    address: AddressPrefix,
    account: Option<String>,
}

impl Passwords {
    pub(crate) fn new(threads: usize) -> Self {
        let queue = Queue { idle_threads: threads.max(1), ..Queue::default() };
        let threads = Arc::new(LowPriorityThreads::new("passwords", threads.max(1)));
        Self { queue: Arc::new(Mutex::new(queue)), threads, decoy: Arc::default() }
    }

    /// Makes the decoy hash before a sign-in waits for it.
    pub(crate) async fn warm_up(&self) {
        let decoy = self.decoy.clone();
        let making = self.threads.run(move || decoy_hash(&decoy).len());
        // If it fails, the hash is made on first use.
        drop(making.await);
    }

    /// What to store for a password, or its digest; without a salt, with one that is drawn.
    pub(crate) async fn hash(
        &self,
        caller: PasswordCaller,
        password: String,
        form: Form,
        salt: Option<[u8; SALT_BYTES]>,
    ) -> Result<String, Refusal> {
        self.work(caller, move || hash_with(&password, form, salt)).await?
    }

    /// What a password is to what is stored; without that, wrong after as long.
    pub(crate) async fn verify(
        &self,
        caller: PasswordCaller,
        password: String,
        stored: Option<String>,
    ) -> Result<Verdict, Refusal> {
        let decoy = self.decoy.clone();
        let check = move || {
            let decoy = decoy_hash(&decoy);
            verify(&password, stored.as_deref().unwrap_or(decoy), decoy)
        };
        self.work(caller, check).await
    }

    async fn work<T: Send + 'static>(
        &self,
        caller: PasswordCaller,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let address = AddressPrefix::of(caller.address);
        let place = self.enter(caller).ok_or(Refusal::Overloaded)?;
        let turn = self.turn(address).await.ok_or(Refusal::Overloaded)?;
        // Both are held until the work is done, even if the caller is gone.
        let work = move || {
            let _held = (turn, place);
            work()
        };
        self.threads
            .run(work)
            .await
            .map_err(|why| Refusal::Internal { why: format!("the password check failed: {why}") })
    }

    /// `None`: too many wait, in all or of this address or account.
    fn enter(&self, caller: PasswordCaller) -> Option<QueueSlot> {
        let address = AddressPrefix::of(caller.address);
        let account = caller.account;
        let mut queue = self.queue.lock();
        let of_address = queue.by_address.get(&address).copied().unwrap_or(0);
        let of_account = account.as_ref().and_then(|account| queue.by_account.get(account));
        let of_account = of_account.copied().unwrap_or(0);
        // A loopback address may be a proxy's, which stands for many.
        let is_many = of_address >= QUEUED_PER_ADDRESS_MAX && !caller.address.is_loopback();
        if is_many || of_account >= QUEUED_PER_ACCOUNT_MAX {
            return None;
        }
        if queue.queued >= QUEUED_MAX && !queue.displace_for(of_address) {
            return None;
        }
        queue.queued += 1;
        *queue.by_address.entry(address).or_default() += 1;
        if let Some(account) = &account {
            *queue.by_account.entry(account.clone()).or_default() += 1;
        }
        Some(QueueSlot { queue: self.queue.clone(), address, account })
    }

    /// `None`: displaced by one of another address.
    async fn turn(&self, address: AddressPrefix) -> Option<ThreadPermit> {
        let granted = {
            let mut queue = self.queue.lock();
            if queue.idle_threads > 0 {
                queue.idle_threads -= 1;
                return Some(ThreadPermit(self.queue.clone()));
            }
            let (sender, granted) = oneshot::channel();
            let waiting = queue.waiting.entry(address).or_default();
            let is_first = waiting.is_empty();
            waiting.push_back(sender);
            if is_first {
                queue.turns.push_back(address);
            }
            granted
        };
        granted.await.ok()
    }
}

impl Queue {
    /// Makes room for a newcomer whose address has so many: takes out the last that waits of the
    /// address with the most, if those are more. The place of what is taken out is given back when
    /// its task has noticed.
    fn displace_for(&mut self, of_newcomer: usize) -> bool {
        let most = self.waiting.iter_mut().max_by_key(|(_, waiting)| waiting.len());
        let Some((_, waiting)) = most.filter(|(_, waiting)| waiting.len() > of_newcomer + 1) else {
            return false;
        };
        // At least one of the address stays, and with it the turn of the address.
        waiting.pop_back();
        true
    }

    /// The next in turn. Its address goes to the end of the queue.
    fn next(&mut self) -> Option<oneshot::Sender<ThreadPermit>> {
        let address = self.turns.pop_front()?;
        let waiting = self.waiting.get_mut(&address)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&address);
        } else {
            self.turns.push_back(address);
        }
        next
    }
}

impl Drop for ThreadPermit {
    fn drop(&mut self) {
        let next = {
            let mut queue = self.0.lock();
            let next = queue.next();
            if next.is_none() {
                queue.idle_threads += 1;
            }
            next
        };
        if let Some(next) = next {
            // If the receiver is gone, dropping the turn passes it on.
            drop(next.send(Self(self.0.clone())));
        }
    }
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        let mut queue = self.queue.lock();
        queue.queued -= 1;
        decrease(&mut queue.by_address, &self.address);
        if let Some(account) = &self.account {
            decrease(&mut queue.by_account, account);
        }
    }
}

fn decrease<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn decoy_hash(decoy: &OnceLock<String>) -> &str {
    decoy.get_or_init(|| {
        let mut password = [0; 32];
        let drawn = getrandom::fill(&mut password).is_ok();
        hash(&BASE64.encode(&password), Form::Plain).ok().filter(|_| drawn).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(address: &str, account: Option<&str>) -> PasswordCaller {
        let address = address.parse().unwrap();
        PasswordCaller { address, account: account.map(str::to_owned) }
    }

    fn ann() -> PasswordCaller {
        caller("10.0.0.1", Some("ann"))
    }

    #[tokio::test]
    async fn only_the_right_password_verifies() {
        let passwords = Passwords::new(1);
        let phc = passwords.hash(ann(), "tea".into(), Form::Plain, None).await.unwrap();
        assert!(phc.starts_with("$argon2id$"));
        assert_eq!(
            passwords.verify(ann(), "tea".into(), Some(phc.clone())).await,
            Ok(Verdict::Right)
        );
        assert_eq!(passwords.verify(ann(), "coffee".into(), Some(phc)).await, Ok(Verdict::Wrong));
        assert!(passwords.queue.lock().by_address.is_empty(), "every place is given back");
        assert!(passwords.queue.lock().by_account.is_empty());
    }

    #[tokio::test]
    async fn the_decoy_hash_matches_no_password() {
        let passwords = Passwords::new(1);
        passwords.warm_up().await;
        assert!(passwords.decoy.get().is_some_and(|phc| phc.starts_with("$argon2id$")));
        assert_eq!(passwords.verify(ann(), "".into(), None).await, Ok(Verdict::Wrong));
        let broken = Some("no hash".into());
        assert_eq!(passwords.verify(ann(), "tea".into(), broken).await, Ok(Verdict::Wrong));
    }

    #[test]
    fn an_address_an_account_and_all_have_few_places() {
        let passwords = Passwords::new(1);
        let enter = |address: &str, account: &str| {
            passwords.enter(caller(address, Some(account).filter(|account| !account.is_empty())))
        };
        let of_ann: Vec<_> = (1..=QUEUED_PER_ACCOUNT_MAX)
            .map(|host| enter(&format!("10.0.0.{host}"), "ann").expect("a place"))
            .collect();
        assert!(enter("10.0.0.99", "ann").is_none());
        assert!(enter("10.0.0.99", "bob").is_some());
        drop(of_ann);
        let of_address: Vec<_> =
            (0..QUEUED_PER_ADDRESS_MAX).map(|_| enter("10.0.0.1", "").expect("a place")).collect();
        assert!(enter("10.0.0.1", "").is_none());
        let mut others = Vec::new();
        while let Some(place) = enter(&format!("10.0.1.{}", others.len()), "") {
            others.push(place);
        }
        assert_eq!(of_address.len() + others.len(), QUEUED_MAX);
    }

    #[tokio::test]
    async fn addresses_take_turns() {
        let passwords = Passwords::new(1);
        let prefix = |address: &str| AddressPrefix::of(address.parse().unwrap());
        let busy = passwords.turn(prefix("10.0.0.9")).await.unwrap();
        let order = Arc::<Mutex<Vec<&str>>>::default();
        let mut tasks = Vec::new();
        for address in ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"] {
            let (passwords, order) = (passwords.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                let _turn = passwords.turn(prefix(address)).await.unwrap();
                order.lock().push(address);
            }));
            tokio::task::yield_now().await;
        }
        // Of a caller that is gone: its turn passes to the next.
        tasks.remove(1).abort();
        tokio::task::yield_now().await;
        drop(busy);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock(), ["10.0.0.1", "10.0.0.2", "10.0.0.1"]);
        assert_eq!(passwords.queue.lock().idle_threads, 1);
    }

    #[tokio::test]
    async fn a_newcomer_displaces_the_last_of_the_address_with_the_most() {
        let passwords = Passwords::new(1);
        let busy = passwords.turn(AddressPrefix::of("10.0.0.9".parse().unwrap())).await.unwrap();
        // A loopback address may fill the queue.
        let mut tasks = Vec::new();
        for _ in 0..QUEUED_MAX {
            let passwords = passwords.clone();
            tasks.push(tokio::spawn(async move {
                passwords.work(caller("127.0.0.1", None), || ()).await
            }));
        }
        while passwords.queue.lock().queued < QUEUED_MAX {
            tokio::task::yield_now().await;
        }
        let own = passwords.work(caller("127.0.0.1", None), || ()).await;
        assert_eq!(own, Err(Refusal::Overloaded), "its own address has the most");
        let other = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.work(caller("127.0.0.2", None), || ()).await }
        });
        let last = tasks.pop().expect("they were made above");
        // All tasks are of this thread: each of these lets every one go on.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(last.is_finished(), "it makes room");
        assert_eq!(last.await.unwrap(), Err(Refusal::Overloaded), "it makes room");
        drop(busy);
        assert_eq!(other.await.unwrap(), Ok(()));
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(()));
        }
        assert_eq!(passwords.queue.lock().queued, 0);
    }
}
