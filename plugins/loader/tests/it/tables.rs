//! Tables of older and newer plugins, and the freeing of front ends and sessions.

use std::mem::size_of;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use core_model::{ConnectionId, Event, Person, Recorded, RoomTag, Seq, Timestamp};
use frontend_api::http::{HttpError, Response};
use frontend_api::schema::Document;
use frontend_api::{
    Broadcast, Configure, Frame, Frontend, Input, Manifest, OptionFault, Outbox, Output, Peer,
    Session,
};
use plugin_loader::{LoadError, Plugin};
use plugin_sdk::abi::{GW_SIZE_LEAST, GwPlugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;

/// How many front ends and sessions exist.
static FRONTENDS: AtomicUsize = AtomicUsize::new(0);
static SESSIONS: AtomicUsize = AtomicUsize::new(0);

#[derive(Default, Deserialize, JsonSchema, Serialize)]
struct Options {}

struct Echo(Manifest);

impl Configure for Echo {
    type Options = Options;

    fn configure(_: Options) -> Result<Self, OptionFault> {
        FRONTENDS.fetch_add(1, Ordering::SeqCst);
        let manifest = r#"{"dialect":"echo","title":"","version":"1","listeners":[]}"#;
        Ok(Self(serde_json::from_str(manifest).expect("it is one")))
    }
}

impl Frontend for Echo {
    fn manifest(&self) -> &Manifest {
        &self.0
    }

    fn open(&self, _: &Peer) -> Box<dyn Session> {
        SESSIONS.fetch_add(1, Ordering::SeqCst);
        Box::new(EchoSession)
    }

    fn broadcast(&self, _: &Recorded) -> Broadcast {
        Broadcast::Others(Frame::Bytes(vec![1]))
    }

    fn fault(&self, fault: &HttpError) -> Response {
        Response::text(fault.status, "echo")
    }

    fn account_made(&self, _: &Person) -> Vec<ConnectionId> {
        vec![ConnectionId(7)]
    }

    fn schemas(&self) -> Vec<Document> {
        vec![document()]
    }
}

fn document() -> Document {
    let name = "schema.json".into();
    let media_type = "application/schema+json".into();
    Document { name, media_type, text: "{}".into() }
}

impl Drop for Echo {
    fn drop(&mut self) {
        assert_eq!(SESSIONS.load(Ordering::SeqCst), 0, "a session outlives its front end");
        FRONTENDS.fetch_sub(1, Ordering::SeqCst);
    }
}

struct EchoSession;

impl Session for EchoSession {
    fn handle(&mut self, _: Timestamp, input: Input<'_>, out: &mut Outbox) {
        if let Input::Text(text) = input {
            out.send_text(text);
        }
    }
}

impl Drop for EchoSession {
    fn drop(&mut self) {
        SESSIONS.fetch_sub(1, Ordering::SeqCst);
    }
}

const TABLE: GwPlugin = plugin_sdk::table::<Echo>();

/// The first `size` bytes of the table, zero-padded, in memory of its own.
fn table(size: usize) -> *const GwPlugin {
    let mut words = vec![usize::MAX; size.div_ceil(size_of::<usize>())].into_boxed_slice();
    let known = size.min(size_of::<GwPlugin>());
    let said = GwPlugin { size: u32::try_from(size).unwrap(), ..TABLE };
    // SAFETY: both have that many bytes, and do not overlap.
    unsafe {
        (&raw const said).cast::<u8>().copy_to_nonoverlapping(words.as_mut_ptr().cast(), known);
    }
    Box::leak(words).as_ptr().cast()
}

fn plugin(table: *const GwPlugin) -> Result<Plugin, LoadError> {
    // SAFETY: it is null, or a table of the SDK.
    unsafe { Plugin::from_table(Path::new("echo"), table) }
}

fn event() -> Recorded {
    let event = Event::RoomDeleted { room: RoomTag::default() };
    Recorded { seq: Seq(1), at: Timestamp(1), cause: ConnectionId(1), event }
}

fn echoes(session: &mut dyn Session) -> bool {
    let mut out = Outbox::default();
    session.handle(Timestamp(0), Input::Text("hi"), &mut out);
    out.drain().eq([Output::SendText("hi".into())])
}

/// One test, because all parts use the same counters.
#[test]
fn tables_of_other_versions_work_and_everything_is_freed_once_and_in_order() {
    functions_beyond_the_end_of_an_older_table_are_absent();
    unknown_functions_of_a_newer_table_are_ignored();
    everything_is_freed_once_and_sessions_first();
}

fn functions_beyond_the_end_of_an_older_table_are_absent() {
    let least = GW_SIZE_LEAST as usize;
    let one = size_of::<usize>();
    let none = Response::text(429, "slow down");
    let told = Broadcast::Others(Frame::Bytes(vec![1]));
    let said = Response::text(429, "echo");
    let cases = [
        (least, Broadcast::Nothing, &none, vec![], vec![]),
        (least + 4, Broadcast::Nothing, &none, vec![], vec![]),
        (least + one, told.clone(), &none, vec![], vec![]),
        (least + 2 * one, told.clone(), &said, vec![], vec![]),
        (least + 3 * one, told.clone(), &said, vec![document()], vec![]),
        (least + 4 * one, told, &said, vec![document()], vec![ConnectionId(7)]),
    ];
    assert_eq!(size_of::<GwPlugin>(), least + 4 * one, "a function without a case");
    for (size, told, response, documents, woken) in cases {
        let frontend = plugin(table(size)).unwrap().frontend(&Map::new()).unwrap();
        assert_eq!(frontend.broadcast(&event()), told, "{size}");
        assert_eq!(frontend.fault(&HttpError::new(429, "slow down")), *response, "{size}");
        assert_eq!(frontend.schemas(), documents, "{size}");
        assert_eq!(frontend.account_made(&Person::default()), woken, "{size}");
        assert!(echoes(&mut *frontend.open(&Peer::default())), "{size}");
    }
    let found = GW_SIZE_LEAST - 1;
    let error = plugin(table(least - 1)).err().expect("it is too small");
    assert_eq!(error, LoadError::TableTooSmall { path: "echo".into(), found });
}

fn unknown_functions_of_a_newer_table_are_ignored() {
    let frontend = plugin(table(size_of::<GwPlugin>() + 40)).unwrap().frontend(&Map::new());
    let frontend = frontend.unwrap();
    assert_eq!(frontend.broadcast(&event()), Broadcast::Others(Frame::Bytes(vec![1])));
    assert_eq!(frontend.fault(&HttpError::new(429, "")), Response::text(429, "echo"));
    assert_eq!(frontend.schemas(), [document()]);
    assert!(echoes(&mut *frontend.open(&Peer::default())));
}

fn everything_is_freed_once_and_sessions_first() {
    let counts = || (FRONTENDS.load(Ordering::SeqCst), SESSIONS.load(Ordering::SeqCst));
    assert_eq!(counts(), (0, 0));
    let frontend = Arc::new(plugin(&TABLE).unwrap().frontend(&Map::new()).unwrap());
    let first = frontend.open(&Peer::default());
    let mut second = frontend.open(&Peer::default());
    assert_eq!(counts(), (1, 2));
    drop(first);
    drop(frontend);
    assert_eq!(counts(), (1, 1));
    assert!(echoes(&mut *second));
    drop(second);
    assert_eq!(counts(), (0, 0));
}
