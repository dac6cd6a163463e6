//! Parts of conversations and their list, against the [`Reference`].

use core_model::{
    ConversationRef, MessageId, Part, Position, Query, Refusal, Reply, RoomId, Timestamp,
};
use proptest::prelude::prop_assert_eq;
use proptest::test_runner::TestCaseError;

use crate::build::*;
use crate::gateway::Gateway;
use crate::reference::{Conversation, Reference};

/// Every kind of part, around these two positions.
fn parts(one: Position, other: Position) -> [Part; 7] {
    [
        Part::Newest { after: None },
        Part::Newest { after: Some(one) },
        Part::Before(other),
        Part::After(one),
        Part::Around(one),
        Part::Between { from: one, to: other },
        Part::Between { from: other, to: one },
    ]
}

pub(crate) fn compare(gateway: &Gateway, reference: &Reference) -> Result<(), TestCaseError> {
    let uids = reference.uids();
    let rooms: Vec<u32> = reference.room_ids().collect();
    let id = |id| Position::Message(MessageId(id));
    let at = |at| Position::Time(Timestamp(at));
    let all = [parts(id(2), id(5)), parts(at(1_010), at(1_300))].concat();
    for uid in &uids {
        let with = uids.iter().map(|uid| Conversation::With(*uid));
        for conversation in with.chain(rooms.iter().map(|room| Conversation::Room(*room))) {
            for (part, limit) in all.iter().flat_map(|part| [(*part, 2), (*part, 9)]) {
                compare_excerpt(gateway, reference, *uid, conversation, part, limit)?;
            }
            compare_marker(gateway, reference, *uid, conversation)?;
        }
        for (times, limit) in [([0, 1 << 50], 9), ([1_010, 1_300], 2), ([1 << 50, 1_010], 1)] {
            let expected = reference.conversations(*uid, &rooms, times, limit as usize);
            let query = Query::Conversations {
                caller: Some(self::uid(*uid)),
                rooms: rooms.iter().copied().map(RoomId).collect(),
                from: Timestamp(times[0]),
                to: Timestamp(times[1]),
                limit,
            };
            let reply = Ok(Reply::Conversations { conversations: expected });
            prop_assert_eq!(gateway.ask(&query), reply, "{:?}", query);
        }
    }
    Ok(())
}

fn named(conversation: Conversation) -> ConversationRef {
    match conversation {
        Conversation::Room(room) => ConversationRef::Room(room_id(room)),
        Conversation::With(uid) => ConversationRef::User(self::uid(uid)),
    }
}

fn is_hidden(reference: &Reference, uid: u64, conversation: Conversation) -> bool {
    match conversation {
        Conversation::Room(room) => reference.room_for(room, Some(uid)).is_none(),
        Conversation::With(_) => false,
    }
}

fn compare_excerpt(
    gateway: &Gateway,
    reference: &Reference,
    uid: u64,
    conversation: Conversation,
    part: Part,
    limit: u32,
) -> Result<(), TestCaseError> {
    let expected = if is_hidden(reference, uid, conversation) {
        Err(Refusal::UnknownRoom)
    } else {
        let messages = reference.excerpt(uid, conversation, part, limit as usize);
        Ok(Reply::Messages { messages })
    };
    let caller = Some(self::uid(uid));
    let query = Query::Excerpt { conversation: named(conversation), caller, part, limit };
    prop_assert_eq!(gateway.ask(&query), expected, "{:?}", query);
    Ok(())
}

fn compare_marker(
    gateway: &Gateway,
    reference: &Reference,
    uid: u64,
    conversation: Conversation,
) -> Result<(), TestCaseError> {
    let expected = if is_hidden(reference, uid, conversation) {
        Err(Refusal::UnknownRoom)
    } else {
        Ok(Reply::ReadMarker { at: reference.read_up_to(uid, conversation) })
    };
    let query = Query::ReadMarker { user: self::uid(uid), conversation: named(conversation) };
    prop_assert_eq!(gateway.ask(&query), expected, "{:?}", query);
    Ok(())
}
