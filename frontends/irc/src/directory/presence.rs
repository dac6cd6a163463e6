//! What the directory knows of users and topics.

use core_model::{Timestamp, Uid};

/// A user that is signed on, as one of its connections describes it.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    pub(crate) nick: String,
    /// `None` for a guest.
    pub(crate) uid: Option<Uid>,
    /// What the client gave as its user name.
    pub(crate) user_name: String,
    pub(crate) real_name: String,
    /// Why the user is away, if it is.
    pub(crate) away: Option<String>,
    /// Whether the user has declared itself a bot.
    pub(crate) is_bot: bool,
    /// Whether the user is an operator of the gateway.
    pub(crate) is_operator: bool,
    /// Whether the user reads what operators tell all who want it.
    pub(crate) reads_wallops: bool,
    pub(crate) signed_on: Timestamp,
}

impl Presence {
    /// The user part: the uid of an account; the user name of a guest, after the mark of one that
    /// is not proven, which no uid has.
    pub(crate) fn user(&self) -> String {
        match self.uid {
            Some(uid) => uid.to_string(),
            None if self.user_name.is_empty() => "guest".into(),
            None => format!("~{}", self.user_name),
        }
    }
}

/// Who has set a topic, and when.
#[derive(Clone, Debug)]
pub(crate) struct TopicNote {
    pub(crate) topic: String,
    pub(crate) mask: String,
    pub(crate) at: Timestamp,
}
