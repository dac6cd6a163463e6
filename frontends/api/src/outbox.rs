//! What a session asks of the host.

use core_model::{Command, Query, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::Response;

/// One thing that should follow.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Have the engine carry out a command. The answer comes as `Input::Answer`, in the order of
    /// calling and asking.
    Call {
        command: Box<Command>,
        /// What to watch from the moment at which the command took effect, if it does.
        #[serde(default)]
        follow: Follow,
        /// A key by which a repetition of the command is recognized.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// Of a success, only that it is one matters to the session: the answer to it may be
        /// `Reply::Done` instead of one that says more, which need not be made then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        brief: bool,
    },
    /// Ask the engine. It sees every earlier command of this session carried out.
    Ask { query: Box<Query> },
    /// The answer to an HTTP request; the session is over once it is written.
    Respond(Response),
    /// Bytes for the peer, on a TCP stream.
    SendBytes(Vec<u8>),
    /// One WebSocket text message, or one line, for the peer.
    SendText(String),
    /// What this connection wants to hear of in all rooms it watches, from now on.
    SetInterest(Interest),
    /// Replace the session's one alarm.
    WakeAt(Timestamp),
    /// Flush what was sent, then hang up.
    Close,
}

/// What a connection starts to watch when its command succeeds.
///
/// It is part of the command, and not a request of its own after the answer, so that between the
/// two no event can be missed or come twice.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Follow {
    #[default]
    Nothing,
    /// With [`Command::Enter`]: the room, for as long as the seat lasts.
    Seat,
    /// With [`Command::SignIn`]: the user's direct messages and every room of which it is a
    /// durable member, now and later, until the session ends.
    User,
}

/// Which kinds of events of watched rooms a connection hears of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Interest {
    pub messages: bool,
    /// Comings and goings.
    pub presence: bool,
    pub population: bool,
}

impl Default for Interest {
    /// Everything.
    fn default() -> Self {
        Self { messages: true, presence: true, population: true }
    }
}

/// Where a session puts what should follow, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    outputs: Vec<Output>,
}

impl Outbox {
    pub fn call(&mut self, command: Command) {
        self.call_and_follow(command, Follow::Nothing);
    }

    /// Calls, and does not want to know more of a success than that it is one.
    pub fn call_briefly(&mut self, command: Command) {
        let (command, follow) = (Box::new(command), Follow::Nothing);
        self.push(Output::Call { command, follow, key: None, brief: true });
    }

    pub fn call_and_follow(&mut self, command: Command, follow: Follow) {
        self.push(Output::Call { command: Box::new(command), follow, key: None, brief: false });
    }

    pub fn ask(&mut self, query: Query) {
        self.push(Output::Ask { query: Box::new(query) });
    }

    pub fn respond(&mut self, response: Response) {
        self.push(Output::Respond(response));
    }

    pub fn send_bytes(&mut self, bytes: impl Into<Vec<u8>>) {
        self.push(Output::SendBytes(bytes.into()));
    }

    pub fn send_text(&mut self, text: impl Into<String>) {
        self.push(Output::SendText(text.into()));
    }

    pub fn set_interest(&mut self, interest: Interest) {
        self.push(Output::SetInterest(interest));
    }

    pub fn wake_at(&mut self, at: Timestamp) {
        self.push(Output::WakeAt(at));
    }

    pub fn close(&mut self) {
        self.push(Output::Close);
    }

    pub fn push(&mut self, output: Output) {
        self.outputs.push(output);
    }

    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    pub fn len(&self) -> usize {
        self.outputs.len()
    }

    /// Takes back all but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.outputs.truncate(len);
    }

    pub fn drain(&mut self) -> impl Iterator<Item = Output> + '_ {
        self.outputs.drain(..)
    }
}
