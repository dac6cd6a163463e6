//! How a document is shown.

use serde_json::Value;

pub(super) enum Shape {
    Redoc,
    Frames,
    Definitions,
}

impl Shape {
    /// By the content: a plugin may name its documents freely.
    pub(super) fn of(content: &Value) -> Option<Self> {
        let has = |key: &str| content.get(key).is_some();
        if has("openapi") || has("asyncapi") {
            Some(Self::Redoc)
        } else if has("meta") && has("seq") {
            Some(Self::Frames)
        } else {
            has("$defs").then_some(Self::Definitions)
        }
    }
}
