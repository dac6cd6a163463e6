//! What no client should send, on real sockets: there is always an answer in the dialect or a
//! clean end of the connection, and the gateway goes on serving the others.

mod frames;
mod http;
mod lines;
mod noise;
mod slow;
mod token;
mod websocket;

use gateway_tests::token::HEARTBEAT;
use gateway_tests::{Gateway, Http, Ourchat, Talk, Token};
use serde_json::json;

/// All front ends, with limits that a test can reach.
const ALL: &str = "
    [[rooms]]
    name = \"TEST\"
    [frontends.token]
    [frontends.usr_room]
    body_bytes_max = 1000
    [frontends.chatroom]
    body_bytes_max = 1000
    message_bytes_max = 1000
    [frontends.ourchat]
    tcp_listen = \"127.0.0.1:0\"
    message_bytes_max = 1000
    [frontends.channel]
    body_bytes_max = 1000
";

const HTTP: [&str; 3] = ["usr_room", "chatroom", "channel"];

const WEBSOCKET: [(&str, &str); 2] = [("chatroom", "websocket_listen"), ("ourchat", "listen")];

const LISTENERS: [(&str, &str); 7] = [
    ("token", "listen"),
    ("usr_room", "listen"),
    ("chatroom", "listen"),
    ("chatroom", "websocket_listen"),
    ("ourchat", "listen"),
    ("ourchat", "tcp_listen"),
    ("channel", "listen"),
];

/// Well-behaved clients of every listener, which no other client may disturb.
struct Bystanders<'a> {
    gateway: &'a Gateway,
    talk: Talk,
    token: Token,
    ourchat: [Ourchat; 2],
}

impl<'a> Bystanders<'a> {
    #[track_caller]
    fn of(gateway: &'a Gateway) -> Self {
        let mut talk = Talk::connect(gateway.address("chatroom", "websocket_listen"));
        talk.join("TEST", "bystander");
        let websocket = Ourchat::websocket(gateway.address("ourchat", "listen"));
        let lines = Ourchat::lines(gateway.address("ourchat", "tcp_listen"));
        let token = Token::connect(gateway.address("token", "listen"));
        Self { gateway, talk, token, ourchat: [websocket, lines] }
    }

    /// All of them are served as if nothing had happened, and so is who comes new.
    #[track_caller]
    fn check(&mut self) {
        self.talk.say("TEST", "bystander", "still here");
        self.token.done(HEARTBEAT, b"").end();
        for ourchat in &mut self.ourchat {
            assert_eq!(ourchat.call(&json!({"code": 12}))["status"], 0);
        }
        for frontend in HTTP {
            let mut http = Http::connect(self.gateway.address(frontend, "listen"));
            assert_eq!(http.get("/nowhere").status, 404);
        }
    }
}
