//! Decodes and checks outputs: [`Output`], frames, responses, manifests and documents.

use core_model::{Command, ConnectionId};
use frontend_api::http::Response;
use frontend_api::schema::Document;
use frontend_api::{Frame, Manifest, Outbox, Output, Subscribe};
use plugin_abi::{
    GW_OUT_ACKNOWLEDGE, GW_OUT_ASK, GW_OUT_AUTHORIZE, GW_OUT_CALL, GW_OUT_CLOSE, GW_OUT_DOCUMENT,
    GW_OUT_FETCH, GW_OUT_MANIFEST, GW_OUT_MARK, GW_OUT_RESPOND, GW_OUT_SEND_BYTES,
    GW_OUT_SEND_TEXT, GW_OUT_SET_INTEREST, GW_OUT_WAKE, GW_OUT_WAKE_AT,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::call::Take;
use crate::check;

/// `Output::Submit`, as it crosses the border.
#[derive(Deserialize)]
struct Call {
    command: Box<Command>,
    #[serde(default, rename = "follow")]
    subscribe: Subscribe,
    #[serde(default)]
    key: Option<String>,
    #[serde(default, rename = "brief")]
    ack_only: bool,
}

/// The outputs of a session.
impl Take for &mut Outbox {
    fn take(&mut self, kind: u32, payload: &[u8], body: &[u8]) -> Result<(), String> {
        self.push(match kind {
            GW_OUT_CALL => {
                let Call { command, subscribe, key, ack_only } = call(payload)?;
                check::command(&command)?;
                Output::Submit { command, subscribe, key, ack_only }
            }
            GW_OUT_ASK => Output::Query { query: json("a query", payload)? },
            GW_OUT_FETCH => Output::Fetch(json("a fetch", payload)?),
            GW_OUT_AUTHORIZE => Output::Authorize(json("a question about a token", payload)?),
            GW_OUT_RESPOND => Output::Respond(response(payload, body)?),
            GW_OUT_SEND_BYTES => Output::SendBytes(payload.into()),
            GW_OUT_SEND_TEXT => Output::SendText(text(payload)?),
            GW_OUT_SET_INTEREST => Output::SetEventFilter(json("an interest", payload)?),
            GW_OUT_WAKE_AT => Output::WakeAt(json("a time", payload)?),
            GW_OUT_MARK => Output::Mark { message: json("a message id", payload)? },
            GW_OUT_ACKNOWLEDGE => Output::Acknowledge { message: json("a message id", payload)? },
            GW_OUT_WAKE => Output::Wake(json("a connection", payload)?),
            GW_OUT_CLOSE => Output::Close,
            other => return Err(format!("emitted {other}, which a session may not emit")),
        });
        Ok(())
    }
}

/// The one frame of a broadcast.
impl Take for Option<Frame> {
    fn take(&mut self, kind: u32, payload: &[u8], _: &[u8]) -> Result<(), String> {
        let frame = match kind {
            GW_OUT_SEND_BYTES => Frame::Bytes(payload.into()),
            GW_OUT_SEND_TEXT => Frame::Text(text(payload)?),
            other => return Err(format!("emitted {other}, which is not a frame")),
        };
        match self.replace(frame) {
            None => Ok(()),
            Some(_) => Err("emitted more than one frame".into()),
        }
    }
}

/// The connections to wake.
impl Take for Vec<ConnectionId> {
    fn take(&mut self, kind: u32, payload: &[u8], _: &[u8]) -> Result<(), String> {
        if kind != GW_OUT_WAKE {
            return Err(format!("emitted {kind}, which is no connection to wake"));
        }
        self.push(json("a connection", payload)?);
        Ok(())
    }
}

/// The one response to a fault.
impl Take for Option<Response> {
    fn take(&mut self, kind: u32, payload: &[u8], body: &[u8]) -> Result<(), String> {
        if kind != GW_OUT_RESPOND {
            return Err(format!("emitted {kind}, which is not a response"));
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
            return Err(format!("emitted {kind}, which is not a manifest"));
        }
        match self.replace(json("a manifest", payload)?) {
            None => Ok(()),
            Some(_) => Err("emitted more than one manifest".into()),
        }
    }
}

/// The documents that describe a dialect.
impl Take for Vec<Document> {
    fn take(&mut self, kind: u32, payload: &[u8], body: &[u8]) -> Result<(), String> {
        if kind != GW_OUT_DOCUMENT {
            return Err(format!("emitted {kind}, which is not a document"));
        }
        let DocumentHead { name, media_type } = json("a document", payload)?;
        if !is_file_name(&name) {
            return Err(format!("emitted a document called {name:?}, which is not a file name"));
        }
        if !is_media_type(&media_type) {
            return Err(format!("emitted a document of media type {media_type:?}"));
        }
        if self.iter().any(|other| other.name == name) {
            return Err(format!("emitted two documents called {name:?}"));
        }
        self.push(Document { name, media_type, text: text(body)? });
        Ok(())
    }
}

/// `Document`, without its text.
#[derive(Deserialize)]
struct DocumentHead {
    name: String,
    media_type: String,
}

/// The name becomes a path, here and on the machines of clients, so it must not leave its folder.
fn is_file_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=FILE_NAME_BYTES_MAX).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(fits)
}

/// Every file system accepts a name of this length.
const FILE_NAME_BYTES_MAX: usize = 100;

/// The value of a `content-type` header.
fn is_media_type(text: &str) -> bool {
    text.contains('/') && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

fn response(head: &[u8], body: &[u8]) -> Result<Response, String> {
    let head: Response = json("a response", head)?;
    if !(100..=999).contains(&head.status) {
        return Err(format!("emitted a response of status {}", head.status));
    }
    Ok(Response { body: body.into(), ..head })
}

fn call(bytes: &[u8]) -> Result<Call, String> {
    let text = utf8(bytes)?;
    if let Some((command, ack_only)) = fast_json::read_post(text) {
        return Ok(Call { command, subscribe: Subscribe::Nothing, key: None, ack_only });
    }
    json("a command", bytes)
}

fn json<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, String> {
    serde_json::from_str(utf8(bytes)?)
        .map_err(|error| format!("emitted {what} that cannot be read: {error}"))
}

fn text(bytes: &[u8]) -> Result<String, String> {
    utf8(bytes).map(str::to_owned)
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| format!("emitted text that is not UTF-8: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn subscription_key_and_brief_of_a_call_are_read() {
        let json = json!({
            "command": { "do": "post", "room": { "id": 7 }, "author": "session", "text": "hi", "standing": "seated" },
            "follow": "seat",
            "key": "once",
            "brief": true,
        });
        let post = call(json.to_string().as_bytes()).unwrap();
        assert_eq!((post.subscribe, post.key.as_deref()), (Subscribe::Seat, Some("once")));
        assert!(post.ack_only);
        let leave = call(br#"{"command":{"do":"sign_out"},"brief":true}"#).unwrap();
        assert!(leave.ack_only);
    }
}
