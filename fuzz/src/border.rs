//! The plugin border in both directions: outputs that the loader decodes, and inputs that the SDK
//! decodes.

use std::cell::RefCell;
use std::path::Path;
use std::sync::LazyLock;

use core_model::{Command, ConnectionId, Event, Query, Recorded, RoomTag, Seq, Timestamp};
use frontend_api::http::{HttpError, Response};
use frontend_api::{
    Broadcast, Configure, Frame, Frontend, Input, Manifest, OptionFault, Outbox, Output, Peer,
    Session,
};
use plugin_abi::*;
use plugin_loader::{LoadedFrontend, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;

thread_local! {
    /// What the plugin emits in its next call.
    static OUTPUTS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Emits the outputs of a test case, a line each: `KIND PAYLOAD`, with a body after a tab.
fn emit_all(host: *mut GwHost, emit: GwEmit) -> i32 {
    let data = OUTPUTS.take();
    let mut lines = data.split(|byte| *byte == b'\n');
    let code = lines.next().and_then(|line| str::from_utf8(line).ok()?.parse().ok());
    for line in lines {
        let Some(space) = line.iter().position(|byte| *byte == b' ') else { continue };
        let kind = str::from_utf8(&line[..space]).ok().and_then(|kind| kind.parse().ok());
        let rest = &line[space + 1..];
        let tab = rest.iter().position(|byte| *byte == b'\t').unwrap_or(rest.len());
        let payload = &rest[..tab];
        let body = rest.get(tab + 1..).unwrap_or_default();
        // SAFETY: host and emit came with the current call; the bytes outlive it.
        unsafe {
            emit(host, kind.unwrap_or(0), GwBytes::new(payload), GwBytes::new(body));
        }
    }
    code.unwrap_or(GW_OK)
}

unsafe extern "C" fn manifest(_: *mut GwFrontend, host: *mut GwHost, emit: GwEmit) -> i32 {
    let manifest = br#"{"dialect":"x","title":"","version":"","listeners":[]}"#;
    // SAFETY: host and emit came with the current call.
    unsafe { emit(host, GW_OUT_MANIFEST, GwBytes::new(manifest), GwBytes::EMPTY) }
}

unsafe extern "C" fn new(_: GwBytes, _: *mut GwHost, _: GwEmit) -> *mut GwFrontend {
    std::ptr::NonNull::dangling().as_ptr()
}

unsafe extern "C" fn free(_: *mut GwFrontend) {}

unsafe extern "C" fn open(
    _: *mut GwFrontend,
    _: GwBytes,
    _: *mut GwHost,
    _: GwEmit,
) -> *mut GwSession {
    std::ptr::NonNull::dangling().as_ptr()
}

unsafe extern "C" fn handle(
    _: *mut GwSession,
    _: u64,
    _: u32,
    _: GwBytes,
    _: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    emit_all(host, emit)
}

unsafe extern "C" fn close(_: *mut GwSession) {}

unsafe extern "C" fn translate(
    _: *mut GwFrontend,
    _: GwBytes,
    host: *mut GwHost,
    emit: GwEmit,
) -> i32 {
    emit_all(host, emit)
}

unsafe extern "C" fn describe(_: *mut GwFrontend, host: *mut GwHost, emit: GwEmit) -> i32 {
    emit_all(host, emit)
}

static TABLE: GwPlugin = GwPlugin {
    abi: GW_ABI,
    size: size_of::<GwPlugin>() as u32,
    frontend_new: Some(new),
    frontend_manifest: Some(manifest),
    frontend_free: Some(free),
    session_open: Some(open),
    session_handle: Some(handle),
    session_free: Some(close),
    frontend_broadcast: Some(translate),
    frontend_fault: Some(translate),
    frontend_schemas: Some(describe),
    frontend_account_made: Some(translate),
};

fn event() -> Recorded {
    let event = Event::PopulationChanged { room: RoomTag::default(), population: 1 };
    Recorded { seq: Seq(1), at: Timestamp(1), cause: ConnectionId(1), event }
}

/// A test case is a return code in the first line, then outputs as in `emit_all`.
pub fn plugin_outputs(data: &[u8]) {
    static FRONTEND: LazyLock<LoadedFrontend> = LazyLock::new(|| {
        // SAFETY: the functions of the table keep to the contract, whatever they emit.
        let plugin = unsafe { Plugin::from_table(Path::new("fuzz"), &TABLE) };
        plugin.and_then(|plugin| plugin.frontend(&Map::new())).unwrap_or_else(|why| panic!("{why}"))
    });
    let set = || OUTPUTS.set(data.to_vec());
    let mut out = Outbox::default();
    set();
    FRONTEND.session(&Peer::default()).handle(Timestamp(1), Input::Opened, &mut out);
    for output in out.drain() {
        check(&output);
    }
    set();
    FRONTEND.broadcast(&event());
    set();
    FRONTEND.fault(&HttpError::new(429, "slow down"));
    set();
    FRONTEND.schemas();
}

/// A decoded output encodes, and decodes to itself.
fn check(output: &Output) {
    match output {
        Output::Submit { command, .. } => {
            let json = serde_json::to_string(command).unwrap();
            let again: Command = serde_json::from_str(&json).unwrap();
            assert_eq!(again, **command, "{json}");
        }
        Output::Query { query } => {
            let json = serde_json::to_string(query).unwrap();
            assert_eq!(serde_json::from_str::<Query>(&json).unwrap(), **query, "{json}");
        }
        Output::Respond(response) => assert!((100..=999).contains(&response.status)),
        _ => (),
    }
}

/// A front end that has all its inputs formatted.
struct Echo(Manifest);

#[derive(Default, Deserialize, JsonSchema, Serialize)]
struct Options {}

impl Configure for Echo {
    type Options = Options;

    fn configure(_: Options) -> Result<Self, OptionFault> {
        let manifest = r#"{"dialect":"echo","title":"","version":"","listeners":[]}"#;
        Ok(Self(serde_json::from_str(manifest).expect("a manifest")))
    }
}

impl Frontend for Echo {
    fn manifest(&self) -> &Manifest {
        &self.0
    }

    fn open(&self, _: &Peer) -> Box<dyn Session> {
        Box::new(EchoSession)
    }

    fn broadcast(&self, event: &Recorded) -> Broadcast {
        Broadcast::Everyone(Frame::Text(format!("{event:?}")))
    }

    fn fault(&self, fault: &HttpError) -> Response {
        Response::text(fault.status, &fault.reason)
    }
}

struct EchoSession;

impl Session for EchoSession {
    fn handle(&mut self, _: Timestamp, input: Input<'_>, out: &mut Outbox) {
        out.send_text(format!("{input:?}"));
    }
}

static ECHO: GwPlugin = plugin_sdk::table::<Echo>();

unsafe extern "C" fn ignore(_: *mut GwHost, _: u32, _: GwBytes, _: GwBytes) -> i32 {
    GW_OK
}

/// The first byte is the kind of the input, then payload and body with a newline between them.
pub fn plugin_inputs(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let middle = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let payload = GwBytes::new(&rest[..middle]);
    let body = GwBytes::new(rest.get(middle + 1..).unwrap_or_default());
    let host = std::ptr::null_mut();
    // SAFETY: the functions are the table's own, called as the contract requires.
    unsafe {
        let made = ECHO.frontend_new.unwrap()(payload, host, ignore);
        if !made.is_null() {
            ECHO.frontend_free.unwrap()(made);
        }
        let frontend = ECHO.frontend_new.unwrap()(GwBytes::new(b"{}"), host, ignore);
        let peer = GwBytes::new(
            br#"{"address":"","proxied":false,"private_listener":true,"listener":""}"#,
        );
        let session = ECHO.session_open.unwrap()(frontend, peer, host, ignore);
        let handle = ECHO.session_handle.unwrap();
        let codes = [
            handle(session, 1, u32::from(kind.wrapping_sub(b'0')), payload, body, host, ignore),
            ECHO.frontend_broadcast.unwrap()(frontend, payload, host, ignore),
            ECHO.frontend_fault.unwrap()(frontend, payload, host, ignore),
        ];
        let other = ECHO.session_open.unwrap()(frontend, payload, host, ignore);
        if !other.is_null() {
            ECHO.session_free.unwrap()(other);
        }
        ECHO.session_free.unwrap()(session);
        ECHO.frontend_free.unwrap()(frontend);
        assert!(!codes.contains(&GW_PANICKED), "{codes:?}");
    }
}
