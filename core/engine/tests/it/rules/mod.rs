//! What each command does, its refusals and its events.

mod accounts;
mod admin;
mod bounds;
mod claims;
mod clock;
mod conversations;
mod delivery;
mod gaps;
mod guests;
mod keys;
mod leases;
mod leaving;
mod lists;
mod membership;
mod message_search;
mod messages;
mod policy;
mod quotas;
mod receive;
mod retention;
mod roles;
mod rooms;
mod runs;
mod search;
mod seats;
mod tokens;
mod webhooks;

use std::sync::Arc;

use core_model::{Refusal, Reply, RoomRef, RoomView, UserRef, UserView};

use crate::build::*;
use crate::gateway::Gateway;
use crate::say;

/// With these users.
fn with(handles: &[&str]) -> Gateway {
    let gateway = Gateway::new();
    for handle in handles {
        gateway.does(0, register(handle));
    }
    gateway
}

/// With these users and the open room `tea`, which the first of them made.
fn with_tea(handles: &[&str]) -> Gateway {
    let gateway = with(handles);
    let owner = handles.first().map(|owner| user(owner));
    gateway.does(0, create(titled("tea"), owner));
    gateway
}

/// The room as this member sees it, or as others do if `None`.
#[track_caller]
fn room_seen_by(gateway: &Gateway, room: RoomRef, caller: Option<UserRef>) -> RoomView {
    let detail = core_model::Detail { members: true, ..core_model::Detail::default() };
    let query = core_model::Query::Room { room, caller, detail };
    match gateway.ask(&query).expect("the room is there") {
        Reply::Room { room } => Arc::unwrap_or_clone(room),
        other => panic!("not a room: {other:?}"),
    }
}

#[track_caller]
fn tea(gateway: &Gateway) -> RoomView {
    room_seen_by(gateway, room("tea"), None)
}

#[track_caller]
fn population(gateway: &Gateway) -> u32 {
    tea(gateway).population
}

#[track_caller]
fn members_of(gateway: &Gateway, name: &str) -> Vec<String> {
    match gateway.ask(&members(room(name))).expect("the room is there") {
        Reply::Members { members, .. } => say::people(&members),
        other => panic!("not members: {other:?}"),
    }
}

#[track_caller]
fn account(gateway: &Gateway, user: UserRef) -> UserView {
    match gateway.ask(&about_user(user)).expect("the user is there") {
        Reply::User { user } => user,
        other => panic!("not a user: {other:?}"),
    }
}

#[track_caller]
fn online(gateway: &Gateway, handle: &str) -> bool {
    account(gateway, user(handle)).online
}

/// The newest messages of a room.
#[track_caller]
fn talk(gateway: &Gateway, name: &str) -> Vec<String> {
    match gateway.ask(&history(room(name), u32::MAX)).expect("the room is there") {
        Reply::Messages { messages } => say::messages(&messages),
        other => panic!("not messages: {other:?}"),
    }
}

/// The texts received, and the cursor.
#[track_caller]
fn received(gateway: &Gateway, command: core_model::Command) -> (Vec<String>, u64) {
    received_in(gateway.does(0, command))
}

fn received_in(reply: Reply) -> (Vec<String>, u64) {
    match reply {
        Reply::Received { messages, cursor, .. } => (say::messages(&messages), cursor.0),
        other => panic!("not received: {other:?}"),
    }
}

fn refusals(gateway: &Gateway, table: impl IntoIterator<Item = (core_model::Command, Refusal)>) {
    for (command, expected) in table {
        let shown = format!("{command:?}");
        assert_eq!(say::refusal(&gateway.refuses(9, command)), expected, "{shown}");
    }
}
