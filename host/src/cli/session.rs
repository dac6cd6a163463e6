//! `dragoman session`: the open connections of a running gateway.

use std::error::Error;

use clap::{Args, Subcommand};

use super::arguments::{Common, Paging, print_list, read_pages};
use super::operation::call_gateway;
use super::{Options, output};
use crate::admin::types::{Nothing, Session, SessionQuery};
use crate::admin::{CloseSession, ListSessions};

#[derive(Args, Debug)]
pub(super) struct Sessions {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the open connections
    List {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        paging: Paging,
        /// Only of this front end
        #[arg(long, value_name = "NAME")]
        frontend: Option<String>,
        /// Only of this user (10000, bob, tel/5551234), or of a guest (guest:zed)
        #[arg(long, value_name = "WHO")]
        user: Option<String>,
        /// Only with a seat in this room
        #[arg(long, value_name = "NAME")]
        room: Option<String>,
        /// Only from this address or network
        #[arg(long, value_name = "ADDRESS")]
        address: Option<String>,
    },
    /// Close a connection
    Close {
        #[command(flatten)]
        common: Common,
        /// Its id, as in the list
        id: u64,
    },
}

pub(super) fn run(options: Options, sessions: Sessions) -> Result<(), Box<dyn Error>> {
    let options = options.and(sessions.options);
    match sessions.what {
        What::List { common, paging, frontend, user, room, address } => {
            let backend = options.and(common.options).backend()?;
            let found = read_pages(paging.limit, |after, limit| {
                let query = SessionQuery {
                    frontend: frontend.clone(),
                    user: user.clone(),
                    room: room.clone(),
                    address: address.clone(),
                    after,
                    limit: Some(limit),
                };
                call_gateway::<ListSessions>(&backend, &[], &query, &Nothing {})
            })?;
            print_list(common.json, found, &TITLES, row)
        }
        What::Close { common, id } => {
            let backend = options.and(common.options).backend()?;
            let id = id.to_string();
            call_gateway::<CloseSession>(&backend, &[&id], &Nothing {}, &Nothing {})?;
            Ok(output::line(format_args!("session {id} is being closed"))?)
        }
    }
}

const TITLES: [&str; 10] =
    ["id", "front end", "address", "user", "rooms", "age", "idle", "in", "out", "mailbox"];

fn row(session: &Session) -> Vec<String> {
    vec![
        session.id.to_string(),
        session.frontend.clone(),
        session.address.clone(),
        session.user.clone().unwrap_or_else(|| "-".into()),
        if session.rooms.is_empty() { "-".into() } else { session.rooms.join(",") },
        span(session.age_s),
        span(session.idle_s),
        session.received.to_string(),
        session.sent_bytes.to_string(),
        session.mailbox.to_string(),
    ]
}

/// A span of time with its two largest units.
fn span(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs}s"),
        60..3_600 => format!("{}m{:02}s", secs / 60, secs % 60),
        3_600..86_400 => format!("{}h{:02}m", secs / 3_600, secs % 3_600 / 60),
        _ => format!("{}d{:02}h", secs / 86_400, secs % 86_400 / 3_600),
    }
}
