//! `dragoman message`: reading, deleting and announcing.

use std::error::Error;

use clap::{Args, Subcommand};

use super::arguments::{Common, of_a_page, print_list};
use super::operation::{Backend, call};
use super::{Options, output};
use crate::admin::types::{Announcement, BeforeQuery, MessageQuery, MessageReport, Nothing};
use crate::admin::{
    Announce, AnnounceToAll, DeleteMessage, LIMIT_MAX, ListMessages, SearchMessages,
};

#[derive(Args, Debug)]
pub(super) struct Messages {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the newest messages of a room, oldest first
    List {
        #[command(flatten)]
        common: Common,
        /// The name that is unique in the gateway
        room: String,
        /// Only older messages than this one
        #[arg(long, value_name = "ID")]
        before: Option<u64>,
        /// The most messages to print, up to 1000
        #[arg(long, value_name = "N", default_value_t = 100,
            value_parser = of_a_page)]
        limit: u32,
    },
    /// Search the messages of rooms, newest first
    Search {
        #[command(flatten)]
        common: Common,
        /// Words that a message must all have; of scripts without spaces, parts of the text
        text: String,
        /// Only in this room
        #[arg(long)]
        room: Option<String>,
        /// Only by this user, or `guest:<name>`
        #[arg(long, value_name = "WHO")]
        author: Option<String>,
        /// Only older messages than this one
        #[arg(long, value_name = "ID")]
        before: Option<u64>,
        /// The most messages to print, up to 1000
        #[arg(long, value_name = "N", default_value_t = 100,
            value_parser = of_a_page)]
        limit: u32,
    },
    /// Delete a message: no dialect shows it any more
    Delete {
        #[command(flatten)]
        common: Common,
        /// Its id, as in the list
        id: u64,
    },
    /// Post a notice to a room, or to every room
    Announce {
        #[command(flatten)]
        common: Common,
        /// The name of the room
        #[arg(long, required_unless_present = "all", conflicts_with = "all")]
        room: Option<String>,
        /// To every room
        #[arg(long)]
        all: bool,
        /// The name under which it is posted, which no account may have [default: Announcement]
        #[arg(long)]
        name: Option<String>,
        text: String,
    },
}

pub(super) fn run(options: Options, messages: Messages) -> Result<(), Box<dyn Error>> {
    let options = options.and(messages.options);
    match messages.what {
        What::List { common, room, before, limit } => {
            let backend = options.and(common.options).backend()?;
            let before = before.map(|id| id.to_string());
            let query = BeforeQuery { before, limit: Some(limit) };
            let page = call::<ListMessages>(&backend, &[&room], query, Nothing {})?;
            print_list(common.json, (page.items, false), &["id", "at", "author", "text"], row)
        }
        What::Search { common, text, room, author, before, limit } => {
            let backend = options.and(common.options).backend()?;
            let before = before.map(|id| id.to_string());
            let query = MessageQuery { text, room, author, before, limit: Some(limit) };
            search(&backend, common.json, query)
        }
        What::Delete { common, id } => {
            let backend = options.and(common.options).backend()?;
            let id = id.to_string();
            call::<DeleteMessage>(&backend, &[&id], Nothing {}, Nothing {})?;
            Ok(output::line(format_args!("deleted message {id}"))?)
        }
        What::Announce { common, room, all: _, name, text } => {
            let backend = options.and(common.options).backend()?;
            let notice = Announcement { text, name };
            let announced = match &room {
                Some(room) => call::<Announce>(&backend, &[room], Nothing {}, notice)?,
                None => call::<AnnounceToAll>(&backend, &[], Nothing {}, notice)?,
            };
            Ok(output::line(format_args!("posted in rooms: {}", announced.rooms))?)
        }
    }
}

/// Prints one page, however much has to be looked at to find it.
fn search(backend: &Backend, json: bool, mut query: MessageQuery) -> Result<(), Box<dyn Error>> {
    let limit = query.limit.unwrap_or(LIMIT_MAX) as usize;
    let mut found = Vec::new();
    let has_more = loop {
        let page = call::<SearchMessages>(backend, &[], query.clone(), Nothing {})?;
        found.extend(page.items);
        query.before = page.next;
        query.limit = u32::try_from(limit - found.len()).ok().filter(|left| *left > 0);
        if query.before.is_none() || query.limit.is_none() {
            break query.before.is_some();
        }
    };
    let titles = ["id", "at", "room", "author", "text"];
    print_list(json, (found, has_more), &titles, |message| {
        let mut row = row(message);
        row.insert(2, message.room.clone().unwrap_or_default());
        row
    })
}

fn row(message: &MessageReport) -> Vec<String> {
    vec![message.id.to_string(), message.at.clone(), message.author.clone(), message.text.clone()]
}
