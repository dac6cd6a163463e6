//! Emits the outputs of one call to the host.

use std::cell::Cell;

use core_model::Command;
use frontend_api::http::Response;
use frontend_api::schema::Document;
use frontend_api::{Broadcast, Frame, Output, Subscribe};
use plugin_abi::{
    GW_ASK, GW_EVERYONE, GW_MALFORMED, GW_OK, GW_OTHERS, GW_OUT_ACKNOWLEDGE, GW_OUT_ASK,
    GW_OUT_AUTHORIZE, GW_OUT_CALL, GW_OUT_CLOSE, GW_OUT_DOCUMENT, GW_OUT_FETCH, GW_OUT_MARK,
    GW_OUT_REASON, GW_OUT_RESPOND, GW_OUT_SEND_BYTES, GW_OUT_SEND_TEXT, GW_OUT_SET_INTEREST,
    GW_OUT_WAKE, GW_OUT_WAKE_AT, GwBytes, GwEmit, GwHost,
};
use serde::Serialize;

/// The largest buffer that a thread keeps between calls, in bytes.
const BUFFER_BYTES_KEPT: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The receiver of the outputs of one call.
pub(crate) struct Host {
    host: *mut GwHost,
    emit: GwEmit,
}

/// Why a call fails. `why` is empty if the host knows the reason.
pub(crate) struct Failed {
    pub(crate) code: i32,
    pub(crate) why: String,
}

impl Failed {
    pub(crate) fn malformed(why: String) -> Self {
        Self { code: GW_MALFORMED, why }
    }
}

/// `Output::Submit`, as it crosses the border.
#[derive(Serialize)]
struct Call<'a> {
    command: &'a Command,
    #[serde(rename = "follow", skip_serializing_if = "subscribes_to_nothing")]
    subscribe: Subscribe,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(rename = "brief", skip_serializing_if = "std::ops::Not::not")]
    ack_only: bool,
}

fn subscribes_to_nothing(subscribe: &Subscribe) -> bool {
    *subscribe == Subscribe::Nothing
}

/// `Response`, without its body.
#[derive(Serialize)]
struct Head<'a> {
    status: u16,
    headers: &'a [(String, String)],
}

/// `Document`, without its text.
#[derive(Serialize)]
struct DocumentHead<'a> {
    name: &'a str,
    media_type: &'a str,
}

impl Host {
    pub(crate) fn new(host: *mut GwHost, emit: GwEmit) -> Self {
        Self { host, emit }
    }

    pub(crate) fn output(&self, output: Output) -> Result<(), Failed> {
        match output {
            Output::Submit { command, subscribe, key, ack_only } => {
                if subscribe == Subscribe::Nothing && key.is_none() {
                    return self.emit_written(GW_OUT_CALL, &[], |json| {
                        fast_json::append_call(&command, ack_only, json);
                    });
                }
                let call = Call { command: &command, subscribe, key: key.as_deref(), ack_only };
                self.emit_json(GW_OUT_CALL, &call, &[])
            }
            Output::Query { query } => self.emit_json(GW_OUT_ASK, &query, &[]),
            Output::Fetch(fetch) => self.emit_json(GW_OUT_FETCH, &fetch, &[]),
            Output::Authorize(ask) => self.emit_json(GW_OUT_AUTHORIZE, &ask, &[]),
            Output::Respond(response) => self.respond(&response),
            Output::SendBytes(bytes) => self.emit(GW_OUT_SEND_BYTES, &bytes, &[]),
            Output::SendText(text) => self.emit(GW_OUT_SEND_TEXT, text.as_bytes(), &[]),
            Output::SetEventFilter(filter) => self.emit_json(GW_OUT_SET_INTEREST, &filter, &[]),
            Output::WakeAt(at) => self.emit_json(GW_OUT_WAKE_AT, &at, &[]),
            Output::Mark { message } => self.emit_json(GW_OUT_MARK, &message, &[]),
            Output::Acknowledge { message } => self.emit_json(GW_OUT_ACKNOWLEDGE, &message, &[]),
            Output::Wake(connection) => self.emit_json(GW_OUT_WAKE, &connection, &[]),
            Output::Close => self.emit(GW_OUT_CLOSE, &[], &[]),
        }
    }

    pub(crate) fn respond(&self, response: &Response) -> Result<(), Failed> {
        let head = Head { status: response.status, headers: &response.headers };
        self.emit_json(GW_OUT_RESPOND, &head, &response.body)
    }

    pub(crate) fn document(&self, document: &Document) -> Result<(), Failed> {
        let Document { name, media_type, text } = document;
        self.emit_json(GW_OUT_DOCUMENT, &DocumentHead { name, media_type }, text.as_bytes())
    }

    /// Emits the frame, and returns the code for its recipients.
    pub(crate) fn broadcast(&self, broadcast: Broadcast) -> Result<i32, Failed> {
        let (frame, code) = match broadcast {
            Broadcast::Nothing => return Ok(GW_OK),
            Broadcast::PerSession => return Ok(GW_ASK),
            Broadcast::Everyone(frame) => (frame, GW_EVERYONE),
            Broadcast::Others(frame) => (frame, GW_OTHERS),
        };
        match frame {
            Frame::Bytes(bytes) => self.emit(GW_OUT_SEND_BYTES, &bytes, &[])?,
            Frame::Text(text) => self.emit(GW_OUT_SEND_TEXT, text.as_bytes(), &[])?,
        }
        Ok(code)
    }

    /// Emits the reason why the call is going to fail.
    pub(crate) fn reason(&self, why: &str, key: &str) {
        // The call fails whether or not the host accepts the reason.
        let _ = self.emit(GW_OUT_REASON, why.as_bytes(), key.as_bytes());
    }

    pub(crate) fn emit_json(
        &self,
        kind: u32,
        value: &impl Serialize,
        body: &[u8],
    ) -> Result<(), Failed> {
        self.emit_written(kind, body, |out| {
            fast_json::append(value, out).expect("the model is plain data");
        })
    }

    fn emit_written(
        &self,
        kind: u32,
        body: &[u8],
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Failed> {
        let mut json = BUFFER.take();
        json.clear();
        write(&mut json);
        let emitted = self.emit(kind, &json, body);
        if json.capacity() <= BUFFER_BYTES_KEPT {
            BUFFER.set(json);
        }
        emitted
    }

    fn emit(&self, kind: u32, payload: &[u8], body: &[u8]) -> Result<(), Failed> {
        let (payload, body) = (GwBytes::new(payload), GwBytes::new(body));
        // SAFETY: host and emit came with the current call; the bytes outlive the emission.
        match unsafe { (self.emit)(self.host, kind, payload, body) } {
            GW_OK => Ok(()),
            code => Err(Failed { code, why: String::new() }),
        }
    }
}
