use std::sync::Arc;

use core_model::{MessageId, Person, RoomRef, RoomView};

use super::*;

#[test]
fn what_a_token_grants_ends_with_it() {
    let shape = core_model::TokenShape::Text;
    let mut grant = Grant { purpose: "t".into(), shape, ttl_ms: 9_000, sliding: true, hash: None };
    let mut address = AddressGrant { address: "10.0.0.1".into(), ttl_ms: 2_000 };
    end_by(Timestamp(8_000), Timestamp(5_000), Some(&mut grant), Some(&mut address));
    assert_eq!((grant.ttl_ms, grant.sliding, address.ttl_ms), (3_000, false, 2_000));
}

#[test]
fn a_text_counts_as_it_is_sent() {
    for text in ["", "tea", "茶", "a \"b\" \\", "\u{1}\u{2}x"] {
        let json = serde_json::to_string(text).expect("a text is JSON");
        assert_eq!(sent_bytes(text), json.len() as u64 - 2, "{text:?}");
    }
    assert_eq!(sent_bytes("\n"), 6, "at most two bytes more than JSON takes");
}

fn enter(avatar: Option<&str>) -> Command {
    Command::Enter {
        room: RoomRef::Name("tea".into()),
        user: UserRef::Session,
        seat: SeatKind::Connection,
        opens: false,
        avatar: avatar.map(String::from),
        create: false,
    }
}

#[test]
fn an_entrance_counts_with_its_avatar_for_the_coming_and_the_going() {
    let mut rates = RateLimiter::default();
    assert_eq!(announced_bytes(&mut rates, &enter(None)), ENVELOPE_BYTES);
    let long = "a".repeat(2_000);
    assert_eq!(announced_bytes(&mut rates, &enter(Some(&long))), ENVELOPE_BYTES + 4_000);
    assert_eq!(announced_bytes(&mut rates, &enter(Some("a"))), ENVELOPE_BYTES + 2);
    assert_eq!(rates.avatar_bytes, 2_000, "its messages in the first room carry that");
    let leave = Command::SignOut { reason: "bye".into() };
    assert_eq!(announced_bytes(&mut rates, &leave), 3);
}

#[test]
fn the_avatar_of_an_account_is_counted_once_it_is_known() {
    let mut rates = RateLimiter::default();
    let person = Arc::new(Person { avatar: "a".repeat(2_000), ..Person::default() });
    let room = RoomView::default();
    let entered = Reply::Entered { room, user: person, again: false, cursor: MessageId(0) };
    let entered = Ok(entered);
    assert_eq!(uncounted_bytes(&mut rates, &entered), 4_000);
    assert_eq!(uncounted_bytes(&mut rates, &entered), 0, "it was counted with the command");
    assert_eq!(announced_bytes(&mut rates, &enter(None)), ENVELOPE_BYTES + 4_000);
}
