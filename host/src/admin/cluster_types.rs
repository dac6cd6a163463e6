//! The types of what a gateway says of its cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A gateway's place in its cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ClusterState {
    /// The name of this gateway in the cluster.
    pub node: String,
    /// The number of its run; 0 while it has none.
    pub run: u64,
    /// The last entry of the log that it has applied.
    pub applied: u64,
    /// The last entry that the log is known to have.
    pub last: u64,
    /// Milliseconds since it has applied something of the log.
    pub age_ms: u64,
    /// Whether it refuses commands, as the log does not answer.
    pub cut_off: bool,
    /// What is wrong with the log, as far as it is known.
    pub problem: Option<String>,
    /// What its store was at the last entry at which the gateways compare their stores.
    pub checkpoint: Option<ClusterCheckpoint>,
    /// Whether it does what one gateway of the cluster does for all.
    pub steward: bool,
    /// The runs of all gateways, the oldest first, as this one has applied them.
    pub runs: Vec<ClusterRun>,
}

/// What a store is at an entry.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ClusterCheckpoint {
    pub at: u64,
    /// 16 hexadecimal digits; equal stores have equal ones.
    pub digest: String,
}

/// A run of a gateway of the cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ClusterRun {
    pub run: u64,
    /// The name of the gateway.
    pub node: String,
    /// Seconds in which the others have not heard of it; after five it is ended.
    pub missed: u32,
    /// False: it has ended, and the seats of its clients are being given back.
    pub live: bool,
    /// The latest version of the rules that it speaks.
    pub speaks: u32,
}
