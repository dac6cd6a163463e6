//! The table of dialects: for each, how somebody gets in, gets into a room, says something and
//! hears of it, and how people, rooms and moments look there.
//!
//! A test that goes through [`ROWS`] holds for every dialect; one more is one more row.

mod channel;
mod chatroom;
mod ourchat;
mod token;
mod usr_room;

pub use chatroom::tel_of;
use serde_json::Value;

use crate::Gateway;

/// A user, by everything that a dialect may know it by.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// 0: a guest, who has none.
    pub uid: u64,
    /// A guest's begins with `guest:`.
    pub handle: String,
    /// The openid of the app that usr_room is for.
    pub openid: Option<String>,
}

/// A room, by everything that a dialect may know it by.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    pub id: u32,
    /// The unique room name.
    pub name: String,
}

/// A way to be in the gateway.
#[derive(Debug)]
pub struct Row {
    /// What this row is, where a dialect has several: `chatroom, as a guest`.
    pub title: &'static str,
    pub dialect: &'static Dialect,
    /// Makes an account under this name, where there are accounts, and signs in.
    pub enroll: fn(&Gateway, &str) -> Box<dyn Client>,
    /// Who somebody enrolled under this name is, once its uid is known.
    pub user: fn(&str, u64) -> User,
}

impl Row {
    /// Whether who comes this way has an account, and so can be a member of something.
    pub fn has_account(&self) -> bool {
        (self.user)("", 1).uid != 0
    }
}

/// How a dialect shows what it tells of. `Null` is what it leaves out.
#[derive(Debug)]
pub struct Dialect {
    /// As in gateway.toml.
    pub name: &'static str,
    pub user: fn(&User) -> Value,
    /// The room of a message; left out where messages are asked for by room.
    pub room: fn(&Room) -> Value,
    /// A moment, from ms since 1970.
    pub time: fn(u64) -> Value,
    /// Whether who gets into a room is a member of it, rather than there with a connection.
    pub durable: bool,
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
];

/// The zone of [`channel`]'s clock, to be set in its section.
pub const TIMEZONE: &str = "Asia/Shanghai";

/// Somebody in the gateway.
pub trait Client: Send {
    /// Gets into a room, and hears of it from now on; false if that is full. For an ourchat client
    /// there is no way to ask: it is a member already, or will be, or not.
    fn try_enter(&mut self, room: &Room) -> bool;

    /// Gets into a room that is not full.
    fn enter(&mut self, room: &Room) {
        assert!(self.try_enter(room), "{} is full", room.name);
    }

    /// Posts, and waits until that is acknowledged.
    fn post(&mut self, room: &Room, text: &str);

    /// The next message in a room it has entered, the own ones included: pushed, or asked for.
    fn receive(&mut self, room: &Room) -> Seen;

    /// Where the dialect has direct messages.
    fn direct(&mut self) -> Option<&mut dyn Direct> {
        None
    }

    /// Where the dialect tells of comings and goings.
    fn presence(&mut self) -> Option<&mut dyn Presence> {
        None
    }
}

/// A message as it was shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub sender: Value,
    /// Of a direct message: whom it is for.
    pub room: Value,
    pub text: String,
    pub time: Value,
    /// Its id, where the dialect shows one.
    pub id: Option<u64>,
}

pub trait Direct {
    /// Sends a direct message, and waits until that is acknowledged: false if it is refused
    /// because there is no such user.
    fn send(&mut self, to: &User, text: &str) -> bool;

    /// The next direct message: pushed, or asked for.
    fn receive(&mut self) -> Seen;

    /// How a direct message looks to whom it is for, but for its id.
    fn expected(&self, from: &User, to: &User, text: &str, at: u64) -> Seen;
}

pub trait Presence {
    /// The next coming, going or change of population.
    fn next(&mut self) -> News;

    /// Whether it tells of populations.
    fn counts(&self) -> bool;
}

/// What is told of a room besides messages.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Came { user: Value, room: Value },
    Went { user: Value, room: Value },
    Population { room: Value, count: u64 },
}
