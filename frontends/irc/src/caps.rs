//! The capabilities that a client can request: IRCv3 capability negotiation.

use crate::Options;
use crate::multiline;

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Caps(u32);

/// One capability: its bit, its name, and its value for clients of CAP version 302.
struct Row(u32, &'static str, &'static str);

const SASL: &str = "sasl";

const ROWS: &[Row] = &[
    Row(Caps::ACCOUNT_TAG.0, "account-tag", ""),
    Row(Caps::AWAY_NOTIFY.0, "away-notify", ""),
    Row(Caps::BATCH.0, "batch", ""),
    Row(Caps::CAP_NOTIFY.0, "cap-notify", ""),
    Row(Caps::CHATHISTORY.0, "draft/chathistory", ""),
    Row(Caps::REDACTION.0, "draft/message-redaction", ""),
    Row(Caps::MULTILINE.0, "draft/multiline", multiline::LIMITS),
    Row(Caps::READ_MARKER.0, "draft/read-marker", ""),
    Row(Caps::ECHO_MESSAGE.0, "echo-message", ""),
    Row(Caps::EXTENDED_JOIN.0, "extended-join", ""),
    Row(Caps::INVITE_NOTIFY.0, "invite-notify", ""),
    Row(Caps::LABELED_RESPONSE.0, "labeled-response", ""),
    Row(Caps::MESSAGE_TAGS.0, "message-tags", ""),
    Row(Caps::MULTI_PREFIX.0, "multi-prefix", ""),
    Row(Caps::SASL.0, SASL, "PLAIN"),
    Row(Caps::SERVER_TIME.0, "server-time", ""),
    Row(Caps::SETNAME.0, "setname", ""),
    Row(Caps::USERHOST_IN_NAMES.0, "userhost-in-names", ""),
];

impl Caps {
    pub(crate) const ACCOUNT_TAG: Self = Self(1);
    pub(crate) const BATCH: Self = Self(1 << 1);
    /// The list of capabilities never changes, so the server never sends a notification.
    const CAP_NOTIFY: Self = Self(1 << 2);
    pub(crate) const ECHO_MESSAGE: Self = Self(1 << 3);
    pub(crate) const EXTENDED_JOIN: Self = Self(1 << 4);
    pub(crate) const MESSAGE_TAGS: Self = Self(1 << 5);
    pub(crate) const MULTI_PREFIX: Self = Self(1 << 6);
    pub(crate) const SASL: Self = Self(1 << 7);
    pub(crate) const SERVER_TIME: Self = Self(1 << 8);
    pub(crate) const USERHOST_IN_NAMES: Self = Self(1 << 9);
    pub(crate) const AWAY_NOTIFY: Self = Self(1 << 10);
    pub(crate) const INVITE_NOTIFY: Self = Self(1 << 11);
    pub(crate) const LABELED_RESPONSE: Self = Self(1 << 12);
    pub(crate) const SETNAME: Self = Self(1 << 13);

    pub(crate) const CHATHISTORY: Self = Self(1 << 14);
    pub(crate) const READ_MARKER: Self = Self(1 << 15);
    pub(crate) const MULTILINE: Self = Self(1 << 16);
    pub(crate) const REDACTION: Self = Self(1 << 17);

    pub(crate) fn has(self, cap: Self) -> bool {
        self.0 & cap.0 != 0
    }

    /// The set after a `CAP REQ`, or `None` if it names an unknown capability.
    pub(crate) fn after(self, request: &str) -> Option<Self> {
        let mut caps = self.0;
        for word in request.split(' ').filter(|word| !word.is_empty()) {
            let disable = word.starts_with('-');
            let name = word.strip_prefix('-').unwrap_or(word);
            let Row(bit, ..) = ROWS.iter().find(|Row(_, known, _)| *known == name)?;
            caps = if disable { caps & !bit } else { caps | bit };
        }
        Some(Self(caps))
    }

    /// The names in the set.
    pub(crate) fn names(self) -> String {
        let mine = ROWS.iter().filter(|Row(bit, ..)| self.0 & bit != 0);
        mine.map(|Row(_, name, _)| *name).collect::<Vec<_>>().join(" ")
    }
}

/// All names, with values if the client reads them. `mechanisms` are those of SASL for this client;
/// empty for the usual one.
pub(crate) fn all(with_values: bool, mechanisms: &str) -> String {
    let shown = ROWS.iter().map(|Row(_, name, value)| {
        let has_own = *name == SASL && !mechanisms.is_empty();
        let value = if has_own { mechanisms } else { *value };
        if value.is_empty() || !with_values {
            (*name).to_owned()
        } else {
            format!("{name}={value}")
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// The policy of strict transport security (IRCv3): where the server speaks TLS, to clients that are
/// not encrypted; to the others, for how long they may rely on that. Clients cannot request it.
pub(crate) fn sts(options: &Options, secure: bool) -> Option<String> {
    match options.sts_port {
        0 => None,
        _ if secure => Some(format!("sts=duration={}", options.sts_duration.0 / 1_000)),
        port => Some(format!("sts=port={port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_has_its_own_bit() {
        let bits = ROWS.iter().fold(0, |bits, Row(bit, ..)| bits | bit);
        assert_eq!(bits.count_ones() as usize, ROWS.len());
    }

    #[test]
    fn a_request_is_granted_whole_or_not_at_all() {
        let some = Caps::default().after("batch sasl").unwrap();
        assert_eq!(some.names(), "batch sasl");
        assert_eq!(some.after("-sasl  server-time").unwrap().names(), "batch server-time");
        assert_eq!(some.after("server-time tls"), None);
        assert_eq!(some.after("").unwrap(), some);
    }
}
