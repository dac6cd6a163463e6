//! LIST.

use core_model::{Detail, Outcome, Query, Reply, RoomFilter, RoomId, RoomRef, RoomView};
use frontend_api::Outbox;

use crate::list_filter::{Filter, users};
use crate::names;
use crate::numeric::*;
use crate::parse::Message;
use crate::pending::PendingReply;
use crate::refusal::RequestKind;
use crate::state::{IrcSession, send};

/// With the number of people, each once.
const DETAIL: Detail = Detail { members: false, messages: 0, people: true, masks: false };

impl IrcSession {
    pub(crate) fn list(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let start = self.numeric(RPL_LISTSTART, &["Channel"], "Users  Topic");
        self.say(vec![start], out);
        let filter = Filter::parse(message.list(0), self.now);
        match filter.channels() {
            Some(channels) => {
                for room in channels.iter().filter_map(|channel| names::room(channel)) {
                    let room = RoomRef::Name(self.joined_name(room));
                    let query = Query::Room { room, caller: self.caller(), detail: DETAIL };
                    self.query(query, PendingReply::ListOne(None), out);
                }
            }
            None => {
                let secret = self.rooms.iter().filter(|(_, channel)| channel.secret);
                let secret: Vec<RoomId> = secret.map(|(id, _)| *id).collect();
                for room in secret.into_iter().map(RoomRef::Id) {
                    let query = Query::Room { room, caller: self.caller(), detail: DETAIL };
                    self.query(query, PendingReply::ListOne(Some(filter.clone())), out);
                }
                let query = Query::Rooms {
                    filter: RoomFilter::Open,
                    after: RoomId(0),
                    limit: self.options.list_max,
                    detail: DETAIL,
                };
                self.query(query, PendingReply::List(filter), out);
            }
        }
        let end = self.numeric(RPL_LISTEND, &[], "End of LIST");
        self.say(vec![end], out);
    }

    fn list_line(&self, room: &RoomView) -> String {
        let channel = names::channel(&room.name);
        self.numeric(RPL_LIST, &[&channel, &users(room).to_string()], &room.description)
    }

    pub(crate) fn send_list(&mut self, filter: &Filter, outcome: &Outcome, out: &mut Outbox) {
        let Ok(Reply::Rooms { rooms }) = outcome else {
            return self.report(RequestKind::Channel, "LIST", "*", outcome, out);
        };
        for room in rooms {
            if filter.includes(&names::channel(&room.name), room) {
                send(self.list_line(room), out);
            }
        }
    }

    /// Skips a channel that does not exist, that is secret to the client, or that the filter leaves
    /// out.
    pub(crate) fn send_list_entry(
        &mut self,
        filter: Option<&Filter>,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let Ok(Reply::Room { room }) = outcome else { return };
        let is_shown = !room.policy.secret || self.rooms.contains_key(&room.id);
        if is_shown && filter.is_none_or(|it| it.includes(&names::channel(&room.name), room)) {
            send(self.list_line(room), out);
        }
    }
}
