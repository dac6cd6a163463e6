//! A chat for netcat, as a plugin in Rust. It behaves exactly as `plugins/examples/line.c` does.
//!
//! | line | what it does |
//! |---|---|
//! | `register <name> <password>`, `login <name> <password>` | create an account, sign in |
//! | `join <room>`, `say <room> <text>` | join a room, post to it; posting joins |
//! | `who <room>`, `history <room>` | list the members, list the last messages |
//! | `help`, `quit` | |

use std::sync::Arc;

use core_model::{
    Command, Credential, Event, Message, NewUser, Outcome, PostRight, ProfileChanges, Query,
    Recipient, Recorded, Refusal, Reply, RoomRef, Secret, Timestamp, UserRef,
};
use frontend_api::{
    Acknowledges, Broadcast, Capabilities, Configure, Frame, Frontend, Input, Listener, Manifest,
    OptionFault, Outbox, Peer, Session, Subscribe, Support, Transport,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

plugin_sdk::export_frontend!(LineFrontend);

/// The keys of its section of gateway.toml.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The line sent to each client that connects.
    pub greeting: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { greeting: "* hello".into() }
    }
}

struct LineFrontend {
    manifest: Manifest,
    greeting: Arc<str>,
}

impl Configure for LineFrontend {
    type Options = Options;

    fn configure(options: Options) -> Result<Self, OptionFault> {
        if options.greeting.is_empty() {
            return Err(OptionFault::new("greeting", "expected some words"));
        }
        Ok(Self { manifest: manifest(), greeting: options.greeting.into() })
    }
}

impl Frontend for LineFrontend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn open(&self, _: &Peer) -> Box<dyn Session> {
        Box::new(LineSession { greeting: Arc::clone(&self.greeting) })
    }

    fn broadcast(&self, event: &Recorded) -> Broadcast {
        let line = match &event.event {
            Event::Posted { message } => said(message),
            Event::Entered { room, user, .. } => format!("[{}] {} came", room.name, user.handle),
            Event::Left { room, user, .. } => format!("[{}] {} went", room.name, user.handle),
            Event::PopulationChanged { .. }
            | Event::RoomChanged { .. }
            | Event::RoleChanged { .. }
            | Event::PolicyChanged { .. }
            | Event::MessageDeleted { .. }
            | Event::RoomCreated { .. }
            | Event::RoomDeleted { .. } => return Broadcast::Nothing,
        };
        Broadcast::Everyone(Frame::Text(one_line(&line)))
    }
}

/// It has no state: the engine knows the signed-in user and the rooms, and an answer names its
/// request.
struct LineSession {
    greeting: Arc<str>,
}

impl Session for LineSession {
    fn handle(&mut self, _: Timestamp, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Opened => out.send_text(one_line(&self.greeting)),
            Input::Text(line) => handle_line(line, out),
            Input::Binary(_) => out.send_text("! that is not UTF-8"),
            Input::Answer(outcome) => answer(outcome, out),
            Input::Ending(_) => out.send_text("* the gateway hangs up"),
            Input::Request(_) | Input::Bytes(_) | Input::Event(_) => (),
            Input::Woken | Input::Closed => (),
        }
    }
}

const USAGE: &str = "! register <name> <password>, login <name> <password>, join <room>, \
    say <room> <text>, who <room>, history <room>, quit";

/// Each request is one command or one query; the answer comes later.
fn handle_line(line: &str, out: &mut Outbox) {
    let word = |line| str::split_once(line, ' ').unwrap_or((line, ""));
    let (verb, rest) = word(line);
    let (first, rest) = word(rest);
    let (user, caller, room) =
        (UserRef::Session, Some(UserRef::Session), RoomRef::Name(first.into()));
    match (verb, first.is_empty(), rest.is_empty()) {
        ("register", false, false) => {
            let (handle, password) = (Some(first.into()), Some(Secret::Plain(rest.into())));
            let user = NewUser { handle, password, insist: true, ..NewUser::default() };
            out.submit(Command::Register { user });
        }
        // Subscribes to every room of the user, present and future.
        ("login", false, false) => out.submit_and_subscribe(sign_in(first, rest), Subscribe::User),
        ("join", false, true) => out.submit(Command::Join { room, user }),
        // Posting joins the room, and creates it if there is none.
        ("say", false, false) => {
            let standing = PostRight::Joining { create: true };
            out.submit(Command::Post {
                room,
                author: user,
                text: rest.into(),
                standing,
                notice: false,
            });
        }
        ("who", false, true) => out.query(Query::Members { room, caller }),
        ("history", false, true) => {
            out.query(Query::History { room, caller, before: None, after: None, limit: 20 });
        }
        ("quit", true, _) => out.close(),
        _ => out.send_text(USAGE),
    }
}

fn sign_in(name: &str, password: &str) -> Command {
    Command::SignIn {
        user: UserRef::Handle(name.into()),
        credential: Credential::Password(password.into()),
        create: None,
        changes: ProfileChanges::default(),
        session: true,
        delivery: None,
        token: None,
        address: None,
    }
}

fn answer(outcome: &Outcome, out: &mut Outbox) {
    match outcome {
        Err(refusal) => out.send_text(refused(refusal)),
        Ok(Reply::Registered { .. }) => out.send_text("* registered, now login"),
        Ok(Reply::SignedIn { user, .. }) => {
            out.send_text(one_line(&format!("* welcome, {}", user.person.handle)));
        }
        Ok(Reply::Joined { room }) => {
            out.send_text(one_line(&format!("* you are in {}", room.name)))
        }
        Ok(Reply::Messages { messages }) if messages.is_empty() => {
            out.send_text("* nothing was said there yet");
        }
        Ok(Reply::Messages { messages }) => {
            messages.iter().for_each(|message| out.send_text(one_line(&said(message))));
        }
        Ok(Reply::Members { members, .. }) if members.is_empty() => {
            out.send_text("* the room is empty")
        }
        Ok(Reply::Members { members, .. }) => {
            let there = |handle: &str| one_line(&format!("* {handle} is there"));
            members.iter().for_each(|member| out.send_text(there(&member.handle)));
        }
        // The poster sees the message by its event, as all others do.
        Ok(_) => (),
    }
}

/// `unknown_room` becomes `! unknown room`.
fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::UnknownUser | Refusal::WrongPassword => "! wrong name or password".into(),
        other => {
            let word = serde_json::to_value(other).unwrap_or_default();
            format!("! {}", word["refused"].as_str().unwrap_or_default().replace('_', " "))
        }
    }
}

/// `[room] name: words`
fn said(message: &Message) -> String {
    let to = match &message.to {
        Recipient::Room(room) => &*room.name,
        Recipient::User(user) => &*user.handle,
    };
    format!("[{to}] {}: {}", message.author.handle, message.text)
}

/// Replaces control characters by spaces: a message must stay one line.
fn one_line(text: &str) -> String {
    text.replace(|char| char < ' ', " ")
}

fn manifest() -> Manifest {
    Manifest {
        dialect: "line".into(),
        title: "a chat for netcat".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        listeners: vec![Listener {
            key: "listen".into(),
            transport: Transport::TcpLines,
            address: Some("127.0.0.1:5200".into()),
            routes: Vec::new(),
        }],
        upstreams: Vec::new(),
        acknowledges: Acknowledges::default(),
        capabilities: Capabilities {
            post: Support::Exact,
            receive_push: Support::Exact,
            presence: Support::Exact,
            history: Support::Exact,
            credentials: Support::Exact,
            ..Capabilities::default()
        },
        fidelity: None,
        hint: "echo help | nc {listen}".into(),
        options: schemars::schema_for!(Options).to_value(),
    }
}
