//! Conversations in the token dialect.

use gateway_tests::token::json;
use gateway_tests::{Chatroom, Gateway, Token};
use serde_json::Value;

const CONFIG: &str = "[frontends.token]\nroom_capacity = 2\n[frontends.chatroom]\n";

fn population(gateway: &Gateway) -> Value {
    let mut chatroom = Chatroom::connect(gateway.address("chatroom", "listen"));
    chatroom.get("/chatroom/list", &[])["rooms"][0]["population"].take()
}

#[test]
fn a_created_room_has_no_seat_taken_until_its_owner_enters() {
    let gateway = Gateway::start(CONFIG);
    let mut ann = Token::connect(gateway.address("token", "listen"));
    ann.login("ann");
    let token = ann.apply();
    let create = [&7u16.to_be_bytes()[..], &token.to_be_bytes(), &json(r#"{"name":"tea"}"#)];
    let mut created = ann.done(3, &create.concat());
    let room = created.u32();
    assert!(created.text().contains(r#""population":0"#));
    assert_eq!(population(&gateway), 0);
    ann.enter(room);
    assert_eq!(population(&gateway), 1);
    let mut bob = Token::connect(gateway.address("token", "listen"));
    bob.login("bob");
    bob.enter(room);
    assert_eq!(population(&gateway), 2);
    // Leaving the application.
    ann.done(7, &[]);
    bob.done(7, &[]);
    assert_eq!(population(&gateway), 0);
}
