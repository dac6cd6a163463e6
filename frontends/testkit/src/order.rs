//! The promise that nothing overtakes: what a connection hears is in the order of its requests,
//! whatever the timing of their answers and events.

use std::collections::{BTreeSet, VecDeque};

use core_model::{Command, Outcome, Query, Recorded, Timestamp};
use frontend_api::{Broadcast, Frame, Frontend, Input, Outbox, Output, Peer, Session};

use crate::properties::Noise;

/// The time of everything, in milliseconds.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// What answers the commands and queries of a session.
pub trait Engine {
    /// Carries a command out. Returns its outcome, and the events that it led to.
    fn carry_out(&mut self, command: Command) -> (Outcome, Vec<Recorded>);

    fn answer(&mut self, query: &Query) -> Outcome;

    /// Another connection posts a message in the session's room. Returns the events.
    fn post_of_another(&mut self) -> Vec<Recorded>;
}

/// Something that a peer sends at once.
#[derive(Clone, Debug)]
pub enum Said {
    Text(String),
    Bytes(Vec<u8>),
}

impl Said {
    fn input(&self) -> Input<'_> {
        match self {
            Self::Text(text) => Input::Text(text),
            Self::Bytes(bytes) => Input::Bytes(bytes),
        }
    }
}

/// The requests of one connection.
pub struct Talk<'a> {
    pub peer: &'a Peer,
    /// Sent first, each after the answer to the one before.
    pub first: &'a [Said],
    /// Valid and invalid requests for pipelines.
    pub requests: &'a [Said],
}

/// Sends `rounds` generated pipelines to a session in two ways: each request when everything that
/// the one before led to has arrived, and as they come, with answers and events in between at any
/// time that the host may deliver them. The peer must hear the same, in the same order.
#[track_caller]
pub fn assert_nothing_overtakes<E: Engine>(
    frontend: &dyn Frontend,
    engine: impl Fn() -> E,
    talk: &Talk<'_>,
    rounds: u32,
) {
    const REQUESTS_MAX: u64 = 12;
    let mut noise = Noise::new();
    let (mut heard, mut sent) = (0, 0);
    for round in 0..rounds {
        let count = 1 + noise.below(REQUESTS_MAX);
        let mut any = || &talk.requests[noise.below(talk.requests.len() as u64) as usize];
        let pipeline: Vec<&Said> = (0..count).map(|_| any()).collect();
        let one_by_one = converse(frontend, engine(), talk, &pipeline, None);
        let at_once = converse(frontend, engine(), talk, &pipeline, Some(&mut noise));
        assert_eq!(at_once, one_by_one, "round {round}: {pipeline:#?}");
        heard += at_once.len() as u64;
        sent += count;
    }
    // Few requests lead to nothing.
    assert!(heard > sent / 2, "{heard} frames for {sent} requests");
}

/// Enters a room by `talk.first` and asks for all of its messages, `rounds` times, while another
/// connection posts there. The answer to the query comes late: events go on meanwhile, as they do
/// while the gateway runs a heavy query. The peer must get every message, and ids must increase, but
/// for messages that come again: `id_of` gives the id of a message in a frame.
#[track_caller]
pub fn assert_missed_messages_come_first<E: Engine>(
    frontend: &dyn Frontend,
    engine: impl Fn() -> E,
    talk: &Talk<'_>,
    id_of: impl Fn(&str) -> Option<u64>,
    rounds: u32,
) {
    let mut noise = Noise::new();
    for round in 0..rounds {
        let mut host = Host::open(frontend, engine(), talk.peer);
        let before = noise.below(4);
        (0..before).for_each(|_| drop(host.engine.post_of_another()));
        talk.first.iter().for_each(|said| host.feed(said.input()));
        let mut posted = before;
        for _ in 0..noise.below(30) {
            if noise.below(3) == 0 {
                posted += 1;
                host.post_of_another();
            } else {
                host.deliver_late(&mut noise);
            }
        }
        while host.deliver() {}
        let mut seen = BTreeSet::new();
        let ids = host.heard.iter().filter_map(|frame| id_of(frame));
        let ids: Vec<u64> = ids.filter(|id| seen.insert(*id)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "round {round}: {ids:?} in {:#?}", host.heard);
        assert_eq!(ids.len() as u64, posted, "round {round}: {:#?}", host.heard);
    }
}

fn converse<E: Engine>(
    frontend: &dyn Frontend,
    engine: E,
    talk: &Talk<'_>,
    pipeline: &[&Said],
    mut timing: Option<&mut Noise>,
) -> Vec<String> {
    let mut host = Host::open(frontend, engine, talk.peer);
    for said in talk.first {
        host.feed(said.input());
        while host.deliver() {}
    }
    host.heard.clear();
    for said in pipeline {
        host.feed(said.input());
        match &mut timing {
            None => while host.deliver() {},
            Some(noise) => while noise.below(3) > 0 && host.deliver() {},
        }
    }
    while host.deliver() {}
    host.heard
}

/// What is on its way to a session, oldest first.
enum Coming {
    Event(Box<Recorded>),
    ToCommand {
        command: Box<Command>,
        ack_only: bool,
    },
    ToQuery(Box<Query>),
    /// To a query that was run before.
    Answer(Box<Outcome>),
}

/// Does with the outputs of a session what the gateway does.
struct Host<'a, E> {
    frontend: &'a dyn Frontend,
    session: Box<dyn Session>,
    engine: E,
    coming: VecDeque<Coming>,
    heard: Vec<String>,
    /// Whether the session encodes every event itself.
    per_session: bool,
    /// Whether the session has entered the room.
    is_in_room: bool,
}

impl<'a, E: Engine> Host<'a, E> {
    fn open(frontend: &'a dyn Frontend, engine: E, peer: &Peer) -> Self {
        let session = frontend.open(peer);
        let (coming, heard) = Default::default();
        let (per_session, is_in_room) = (false, false);
        let mut host = Self { frontend, session, engine, coming, heard, per_session, is_in_room };
        host.feed(Input::Opened);
        host
    }

    fn post_of_another(&mut self) {
        let events = self.engine.post_of_another();
        if self.is_in_room {
            self.coming.extend(events.into_iter().map(|event| Coming::Event(Box::new(event))));
        }
    }

    /// Delivers something, or runs a query whose answer is delivered later, or an event past it.
    fn deliver_late(&mut self, noise: &mut Noise) {
        if !matches!(self.coming.front(), Some(Coming::ToQuery(_) | Coming::Answer(_))) {
            self.deliver();
            return;
        }
        match (noise.below(3), self.coming.pop_front()) {
            (0, Some(Coming::ToQuery(query))) => {
                let outcome = self.engine.answer(&query);
                self.coming.push_front(Coming::Answer(Box::new(outcome)));
            }
            (1, Some(answer)) => {
                if matches!(self.coming.front(), Some(Coming::Event(_))) {
                    self.deliver();
                }
                self.coming.push_front(answer);
            }
            (_, Some(next)) => {
                self.coming.push_front(next);
                self.deliver();
            }
            (_, None) => (),
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Outbox::default();
        self.session.handle(NOW, input, &mut out);
        for output in out.drain() {
            match output {
                Output::Submit { command, ack_only, .. } => {
                    self.coming.push_back(Coming::ToCommand { command, ack_only });
                }
                Output::Query { query } => self.coming.push_back(Coming::ToQuery(query)),
                Output::SendBytes(bytes) => self.hear(&Frame::Bytes(bytes)),
                Output::SendText(text) => self.hear(&Frame::Text(text)),
                Output::Close => self.heard.push("the end".into()),
                Output::SetEventFilter(filter) => self.per_session = filter.per_session,
                Output::Fetch(fetch) => unreachable!("no stream dialect fetches: {fetch:?}"),
                Output::Authorize(ask) => unreachable!("nothing here needs a token: {ask:?}"),
                Output::Respond(_)
                | Output::WakeAt(_)
                | Output::Mark { .. }
                | Output::Acknowledge { .. }
                | Output::Wake(_) => (),
            }
        }
    }

    fn hear(&mut self, frame: &Frame) {
        self.heard.push(match frame {
            Frame::Bytes(bytes) => format!("{bytes:02x?}"),
            Frame::Text(text) => text.clone(),
        });
    }

    /// Delivers one answer or event. False: there is none.
    fn deliver(&mut self) -> bool {
        let Some(next) = self.coming.pop_front() else { return false };
        let outcome = match next {
            Coming::Event(event) => {
                self.tell(&event);
                return true;
            }
            Coming::ToCommand { command, ack_only } => {
                let enters = matches!(*command, Command::Enter { .. });
                let (outcome, events) = self.engine.carry_out(*command);
                self.is_in_room |= enters && outcome.is_ok();
                for event in events.into_iter().rev() {
                    self.coming.push_front(Coming::Event(Box::new(event)));
                }
                if ack_only { outcome.map(|_| core_model::Reply::Done) } else { outcome }
            }
            Coming::ToQuery(query) => self.engine.answer(&query),
            Coming::Answer(outcome) => *outcome,
        };
        self.feed(Input::Answer(&outcome));
        true
    }

    /// All events are the session's own.
    fn tell(&mut self, event: &Recorded) {
        if self.per_session {
            return self.feed(Input::Event(event));
        }
        match self.frontend.broadcast(event) {
            Broadcast::Everyone(frame) => self.hear(&frame),
            Broadcast::PerSession => self.feed(Input::Event(event)),
            Broadcast::Others(_) | Broadcast::Nothing => (),
        }
    }
}
