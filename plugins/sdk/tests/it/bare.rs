//! Calls the functions of a plugin's table directly.

use core_model::{Recorded, Timestamp};
use frontend_api::http::{Request, Response};
use frontend_api::{
    Broadcast, Configure, Frame, Frontend, Input, Manifest, OptionFault, Outbox, Peer, Session,
};
use plugin_sdk::abi::{GW_OK, GwBytes, GwFrontend, GwHost, GwPlugin, GwSession};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const TABLE: GwPlugin = plugin_sdk::table::<Teller>();

#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    limit: u32,
    even: bool,
}

/// Sends back a description of each input.
struct Teller(Manifest);

impl Configure for Teller {
    type Options = Options;

    fn configure(options: Options) -> Result<Self, OptionFault> {
        if options.limit == 13 {
            return Err(OptionFault::new("limit", "13 is bad luck"));
        }
        let manifest = r#"{"dialect":"teller","title":"","version":"1","listeners":[]}"#;
        Ok(Self(serde_json::from_str(manifest).expect("it is one")))
    }
}

impl Frontend for Teller {
    fn manifest(&self) -> &Manifest {
        &self.0
    }

    fn open(&self, _: &Peer) -> Box<dyn Session> {
        Box::new(TellerSession)
    }

    fn broadcast(&self, event: &Recorded) -> Broadcast {
        Broadcast::Everyone(Frame::Text(format!("{:?}", event.event)))
    }
}

struct TellerSession;

impl Session for TellerSession {
    fn handle(&mut self, _: Timestamp, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Text("panic") => std::panic::panic_any(7),
            Input::Request(Request { body, .. }) => {
                out.respond(Response { status: 200, headers: Vec::new(), body: body.clone() });
            }
            other => out.send_text(format!("{other:?}")),
        }
    }
}

/// An output: kind, payload and body, the latter two as text.
pub(crate) type Emitted = (u32, String, String);

unsafe extern "C" fn keep(host: *mut GwHost, kind: u32, payload: GwBytes, body: GwBytes) -> i32 {
    // SAFETY: the host is a list in one of the functions below; the bytes are borrowed.
    let (kept, payload, body) =
        unsafe { (&mut *host.cast::<Vec<Emitted>>(), payload.as_slice(), body.as_slice()) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    kept.push((kind, text(payload), text(body)));
    GW_OK
}

/// A front end and a session, by their bare pointers.
pub(crate) struct Bare {
    frontend: *mut GwFrontend,
    session: *mut GwSession,
}

impl Bare {
    pub(crate) fn new() -> Self {
        let frontend = new(b"{}").expect("the defaults make sense");
        let (peer, mut kept) = (br#"{"address":"::1","proxied":false,"private_listener":true,"listener":"listen","of_tomorrow":1}"#, Vec::<Emitted>::new());
        // SAFETY: the front end is of this table.
        let session = unsafe {
            let open = TABLE.session_open.expect("it is there");
            open(frontend, GwBytes::new(peer), (&raw mut kept).cast(), keep)
        };
        assert!(!session.is_null(), "{kept:?}");
        Self { frontend, session }
    }

    pub(crate) fn handle(&self, kind: u32, payload: &[u8], body: &[u8]) -> (i32, Vec<Emitted>) {
        let payload = GwBytes::new(payload);
        let body = GwBytes::new(body);
        let mut kept = Vec::new();
        // SAFETY: the session is of this table; one call at a time.
        let code = unsafe {
            let handle = TABLE.session_handle.expect("it is there");
            handle(self.session, 0, kind, payload, body, (&raw mut kept).cast(), keep)
        };
        (code, kept)
    }

    pub(crate) fn broadcast(&self, event: &[u8]) -> (i32, Vec<Emitted>) {
        let mut kept = Vec::new();
        // SAFETY: the front end is of this table.
        let code = unsafe {
            let broadcast = TABLE.frontend_broadcast.expect("it is there");
            broadcast(self.frontend, GwBytes::new(event), (&raw mut kept).cast(), keep)
        };
        (code, kept)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // SAFETY: both are of this table, and freed here only.
        unsafe {
            TABLE.session_free.expect("it is there")(self.session);
            TABLE.frontend_free.expect("it is there")(self.frontend);
        }
    }
}

/// Refused: the outputs.
pub(crate) fn new(options: &[u8]) -> Result<*mut GwFrontend, Vec<Emitted>> {
    let mut kept = Vec::new();
    // SAFETY: the options are borrowed for the call.
    let frontend = unsafe {
        let new = TABLE.frontend_new.expect("it is there");
        new(GwBytes::new(options), (&raw mut kept).cast(), keep)
    };
    if frontend.is_null() { Err(kept) } else { Ok(frontend) }
}
