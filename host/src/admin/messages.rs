//! Messages: reading, deleting and announcing.

use core_engine::MessageSearch;
use core_model::{AdminCommand, Command, GUEST_PREFIX, MessageId, Refusal, Reply, RoomId, UserRef};

use super::endpoint::{Announce, AnnounceToAll, DeleteMessage, ListMessages, SearchMessages};
use super::message_report::report;
use super::pages::{cursor, limit};
use super::rooms::{about_announcer, announce, named};
use super::store::{OnStore, Store, submit};
use super::types::{
    Announced, Announcement, BeforeQuery, Done, MessageQuery, MessageReport, Nothing, Page,
};
use super::users::who;
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

impl OnStore for SearchMessages {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        query: MessageQuery,
        _: Nothing,
    ) -> Result<Page<MessageReport>, Failure> {
        let MessageQuery { text, room, author, before, limit: wanted } = query;
        if !text.chars().any(char::is_alphanumeric) {
            let why = "give `text` with a letter or digit to search for".into();
            return Err(Failure::Invalid(why).at(&["text"]));
        }
        let before = MessageId(cursor("before", before.as_deref(), u64::MAX)?);
        let limit = limit(wanted)?;
        let named_author = author.as_deref().and_then(|author| who(author).ok());
        let author = author.as_deref().map(author_of).transpose()?;
        let search = MessageSearch { text, room: room.as_deref().map(named), author };
        let found = store.engine().search_messages(store.now(), &search, before, limit);
        let found = found.map_err(|refusal| match (refusal, room, named_author) {
            (Refusal::UnknownRoom, Some(room), _) => Failure::UnknownRoom(room),
            (refusal, _, Some(who)) => Failure::about(&who, refusal),
            (refusal, ..) => Failure::of(refusal),
        })?;
        let items = found.items.iter().map(|message| report(message)).collect();
        Ok(Page { items, next: found.next.map(|next| next.to_string()) })
    }
}

/// The author that an operator names: an account, or a guest.
fn author_of(named: &str) -> Result<UserRef, Failure> {
    if named.starts_with(GUEST_PREFIX) {
        return Ok(UserRef::Handle(named.into()));
    }
    Ok(who(named)?.user_ref())
}

pub fn no_message_id(text: &str) -> Failure {
    let why = format!("{text:?} is no message id; expected a whole number");
    Failure::Invalid(why).at(&["message"])
}

impl OnStore for DeleteMessage {
    fn run<S: Store>(store: &S, path: &[String], _: Nothing, _: Nothing) -> Result<Done, Failure> {
        let id = path[0].parse();
        let id = id.map_err(|_| no_message_id(&path[0]))?;
        let delete = AdminCommand::DeleteMessages { messages: vec![MessageId(id)] };
        match submit(store, Command::Admin(Box::new(delete)))? {
            Reply::Pruned { messages: 1, .. } => Ok(Done {}),
            _ => Err(Failure::Missing(format!("there is no message {id}")).at(&["message"])),
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
        let Announcement { name, text } = new;
        let name = name.unwrap_or_else(|| ANNOUNCER.to_owned());
        let mut announced = Announced { rooms: 0 };
        let mut after = RoomId(0);
        loop {
            let (name, text) = (name.clone(), text.clone());
            let command = AdminCommand::AnnounceToNext { after, name: name.clone(), text };
            let posted = submit(store, Command::Admin(Box::new(command)));
            match posted.map_err(|failure| about_announcer(&name, failure))? {
                Reply::Pruned { messages, next, .. } => {
                    announced.rooms += u64::from(messages);
                    match next {
                        Some(next) => after = next,
                        None => return Ok(announced),
                    }
                }
                _ => return Err(Failure::Store("unexpected answer to an announcement".into())),
            }
        }
    }
}
