//! What a stream session has asked for and not been answered.

use std::net::IpAddr;
use std::sync::Arc;

use core_model::{Command, Outcome, Query};
use frontend_api::{Authorize, Fetch, Subscribe};
use gateway_fanout::SubscriptionChange;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::memory_budget::Reservation;
use crate::runtime::session::admission::settle_passwords;
use crate::runtime::session::services::Services;

/// One command or query that is not answered.
pub(crate) enum Pending {
    /// Answered by the engine; the session gets the answer in its turn.
    Answered(Box<Outcome>, Option<DeliveryRequest>),
    /// Answered by the host, likewise.
    Decided(Box<Outcome>),
    /// With the engine; and the token that the command grants.
    Submitted { token: Option<Box<str>>, ack_only: bool, delivery: Option<DeliveryRequest> },
    /// To be submitted when nothing before it is still to be begun or run.
    Command(Box<PendingCommand>),
    /// To be answered when everything before it is answered.
    Query(Box<Query>),
    /// To be sent to another server in its turn.
    Fetch(Box<Fetch>),
    /// To be decided in its turn.
    Authorize(Box<Authorize>),
    /// The oldest, being worked on.
    Running,
}

/// What a sign-in asks for that is to be delivered to.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryRequest {
    /// The name of the device, or "".
    pub(crate) device: Arc<str>,
    /// Whether the store owes the session direct messages only.
    pub(crate) is_direct_only: bool,
}

pub(crate) struct PendingCommand {
    pub(crate) command: Box<Command>,
    pub(crate) change: SubscriptionChange,
    pub(crate) key: Option<String>,
    pub(crate) ack_only: bool,
}

/// The result of work that takes time.
pub(crate) enum Finished {
    /// With the memory for it, if it may be long.
    Answer(Box<Outcome>, Option<Reservation>),
    /// The command, with its passwords settled.
    Ready(Box<PendingCommand>),
}

/// Replaces the passwords in a command by what the engine takes.
pub(crate) async fn settle(
    services: Arc<Services>,
    frontend: Arc<FrontendHandle>,
    address: IpAddr,
    command: Box<PendingCommand>,
) -> Finished {
    let PendingCommand { command, change, key, ack_only } = *command;
    match settle_passwords(&services, &frontend, address, command, key.as_deref()).await {
        Ok(command) => Finished::Ready(Box::new(PendingCommand { command, change, key, ack_only })),
        Err(refusal) => Finished::Answer(Box::new(Err(refusal)), None),
    }
}

impl Pending {
    pub(crate) fn is_submitted(&self) -> bool {
        matches!(self, Self::Submitted { .. })
    }
}

/// What a command asks for that signs in and is to be delivered to.
pub(crate) fn delivery_request(command: &Command) -> Option<DeliveryRequest> {
    let Command::SignIn { delivery: Some(delivery), .. } = command else { return None };
    let device = delivery.device.as_str().into();
    Some(DeliveryRequest { device, is_direct_only: delivery.direct_only })
}

/// What a command changes of its connection's subscriptions if it succeeds.
pub(crate) fn change(command: &Command, subscribe: Subscribe) -> SubscriptionChange {
    match (command, subscribe) {
        (Command::SignOut { .. }, _) => SubscriptionChange::SignOut,
        (_, Subscribe::Nothing) => SubscriptionChange::None,
        (_, Subscribe::Seat) => SubscriptionChange::Seat,
        (_, Subscribe::User) => SubscriptionChange::User,
    }
}

/// Keeps what the host itself answers from overtaking the events of earlier commands: they may
/// still be on their way through the hub when the commands' answers have arrived.
#[derive(Default)]
pub(crate) struct Fence {
    /// A command was answered whose events may not have arrived.
    pub(crate) is_needed: bool,
    /// The hub was asked to mark where they end: between two commands, so a mark that was asked for
    /// earlier serves as well.
    pub(crate) is_requested: bool,
}
