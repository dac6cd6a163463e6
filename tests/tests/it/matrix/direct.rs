//! Direct messages, between the dialects that have them and to everyone else.

use gateway_tests::dialect::{Direct, ROWS, Seen, User};
use serde_json::{Value, json};

use super::messages::texts;
use super::site::{Character, Site, now_ms};

/// Those whose dialect has direct messages.
fn with_direct_messages(cast: Vec<Character>) -> Vec<Character> {
    cast.into_iter().filter_map(|mut one| one.client.direct().is_some().then_some(one)).collect()
}

#[test]
fn a_direct_message_of_any_dialect_is_shown_in_every_other_as_that_shows_it() {
    let site = Site::open();
    let mut senders = with_direct_messages(site.cast("-sender"));
    let mut recipients = with_direct_messages(site.cast("-recipient"));
    let dialects: Vec<_> = senders.iter().map(|one| one.dialect().name).collect();
    assert_eq!(dialects, ["ourchat", "ourchat", "channel", "irc"]);

    let mut last = 0;
    for sender in &mut senders {
        let can_send = sender.dialect().can_send;
        for recipient in &mut recipients {
            for text in texts().into_iter().filter(|text| can_send(text)) {
                let before = now_ms();
                let to = recipient.user.clone();
                assert!(direct(sender).send(&to, &text));
                let seen = direct(recipient).receive();
                let at = seen.time.as_u64().unwrap_or(before);
                assert!((before..=now_ms()).contains(&at), "{before} {at}");
                let id = seen.id.expect("both dialects tell it");
                assert!(id > last, "{id} after {last}");
                last = id;
                let expected = direct(recipient).expected(&sender.user, &to, &text, at);
                let pair = (sender.row.title, recipient.row.title);
                assert!(Seen { id: None, ..seen } == expected, "{pair:?}: {text:.80?}");
            }
        }
    }
}

#[test]
fn direct_messages_to_dialects_without_them_are_kept_and_to_guests_refused() {
    let site = Site::open();
    let room = site.test();
    let mut senders = with_direct_messages(site.cast("-sender"));
    let others = site.cast("-other").into_iter();
    let others: Vec<_> =
        others.filter_map(|mut one| one.client.direct().is_none().then_some(one)).collect();
    assert_eq!(others.len(), ROWS.len() - 4);

    for mut other in others {
        for sender in &mut senders {
            let sent = direct(sender).send(&other.user, "between us");
            // irc delivers between its own connections, guests included; the engine keeps nothing.
            let is_own = sender.row.dialect.name == other.row.dialect.name;
            let title = (sender.row.title, other.row.title);
            assert_eq!(sent, other.row.has_account() || is_own, "{title:?}");
        }
        // Nothing of it comes to the room: what comes next there is what is said next.
        senders[0].client.post(&room, "for all");
        assert_eq!(other.client.receive(&room).text, "for all", "{}", other.row.title);
    }
}

#[test]
fn direct_messages_to_a_chatroom_account_are_delivered_at_its_sign_in_elsewhere() {
    let site = Site::open();
    let mut senders = with_direct_messages(site.cast("-sender"));
    let mut chatroom = site.chatroom();
    chatroom.register("100", "ann", "secret");
    for (nth, sender) in senders.iter_mut().enumerate() {
        // Only the uid is known to ourchat, only the handle to channel.
        let ann = User { uid: site.uid("ann"), handle: "ann".into(), openid: None };
        assert!(direct(sender).send(&ann, &format!("message {nth}")));
    }

    let mut ann = site.ourchat();
    let login =
        json!({"code": 6, "login_type": 1, "account": site.uid("ann"), "password": "secret"});
    assert_eq!(ann.call(&login)["state"], 0);
    for (nth, sender) in senders.iter().enumerate() {
        let message = ann.receive();
        assert_eq!(message["msg"], format!("message {nth}"));
        assert_eq!(message["sender"]["ocid"], sender.user.uid);
    }

    let mut ann = site.channel();
    ann.login("ann", "secret");
    let data = ann.done("/receive", &json!({"name": "ann"}));
    let of = |sender: &Character, nth: usize| {
        (sender.user.handle.clone(), json!([format!("message {nth}")]))
    };
    let expected: serde_json::Map<String, Value> =
        senders.iter().enumerate().map(|(nth, sender)| of(sender, nth)).collect();
    assert_eq!(data["messages"], Value::Object(expected));
}

fn direct(one: &mut Character) -> &mut dyn Direct {
    one.client.direct().expect("they were chosen for it")
}
