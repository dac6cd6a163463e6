//! The types of views and traces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::MessageReport;
use crate::tap::Shown;

/// What a front end shows of a room or a person. Each frame from a client is a request, the others
/// are what a client gets.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "FrontendView")]
pub struct View {
    pub frontend: String,
    pub dialect: String,
    /// None: the dialect has no words for it.
    pub frames: Vec<Shown>,
}

/// The way of a message.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "MessageTrace")]
pub struct Trace {
    pub message: MessageReport,
    /// Whether the stages of the message were recorded: `[admin] trace` says of how many they are.
    pub recorded: bool,
    /// In their order; none of a message that was not recorded.
    pub stages: Vec<TraceStage>,
    /// The frame that the message came in: of a byte stream, all that came with it.
    pub frames_in: Vec<Shown>,
    /// What each front end makes of it.
    pub deliveries: Vec<TraceDelivery>,
    /// Its readers, as far as the store keeps account of them: accounts that were members of the
    /// room, or the recipient.
    pub readers: Vec<TraceReader>,
    /// Whether these are all readers.
    pub readers_complete: bool,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TraceStage {
    pub stage: StageName,
    /// Microseconds since 1970.
    pub at_us: u64,
    /// Of the stage `received`: the front end, the session and the address of the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontend: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// The frame arrived; in milliseconds.
    Received,
    /// Its command was given to the engine.
    Queued,
    /// The engine began with its batch.
    Taken,
    /// It was durable.
    Committed,
    /// It was in the mailboxes of all sessions that get it.
    FannedOut,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TraceDelivery {
    pub frontend: String,
    pub dialect: String,
    /// Whether sessions get it as it is posted; else clients ask for it.
    pub pushed: bool,
    /// What goes out, made anew by the front end from the stored message; with the request where a
    /// client asks for it. None: the dialect has no words for it.
    pub frames: Vec<Shown>,
    /// To how many sessions it was passed on, where that is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u32>,
    /// How many sessions are open now that would get such a message.
    pub audience: u32,
    /// How many of these are of guests: no store keeps account of what they have.
    pub guests: u32,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TraceReader {
    /// The handle.
    pub user: String,
    pub way: ReadingWay,
    /// Whether the user has shown to have it: by acknowledging it, or by asking for later messages.
    pub has: bool,
    pub state: ReaderState,
    /// How many sessions of the user are open now to which such a message is pushed.
    pub sessions: u32,
}

/// What the store and the open sessions say of one message and one way of reading. What a front end
/// without acknowledgements has written, and what was dropped with a connection, is counted by the
/// ledger for each front end, not for each message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReaderState {
    /// A client of the user has acknowledged it, or a later message.
    Acknowledged,
    /// A client has asked for it, or for later messages.
    Fetched,
    /// Not acknowledged, with sessions open to which it is pushed: it is queued, or sent and without
    /// an acknowledgement.
    Pending,
    /// Not acknowledged or fetched, and no session is open: the store has it for the next sign-in or
    /// request.
    Owed,
    /// No client of the user has acknowledged or fetched anything yet: the store cannot tell.
    Unknown,
    /// The account was deleted before it had the message: it never will.
    Deleted,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadingWay {
    /// By sessions without a device.
    Sessions,
    /// By the sessions of one device.
    Device,
    /// By asking for messages.
    Polling,
    /// In no way that the store keeps account of.
    Unknown,
}
