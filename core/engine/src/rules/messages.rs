//! Messages: posting and receiving.

use std::sync::Arc;

use core_model::{
    Command, Event, Message, MessageId, NewRoom, Person, PostRight, Recipient, Refusal, Reply,
    RoomRef, Timestamp, UserRef,
};

use super::{Act, Work};
use crate::fail::Fail;
use crate::look;
use crate::rows::{Destination, MessageRow, RoomRow, Who};
use crate::store::StoreError;
use crate::{receive, stream};

/// Whoever may post, and where.
struct Author {
    who: Who,
    /// What the author is shown with there, instead of its own.
    avatar: Option<String>,
    room: (u32, Arc<RoomRow>),
}

impl Work<'_> {
    pub(super) fn post(
        &mut self,
        act: &mut Act<'_>,
        room: &RoomRef,
        author: &UserRef,
        text: &str,
        standing: &PostRight,
    ) -> Result<Reply, Fail> {
        let Author { who, avatar, room: (id, row) } = match standing {
            PostRight::Seated => self.seated_author(act, room, author)?,
            PostRight::Member => self.member_author(act, room, author)?,
            PostRight::Joining { create } => {
                self.joining_author(act, room, author, text, *create)?
            }
        };
        check_text(text)?;
        if !row.active {
            self.activate(id)?;
        }
        let to = Recipient::Room(row.tag(id));
        let mut person = self.person(&who)?;
        if let Some(avatar) = avatar {
            Arc::make_mut(&mut person).avatar = avatar;
        }
        let streams = [Some(stream::of_room(id)), None];
        let message =
            self.add_message(act, &who, person, Destination::Room(id), to, streams, text)?;
        Ok(Reply::Posted { message })
    }

    fn seated_author(
        &mut self,
        act: &Act<'_>,
        room: &RoomRef,
        author: &UserRef,
    ) -> Result<Author, Fail> {
        let UserRef::Claim(claim) = author else {
            let who = self.anybody(act, author)?;
            let (id, row) = look::room(&self.batch, room, who.uid())?;
            let (_, seat) = self
                .seat_of_connection(act.asker.connection, id, &who)?
                .ok_or(Refusal::NotInRoom)?;
            return Ok(Author { who, avatar: seat.avatar, room: (id, row) });
        };
        let (id, row) = look::any_room(&self.batch, room)?;
        let Some((_, seat)) = self.seat_claimed(act.asker.connection, id, &claim.name)? else {
            let hidden = row.closed;
            return Err(if hidden { Refusal::UnknownRoom } else { Refusal::NotInRoom }.into());
        };
        // A guest whose name has been registered since then is nobody any more.
        if let Who::Guest(name) = &seat.who
            && look::uid_of_handle(&self.batch, name)?.is_some()
        {
            return Err(Refusal::NotSignedIn.into());
        }
        Ok(Author { who: seat.who, avatar: seat.avatar, room: (id, row) })
    }

    fn member_author(
        &mut self,
        act: &Act<'_>,
        room: &RoomRef,
        author: &UserRef,
    ) -> Result<Author, Fail> {
        let uid = self.user(act, author)?;
        let (id, row) = look::room(&self.batch, room, Some(uid))?;
        if !look::is_member(&self.batch, id, uid)? {
            return Err(Refusal::NotInRoom.into());
        }
        Ok(Author { who: Who::User(uid), avatar: None, room: (id, row) })
    }

    fn joining_author(
        &mut self,
        act: &mut Act<'_>,
        room: &RoomRef,
        author: &UserRef,
        text: &str,
        create: bool,
    ) -> Result<Author, Fail> {
        let uid = self.user(act, author)?;
        check_text(text)?;
        let id = match (look::any_room(&self.batch, room), room) {
            (Ok((id, row)), _) => {
                if row.closed && !look::is_member(&self.batch, id, uid)? {
                    return Err(Refusal::UnknownRoom.into());
                }
                self.join_room(act, id, &row, uid)?;
                id
            }
            (Err(Fail::Refused(Refusal::UnknownRoom)), RoomRef::Name(name)) if create => {
                let new = NewRoom { name: Some(name.clone()), insist: true, ..NewRoom::default() };
                let id = self.make_room(act, &new, Some(uid), 1)?;
                self.add_member(act, id, uid)?;
                self.tell_population(act, id)?;
                id
            }
            (Err(fail), _) => return Err(fail),
        };
        let room = (id, look::known_room(&self.batch, id)?);
        Ok(Author { who: Who::User(uid), avatar: None, room })
    }

    pub(super) fn post_direct(
        &mut self,
        act: &mut Act<'_>,
        author: &UserRef,
        to: &UserRef,
        text: &str,
    ) -> Result<Reply, Fail> {
        let from = self.user(act, author)?;
        check_text(text)?;
        let to = self.user(act, to)?;
        if from == to {
            return Err(Refusal::SelfAddressed.into());
        }
        let person = look::person(&self.batch, from)?;
        let recipient = Recipient::User(look::person(&self.batch, to)?);
        let streams = [Some(stream::of_outbox(from)), Some(stream::of_inbox(to))];
        let destination = Destination::User(to);
        let message =
            self.add_message(act, &Who::User(from), person, destination, recipient, streams, text)?;
        Ok(Reply::Posted { message })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one row, of which each is known")]
    fn add_message(
        &mut self,
        act: &mut Act<'_>,
        who: &Who,
        author: Arc<Person>,
        destination: Destination,
        to: Recipient,
        streams: [Option<u64>; 2],
        text: &str,
    ) -> Result<Message, StoreError> {
        let id = self.counters.next_message;
        self.counters.next_message += 1;
        MessageRow::pack(act.asker.now, who, destination, text, &mut self.row);
        self.batch.messages_mut()?.insert(id, self.row.as_slice())?;
        for stream in streams.into_iter().flatten() {
            self.appends.entry(stream).or_default().push(id);
        }
        let (id, at) = (MessageId(id), Timestamp(act.asker.now));
        let message = Message { id, at, author, to, text: text.to_owned() };
        act.events.push(Event::Posted { message: message.clone() });
        Ok(message)
    }

    pub(super) fn receive(&mut self, act: &mut Act<'_>, command: &Command) -> Result<Reply, Fail> {
        let Command::Receive { user, .. } = command else { unreachable!("called with a Receive") };
        let uid = self.user(act, user)?;
        let stream = match receive::room(&self.batch, uid, command)? {
            Some((id, row)) => {
                self.join_room(act, id, &row, uid)?;
                stream::of_room(id)
            }
            None => stream::of_inbox(uid),
        };
        self.settle()?;
        let next_message = self.counters.next_message;
        let receipt = receive::find(&self.batch, uid, stream, command, next_message)?;
        if receipt.moves {
            self.batch.cursors_mut()?.insert((uid, stream), receipt.read)?;
        }
        receipt.reply(&self.batch)
    }
}

fn check_text(text: &str) -> Result<(), Refusal> {
    if text.is_empty() { Err(Refusal::EmptyText) } else { Ok(()) }
}
