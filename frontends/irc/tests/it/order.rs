//! Lines take effect in their order, whenever the engine answers.

use std::collections::{BTreeMap, VecDeque};

use core_model::{
    Command, Message, MessageId, Outcome, Person, Query, Recipient, Refusal, Reply, RoomId,
    RoomRef, RoomView, Timestamp,
};
use frontend_api::{Frontend, Input, Outbox, Output, Peer, Session};
use frontend_irc::IrcFrontend;

/// A client in a conversation with an engine that has two rooms, and that answers when the test
/// asks it to.
struct Client {
    session: Box<dyn Session>,
    unanswered: VecDeque<Output>,
    engine: Engine,
    received: Vec<String>,
}

/// The rooms that the client is in.
#[derive(Default)]
struct Engine(Vec<String>);

impl Client {
    fn open() -> Self {
        let session = IrcFrontend::default().open(&Peer::default());
        let mut client = Self {
            session,
            unanswered: VecDeque::new(),
            engine: Engine::default(),
            received: Vec::new(),
        };
        client.feed(Input::Opened);
        client
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Outbox::default();
        self.session.handle(Timestamp(1_700_000_000_000), input, &mut out);
        for output in out.drain() {
            match output {
                Output::SendText(line) => self.received.push(line.trim_end().into()),
                Output::Submit { .. } | Output::Query { .. } => self.unanswered.push_back(output),
                _ => (),
            }
        }
    }

    /// Lets the engine answer so many requests, or all that there are.
    fn answer(&mut self, most: usize) {
        for _ in 0..most {
            let Some(request) = self.unanswered.pop_front() else { return };
            let outcome = self.engine.answer(&request);
            self.feed(Input::Answer(&outcome));
        }
    }
}

impl Engine {
    fn answer(&mut self, request: &Output) -> Outcome {
        match request {
            Output::Submit { command, .. } => self.carry_out(command),
            Output::Query { query } => self.look_up(query),
            _ => unreachable!("only requests are kept"),
        }
    }

    fn carry_out(&mut self, command: &Command) -> Outcome {
        let is_in = |name: &RoomRef| self.0.iter().any(|room| *room == named(name));
        match command {
            Command::Enter { room, .. } => {
                let again = is_in(room);
                self.0.push(named(room));
                Ok(Reply::Entered {
                    room: view(&named(room)),
                    user: zed().into(),
                    again,
                    cursor: MessageId(0),
                })
            }
            Command::Exit { room, .. } if is_in(room) => {
                self.0.retain(|it| *it != named(room));
                Ok(Reply::Done)
            }
            Command::Post { room, text, .. } if is_in(room) => Ok(Reply::Posted {
                message: Message {
                    id: MessageId(50),
                    at: Timestamp(0),
                    author: zed().into(),
                    to: Recipient::Room(view(&named(room)).tag()),
                    text: text.clone(),
                    notice: false,
                },
            }),
            Command::UpdateRoom { .. } => Err(Refusal::NotAllowed),
            Command::SignOut { .. } => Ok(Reply::Done),
            _ => Err(Refusal::NotInRoom),
        }
    }

    fn look_up(&self, query: &Query) -> Outcome {
        match query {
            Query::Occupants { .. } => {
                Ok(Reply::Members { members: vec![zed().into()], roles: BTreeMap::new() })
            }
            Query::Room { room, .. } => Ok(Reply::Room { room: view(&named(room)).into() }),
            Query::User { .. } => Err(Refusal::UnknownUser),
            _ => Ok(Reply::Done),
        }
    }
}

fn named(room: &RoomRef) -> String {
    match room {
        RoomRef::Name(name) | RoomRef::Keyed { name, .. } => name.clone(),
        RoomRef::Id(id) => id.to_string(),
    }
}

fn view(name: &str) -> RoomView {
    RoomView { id: RoomId(u32::from(name == "tea")), name: name.into(), ..RoomView::default() }
}

fn zed() -> Person {
    Person { handle: "guest:zed".into(), name: "zed".into(), ..Person::default() }
}

const LINES: [&str; 20] = [
    "NICK zed",
    "USER zed 0 * :Zed",
    "JOIN #tea,#hall",
    "PRIVMSG #TEA :hello",
    "PRIVMSG #hall :hello",
    "NOTICE #tea :hello",
    "NICK yan",
    "TOPIC #tea :hot",
    "MODE #tea +t",
    "PRIVMSG #none :hello",
    "PING 1",
    "PART #Tea :bye",
    "PRIVMSG #tea :hello",
    "JOIN 0",
    "NICK yan",
    "WHOIS yan",
    "NONSENSE",
    "JOIN #tea",
    "QUIT :so long",
    "PING 2",
];

/// What the client receives if, after each line, the engine answers as many requests as the
/// schedule gives for it.
fn conversation(schedule: impl Fn(usize) -> usize) -> Vec<String> {
    let mut client = Client::open();
    for (at, line) in LINES.iter().enumerate() {
        client.feed(Input::Text(line));
        client.answer(schedule(at));
    }
    client.answer(usize::MAX);
    client.received
}

#[test]
fn the_time_of_an_answer_changes_no_reply() {
    let one_by_one = conversation(|_| usize::MAX);
    assert!(one_by_one.last().unwrap().starts_with("ERROR "), "{one_by_one:#?}");
    insta::assert_snapshot!(one_by_one.join("\n"));
    for most in 0..20 {
        assert_eq!(conversation(|_| most), one_by_one, "{most} answers after each line");
    }
    for first in 0..LINES.len() {
        let pipelined = conversation(|at| if at < first { usize::MAX } else { 0 });
        assert_eq!(pipelined, one_by_one, "pipelined from line {first} on");
        let bursts = conversation(|at| if at == first { usize::MAX } else { at % 3 });
        assert_eq!(bursts, one_by_one, "all answers after line {first}");
    }
}
