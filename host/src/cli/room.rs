//! `dragoman room`: shows a room, and changes its owner.
//!
//! It works on the store itself or, if a gateway has it open, through that gateway.

use std::error::Error;

use clap::{Args, Subcommand};
use core_engine::Engine;
use core_model::{Command, Outcome, Timestamp};
use hyper::Method;

use super::operation::{Operation, carry_out, printable, with_query};
use super::{Options, output};
use crate::rooms::{RoomAction, RoomActionKind, RoomReport};
use crate::users::wire::{ROOM_OWNER_PATH, ROOM_PATH, RoomOwner};
use crate::users::{Failure, Who};

#[derive(Args, Debug)]
pub(super) struct Room {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show a room
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Release a room from its owner, so that it can be declared in [[rooms]]; its members stay
    Release {
        #[command(flatten)]
        which: Which,
    },
    /// Give a room to a user, who can then rename and delete it
    Give {
        #[command(flatten)]
        which: Which,
        /// A uid (10000), a handle (bob; @10000 where it looks like something else), or an identity
        /// (tel/5551234)
        who: Who,
    },
}

#[derive(Args, Debug)]
struct Which {
    #[command(flatten)]
    options: Options,

    /// Print the room as JSON
    #[arg(long)]
    json: bool,

    /// The name that is unique in the gateway, as the chatroom and channel dialects show it
    name: String,
}

pub(super) fn run(options: Options, room: Room) -> Result<(), Box<dyn Error>> {
    let (which, kind) = match room.what {
        What::Show { which } => (which, RoomActionKind::Show),
        What::Release { which } => (which, RoomActionKind::SetOwner(None)),
        What::Give { which, who } => (which, RoomActionKind::SetOwner(Some(who))),
    };
    let config = options.and(room.options).and(which.options).configuration()?.config;
    let report = carry_out(&config, &RoomAction { room: which.name, kind })?;
    if which.json {
        output::line(serde_json::to_string(&report)?)?;
    } else {
        output::raw(shown(&report).as_bytes())?;
    }
    Ok(())
}

/// One line for each property of the room.
fn shown(room: &RoomReport) -> String {
    let lines = [
        ("room_id", room.room_id.to_string()),
        ("name", room.name.clone()),
        ("title", room.title.clone()),
        ("owner", room.owner.clone().unwrap_or_else(|| "none".into())),
        ("closed", if room.closed { "yes" } else { "no" }.into()),
        ("population", format!("{} of {}", room.population, room.capacity)),
    ];
    lines.map(|(what, value)| format!("{what} {}\n", printable(&value))).concat()
}

impl Operation for RoomAction {
    type Report = RoomReport;

    fn command(&self) -> Option<Command> {
        self.command()
    }

    fn report<T: Send + 'static>(
        &self,
        engine: &Engine<T>,
        _: Timestamp,
        done: Option<Outcome>,
    ) -> Result<RoomReport, Failure> {
        self.report(engine, done)
    }

    fn request(&self) -> serde_json::Result<(Method, String, Vec<u8>)> {
        Ok(match &self.kind {
            RoomActionKind::Show => {
                (Method::GET, with_query(ROOM_PATH, "room", &self.room), Vec::new())
            }
            RoomActionKind::SetOwner(owner) => {
                let owner = owner.as_ref().map(Who::to_string);
                let body = serde_json::to_vec(&RoomOwner { room: self.room.clone(), owner })?;
                (Method::POST, ROOM_OWNER_PATH.to_owned(), body)
            }
        })
    }
}
