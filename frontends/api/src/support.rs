//! How well a dialect has something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How well a dialect has a capability.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// As its document has it.
    Exact,
    /// By an extension, or by other means than clients of the dialect would expect.
    Emulated,
    /// Not in this dialect.
    #[default]
    Absent,
}
