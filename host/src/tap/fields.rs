//! The fields of a binary frame.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A field of a binary frame, as the `.ksy` of its front end has it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct FrameField {
    /// Where it begins in the frame, in bytes.
    pub offset: u32,
    /// Its bytes.
    pub length: u32,
    /// Its path: `content.body.room_id`.
    pub name: String,
    /// As text; `***` for a secret.
    pub value: String,
    /// What the `.ksy` says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Whether its bytes are masked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
}
