//! `fast-json` against `serde_json`.

use core_model::{Command, Outcome, Recorded};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Call {
    command: Command,
    #[serde(default)]
    brief: bool,
}

/// A reader of a fixed layout reads only what serde reads, and the same.
pub fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert_eq!(fast_json::to_vec(text).unwrap(), serde_json::to_vec(text).unwrap());
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        assert_eq!(fast_json::to_string(&value).unwrap(), serde_json::to_string(&value).unwrap());
    }
    if let Some((command, ack_only)) = fast_json::read_post(text) {
        let call: Call = serde_json::from_str(text).unwrap();
        assert_eq!((&*command, ack_only), (&call.command, call.brief));
        let mut written = Vec::new();
        fast_json::append_call(&command, ack_only, &mut written);
        let written = String::from_utf8(written).unwrap();
        assert_eq!(fast_json::read_post(&written), Some((command, ack_only)));
    }
    if let Some(event) = fast_json::read_event(text) {
        assert_eq!(serde_json::from_str::<Recorded>(text).unwrap(), event);
        let mut written = Vec::new();
        fast_json::append_event(&event, &mut written);
        assert_eq!(serde_json::to_vec(&event).unwrap(), written);
    }
    if let Some(outcome) = fast_json::read_outcome(text) {
        assert_eq!(serde_json::from_str::<Outcome>(text).unwrap(), outcome);
        let mut written = Vec::new();
        fast_json::append_outcome(&outcome, &mut written);
        assert_eq!(serde_json::to_vec(&outcome).unwrap(), written);
    }
}
