//! Hashes and verifies passwords (argon2id) on blocking threads, a bounded number at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use core_model::Refusal;
use data_encoding::BASE64;
use tokio::sync::Semaphore;

use crate::password_hash::{hash, verify};

/// Passwords that may wait for the pool: at 30 ms each a minute's work of one thread.
const WAITING_MAX: usize = 2048;

/// The password pool.
#[derive(Clone)]
pub(crate) struct Passwords {
    threads: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// The hash of a random password, verified for accounts that do not exist so that they take as
    /// long.
    decoy: Arc<OnceLock<String>>,
}

impl Passwords {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads: Arc::new(Semaphore::new(threads.max(1))),
            waiting: Arc::default(),
            decoy: Arc::default(),
        }
    }

    /// Makes the decoy hash before a sign-in waits for it.
    pub(crate) async fn warm_up(&self) {
        let decoy = self.decoy.clone();
        // Refused only if the queue is full; the hash is then made on first use.
        drop(self.work(move || decoy_hash(&decoy).len()).await);
    }

    /// The PHC string to store for a password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Refusal> {
        self.work(move || hash(&password)).await?
    }

    /// Whether a password matches a PHC string; without one, false after as long.
    pub(crate) async fn verify(
        &self,
        password: String,
        phc: Option<String>,
    ) -> Result<bool, Refusal> {
        let decoy = self.decoy.clone();
        let check = move || match phc {
            Some(phc) => verify(&password, &phc),
            None => verify(&password, decoy_hash(&decoy)),
        };
        self.work(check).await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let waiting = Waiting::enter(&self.waiting).ok_or(Refusal::Overloaded)?;
        let thread = self.threads.clone().acquire_owned().await;
        // Both are held until the work is done, even if the caller is gone.
        let work = move || {
            let _held = (thread, waiting);
            work()
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| Refusal::Internal { why: format!("a password was lost: {error}") })
    }
}

/// A place in the queue, held until the work is done.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn enter(waiting: &Arc<AtomicUsize>) -> Option<Self> {
        let entered = Self(waiting.clone());
        (waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(entered)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn decoy_hash(decoy: &OnceLock<String>) -> &str {
    decoy.get_or_init(|| {
        let mut password = [0; 32];
        let drawn = getrandom::fill(&mut password).is_ok();
        hash(&BASE64.encode(&password)).ok().filter(|_| drawn).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_verifies() {
        let passwords = Passwords::new(1);
        let phc = passwords.hash("tea".into()).await.unwrap();
        assert!(phc.starts_with("$argon2id$"));
        assert_eq!(passwords.verify("tea".into(), Some(phc.clone())).await, Ok(true));
        assert_eq!(passwords.verify("coffee".into(), Some(phc)).await, Ok(false));
    }

    #[tokio::test]
    async fn the_decoy_hash_matches_no_password() {
        let passwords = Passwords::new(1);
        passwords.warm_up().await;
        assert!(passwords.decoy.get().is_some_and(|phc| phc.starts_with("$argon2id$")));
        assert_eq!(passwords.verify("".into(), None).await, Ok(false));
        assert_eq!(passwords.verify("tea".into(), Some("no hash".into())).await, Ok(false));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_passwords() {
        let passwords = Passwords::new(1);
        passwords.waiting.store(WAITING_MAX, Ordering::Relaxed);
        assert_eq!(passwords.hash("tea".into()).await, Err(Refusal::Overloaded));
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), WAITING_MAX);
    }
}
