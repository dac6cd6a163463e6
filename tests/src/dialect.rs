//! The table of dialects: for each, how a client signs in, enters a room, posts and receives, and how
//! users, rooms, times and texts look there.
//!
//! A test that iterates over [`ROWS`] covers every dialect; a new dialect is a new row.

mod channel;
mod chatroom;
mod irc;
mod ourchat;
mod token;
mod usr_room;

pub use chatroom::tel_of;
use serde_json::Value;

use crate::Gateway;

/// A user, by every name that some dialect uses.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// 0 for a guest.
    pub uid: u64,
    /// That of a guest begins with `guest:`.
    pub handle: String,
    /// The openid in the app that usr_room serves.
    pub openid: Option<String>,
}

/// A room, by every name that some dialect uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    pub id: u32,
    /// The unique room name.
    pub name: String,
}

/// A way to use the gateway.
#[derive(Debug)]
pub struct Row {
    /// The name of the row; a dialect may have several: `chatroom, as a guest`.
    pub title: &'static str,
    pub dialect: &'static Dialect,
    /// Creates an account of this name, where the row has accounts, and signs in.
    pub enroll: fn(&Gateway, &str) -> Box<dyn Client>,
    /// The user that was enrolled under this name, with its uid.
    pub user: fn(&str, u64) -> User,
}

impl Row {
    /// Whether users of this row have accounts, and so can be members.
    pub fn has_account(&self) -> bool {
        (self.user)("", 1).uid != 0
    }
}

/// How a dialect shows things. `Null` is what it leaves out.
#[derive(Debug)]
pub struct Dialect {
    /// As in gateway.toml.
    pub name: &'static str,
    pub user: fn(&User) -> Value,
    /// The room of a message; left out where clients request messages by room.
    pub room: fn(&Room) -> Value,
    /// A time, from ms since 1970.
    pub time: fn(u64) -> Value,
    /// Whether entering a room makes a durable member, rather than a seat of the connection.
    pub durable: bool,
    /// Whether a client can post this text as one message.
    pub can_send: fn(&str) -> bool,
    /// How a text looks to a client.
    pub shows: fn(&str) -> String,
}

pub static ROWS: &[Row] = &[
    token::ROW,
    token::ROW_OF_THE_APP,
    usr_room::ROW,
    chatroom::ROW,
    chatroom::GUEST_ROW,
    ourchat::ROW,
    ourchat::LINES_ROW,
    channel::ROW,
    irc::ROW,
    irc::GUEST_ROW,
];

/// The time zone of [`channel`], to be set in its section.
pub const TIMEZONE: &str = "Asia/Shanghai";

/// A client of the gateway.
pub trait Client: Send {
    /// Enters a room and receives its messages from now on; false if the room is full. An ourchat
    /// client cannot request this: it is a member already, or another client adds it.
    fn try_enter(&mut self, room: &Room) -> bool;

    /// Enters a room that is not full.
    fn enter(&mut self, room: &Room) {
        assert!(self.try_enter(room), "{} is full", room.name);
    }

    /// Posts, and waits for the acknowledgement.
    fn post(&mut self, room: &Room, text: &str);

    /// The next message in an entered room, its own included: pushed, or polled.
    fn receive(&mut self, room: &Room) -> Seen;

    /// The form of the message received last.
    fn form(&self) -> Form {
        Form::default()
    }

    /// Posts a notice, and waits for the acknowledgement; false where the dialect has none.
    fn post_notice(&mut self, _room: &Room, _text: &str) -> bool {
        false
    }

    /// `Some` where the dialect has direct messages.
    fn direct(&mut self) -> Option<&mut dyn Direct> {
        None
    }

    /// `Some` where the dialect announces joins and leaves.
    fn presence(&mut self) -> Option<&mut dyn Presence> {
        None
    }
}

/// A message as the client received it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub sender: Value,
    /// For a direct message: the recipient.
    pub room: Value,
    pub text: String,
    pub time: Value,
    /// The id, where the dialect shows one.
    pub id: Option<u64>,
}

/// How a message came, beyond what [`Seen`] says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Form {
    /// In several pieces that the client put together, or with a part of the text in another form.
    pub is_remade: bool,
    pub is_notice: bool,
}

pub trait Direct {
    /// Sends a direct message and waits for the acknowledgement; false if the gateway refuses it
    /// because there is no such user.
    fn send(&mut self, to: &User, text: &str) -> bool;

    /// The next direct message: pushed, or polled.
    fn receive(&mut self) -> Seen;

    /// How a direct message looks to its recipient, without its id.
    fn expected(&self, from: &User, to: &User, text: &str, at: u64) -> Seen;
}

pub trait Presence {
    /// The next join, leave or change of population.
    fn next(&mut self) -> News;

    /// Whether it announces populations.
    fn counts(&self) -> bool;
}

/// An announcement in a room other than a message.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Came { user: Value, room: Value },
    Went { user: Value, room: Value },
    Population { room: Value, count: u64 },
}
