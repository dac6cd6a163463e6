//! Decodes what crosses the border into [`Input`].
//!
//! A newer host may send inputs that this plugin does not know. It ignores unknown kinds and events,
//! but passes on an answer of an unknown kind, because answers are matched by their order.

use core_model::{Outcome, Recorded, Refusal};
use frontend_api::http::Request;
use frontend_api::{Ending, Input};
use plugin_abi::{
    GW_IN_ANSWER, GW_IN_BINARY, GW_IN_BYTES, GW_IN_CLOSED, GW_IN_ENDING, GW_IN_EVENT, GW_IN_OPENED,
    GW_IN_REQUEST, GW_IN_TEXT, GW_IN_WOKEN,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};

use crate::host::Failed;

/// Gives the input to `handle`, unless its kind is unknown.
pub(crate) fn read(
    kind: u32,
    payload: &[u8],
    body: &[u8],
    handle: impl FnOnce(Input<'_>),
) -> Result<(), Failed> {
    match kind {
        GW_IN_OPENED => handle(Input::Opened),
        GW_IN_REQUEST => {
            let head: Request = json("a request", payload)?;
            handle(Input::Request(&Request { body: body.to_vec(), ..head }));
        }
        GW_IN_BYTES => handle(Input::Bytes(payload)),
        GW_IN_TEXT => handle(Input::Text(text(payload)?)),
        GW_IN_BINARY => handle(Input::Binary(payload)),
        GW_IN_ANSWER => handle(Input::Answer(&answer(payload)?)),
        GW_IN_EVENT => {
            if let Some(event) = event(payload)? {
                handle(Input::Event(&event));
            }
        }
        GW_IN_WOKEN => handle(Input::Woken),
        GW_IN_ENDING => {
            if let Some(ending) = ending(text(payload)?) {
                handle(Input::Ending(ending));
            }
        }
        GW_IN_CLOSED => handle(Input::Closed),
        _ => (),
    }
    Ok(())
}

pub(crate) fn json<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Failed> {
    serde_json::from_str(text(bytes)?)
        .map_err(|error| Failed::malformed(format!("{what} cannot be read: {error}")))
}

/// `None`: an event of an unknown kind.
pub(crate) fn event(bytes: &[u8]) -> Result<Option<Recorded>, Failed> {
    let text = text(bytes)?;
    if let Some(event) = fast_json::read_event(text) {
        return Ok(Some(event));
    }
    match serde_json::from_str(text) {
        Ok(event) => Ok(Some(event)),
        Err(error) if error.is_data() => Ok(None),
        Err(error) => Err(Failed::malformed(format!("an event cannot be read: {error}"))),
    }
}

fn answer(bytes: &[u8]) -> Result<Outcome, Failed> {
    let text = text(bytes)?;
    if let Some(outcome) = fast_json::read_outcome(text) {
        return Ok(outcome);
    }
    match serde_json::from_str(text) {
        Ok(outcome) => Ok(outcome),
        Err(error) if error.is_data() => {
            let why = format!("the plugin is older than the gateway: {error}");
            Ok(Err(Refusal::Internal { why }))
        }
        Err(error) => Err(Failed::malformed(format!("an answer cannot be read: {error}"))),
    }
}

fn ending(word: &str) -> Option<Ending> {
    Ending::deserialize(StrDeserializer::<Error>::new(word)).ok()
}

/// Everything but bytes from a peer is UTF-8. Checking the whole is faster than each string in it.
fn text(bytes: &[u8]) -> Result<&str, Failed> {
    std::str::from_utf8(bytes).map_err(|error| Failed::malformed(format!("no UTF-8: {error}")))
}
