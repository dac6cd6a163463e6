//! The promise that nothing overtakes: what a connection hears is in the order of its requests,
//! whatever the timing of their answers and events.

use std::collections::VecDeque;

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

fn converse<E: Engine>(
    frontend: &dyn Frontend,
    engine: E,
    talk: &Talk<'_>,
    pipeline: &[&Said],
    mut timing: Option<&mut Noise>,
) -> Vec<String> {
    let session = frontend.open(talk.peer);
    let (coming, heard) = Default::default();
    let mut host = Host { frontend, session, engine, coming, heard, per_session: false };
    host.feed(Input::Opened);
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
    ToCommand { command: Box<Command>, ack_only: bool },
    ToQuery(Box<Query>),
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
}

impl<E: Engine> Host<'_, E> {
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
                let (outcome, events) = self.engine.carry_out(*command);
                for event in events.into_iter().rev() {
                    self.coming.push_front(Coming::Event(Box::new(event)));
                }
                if ack_only { outcome.map(|_| core_model::Reply::Done) } else { outcome }
            }
            Coming::ToQuery(query) => self.engine.answer(&query),
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
