//! The engine as the bench uses it: its answers come back as a count.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use core_engine::{Done, Engine, Envelope, FrontendSettings, Options};
use core_model::{
    Command, ConnectionId, NewRoom, NewUser, PostRight, Query, RoomId, RoomRef, Secret, Timestamp,
    Uid, UserRef,
};

use crate::posts::{Posts, TEXT_BYTES};

pub(crate) struct Subject {
    pub(crate) engine: Engine<()>,
    answered: Receiver<usize>,
    frontend: Arc<FrontendSettings>,
}

impl Subject {
    pub(crate) fn open(path: &Path) -> Self {
        let (sender, answered): (Sender<usize>, _) = channel();
        let engine = Engine::open(path, Options::default(), move |done: Vec<Done<()>>| {
            if let Some(refused) = done.iter().find_map(|done| done.outcome.as_ref().err()) {
                eprintln!("refused: {refused:?}");
                std::process::exit(1);
            }
            // An error means that the bench is over.
            let _ = sender.send(done.len());
        })
        .expect("the store opens");
        let frontend = FrontendSettings { room_capacity: 500, ..FrontendSettings::default() };
        Self { engine, answered, frontend: Arc::new(frontend) }
    }

    pub(crate) fn submit(&self, at: u64, command: Command) {
        let envelope = Envelope {
            at: Timestamp(at),
            steady_ms: at,
            connection: ConnectionId(1),
            address: None,
            frontend: Arc::clone(&self.frontend),
            key: None,
            command,
        };
        assert!(self.engine.submit_always(envelope, ()).is_ok(), "the engine runs");
    }

    /// Carries out `count` commands, 4096 at a time.
    pub(crate) fn call_many(&self, count: u64, command: impl Fn(u64) -> Command) {
        self.call_many_at(count, |number| (1, command(number)));
    }

    /// The same, each at its time.
    pub(crate) fn call_many_at(&self, count: u64, command: impl Fn(u64) -> (u64, Command)) {
        let mut waiting = 0;
        for number in 0..count {
            let (at, command) = command(number);
            self.submit(at, command);
            waiting += 1;
            while waiting >= 4096 {
                waiting -= self.answered.recv().expect("an answer");
            }
        }
        while waiting > 0 {
            waiting -= self.answered.recv().expect("an answer");
        }
    }

    /// Makes user 10000, and `rooms` rooms that it is a member of, with ids from 1.
    pub(crate) fn furnish(&self, rooms: u64) {
        let ann = NewUser { handle: Some("ann".into()), ..NewUser::default() };
        self.call_many(1, |_| Command::Register { user: ann.clone() });
        self.call_many(rooms, |number| Command::CreateRoom {
            room: room(number),
            owner: Some(UserRef::Id(Uid(10_000))),
            members: None,
        });
    }

    pub(crate) fn ask(&self, query: &Query) {
        let answered = self.engine.query(Timestamp(1), ConnectionId(0), query);
        assert!(answered.outcome.is_ok(), "{:?}", answered.outcome);
    }
}

impl Posts for Subject {
    fn post(&self, room: u32) {
        self.submit(1, post(room));
    }

    fn answered(&self) -> &Receiver<usize> {
        &self.answered
    }
}

pub(crate) fn post(room: u32) -> Command {
    Command::Post {
        room: RoomRef::Id(RoomId(room)),
        author: UserRef::Id(Uid(10_000)),
        text: "x".repeat(TEXT_BYTES),
        standing: PostRight::Member,
        notice: false,
    }
}

pub(crate) fn room(number: u64) -> NewRoom {
    NewRoom { name: Some(format!("room {number}")), ..NewRoom::default() }
}

pub(crate) fn register(number: u64) -> Command {
    Command::Register {
        user: NewUser {
            handle: Some(format!("user{number}")),
            identities: vec![format!("tel/{number}")],
            password: Some(Secret::Hashed("$argon2id$".into())),
            ..NewUser::default()
        },
    }
}
