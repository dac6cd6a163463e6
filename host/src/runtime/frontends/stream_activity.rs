//! What operators see of a stream connection, and ending it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use core_model::{Command, SignInKey, Timestamp, UserRef};
use frontend_api::Ending;
use gateway_fanout::ConnectionHandle;
use parking_lot::Mutex;

/// Tokens and addresses that are kept of one connection.
const PROOFS_MAX: usize = 8;

/// An open stream connection.
#[derive(Clone)]
pub(crate) struct OpenStream {
    pub(crate) handle: Arc<ConnectionHandle>,
    pub(crate) activity: Arc<StreamActivity>,
}

impl OpenStream {
    /// Has the connection closed by an operator, after what waits for it.
    pub(crate) fn close(&self) {
        self.handle.mailbox.end(Ending::Removed);
    }
}

/// What has come and gone on a stream connection. Its task counts, others read.
#[derive(Debug)]
pub(crate) struct StreamActivity {
    /// The address that its requests count for.
    pub(crate) address: IpAddr,
    pub(crate) opened: Timestamp,
    received: AtomicU64,
    sent_bytes: AtomicU64,
    /// When the peer last sent anything, ms.
    heard_ms: AtomicU64,
    /// The tokens and addresses that it has proven users with, or was given, the newest last.
    proofs: Mutex<Vec<SignInKey>>,
}

impl StreamActivity {
    pub(crate) fn new(address: IpAddr, opened: Timestamp) -> Self {
        let heard_ms = opened.0.into();
        let (received, sent_bytes) = (0.into(), 0.into());
        Self { address, opened, received, sent_bytes, heard_ms, proofs: Mutex::default() }
    }

    /// Notes what a command proves a user with, or is given.
    pub(crate) fn note_proofs(&self, command: &Command) {
        let (user, grant, address) = match command {
            Command::SignIn { user, token, address, .. } => {
                (user, token.as_ref(), address.as_ref())
            }
            Command::IssueToken { user, grant } => (user, Some(grant), None),
            Command::Enter { user, .. } => (user, None, None),
            _ => return,
        };
        let (token, claimed) = match user {
            UserRef::Token(hash) => (Some(*hash), None),
            UserRef::Claim(claim) => (claim.token, claim.address.clone()),
            _ => (None, None),
        };
        let granted = address.map(|grant| grant.address.clone());
        let tokens = token.into_iter().chain(grant.and_then(|grant| grant.hash));
        let tokens = tokens.map(SignInKey::Token);
        let addresses = claimed.into_iter().chain(granted).map(SignInKey::Address);
        for proof in tokens.chain(addresses) {
            let mut proofs = self.proofs.lock();
            if !proofs.contains(&proof) {
                if proofs.len() >= PROOFS_MAX {
                    proofs.remove(0);
                }
                proofs.push(proof);
            }
        }
    }

    /// Whether one of them is the one that is meant.
    pub(crate) fn is_by(&self, is_meant: impl FnMut(&SignInKey) -> bool) -> bool {
        self.proofs.lock().iter().any(is_meant)
    }

    pub(crate) fn note_received(&self, now: Timestamp) {
        // Only the connection's task writes.
        let received = self.received.load(Ordering::Relaxed);
        self.received.store(received + 1, Ordering::Relaxed);
        self.heard_ms.store(now.0, Ordering::Relaxed);
    }

    pub(crate) fn note_sent(&self, bytes: u64) {
        self.sent_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn heard_ms(&self) -> u64 {
        self.heard_ms.load(Ordering::Relaxed)
    }
}
