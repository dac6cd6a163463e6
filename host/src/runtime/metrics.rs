//! What the gateway counts. `admin::prometheus` renders it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use core_engine::Owed;
use core_model::{Expired, Timestamp};
use frontend_api::fidelity::{Field, Losses};
use gateway_fanout::{FanoutMetrics, Ledger, Overflow, RoomClass};
use parking_lot::Mutex;

pub(crate) use gateway_fanout::Counter;
pub(crate) use http::{HttpMetrics, Operations};

use delivery_delay::DeliveryDelay;

mod delivery_delay;
mod http;

/// Counted for the gateway as a whole.
#[derive(Debug, Default)]
pub(crate) struct GatewayMetrics {
    pub(crate) fanout: Arc<FanoutMetrics>,
    /// Messages that were too old, or too many for their room.
    pub(crate) pruned: Counter,
    expired: [Counter; RoomClass::COUNT],
    /// What the store owed to readers when that was last counted.
    owed: Mutex<Option<Owed>>,
    /// Backups that were made on schedule.
    pub(crate) backups: Counter,
    pub(crate) backups_failed: Counter,
    reloads: [Counter; ReloadResult::ALL.len()],
    hook: [Counter; HookResult::ALL.len()],
    last_reload: Mutex<Option<(Timestamp, ReloadResult)>>,
    is_restart_pending: AtomicBool,
}

/// How a reload of the configuration ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReloadResult {
    Applied,
    /// A part did not work: it is as before, or tried again.
    Incomplete,
    /// The configuration was invalid, and nothing has changed.
    Refused,
}

impl ReloadResult {
    pub(crate) const ALL: [(Self, &'static str); 3] =
        [(Self::Applied, "applied"), (Self::Incomplete, "incomplete"), (Self::Refused, "refused")];
}

/// How a question to `[auth.http]` ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HookResult {
    Allow,
    Deny,
    /// The same was answered of late.
    Cached,
    /// There was no answer, or a wrong one.
    Failed,
    /// Too many were under way.
    Busy,
}

impl HookResult {
    pub(crate) const ALL: [(Self, &'static str); 5] = [
        (Self::Allow, "allow"),
        (Self::Deny, "deny"),
        (Self::Cached, "cached"),
        (Self::Failed, "failed"),
        (Self::Busy, "busy"),
    ];
}

impl GatewayMetrics {
    /// Notes deliveries of messages that retention has removed.
    pub(crate) fn note_expired(&self, expired: Expired) {
        let Expired { public, group, direct } = expired;
        for (counter, count) in self.expired.iter().zip([public, group, direct]) {
            counter.add(count);
        }
    }

    pub(crate) fn expired(&self, class: RoomClass) -> u64 {
        self.expired[class as usize].count()
    }

    pub(crate) fn set_owed(&self, owed: Owed) {
        *self.owed.lock() = Some(owed);
    }

    pub(crate) fn owed(&self) -> Option<Owed> {
        *self.owed.lock()
    }

    pub(crate) fn note_hook(&self, result: HookResult) {
        self.hook[result as usize].add(1);
    }

    pub(crate) fn hook(&self, result: HookResult) -> u64 {
        self.hook[result as usize].count()
    }

    /// Whether the configuration has keys that take effect at the next start.
    pub(crate) fn set_restart_pending(&self, is_pending: bool) {
        self.is_restart_pending.store(is_pending, Ordering::Relaxed);
    }

    pub(crate) fn is_restart_pending(&self) -> bool {
        self.is_restart_pending.load(Ordering::Relaxed)
    }

    pub(crate) fn note_reload(&self, result: ReloadResult, at: Timestamp) {
        self.reloads[result as usize].add(1);
        *self.last_reload.lock() = Some((at, result));
    }

    pub(crate) fn reloads(&self, result: ReloadResult) -> u64 {
        self.reloads[result as usize].count()
    }

    pub(crate) fn last_reload(&self) -> Option<(Timestamp, ReloadResult)> {
        *self.last_reload.lock()
    }
}

/// Why a connection, a request or a command was turned away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    Connections,
    ConnectionsPerAddress,
    Requests,
    Messages,
    Bytes,
    SignIns,
    BodyBytes,
    MessageBytes,
    TextChars,
    Guard,
    Overloaded,
    Draining,
    Handshakes,
    /// Replies that the peer's address has not read.
    Unread,
}

impl Limit {
    pub(crate) const ALL: [(Self, &'static str); 14] = [
        (Self::Connections, "connections"),
        (Self::ConnectionsPerAddress, "connections_per_address"),
        (Self::Requests, "requests"),
        (Self::Messages, "messages"),
        (Self::Bytes, "bytes"),
        (Self::SignIns, "sign_ins"),
        (Self::BodyBytes, "body_bytes"),
        (Self::MessageBytes, "message_bytes"),
        (Self::TextChars, "text_chars"),
        (Self::Guard, "guard"),
        (Self::Overloaded, "overloaded"),
        (Self::Draining, "draining"),
        (Self::Handshakes, "handshakes"),
        (Self::Unread, "unread"),
    ];
}

/// What a plugin did wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum FaultKind {
    Panicked,
    Malformed,
    /// It left a request without a response.
    Silent,
}

impl FaultKind {
    pub(crate) const ALL: [(Self, &'static str); 3] =
        [(Self::Panicked, "panicked"), (Self::Malformed, "malformed"), (Self::Silent, "silent")];
}

/// How a sign-in with a password ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SignInResult {
    Ok,
    WrongPassword,
    UnknownUser,
    /// Refused after too many failures.
    SlowDown,
    /// The gateway was overloaded, or failed.
    Failed,
    /// The server that would check the password did not answer.
    Unavailable,
}

impl SignInResult {
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::Ok, "ok"),
        (Self::WrongPassword, "wrong_password"),
        (Self::UnknownUser, "unknown_user"),
        (Self::SlowDown, "slow_down"),
        (Self::Failed, "failed"),
        (Self::Unavailable, "unavailable"),
    ];
}

/// Counted for each front end.
#[derive(Debug, Default)]
pub(crate) struct FrontendMetrics {
    /// Stream connections and HTTP connections that were accepted.
    pub(crate) opened: Counter,
    /// HTTP requests.
    pub(crate) requests: Counter,
    pub(crate) commands: Counter,
    pub(crate) queries: Counter,
    /// Events that were encoded.
    pub(crate) events: Counter,
    /// Frames of events that were written to connections.
    pub(crate) frames: Counter,
    /// Connections that were cut off because they did not read.
    pub(crate) cut_off: Counter,
    overflows: [Counter; Overflow::ALL.len()],
    /// How long messages took to the connections that get them.
    pub(crate) delivery_delay: DeliveryDelay,
    /// Sign-ins that succeeded, by whatever means.
    pub(crate) signed_in: Counter,
    pub(crate) http: HttpMetrics,
    pub(crate) panics: Counter,
    /// Events that a plugin failed to encode.
    pub(crate) encoding_faults: Counter,
    /// Its messages and deliveries.
    pub(crate) ledger: Arc<Ledger>,
    refused: [Counter; Limit::ALL.len()],
    sign_ins: [Counter; SignInResult::ALL.len()],
    plugin_faults: [Counter; FaultKind::ALL.len()],
    lost: LostFields,
}

/// Messages in which a field was lost, by the field. Most front ends never lose one, so a list that
/// is searched is enough.
#[derive(Debug)]
struct LostFields(Vec<(Field, Counter)>);

impl Default for LostFields {
    fn default() -> Self {
        Self(Losses::fields().map(|field| (field, Counter::default())).collect())
    }
}

impl FrontendMetrics {
    /// A connection was cut off.
    pub(crate) fn note_overflow(&self, why: Overflow) {
        self.cut_off.add(1);
        self.overflows[why as usize].add(1);
    }

    pub(crate) fn overflows(&self, why: Overflow) -> u64 {
        self.overflows[why as usize].count()
    }

    pub(crate) fn note_refused(&self, limit: Limit) {
        self.refused[limit as usize].add(1);
    }

    pub(crate) fn refused(&self, limit: Limit) -> u64 {
        self.refused[limit as usize].count()
    }

    pub(crate) fn note_sign_in(&self, result: SignInResult) {
        self.sign_ins[result as usize].add(1);
    }

    pub(crate) fn sign_ins(&self, result: SignInResult) -> u64 {
        self.sign_ins[result as usize].count()
    }

    /// A fault of a plugin also counts as a panic, which it would be in a linked front end.
    pub(crate) fn note_plugin_fault(&self, kind: FaultKind) {
        self.panics.add(1);
        self.plugin_faults[kind as usize].add(1);
    }

    pub(crate) fn plugin_faults(&self, kind: FaultKind) -> u64 {
        self.plugin_faults[kind as usize].count()
    }

    pub(crate) fn note_lost(&self, field: Field) {
        self.lost.0.iter().filter(|(of, _)| *of == field).for_each(|(_, lost)| lost.add(1));
    }

    pub(crate) fn lost(&self, field: Field) -> u64 {
        self.lost.0.iter().find(|(of, _)| *of == field).map_or(0, |(_, lost)| lost.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_at_its_own_index() {
        for (at, (limit, _)) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, at);
        }
        for (at, (result, _)) in SignInResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, at);
        }
        for (at, (kind, _)) in FaultKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
        for (at, (why, _)) in Overflow::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, at);
        }
        for (at, (result, _)) in HookResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, at);
        }
        for (at, (result, _)) in ReloadResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, at);
        }
    }
}
