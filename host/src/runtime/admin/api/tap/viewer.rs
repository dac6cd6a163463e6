//! Makes frames of raw ones: knows the users of each connection, where the frames of its streams begin,
//! and which fields of its front end are secrets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use core_model::{ConnectionId, GUEST_PREFIX, Person, RoomRef, UserRef, normalize};
use gateway_fanout::Framing;
use tokio::time::{Duration, Instant};

use super::super::sessions::{PersonFilter, live, people, person, rooms};
use crate::admin::Problem;
use crate::peer_address;
use crate::runtime::admin::maskers::Maskers;
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::taps::{Piece, RawContent, RawFrame, SubjectUser};
use crate::tap::{Direction, FrameKind, Masker, Reassembly, Shown, TapFrame, TapQuery};

/// After so long the seats of all connections are read again: a session may have left a room.
const REFRESH: Duration = Duration::from_secs(5);

/// Frames that are held while it is not known yet whether their connection is tapped: those before
/// its sign-in, mostly.
const HELD_MAX: usize = 64;

/// Connections with frames that are held.
const HELD_CONNECTIONS_MAX: usize = 256;

/// Connections that are known.
const KNOWN_MAX: usize = 100_000;

/// What is known of a connection.
#[derive(Default)]
struct Known {
    people: Vec<Arc<Person>>,
    /// The names of the rooms that it is in, or was about.
    rooms: BTreeSet<String>,
    /// What came from the peer and what went to it, of a byte stream.
    streams: Option<[Reassembly; 2]>,
    held: VecDeque<TapFrame>,
}

pub(super) struct Viewer {
    person: Option<PersonFilter>,
    room: Option<String>,
    maskers: Maskers,
    known: BTreeMap<ConnectionId, Known>,
    /// The connections with frames that are held, or were, in the order in which that began.
    holding: VecDeque<ConnectionId>,
    refreshed: Instant,
}

impl Viewer {
    pub(super) async fn new(state: &Arc<GatewayState>, query: &TapQuery) -> Result<Self, Problem> {
        let mut viewer = Self {
            person: query.user.as_deref().map(|text| person(state, text)).transpose()?,
            room: query.room.as_deref().map(normalize),
            maskers: Maskers::default(),
            known: BTreeMap::new(),
            holding: VecDeque::new(),
            refreshed: Instant::now(),
        };
        viewer.read_seats(state).await?;
        Ok(viewer)
    }

    /// Reads the seats again, now and then.
    pub(super) async fn refresh(&mut self, state: &Arc<GatewayState>) {
        if self.refreshed.elapsed() >= REFRESH {
            // What is known stays if the store cannot be read.
            drop(self.read_seats(state).await);
        }
    }

    async fn read_seats(&mut self, state: &Arc<GatewayState>) -> Result<(), Problem> {
        let live = live(state).await?;
        self.refreshed = Instant::now();
        for (id, on) in live {
            let known = self.known.entry(id).or_default();
            known.rooms = rooms(&on).map(|room| room.name.to_string()).collect();
            known.people = people(&on).map(|person| Arc::new(person.clone())).collect();
        }
        while self.known.len() > KNOWN_MAX {
            self.known.pop_first();
        }
        Ok(())
    }

    /// Frames are missing here, so that it is not known where those of byte streams begin.
    pub(super) fn note_gap(&mut self) {
        for known in self.known.values_mut() {
            known.streams = None;
        }
    }

    /// The frames to show now.
    pub(super) fn show(&mut self, state: &GatewayState, raw: RawFrame) -> Vec<TapFrame> {
        let RawFrame { at, connection, frontend, dialect, address, content } = raw;
        let has_ended = matches!(content, RawContent::Closed);
        if let RawContent::Subject { user, room } = content {
            self.note_subject(state, connection, user, room);
            return self.release(connection);
        }
        let masker = self.maskers.of(state, &frontend, &dialect);
        let known = self.known.entry(connection).or_default();
        let is_of_request = matches!(content, RawContent::Response(_));
        let user = known.people.first().map(|person| person.handle.clone());
        let frame = |shown| TapFrame {
            at_ms: at.0,
            session: connection.0,
            frontend: frontend.clone(),
            dialect: dialect.clone(),
            peer: peer_address::shown(address),
            user: user.clone(),
            shown,
        };
        known.held.extend(shown(&masker, &mut known.streams, content).into_iter().map(frame));
        let released = self.release(connection);
        if has_ended || is_of_request {
            self.known.remove(&connection);
        }
        released
    }

    /// What is held of a connection, if it is one that is tapped.
    fn release(&mut self, connection: ConnectionId) -> Vec<TapFrame> {
        let Some(known) = self.known.get_mut(&connection) else { return Vec::new() };
        let is_in = |room: &String| known.rooms.contains(room);
        let is_person = |filter: &PersonFilter| known.people.iter().any(|one| filter.is(one));
        if self.room.as_ref().is_none_or(is_in) && self.person.as_ref().is_none_or(is_person) {
            return std::mem::take(&mut known.held).into();
        }
        if known.held.len() == 1 {
            self.holding.push_back(connection);
        }
        if known.held.len() > HELD_MAX {
            known.held.pop_front();
        }
        if self.holding.len() > HELD_CONNECTIONS_MAX {
            let oldest = self.holding.pop_front();
            if let Some(oldest) = oldest.and_then(|oldest| self.known.get_mut(&oldest)) {
                oldest.held.clear();
            }
        }
        Vec::new()
    }

    fn note_subject(
        &mut self,
        state: &GatewayState,
        connection: ConnectionId,
        user: Option<SubjectUser>,
        room: Option<RoomRef>,
    ) {
        let known = self.known.entry(connection).or_default();
        let person = user.and_then(|user| match user {
            SubjectUser::Person(person) => Some(person),
            SubjectUser::Named(user) => named(state, &user),
        });
        if let Some(person) = person
            && !known.people.contains(&person)
        {
            known.people.insert(0, person);
        }
        let name = room.and_then(|room| match room {
            RoomRef::Name(name) | RoomRef::Keyed { name, .. } => Some(normalize(&name)),
            RoomRef::Id(_) => {
                let room = state.services.engine.room(&room);
                room.ok().map(|room| room.name)
            }
        });
        known.rooms.extend(name);
    }
}

/// The user that a request names.
fn named(state: &GatewayState, user: &UserRef) -> Option<Arc<Person>> {
    let services = &state.services;
    if let Ok(record) = services.engine.user_record(services.clock.now(), user) {
        return Some(record.user.person);
    }
    let UserRef::Claim(claim) = user else { return None };
    let handle = format!("{GUEST_PREFIX}{}", claim.name);
    Some(Arc::new(Person { handle, name: claim.name.clone(), ..Person::default() }))
}

/// What a frame that came from a peer is, on its own.
pub(in super::super) fn shown_of(masker: &Masker, content: &RawContent) -> Vec<Shown> {
    match content {
        RawContent::In(Piece::Text(text)) => lines(masker, Direction::In, text),
        RawContent::In(Piece::Binary(bytes)) => vec![masker.binary(Direction::In, bytes)],
        RawContent::In(Piece::Bytes(bytes)) => {
            Reassembly::default().push(masker, Direction::In, bytes)
        }
        RawContent::Request(request) => vec![masker.request(request)],
        _ => Vec::new(),
    }
}

/// What a raw frame is, in the form of its dialect.
fn shown(
    masker: &Masker,
    streams: &mut Option<[Reassembly; 2]>,
    content: RawContent,
) -> Vec<Shown> {
    match content {
        RawContent::Opened(peer) => {
            *streams = Some([Reassembly::from_the_start(), Reassembly::from_the_start()]);
            vec![masker.peer(&peer)]
        }
        RawContent::Closed => vec![Shown::closed()],
        RawContent::In(piece) => of_piece(masker, streams, Direction::In, piece),
        RawContent::Out(piece) => of_piece(masker, streams, Direction::Out, piece),
        RawContent::Written(bytes, framing) => match framing {
            Framing::Tcp => of_piece(masker, streams, Direction::Out, Piece::Bytes(bytes.to_vec())),
            Framing::Lines => lines(masker, Direction::Out, &String::from_utf8_lossy(&bytes)),
            Framing::WebSocket => messages(masker, &bytes),
        },
        RawContent::Request(request) => vec![masker.request(&request)],
        RawContent::Response(response) => vec![masker.response(&response)],
        RawContent::Answer(json) => vec![masker.engine(FrameKind::Answer, &json)],
        RawContent::Event(json) => vec![masker.engine(FrameKind::Event, &json)],
        RawContent::Subject { .. } => Vec::new(),
    }
}

fn of_piece(
    masker: &Masker,
    streams: &mut Option<[Reassembly; 2]>,
    direction: Direction,
    piece: Piece,
) -> Vec<Shown> {
    match piece {
        Piece::Text(text) => lines(masker, direction, &text),
        Piece::Binary(bytes) => vec![masker.binary(direction, &bytes)],
        Piece::Bytes(bytes) => {
            let [from, to] = streams.get_or_insert_default();
            let stream = if direction == Direction::In { from } else { to };
            stream.push(masker, direction, &bytes)
        }
    }
}

/// A text, which may be several lines.
fn lines(masker: &Masker, direction: Direction, text: &str) -> Vec<Shown> {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return vec![masker.text(direction, text)];
    }
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    lines.filter(|line| !line.is_empty()).map(|line| masker.text(direction, line)).collect()
}

/// The messages of unfragmented frames of a server: RFC 6455, section 5.2.
fn messages(masker: &Masker, mut bytes: &[u8]) -> Vec<Shown> {
    const TEXT: u8 = 0x81;
    const BINARY: u8 = 0x82;
    let mut shown = Vec::new();
    while let [opcode, length, rest @ ..] = bytes {
        let wide = match length {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((extended, rest)) = rest.split_at_checked(wide) else { break };
        let length = match wide {
            0 => usize::from(*length),
            _ => extended.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
        };
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        match *opcode {
            TEXT => shown.push(masker.text(Direction::Out, &String::from_utf8_lossy(payload))),
            BINARY => shown.push(masker.binary(Direction::Out, payload)),
            _ => (),
        }
        bytes = rest;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_any_length_are_read_from_frames() {
        let masker = Masker::new("chatroom", &[]);
        let texts: Vec<String> =
            [1, 200, 70_000].iter().map(|len| format!("[\"{}\"]", "x".repeat(*len))).collect();
        let frames = texts.iter().map(|text| Framing::WebSocket.text(text.clone()));
        let shown = messages(&masker, &frames.collect::<Vec<_>>().concat());
        let read: Vec<_> = shown.iter().filter_map(|shown| shown.text.as_ref()).collect();
        assert_eq!(read[..2], [&texts[0], &texts[1]]);
        assert_eq!(shown[2].bytes, Some(texts[2].len() as u64), "it is cut off");
    }
}
