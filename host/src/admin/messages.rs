//! Messages: reading, deleting and announcing.

use core_model::{AdminCommand, Command, MessageId, Reply, RoomId, RoomRef};

use super::endpoint::{Announce, AnnounceToAll, DeleteMessage, ListMessages};
use super::message_report::report;
use super::pages::{LIMIT_MAX, cursor, limit};
use super::rooms::{announce, named};
use super::store::{OnStore, Store, submit};
use super::types::{Announced, Announcement, BeforeQuery, Done, MessageReport, Nothing, Page};
use crate::users::Failure;

/// The name of announcements without another.
const ANNOUNCER: &str = "Announcement";

impl OnStore for ListMessages {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        query: BeforeQuery,
        _: Nothing,
    ) -> Result<Page<MessageReport>, Failure> {
        let before = MessageId(cursor("before", query.before.as_deref(), u64::MAX)?);
        let limit = limit(query.limit)?;
        let found = store.engine().messages_of_room(&named(&path[0]), before, limit);
        let found = found.map_err(|refusal| match refusal {
            core_model::Refusal::UnknownRoom => Failure::UnknownRoom(path[0].clone()),
            refusal => Failure::of(refusal),
        })?;
        let items: Vec<MessageReport> = found.iter().map(|message| report(message)).collect();
        // Fewer than asked for may be those that fit into a reply.
        let next = items.first().map(|oldest| oldest.id.to_string());
        Ok(Page { items, next })
    }
}

impl OnStore for DeleteMessage {
    fn run<S: Store>(store: &S, path: &[String], _: Nothing, _: Nothing) -> Result<Done, Failure> {
        let id = path[0].parse();
        let id = id.map_err(|_| Failure::Invalid(format!("{:?} is no message id", path[0])))?;
        let delete = AdminCommand::DeleteMessages { messages: vec![MessageId(id)] };
        match submit(store, Command::Admin(Box::new(delete)))? {
            Reply::Pruned { messages: 1, .. } => Ok(Done {}),
            _ => Err(Failure::Missing(format!("there is no message {id}"))),
        }
    }
}

impl OnStore for Announce {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        new: Announcement,
    ) -> Result<Announced, Failure> {
        let name = new.name.as_deref().unwrap_or(ANNOUNCER);
        announce(store, named(&path[0]), &path[0], name, &new.text)?;
        Ok(Announced { rooms: 1 })
    }
}

impl OnStore for AnnounceToAll {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        _: Nothing,
        new: Announcement,
    ) -> Result<Announced, Failure> {
        let name = new.name.as_deref().unwrap_or(ANNOUNCER);
        let mut announced = Announced { rooms: 0 };
        let mut after = RoomId(0);
        loop {
            let page = store.engine().all_rooms(after, None, LIMIT_MAX as usize);
            let page = page.map_err(Failure::of)?;
            for room in &page.items {
                match announce(store, RoomRef::Id(room.id), &room.name, name, &new.text) {
                    Ok(()) => announced.rooms += 1,
                    // It was deleted meanwhile.
                    Err(Failure::UnknownRoom(_)) => (),
                    Err(failure) => return Err(failure),
                }
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(announced),
            }
        }
    }
}
