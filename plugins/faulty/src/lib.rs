//! A plugin that misbehaves on request, to prove that the gateway survives it.
//!
//! Options make the functions of the front end fail. A session obeys the lines it receives:
//!
//! | line or text message | what the session does |
//! |---|---|
//! | `panic` | sends something, then panics |
//! | `block 2000` | sleeps for so many milliseconds, then answers |
//! | `emit 5 words` | emits this kind with this payload, unchanged |
//! | `flood 8 70000 0` | emits this kind so many times, with a payload of so many bytes |
//! | `emit-bytes` | emits a text that is not UTF-8 |
//! | `emit-nonsense` | emits half a command |
//! | `emit-null payload`, `emit-null body` | emits a length without a pointer |
//! | `emit-endless` | emits a length that no memory has |
//! | `return 7` | sends something, then returns this code |
//! | `enter fred` | signs in as this user, and enters the room TEST |
//! | anything else | answers `fine` |
//!
//! A message `panic, front end` makes it panic where it encodes the message, and `panic, session` where
//! the session does. Of other events clients read `news`.
//!
//! Over HTTP: `/fine` answers, `/panic` panics, `/silence` never answers.

#![allow(unsafe_code, reason = "breaking a C ABI takes the bare ABI")]

mod raw;

use std::time::Duration;

use core_model::{
    Command, ConnectionId, Credential, Event, NewUser, Person, ProfileChanges, Recorded, RoomRef,
    SeatKind, Timestamp, UserRef,
};
use frontend_api::http::{HttpError, Response};
use frontend_api::schema::Document;
use frontend_api::{
    Acknowledges, Broadcast, Capabilities, Configure, Frame, Frontend, Input, Listener, Manifest,
    OptionFault, Outbox, Peer, Route, Session, Subscribe, Transport,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The keys of its section of gateway.toml.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Refuses to start, with this reason.
    pub refuse: Option<String>,
    /// The function of the ABI that panics.
    pub panic_in: Option<String>,
    /// The function of the ABI that never returns: `frontend_new` or `frontend_manifest`.
    pub hang_in: Option<String>,
    /// The function of the ABI that emits malformed output. `no frontend_new`: it returns null as
    /// well, and gives no reason.
    pub malformed_in: Option<String>,
    /// The name of the document that describes it.
    pub document: Option<String>,
}

struct Faulty {
    manifest: Manifest,
    options: Options,
}

impl Faulty {
    fn panic_if_in(&self, function: &str) {
        panic_if_in(&self.options, function);
    }
}

#[expect(clippy::manual_assert, reason = "it is no assertion")]
fn panic_if_in(options: &Options, function: &str) {
    if options.panic_in.as_deref() == Some(function) {
        panic!("as asked");
    }
}

fn hang_if_in(options: &Options, function: &str) {
    while options.hang_in.as_deref() == Some(function) {
        std::thread::park();
    }
}

impl Configure for Faulty {
    type Options = Options;

    fn configure(options: Options) -> Result<Self, OptionFault> {
        panic_if_in(&options, "frontend_new");
        hang_if_in(&options, "frontend_new");
        match options.refuse {
            Some(why) => Err(OptionFault::new("refuse", why)),
            None => Ok(Self { manifest: manifest(), options }),
        }
    }
}

impl Frontend for Faulty {
    fn manifest(&self) -> &Manifest {
        self.panic_if_in("frontend_manifest");
        hang_if_in(&self.options, "frontend_manifest");
        &self.manifest
    }

    fn open(&self, _: &Peer) -> Box<dyn Session> {
        self.panic_if_in("session_open");
        Box::new(FaultySession { options: self.options.clone() })
    }

    fn broadcast(&self, recorded: &Recorded) -> Broadcast {
        self.panic_if_in("frontend_broadcast");
        match &recorded.event {
            Event::Posted { message } if message.text == "panic, front end" => panic!("as asked"),
            Event::Posted { message } if message.text == "panic, session" => Broadcast::PerSession,
            _ => Broadcast::Everyone(Frame::Text("news".into())),
        }
    }

    fn account_made(&self, _: &Person) -> Vec<ConnectionId> {
        self.panic_if_in("frontend_account_made");
        vec![ConnectionId(7)]
    }

    fn schemas(&self) -> Vec<Document> {
        self.panic_if_in("frontend_schemas");
        let name = self.options.document.clone().unwrap_or_else(|| "words.txt".into());
        let media_type = "text/plain".into();
        vec![Document { name, media_type, text: "panic, block, emit".into() }]
    }

    fn fault(&self, fault: &HttpError) -> Response {
        self.panic_if_in("frontend_fault");
        Response::text(fault.status, "faulty")
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.panic_if_in("frontend_free");
    }
}

struct FaultySession {
    options: Options,
}

impl Session for FaultySession {
    fn handle(&mut self, _: Timestamp, input: Input<'_>, out: &mut Outbox) {
        panic_if_in(&self.options, "session_handle");
        match input {
            Input::Text("panic") => {
                out.send_text("this is never seen");
                panic!("as asked");
            }
            Input::Event(_) => panic!("as asked"),
            Input::Text(text) => {
                if let Some(name) = text.strip_prefix("enter ") {
                    return enter(name, out);
                }
                if let Some(ms) = text.strip_prefix("block ").and_then(|ms| ms.parse().ok()) {
                    std::thread::sleep(Duration::from_millis(ms));
                }
                out.send_text("fine");
            }
            Input::Request(request) => match request.path.as_str() {
                "/panic" => panic!("as asked"),
                "/silence" => (),
                _ => out.respond(Response::text(200, "fine")),
            },
            _ => (),
        }
    }
}

fn enter(name: &str, out: &mut Outbox) {
    let identity = format!("openid:faulty/{name}");
    let new = NewUser {
        handle: Some(name.to_owned()),
        identities: vec![identity.clone()],
        ..NewUser::default()
    };
    let sign_in = Command::SignIn {
        user: UserRef::Identity(identity),
        credential: Credential::Vouched,
        create: Some(new),
        changes: ProfileChanges::default(),
        session: true,
        delivery: None,
        token: None,
        address: None,
    };
    out.submit_and_subscribe(sign_in, Subscribe::User);
    let enter = Command::Enter {
        room: RoomRef::Name("TEST".into()),
        user: UserRef::Session,
        seat: SeatKind::Connection,
        opens: false,
        avatar: None,
        create: false,
    };
    out.submit_and_subscribe(enter, Subscribe::Seat);
}

impl Drop for FaultySession {
    fn drop(&mut self) {
        panic_if_in(&self.options, "session_free");
    }
}

fn manifest() -> Manifest {
    let listener = |key: &str, transport, routes: &[&str]| Listener {
        key: key.into(),
        transport,
        address: None,
        routes: (routes.iter())
            .map(|path| Route {
                path: (*path).into(),
                methods: vec!["GET".into()],
                ..Route::default()
            })
            .collect(),
    };
    Manifest {
        dialect: "faulty".into(),
        title: "misbehaves on request".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        listeners: vec![
            listener("listen", Transport::TcpLines, &[]),
            listener("websocket_listen", Transport::WebSocket, &[]),
            listener("http_listen", Transport::Http, &["/fine", "/panic", "/silence"]),
        ],
        upstreams: Vec::new(),
        acknowledges: Acknowledges::default(),
        capabilities: Capabilities::default(),
        fidelity: None,
        hint: String::new(),
        options: schemars::schema_for!(Options).to_value(),
    }
}
