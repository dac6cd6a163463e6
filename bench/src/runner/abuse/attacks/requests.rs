//! Attacks over HTTP.

use std::thread;
use std::time::Duration;

use super::Target;
use super::chat::character;
use crate::runner::abuse::client::ask;
use crate::runner::server::{CHANNEL, CHATROOM, USR_ROOM};

/// Sends a request again and again, at most 200 per second.
fn repeat(target: &Target, port: u16, path: &str, body: Option<&str>) -> u64 {
    repeat_each(target, port, |_| (path.to_owned(), body.map(str::to_owned)))
}

fn repeat_each(
    target: &Target,
    port: u16,
    request: impl Fn(u64) -> (String, Option<String>),
) -> u64 {
    let mut sent = 0;
    while let Some(mut stream) = target.connect(port).filter(|_| !target.is_over()) {
        while !target.is_over() {
            let (path, body) = request(sent);
            sent += 1;
            if !ask(&mut stream, &path, body.as_deref()) {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
    sent
}

/// Rooms with descriptions of 21,000 different characters.
pub(super) fn long_descriptions(target: &Target, nth: u32) -> u64 {
    let Some(mut stream) = target.connect(USR_ROOM) else { return 0 };
    let owner = format!("o-eve-{nth}");
    let user = serde_json::json!({ "openid": owner, "name": owner }).to_string();
    ask(&mut stream, "/usr/complete", Some(&user));
    repeat_each(target, USR_ROOM, |made| {
        let description: String = (0..21_000).map(|at| character(at + made as u32)).collect();
        let room = serde_json::json!({
            "room_owner_id": owner, "name": format!("{owner}-{made}"), "description": description,
        });
        ("/room/add".into(), Some(room.to_string()))
    })
}

/// Takes the seats of the others' room under new names.
pub(super) fn many_seats(target: &Target, nth: u32) -> u64 {
    repeat_each(target, CHATROOM, |sent| {
        let path = "/chatroom/room?room_name=bench-0&status=1";
        (format!("{path}&user_name=eve-{nth}-{sent}"), None)
    })
}

/// Searches for 100 kB.
pub(super) fn long_keys(target: &Target, nth: u32) -> u64 {
    let key = "bench room number ".repeat(100_000 / 18);
    let body = serde_json::json!({ "key": format!("{nth}{key}") }).to_string();
    repeat(target, USR_ROOM, "/search", Some(&body))
}

/// One thread makes rooms, the other lists them all.
pub(super) fn many_rooms(target: &Target, nth: u32) -> u64 {
    if nth > 0 {
        return repeat(target, CHATROOM, "/chatroom/list", None);
    }
    let Some(mut stream) = target.connect(CHATROOM) else { return 0 };
    let mut made = 0;
    while !target.is_over() && made < 10_000 {
        let path = format!("/chatroom/create?room_name=eve-{made}");
        if !ask(&mut stream, &path, None) {
            return made;
        }
        made += 1;
    }
    made
}

/// Requests the longest description of a dialect.
pub(super) fn schemas(target: &Target, _: u32) -> u64 {
    repeat(target, CHATROOM, "/.well-known/dragoman/chatroom/openapi.json", None)
}

/// Guesses the password with which another client signs in meanwhile.
pub(super) fn guesses(target: &Target, nth: u32) -> u64 {
    repeat_each(target, CHANNEL, |sent| {
        let body = serde_json::json!({ "name": "other", "password": format!("{nth} {sent}") });
        ("/login".into(), Some(body.to_string()))
    })
}
