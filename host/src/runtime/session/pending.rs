//! What a stream session has asked for and not been answered.

use core_model::{Command, Outcome, Query};
use gateway_fanout::SubscriptionChange;

/// One command or query that is not answered.
pub(crate) enum Pending {
    /// Answered by the engine; the session gets the answer in its turn.
    Answered(Box<Outcome>),
    /// Answered by the host, likewise.
    Decided(Box<Outcome>),
    /// With the engine; and the token that the command grants.
    Submitted { token: Option<Box<str>>, ack_only: bool },
    /// To be submitted when nothing before it is still to be begun or run.
    Command(Box<PendingCommand>),
    /// To be answered when everything before it is answered.
    Query(Box<Query>),
    /// The oldest, being worked on.
    Running,
}

pub(crate) struct PendingCommand {
    pub(crate) command: Box<Command>,
    pub(crate) change: SubscriptionChange,
    pub(crate) key: Option<String>,
    pub(crate) ack_only: bool,
}

/// The result of work that takes time.
pub(crate) enum Finished {
    Answer(Box<Outcome>),
    /// The command, with its passwords settled.
    Ready(Box<PendingCommand>),
}

impl Pending {
    pub(crate) fn is_submitted(&self) -> bool {
        matches!(self, Self::Submitted { .. })
    }
}

/// Keeps what the host itself answers from overtaking the events of earlier commands: they may
/// still be on their way through the hub when the commands' answers have arrived.
#[derive(Default)]
pub(crate) struct Fence {
    /// A command was answered whose events may not have arrived.
    pub(crate) is_needed: bool,
    pub(crate) is_requested: bool,
    /// All events before the oldest pending request have arrived.
    pub(crate) has_passed: bool,
}
