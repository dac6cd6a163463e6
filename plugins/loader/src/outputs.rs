//! From what crosses the border to [`Output`], frames, responses and manifests.

use core_model::Command;
use frontend_api::http::Response;
use frontend_api::{Follow, Frame, Manifest, Outbox, Output};
use plugin_abi::{
    GW_OUT_ASK, GW_OUT_CALL, GW_OUT_CLOSE, GW_OUT_MANIFEST, GW_OUT_RESPOND, GW_OUT_SEND_BYTES,
    GW_OUT_SEND_TEXT, GW_OUT_SET_INTEREST, GW_OUT_WAKE_AT,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::call::Take;

/// `Output::Call`, as it crosses the border.
#[derive(Deserialize)]
struct Call {
    command: Box<Command>,
    #[serde(default)]
    follow: Follow,
    #[serde(default)]
    key: Option<String>,
}

/// What a session may emit.
impl Take for &mut Outbox {
    fn take(&mut self, kind: u32, payload: &[u8], body: &[u8]) -> Result<(), String> {
        self.push(match kind {
            GW_OUT_CALL => {
                let Call { command, follow, key } = json("a command", payload)?;
                if matches!(*command, Command::Start | Command::Disconnect { .. } | Command::Expire)
                {
                    return Err("emitted a command that only the gateway may give".into());
                }
                Output::Call { command, follow, key }
            }
            GW_OUT_ASK => Output::Ask { query: json("a query", payload)? },
            GW_OUT_RESPOND => Output::Respond(response(payload, body)?),
            GW_OUT_SEND_BYTES => Output::SendBytes(payload.into()),
            GW_OUT_SEND_TEXT => Output::SendText(text(payload)?),
            GW_OUT_SET_INTEREST => Output::SetInterest(json("an interest", payload)?),
            GW_OUT_WAKE_AT => Output::WakeAt(json("a time", payload)?),
            GW_OUT_CLOSE => Output::Close,
            other => return Err(format!("emitted {other}, which is not a session's to emit")),
        });
        Ok(())
    }
}

/// The one frame that a broadcast may have.
impl Take for Option<Frame> {
    fn take(&mut self, kind: u32, payload: &[u8], _: &[u8]) -> Result<(), String> {
        let frame = match kind {
            GW_OUT_SEND_BYTES => Frame::Bytes(payload.into()),
            GW_OUT_SEND_TEXT => Frame::Text(text(payload)?),
            other => return Err(format!("emitted {other}, which is no frame")),
        };
        match self.replace(frame) {
            None => Ok(()),
            Some(_) => Err("emitted more than one frame".into()),
        }
    }
}

/// The one response to a fault.
impl Take for Option<Response> {
    fn take(&mut self, kind: u32, payload: &[u8], body: &[u8]) -> Result<(), String> {
        if kind != GW_OUT_RESPOND {
            return Err(format!("emitted {kind}, which is no response"));
        }
        match self.replace(response(payload, body)?) {
            None => Ok(()),
            Some(_) => Err("emitted more than one response".into()),
        }
    }
}

/// The one manifest.
impl Take for Option<Manifest> {
    fn take(&mut self, kind: u32, payload: &[u8], _: &[u8]) -> Result<(), String> {
        if kind != GW_OUT_MANIFEST {
            return Err(format!("emitted {kind}, which is no manifest"));
        }
        match self.replace(json("a manifest", payload)?) {
            None => Ok(()),
            Some(_) => Err("emitted more than one manifest".into()),
        }
    }
}

fn response(head: &[u8], body: &[u8]) -> Result<Response, String> {
    let head: Response = json("a response", head)?;
    if !(100..=999).contains(&head.status) {
        return Err(format!("emitted a response of status {}", head.status));
    }
    Ok(Response { body: body.into(), ..head })
}

fn json<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes)
        .map_err(|error| format!("emitted {what} that cannot be read: {error}"))
}

fn text(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned).map_err(|error| format!("emitted a text that is not UTF-8: {error}"))
}
