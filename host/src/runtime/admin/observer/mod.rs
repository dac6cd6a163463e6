//! What a front end shows of a room, a person or a message, made by the front end itself: a session of
//! a copy of it, which no peer has and which changes nothing.
//!
//! The copy is a front end of the same options, so that what sessions share (the nicks of IRC) is not
//! that of the clients. Queries of the session are answered from the store, as if the room, the user
//! or the message asked about were all that there is; its commands are answered as if they had
//! succeeded, and are never submitted.

mod answers;
mod scripts;
mod subject;

use std::sync::Arc;

use core_model::{ConnectionId, Message, Person, Recorded, RoomView, Seq, Timestamp, UserView};
use frontend_api::http::Request;
use frontend_api::{Broadcast, Frame, Input, Outbox, Output, Peer};

use super::maskers::Maskers;
use crate::runtime::frontends::guarded::{GuardedFrontend, GuardedSession};
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::net::state::GatewayState;
use crate::tap::{Direction, Masker, Reassembly, Shown};

/// The first listener of each dialect, which all of what observers ask is for.
const LISTENER: &str = "listen";

/// What an observer may ask the host for before it is given up.
const STEPS_MAX: usize = 256;

/// What is observed.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    pub(super) room: Option<Arc<RoomView>>,
    pub(super) members: Vec<Arc<Person>>,
    pub(super) user: Option<UserView>,
    pub(super) messages: Vec<Arc<Message>>,
    /// The user that the session is signed in as.
    pub(super) observer: Arc<Person>,
}

/// One thing that an observer's peer, or the gateway, does.
#[derive(Clone, Debug)]
enum Step {
    Text(String),
    Bytes(Vec<u8>),
    Request(Box<Request>),
    Event(Box<Recorded>),
}

/// What an observer does: what is shown begins after the first steps.
#[derive(Clone, Debug, Default)]
struct Script {
    before: Vec<Step>,
    shown: Vec<Step>,
}

/// What a front end shows of something.
pub(super) struct Observed {
    pub(super) frames: Vec<Shown>,
    /// Whether the front end pushes it; else a client asks for it.
    pub(super) is_pushed: bool,
}

/// What a front end shows of the subject's newest message.
pub(super) fn message(
    state: &GatewayState,
    maskers: &mut Maskers,
    frontend: &FrontendHandle,
    subject: &Subject,
) -> Observed {
    let dialect = frontend.frontend.manifest().dialect.clone();
    let masker = maskers.of(state, &frontend.name, &dialect);
    let none = Observed { frames: Vec::new(), is_pushed: false };
    let Some(message) = subject.messages.last() else { return none };
    let recorded = Recorded {
        seq: Seq(0),
        at: message.at,
        // The gateway's: of no connection, so that none takes it for its own.
        cause: ConnectionId(0),
        event: core_model::Event::Posted { message: (**message).clone() },
    };
    let Some(copy) = frontend.copy() else { return none };
    let frames = match copy.show(&recorded) {
        None => return none,
        Some(Broadcast::Everyone(frame) | Broadcast::Others(frame)) => {
            let frames = of_frame(&masker, frame);
            return Observed { frames, is_pushed: true };
        }
        Some(Broadcast::PerSession) => {
            let script = scripts::pushed(&dialect, subject, recorded);
            let frames = play(state, &copy, &masker, subject, &script);
            return Observed { frames, is_pushed: true };
        }
        Some(Broadcast::Nothing) => scripts::polled(&dialect, subject),
    };
    Observed { frames: play(state, &copy, &masker, subject, &frames), is_pushed: false }
}

/// What a front end shows of the subject's room, or else of its user.
pub(super) fn view(
    state: &GatewayState,
    maskers: &mut Maskers,
    frontend: &FrontendHandle,
    subject: &Subject,
) -> Vec<Shown> {
    let dialect = frontend.frontend.manifest().dialect.clone();
    let masker = maskers.of(state, &frontend.name, &dialect);
    let Some(copy) = frontend.copy() else { return Vec::new() };
    let script = scripts::view(&dialect, subject);
    let mut frames = play(state, &copy, &masker, subject, &script);
    if let Some(event) = scripts::entrance(subject, state.services.clock.now())
        && let Some(Broadcast::Everyone(frame) | Broadcast::Others(frame)) = copy.show(&event)
    {
        frames.extend(of_frame(&masker, frame));
    }
    frames
}

fn of_frame(masker: &Masker, frame: Frame) -> Vec<Shown> {
    match frame {
        Frame::Text(text) => vec![masker.text(Direction::Out, &text)],
        Frame::Bytes(bytes) => Reassembly::from_the_start().push(masker, Direction::Out, &bytes),
    }
}

fn play(
    state: &GatewayState,
    frontend: &GuardedFrontend,
    masker: &Masker,
    subject: &Subject,
    script: &Script,
) -> Vec<Shown> {
    if script.shown.is_empty() {
        return Vec::new();
    }
    let peer = Peer {
        address: "127.0.0.1".into(),
        private_listener: true,
        listener: LISTENER.into(),
        ..Peer::default()
    };
    let Ok(session) = frontend.open(&peer) else { return Vec::new() };
    let now = state.services.clock.now();
    let mut observer = Observer {
        state,
        frontend,
        session,
        subject,
        now,
        steps: 0,
        streams: [Reassembly::from_the_start(), Reassembly::from_the_start()],
    };
    drop(observer.feed(masker, Input::Opened));
    for step in &script.before {
        drop(observer.step(masker, step));
    }
    script.shown.iter().flat_map(|step| observer.step(masker, step)).collect()
}

struct Observer<'a> {
    state: &'a GatewayState,
    frontend: &'a GuardedFrontend,
    session: GuardedSession,
    subject: &'a Subject,
    now: Timestamp,
    steps: usize,
    /// From the peer, and to it.
    streams: [Reassembly; 2],
}

impl Observer<'_> {
    /// The frames of one step, and of what follows from it.
    fn step(&mut self, masker: &Masker, step: &Step) -> Vec<Shown> {
        match step {
            Step::Text(text) => {
                let mut frames = vec![masker.text(Direction::In, text)];
                frames.extend(self.feed(masker, Input::Text(text)));
                frames
            }
            Step::Bytes(bytes) => {
                let mut frames = self.streams[0].push(masker, Direction::In, bytes);
                frames.extend(self.feed(masker, Input::Bytes(bytes)));
                frames
            }
            Step::Request(request) => {
                let mut frames = vec![masker.request(request)];
                frames.extend(self.feed(masker, Input::Request(request)));
                frames
            }
            Step::Event(event) => self.feed(masker, Input::Event(event)),
        }
    }

    fn feed(&mut self, masker: &Masker, input: Input<'_>) -> Vec<Shown> {
        let mut frames = Vec::new();
        let mut asked = self.handle(masker, input, &mut frames);
        while !asked.is_empty() {
            let mut next = Vec::new();
            for output in asked {
                self.steps += 1;
                if self.steps > STEPS_MAX {
                    return frames;
                }
                let outcome = answers::of(self.state, self.subject, self.now, &output);
                next.extend(self.handle(masker, Input::Answer(&outcome), &mut frames));
            }
            asked = next;
        }
        frames
    }

    /// Passes an input to the session; returns what it asks the host for.
    fn handle(
        &mut self,
        masker: &Masker,
        input: Input<'_>,
        frames: &mut Vec<Shown>,
    ) -> Vec<Output> {
        let mut out = Outbox::default();
        let Self { frontend, session, now, .. } = self;
        if session.handle(frontend, *now, input, &mut out).is_err() {
            return Vec::new();
        }
        let mut asked = Vec::new();
        for output in out.drain() {
            match output {
                Output::SendText(text) => {
                    let lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
                    let lines = lines.filter(|line| !line.is_empty());
                    frames.extend(lines.map(|line| masker.text(Direction::Out, line)));
                }
                Output::SendBytes(bytes) => {
                    frames.extend(self.streams[1].push(masker, Direction::Out, &bytes));
                }
                Output::Respond(response) => frames.push(masker.response(&response)),
                Output::Submit { .. }
                | Output::Query { .. }
                | Output::Fetch(_)
                | Output::Authorize(_) => asked.push(output),
                Output::Mark { .. }
                | Output::Acknowledge { .. }
                | Output::SetEventFilter(_)
                | Output::WakeAt(_)
                | Output::Wake(_)
                | Output::Close => (),
            }
        }
        asked
    }
}
