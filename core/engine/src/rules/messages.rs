//! Messages: posting and receiving.

use std::sync::Arc;

use core_model::{
    Command, Event, Message, MessageId, NewRoom, Person, PostRight, Recipient, Refusal, Reply,
    RoomRef, Timestamp, UserRef,
};

use super::context::{BatchContext, CommandContext};
use crate::bans;
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::rows::{Destination, MessageRow, RoomRow, Who};
use crate::{message_index, receive};

/// What a post says.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) text: &'a str,
    pub(super) notice: bool,
}

/// The author of a post and the room, once checked.
struct Author {
    who: Who,
    /// The avatar given on entering, instead of the user's own.
    avatar: Option<String>,
    room: (u32, Arc<RoomRow>),
}

impl BatchContext<'_> {
    pub(super) fn post(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        author: &UserRef,
        content: Content<'_>,
        standing: &PostRight,
    ) -> Result<Reply, Error> {
        let text = content.text;
        let Author { who, avatar, room: (id, row) } = match standing {
            PostRight::Seated => self.seated_author(cx, room, author)?,
            PostRight::Member => self.member_author(cx, room, author)?,
            PostRight::Joining { create } => {
                self.joining_author(cx, room, author, text, *create)?
            }
        };
        check_text(text)?;
        bans::check_muted(&self.batch, cx.request, id, who.uid())?;
        self.check_voice(cx, (id, &row), &who)?;
        if !row.active {
            self.activate(id)?;
        }
        let to = Recipient::Room(row.tag(id));
        let mut person = self.person(&who)?;
        if let Some(avatar) = avatar {
            Arc::make_mut(&mut person).avatar = avatar;
        }
        let streams = [Some(message_index::of_room(id)), None];
        let message =
            self.add_message(cx, &who, person, Destination::Room(id), to, streams, content)?;
        Ok(Reply::Posted { message })
    }

    fn seated_author(
        &mut self,
        cx: &CommandContext<'_>,
        room: &RoomRef,
        author: &UserRef,
    ) -> Result<Author, Error> {
        let UserRef::Claim(claim) = author else {
            let who = self.user_or_guest(cx, author)?;
            let (id, row) = lookup::room(&self.batch, room, who.uid())?;
            let seat = self.seat_of_connection(cx.request.connection, id, &who)?;
            if seat.is_none() && !row.policy.open_posts {
                return Err(Refusal::NotInRoom.into());
            }
            let avatar = seat.and_then(|(_, seat)| seat.avatar);
            return Ok(Author { who, avatar, room: (id, row) });
        };
        let (id, row) = lookup::any_room(&self.batch, room)?;
        let Some((_, seat)) = self.seat_claimed(cx.request.connection, id, &claim.name)? else {
            if row.policy.open_posts && !row.closed {
                let who = self.user_or_guest(cx, author)?;
                return Ok(Author { who, avatar: None, room: (id, row) });
            }
            let hidden = row.closed;
            return Err(if hidden { Refusal::UnknownRoom } else { Refusal::NotInRoom }.into());
        };
        // An account has taken the guest's name since: the guest may not post under it.
        if let Who::Guest(name) = &seat.who
            && lookup::uid_of_handle(&self.batch, name)?.is_some()
        {
            return Err(Refusal::NotSignedIn.into());
        }
        Ok(Author { who: seat.who, avatar: seat.avatar, room: (id, row) })
    }

    fn member_author(
        &mut self,
        cx: &CommandContext<'_>,
        room: &RoomRef,
        author: &UserRef,
    ) -> Result<Author, Error> {
        let uid = self.user(cx, author)?;
        let (id, row) = lookup::room(&self.batch, room, Some(uid))?;
        if !lookup::is_member(&self.batch, id, uid)? {
            return Err(Refusal::NotInRoom.into());
        }
        Ok(Author { who: Who::User(uid), avatar: None, room: (id, row) })
    }

    fn joining_author(
        &mut self,
        cx: &mut CommandContext<'_>,
        room: &RoomRef,
        author: &UserRef,
        text: &str,
        create: bool,
    ) -> Result<Author, Error> {
        let uid = self.user(cx, author)?;
        check_text(text)?;
        let id = match (lookup::any_room(&self.batch, room), room) {
            (Ok((id, row)), _) => {
                if row.closed && !lookup::is_member(&self.batch, id, uid)? {
                    return Err(Refusal::UnknownRoom.into());
                }
                // Before the author joins: a refused command changes nothing.
                bans::check_muted(&self.batch, cx.request, id, Some(uid))?;
                self.check_voice(cx, (id, &row), &Who::User(uid))?;
                self.join_room(cx, id, &row, uid)?;
                id
            }
            (Err(Error::Refused(Refusal::UnknownRoom)), RoomRef::Name(name)) if create => {
                let new = NewRoom { name: Some(name.clone()), insist: true, ..NewRoom::default() };
                let id = self.make_room(cx, &new, Some(uid), 1)?;
                self.add_members(cx, id, &[uid])?;
                self.announce_population(cx, id)?;
                id
            }
            (Err(fail), _) => return Err(fail),
        };
        let room = (id, lookup::known_room(&self.batch, id)?);
        Ok(Author { who: Who::User(uid), avatar: None, room })
    }

    pub(super) fn post_direct(
        &mut self,
        cx: &mut CommandContext<'_>,
        author: &UserRef,
        to: &UserRef,
        content: Content<'_>,
        allow_self: bool,
    ) -> Result<Reply, Error> {
        let from = self.user(cx, author)?;
        check_text(content.text)?;
        let to = self.user(cx, to)?;
        if from == to && !allow_self {
            return Err(Refusal::SelfAddressed.into());
        }
        let person = lookup::person(&self.batch, from)?;
        let recipient = Recipient::User(lookup::person(&self.batch, to)?);
        let streams = [Some(message_index::of_outbox(from)), Some(message_index::of_inbox(to))];
        let destination = Destination::User(to);
        let message = self.add_message(
            cx,
            &Who::User(from),
            person,
            destination,
            recipient,
            streams,
            content,
        )?;
        Ok(Reply::Posted { message })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one row")]
    pub(super) fn add_message(
        &mut self,
        cx: &mut CommandContext<'_>,
        who: &Who,
        author: Arc<Person>,
        destination: Destination,
        to: Recipient,
        streams: [Option<u64>; 2],
        Content { text, notice }: Content<'_>,
    ) -> Result<Message, StoreError> {
        let id = self.counters.next_message;
        self.counters.next_message += 1;
        MessageRow::pack(cx.request.now, who, destination, notice, text, &mut self.row);
        self.batch.messages_mut()?.insert(id, self.row.as_slice())?;
        for stream in streams.into_iter().flatten() {
            self.appends.entry(stream).or_default().push(id);
        }
        let at = Timestamp(cx.request.now);
        let message = Message { id: MessageId(id), at, author, to, text: text.to_owned(), notice };
        cx.events.push(Event::Posted { message: message.clone() });
        Ok(message)
    }

    pub(super) fn receive(
        &mut self,
        cx: &mut CommandContext<'_>,
        command: &Command,
    ) -> Result<Reply, Error> {
        let Command::Receive { user, .. } = command else { unreachable!("called with a Receive") };
        let uid = self.user(cx, user)?;
        let room = receive::room(&self.batch, uid, command)?;
        receive::check_after(command, self.counters.next_message)?;
        let stream = match room {
            Some((id, row)) => {
                self.join_room(cx, id, &row, uid)?;
                message_index::of_room(id)
            }
            None => message_index::of_inbox(uid),
        };
        self.settle()?;
        let receipt = receive::find(&self.batch, uid, stream, command)?;
        let (reply, read) = receipt.reply(&self.batch)?;
        if receipt.moves {
            self.batch.cursors_mut()?.insert((uid, stream), read)?;
        }
        Ok(reply)
    }
}

pub(super) fn check_text(text: &str) -> Result<(), Refusal> {
    if text.is_empty() { Err(Refusal::EmptyText) } else { Ok(()) }
}
