//! The types of the live stream: what a gateway does, second by second.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an event of the stream has: `history` comes once, then `sample` each second.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum LiveEvent {
    History(History),
    Sample(Sample),
}

/// The data of the event `history`: what was before the stream, the oldest first.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct History {
    /// Of each of the last 900 seconds.
    pub fine: Vec<Sample>,
    /// Of each ten of the last 86,400 seconds, without front ends and flow.
    pub coarse: Vec<Sample>,
}

/// The data of the event `sample`: a second of the gateway, or ten. Rates are averages of that time,
/// the rest is as it was at its end.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Sample {
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// Time of the CPU that the process used, of one core: 200 is two cores. Null where the system
    /// does not say.
    pub cpu_percent: Option<f32>,
    /// Memory of the process that is in RAM.
    pub resident_bytes: Option<u64>,
    /// Free space of the file system of the store.
    pub disk_free_bytes: Option<u64>,
    /// Size of the file of the store.
    pub store_bytes: u64,
    /// Open connections of all front ends.
    pub connections: u32,
    /// Rooms whose messages a stream connection gets.
    pub rooms_in_use: u32,
    pub messages_per_s: f32,
    /// Messages that were written to a stream connection, or acknowledged by it.
    pub deliveries_per_s: f32,
    /// Connections, requests and messages that a limit turned away.
    pub refused_per_s: f32,
    pub commits_per_s: f32,
    /// Of the commands that were carried out, the time from when the engine took half of them until
    /// they were durable. Null: there were none.
    pub commit_p50_ms: Option<f32>,
    /// The same of 99 of a hundred.
    pub commit_p99_ms: Option<f32>,
    /// Commands of a commit. Null: there was none.
    pub batch_mean: Option<f32>,
    /// Commands that wait for the engine.
    pub queue_depth: u32,
    /// `ok`, or why the engine takes no commands.
    pub engine: Cow<'static, str>,
    /// `ok`, or what is wrong with the store.
    pub store: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frontends: Vec<FrontendSample>,
    /// The pairs of front ends between which messages went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flow: Vec<FlowSample>,
}

/// A second of a front end.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct FrontendSample {
    /// Its name in gateway.toml.
    pub name: Arc<str>,
    pub dialect: Arc<str>,
    pub state: ServingState,
    pub connections: u32,
    /// Messages that were posted through it.
    pub messages_per_s: f32,
    pub deliveries_per_s: f32,
    /// Messages in answers to requests for them.
    pub reads_per_s: f32,
    pub refused_per_s: f32,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServingState {
    /// All its listeners are open.
    Serving,
    /// A listener of it is not open yet.
    NotListening,
    /// It was disabled, or taken down.
    Down,
}

/// Messages that came through one front end and that readers of another were to get, each once
/// however many readers that has. Readers over HTTP, who ask for messages, are not among them.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct FlowSample {
    pub from: Arc<str>,
    pub to: Arc<str>,
    pub per_s: f32,
}
