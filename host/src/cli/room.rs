//! `dragoman room`: rooms, their members, and who may post there.
//!
//! It works on the store itself or, if a gateway has it open, through that gateway.

use std::error::Error;

use clap::{Args, Subcommand};

use super::arguments::{Common, Paging, lines, print_list, print_one, read_pages, seconds};
use super::operation::call;
use super::room_policy::{self, PolicyFlags, Which};
use super::{Options, output};
use crate::admin::policy_types::{RoomList, RoomRole};
use crate::admin::types::{
    CreatedRoom, Done, NewMute, Nothing, Page, PageQuery, Removal, RoomChange, RoomOwner,
    SearchQuery, Unmuted,
};
use crate::admin::{
    ChangeRoom, CreateRoom, DeleteRoom, Kick, ListMembers, ListRooms, Mute, OnStore, SetOwner,
    ShowRoom, Unmute,
};
use crate::rooms::RoomReport;
use crate::users::Who;

#[derive(Args, Debug)]
pub(super) struct Room {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List rooms, closed ones too, by id
    List {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        paging: Paging,
        /// Only those whose name or title contains this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show a room
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Create a room
    Create {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        texts: Texts,
        /// Seats [default: 500]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        capacity: Option<u32>,
        /// The user who owns it, and is its first member
        #[arg(long, value_name = "WHO")]
        owner: Option<Who>,
    },
    /// Change the title, section or description of a room
    Change {
        #[command(flatten)]
        which: Which,
        /// The display name
        #[arg(long)]
        title: Option<String>,
        #[command(flatten)]
        texts: Texts,
    },
    /// Delete a room and its messages
    Delete {
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
    /// List the durable members of a room, and its muted users
    Members {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        paging: Paging,
    },
    /// Remove a user from a room
    Kick {
        #[command(flatten)]
        which: Which,
        /// A uid, a handle, an identity, or guest:<name>
        who: String,
        /// Why; the room reads it
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Refuse a user's messages in a room
    Mute {
        #[command(flatten)]
        which: Which,
        who: Who,
        /// When it ends, as in 12h or 90d; when it is lifted without it
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        ttl: Option<u64>,
    },
    /// Let a muted user post again
    Unmute {
        #[command(flatten)]
        which: Which,
        who: Who,
    },
    /// Show who may find, enter and post to a room, or change it
    Policy {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        flags: PolicyFlags,
    },
    /// Add a mask to a list of a room: ban, exception or invitation
    Mask {
        #[command(flatten)]
        which: Which,
        #[arg(value_enum)]
        list: RoomList,
        /// name!user, as in bob!*, spam*!guest or *!10001
        mask: String,
    },
    /// Remove a mask from a list of a room
    Unmask {
        #[command(flatten)]
        which: Which,
        #[arg(value_enum)]
        list: RoomList,
        /// As `room policy` shows it
        mask: String,
    },
    /// Give a role to a user who is in a room now, until it leaves
    Role {
        #[command(flatten)]
        which: Which,
        /// A uid, a handle, an identity, or guest:<name>
        who: String,
        #[arg(value_enum)]
        role: RoomRole,
        /// Take it instead
        #[arg(long)]
        take: bool,
    },
}

#[derive(Args, Debug)]
struct Texts {
    /// Shown by dialects that have this field
    #[arg(long)]
    section: Option<String>,
    /// Shown by dialects that have this field
    #[arg(long)]
    description: Option<String>,
}

pub(super) fn run(options: Options, room: Room) -> Result<(), Box<dyn Error>> {
    let options = options.and(room.options);
    match room.what {
        What::List { common, paging, search } => list(options, common, &paging, search.as_deref()),
        What::Show { which } => on::<ShowRoom>(options, which, Nothing {}),
        What::Create { which, texts, capacity, owner } => {
            let room = CreatedRoom {
                name: which.name.clone(),
                section: texts.section.unwrap_or_default(),
                description: texts.description.unwrap_or_default(),
                capacity,
                owner: owner.as_ref().map(Who::to_string),
            };
            let backend = options.and(which.common.options).backend()?;
            let report = call::<CreateRoom>(&backend, &[], Nothing {}, room)?;
            print_one(which.common.json, &report, shown)
        }
        What::Change { which, title, texts: Texts { section, description } } => {
            on::<ChangeRoom>(options, which, RoomChange { title, section, description })
        }
        What::Delete { which } => {
            let said = format!("deleted the room {}", which.name);
            done::<DeleteRoom>(options, which, Nothing {}, said)
        }
        What::Release { which } => on::<SetOwner>(options, which, RoomOwner { owner: None }),
        What::Give { which, who } => {
            on::<SetOwner>(options, which, RoomOwner { owner: Some(who.to_string()) })
        }
        What::Members { which, paging } => members(options, which, &paging),
        What::Kick { which, who, reason } => {
            let said = format!("removed {who} from {}", which.name);
            done::<Kick>(options, which, Removal { user: who, reason }, said)
        }
        What::Mute { which, who, ttl } => {
            let said = format!("muted {who} in {}", which.name);
            done::<Mute>(options, which, NewMute { user: who.to_string(), ttl_s: ttl }, said)
        }
        What::Unmute { which, who } => {
            let said = format!("{who} may post to {}", which.name);
            done::<Unmute>(options, which, Unmuted { user: who.to_string() }, said)
        }
        What::Policy { which, flags } => room_policy::policy(options, which, flags),
        What::Mask { which, list, mask } => room_policy::add_mask(options, which, list, mask),
        What::Unmask { which, list, mask } => room_policy::remove_mask(options, which, list, mask),
        What::Role { which, who, role, take } => {
            room_policy::set_role(options, which, who, (role, !take))
        }
    }
}

/// Carries out an operation on one room, and prints the room.
fn on<E: OnStore<Reply = RoomReport, Query = Nothing>>(
    options: Options,
    which: Which,
    body: E::Body,
) -> Result<(), Box<dyn Error>> {
    let backend = options.and(which.common.options).backend()?;
    let report = call::<E>(&backend, &[&which.name], Nothing {}, body)?;
    print_one(which.common.json, &report, shown)
}

/// Carries out an operation on one room, and says so.
fn done<E: OnStore<Reply = Done, Query = Nothing>>(
    options: Options,
    which: Which,
    body: E::Body,
    said: String,
) -> Result<(), Box<dyn Error>> {
    let backend = options.and(which.common.options).backend()?;
    call::<E>(&backend, &[&which.name], Nothing {}, body)?;
    Ok(output::line(super::operation::printable(&said))?)
}

fn list(
    options: Options,
    common: Common,
    paging: &Paging,
    search: Option<&str>,
) -> Result<(), Box<dyn Error>> {
    let backend = options.and(common.options).backend()?;
    let found = read_pages(paging.limit, |after, limit| {
        let query = SearchQuery { search: search.map(str::to_owned), after, limit: Some(limit) };
        call::<ListRooms>(&backend, &[], query, Nothing {})
    })?;
    let titles = ["room_id", "name", "title", "owner", "closed", "population"];
    print_list(common.json, found, &titles, |room| {
        let [id, name, title, owner, closed, population] = properties(room).map(|(_, it)| it);
        vec![id, name, title, owner, closed, population]
    })
}

fn members(options: Options, which: Which, paging: &Paging) -> Result<(), Box<dyn Error>> {
    let Which { common, name } = which;
    let backend = options.and(common.options).backend()?;
    let mut muted = Vec::new();
    let found = read_pages(paging.limit, |after, limit| {
        let query = PageQuery { after, limit: Some(limit) };
        let page = call::<ListMembers>(&backend, &[&name], query, Nothing {})?;
        muted = page.muted;
        Ok(Page { items: page.items, next: page.next })
    })?;
    print_list(common.json, found, &["uid", "handle", "name"], |member| {
        vec![member.uid.to_string(), member.handle.clone(), member.name.clone()]
    })?;
    for user in muted {
        if common.json {
            output::line(serde_json::json!({ "muted": user }))?;
        } else {
            let until = user.until.as_deref().unwrap_or("it is lifted");
            output::line(format_args!("muted: {} until {until}", user.handle))?;
        }
    }
    Ok(())
}

/// One line for each property of the room.
fn shown(room: &RoomReport) -> String {
    lines(&properties(room))
}

fn properties(room: &RoomReport) -> [(&'static str, String); 6] {
    [
        ("room_id", room.room_id.to_string()),
        ("name", room.name.clone()),
        ("title", room.title.clone()),
        ("owner", room.owner.clone().unwrap_or_else(|| "none".into())),
        ("closed", if room.closed { "yes" } else { "no" }.into()),
        ("population", format!("{} of {}", room.population, room.capacity)),
    ]
}
