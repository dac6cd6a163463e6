//! `dragoman room policy`, `mask`, `unmask` and `role`: who may find, enter and post to a room.

use std::error::Error;

use clap::Args;
use serde::Serialize;

use super::arguments::{Common, lines, print_one};
use super::operation::call;
use super::{Options, password, table};
use crate::admin::policy_types::{
    ListedMask, PolicyPatch, PolicyReport, RoleChange, RoomList, RoomRole,
};
use crate::admin::types::Nothing;
use crate::admin::{AddMask, ChangePolicy, OnStore, RemoveMask, SetRole, ShowPolicy};

#[derive(Args, Debug)]
pub(super) struct Which {
    #[command(flatten)]
    pub(super) common: Common,

    /// The name that is unique in the gateway, as the chatroom and channel dialects show it
    pub(super) name: String,
}

#[derive(Args, Debug, Default)]
pub(super) struct PolicyFlags {
    /// Whether only the owner, operators and users with a voice post (m on IRC)
    #[arg(long, value_name = "BOOL")]
    moderated: Option<bool>,
    /// Whether lists and searches leave it out (s)
    #[arg(long, value_name = "BOOL")]
    secret: Option<bool>,
    /// Whether only members and invited users enter (i)
    #[arg(long, value_name = "BOOL")]
    invite_only: Option<bool>,
    /// Whether everyone inside may change the description (the absence of t)
    #[arg(long, value_name = "BOOL")]
    open_topic: Option<bool>,
    /// Whether users who are not in it may post (the absence of n)
    #[arg(long, value_name = "BOOL")]
    open_posts: Option<bool>,
    /// Seats (l)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    capacity: Option<u32>,
    /// Ask for a key that users give to enter (k; on a pipe, read its first line)
    #[arg(long, conflicts_with = "no_key")]
    key: bool,
    /// Take the key away
    #[arg(long)]
    no_key: bool,
}

impl PolicyFlags {
    /// What is to be changed; none: nothing.
    fn patch(self, room: &str) -> Result<Option<PolicyPatch>, Box<dyn Error>> {
        let Self { moderated, secret, invite_only, open_topic, open_posts, capacity, .. } = self;
        let room_key = match (self.key, self.no_key) {
            (true, _) => Some(key_of(room)?),
            (false, no_key) => no_key.then(String::new),
        };
        let flags = [moderated, secret, invite_only, open_topic, open_posts];
        if flags.iter().all(Option::is_none) && capacity.is_none() && room_key.is_none() {
            return Ok(None);
        }
        Ok(Some(PolicyPatch {
            moderated,
            secret,
            invite_only,
            open_topic,
            open_posts,
            capacity,
            room_key,
        }))
    }
}

fn key_of(room: &str) -> Result<String, Box<dyn Error>> {
    let key = password::read_key(room)?;
    if key.is_empty() {
        return Err("the key is empty; --no-key takes the key away; nothing was changed".into());
    }
    Ok(key)
}

pub(super) fn policy(
    options: Options,
    which: Which,
    flags: PolicyFlags,
) -> Result<(), Box<dyn Error>> {
    match flags.patch(&which.name)? {
        Some(patch) => on::<ChangePolicy>(options, which, Nothing {}, patch),
        None => on::<ShowPolicy>(options, which, Nothing {}, Nothing {}),
    }
}

pub(super) fn add_mask(
    options: Options,
    which: Which,
    list: RoomList,
    mask: String,
) -> Result<(), Box<dyn Error>> {
    on::<AddMask>(options, which, Nothing {}, ListedMask { list, mask })
}

pub(super) fn remove_mask(
    options: Options,
    which: Which,
    list: RoomList,
    mask: String,
) -> Result<(), Box<dyn Error>> {
    on::<RemoveMask>(options, which, ListedMask { list, mask }, Nothing {})
}

pub(super) fn set_role(
    options: Options,
    which: Which,
    user: String,
    (role, held): (RoomRole, bool),
) -> Result<(), Box<dyn Error>> {
    on::<SetRole>(options, which, Nothing {}, RoleChange { user, role, held })
}

/// Carries out an operation on one room, and prints what holds there.
fn on<E: OnStore<Reply = PolicyReport>>(
    options: Options,
    which: Which,
    query: E::Query,
    body: E::Body,
) -> Result<(), Box<dyn Error>>
where
    E::Query: Serialize,
{
    let backend = options.and(which.common.options).backend()?;
    let report = call::<E>(&backend, &[&which.name], query, body)?;
    print_one(which.common.json, &report, shown)
}

/// A line for each property, and a table of the lists.
fn shown(policy: &PolicyReport) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let mut text = lines(&[
        ("name", policy.room.clone()),
        ("capacity", policy.capacity.to_string()),
        ("moderated", yes(policy.moderated)),
        ("secret", yes(policy.secret)),
        ("invite_only", yes(policy.invite_only)),
        ("open_topic", yes(policy.open_topic)),
        ("open_posts", yes(policy.open_posts)),
        ("keyed", yes(policy.keyed)),
    ]);
    let by = |by: &str| if by.is_empty() { "the gateway".into() } else { by.to_owned() };
    let mut rows = Vec::new();
    for one in &policy.masks {
        rows.push([one.list.word().into(), one.mask.clone(), by(&one.by), one.at.clone()]);
    }
    for one in &policy.invited {
        rows.push(["invited".into(), one.user.clone(), by(&one.by), one.at.clone()]);
    }
    for one in &policy.roles {
        for (role, _) in [("operator", one.operator), ("voice", one.voice)].iter().filter(|it| it.1)
        {
            rows.push([(*role).into(), one.user.clone(), String::new(), String::new()]);
        }
    }
    if !rows.is_empty() {
        let mut table = vec![["list", "who", "by", "at"].map(String::from).to_vec()];
        table.extend(rows.iter().map(|row| row.to_vec()));
        text.push_str(&format!("{}\n", table::aligned(table)));
    }
    text
}
