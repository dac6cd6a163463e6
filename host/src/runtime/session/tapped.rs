//! What sessions tell the taps, and the recent messages. To be called while there are any.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use core_model::{
    Command, ConnectionId, Event, MessageId, Outcome, Recorded, Reply, RoomRef, Timestamp, UserRef,
};
use frontend_api::http::{HttpError, Request};
use frontend_api::{Input, Output, Peer};
use gateway_fanout::Framing;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::session::driver::SessionDriver;
use crate::runtime::session::services::Services;
use crate::runtime::session::taps::{Origin, Piece, RawContent, RawFrame, SubjectUser};
use crate::tap::outcome_json;

/// The fields of commands and queries that name who asks.
const ASKERS: [&str; 5] = ["author", "caller", "by", "user", "owner"];

/// Who and what a request is about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    user: Option<UserRef>,
    room: Option<RoomRef>,
}

impl Subject {
    /// Of a command or a query.
    pub(super) fn of(request: &impl Serialize) -> Self {
        // Their variants have the same names for the same things.
        let fields = serde_json::to_value(request).unwrap_or_default();
        let user = ASKERS.iter().find_map(|name| field(&fields, name));
        Self { user, room: field(&fields, "room") }
    }
}

fn field<T: DeserializeOwned>(fields: &Value, name: &str) -> Option<T> {
    T::deserialize(fields.get(name)?).ok()
}

impl SessionDriver {
    fn origin(&self) -> Origin<'_> {
        Origin {
            connection: self.connection,
            frontend: &self.frontend.name,
            dialect: &self.frontend.frontend.manifest().dialect,
            address: self.address,
        }
    }

    #[cold]
    pub(super) fn tap_opened(&self, peer: &Peer) {
        let Services { taps, clock, .. } = &*self.services;
        taps.note(clock.now(), &self.origin(), || RawContent::Opened(Box::new(peer.clone())));
    }

    #[cold]
    pub(super) fn tap_input(&self, now: Timestamp, input: &Input<'_>) {
        let taps = &self.services.taps;
        match input {
            Input::Answer(outcome) => self.tap_answer(now, outcome),
            Input::Event(recorded) => taps.note_engine(now, &self.origin(), || {
                RawContent::Event(serde_json::to_string(recorded).unwrap_or_default())
            }),
            Input::Closed => taps.note(now, &self.origin(), || RawContent::Closed),
            Input::Opened | Input::Woken | Input::Ending(_) => (),
            Input::Bytes(_) | Input::Text(_) | Input::Binary(_) | Input::Request(_) => {
                taps.note(now, &self.origin(), || {
                    of_peer(input).expect("it is one of those that come from the peer")
                });
            }
        }
    }

    /// Keeps what came from the peer, for the message that may be in it.
    #[cold]
    pub(super) fn keep_input(&mut self, now: Timestamp, input: &Input<'_>) {
        if let Input::Event(Recorded { event: Event::Posted { message }, .. }) = input {
            self.services.recent.note_passed_on(&self.frontend.name, message.id, 1);
        }
        let Some(content) = of_peer(input) else { return };
        let Origin { connection, frontend, dialect, address } = self.origin();
        let (frontend, dialect) = (frontend.to_owned(), dialect.to_owned());
        let frame = RawFrame { at: now, connection, frontend, dialect, address, content };
        self.last_frame = Some(Arc::new(frame));
    }

    #[cold]
    pub(super) fn note_submitted(&self, outputs: &[Output]) {
        let Some(frame) = &self.last_frame else { return };
        for output in outputs {
            let Output::Submit { command, .. } = output else { continue };
            if let Command::Post { text, .. } | Command::PostDirect { text, .. } = &**command {
                self.services.recent.note_submitted(text, frame.clone());
            }
        }
    }

    fn tap_answer(&self, now: Timestamp, outcome: &Outcome) {
        let taps = &self.services.taps;
        let person = match outcome {
            Ok(Reply::SignedIn { user, .. } | Reply::Registered { user, .. }) => {
                Some(user.person.clone())
            }
            Ok(Reply::Entered { user, .. }) => Some(user.clone()),
            _ => None,
        };
        if let Some(person) = person {
            taps.note(now, &self.origin(), || RawContent::Subject {
                user: Some(SubjectUser::Person(person.clone())),
                room: None,
            });
        }
        taps.note_engine(now, &self.origin(), || RawContent::Answer(outcome_json(outcome)));
    }

    #[cold]
    pub(super) fn tap_outputs(&self, now: Timestamp, outputs: &[Output]) {
        let taps = &self.services.taps;
        let note = |content: &dyn Fn() -> RawContent| taps.note(now, &self.origin(), content);
        for output in outputs {
            match output {
                Output::SendBytes(bytes) => {
                    note(&|| RawContent::Out(Piece::Bytes(bytes.clone())));
                }
                Output::SendText(text) => note(&|| RawContent::Out(Piece::Text(text.clone()))),
                Output::Respond(response) => {
                    note(&|| RawContent::Response(Box::new(response.clone())));
                }
                Output::Submit { command, .. } => self.tap_room(now, command),
                _ => (),
            }
        }
    }

    /// The room that a command is about.
    fn tap_room(&self, now: Timestamp, command: &Command) {
        let (Command::Enter { room, .. }
        | Command::Join { room, .. }
        | Command::Post { room, .. }
        | Command::UpdateRoom { room, .. }) = command
        else {
            return;
        };
        let content = || RawContent::Subject { user: None, room: Some(room.clone()) };
        self.services.taps.note(now, &self.origin(), content);
    }

    /// Frames that were encoded for several connections, with so many messages up to this one.
    pub(super) fn note_passed_on(
        &self,
        bytes: &Bytes,
        framing: Framing,
        message: Option<MessageId>,
        frames: u32,
    ) {
        let Services { taps, clock, recent, .. } = &*self.services;
        if taps.is_open() {
            let content = || RawContent::Written(bytes.clone(), framing);
            taps.note(clock.now(), &self.origin(), content);
        }
        if recent.is_on()
            && let Some(message) = message
        {
            recent.note_passed_on(&self.frontend.name, message, frames);
        }
    }

    #[cold]
    pub(super) fn tap_subject(&self, now: Timestamp, subject: &Subject) {
        let user = || subject.user.clone().map(SubjectUser::Named);
        let content = || RawContent::Subject { user: user(), room: subject.room.clone() };
        self.services.taps.note(now, &self.origin(), content);
    }
}

/// What came from the peer.
fn of_peer(input: &Input<'_>) -> Option<RawContent> {
    match input {
        Input::Bytes(bytes) => Some(RawContent::In(Piece::Bytes(bytes.to_vec()))),
        Input::Text(text) => Some(RawContent::In(Piece::Text((*text).to_owned()))),
        Input::Binary(bytes) => Some(RawContent::In(Piece::Binary(bytes.to_vec()))),
        Input::Request(request) => Some(RawContent::Request(Box::new((*request).clone()))),
        _ => None,
    }
}

/// A request that no session gets, if it could be read, and the host's response to it. Its body was
/// not read.
#[cold]
pub(crate) fn refused(
    services: &Services,
    frontend: &Arc<FrontendHandle>,
    address: IpAddr,
    request: Option<&Request>,
    why: &HttpError,
) {
    let connection = services.next_connection();
    if let Some(request) = request {
        let dialect = &frontend.frontend.manifest().dialect;
        let origin = Origin { connection, frontend: &frontend.name, dialect, address };
        let content = || RawContent::Request(Box::new(request.clone()));
        services.taps.note(services.clock.now(), &origin, content);
    }
    error(services, frontend, connection, address, why);
}

/// A response of the host itself to a request.
#[cold]
pub(super) fn error(
    services: &Services,
    frontend: &Arc<FrontendHandle>,
    connection: ConnectionId,
    address: IpAddr,
    error: &HttpError,
) {
    let dialect = &frontend.frontend.manifest().dialect;
    let origin = Origin { connection, frontend: &frontend.name, dialect, address };
    let Ok(response) = frontend.frontend.error_response(error) else { return };
    let content = || RawContent::Response(Box::new(response.clone()));
    services.taps.note(services.clock.now(), &origin, content);
}
