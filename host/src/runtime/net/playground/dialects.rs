//! What a client of each dialect says to sign in, enter a room, post, leave, and ask for messages.

use std::sync::Arc;
use std::time::Duration;

use core_model::{RoomId, Uid, UserRef};
use data_encoding::HEXLOWER;
use frontend_api::Listener;
use frontend_api::http::{Request, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Failure, Input, http};
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::net::players::Player;
use crate::runtime::net::state::GatewayState;
use crate::tap::{Direction, Shown};

/// How long a front end may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Commands of the token dialect.
const LOGIN: u16 = 2;
const ENTER_ROOM: u16 = 4;
const LEAVE_ROOM: u16 = 6;
const POST_MESSAGE: u16 = 10;

/// The listener that the sessions are of: the one over which messages come.
pub(super) fn listener(frontend: &FrontendHandle) -> Option<Listener> {
    let manifest = frontend.frontend.manifest();
    let listeners = || manifest.listeners.iter();
    let by_key = |key: &str| listeners().find(|listener| listener.key == key);
    let listener = match manifest.dialect.as_str() {
        "chatroom" => by_key("websocket_listen"),
        _ => by_key("listen"),
    };
    listener.or_else(|| listeners().next()).cloned()
}

pub(super) async fn sign_in(
    state: &Arc<GatewayState>,
    player: &Arc<Player>,
) -> Result<(), Failure> {
    let name = &player.name;
    match player.dialect.as_str() {
        "token" => {
            let info = json!({ "name": name }).to_string();
            let openid = format!("playground-{name}");
            let body = [
                string(&openid),
                string("playground"),
                1_i32.to_be_bytes().to_vec(),
                long_string(&info),
            ];
            frame(state, player, LOGIN, &body.concat()).await
        }
        "irc" => {
            let nick = format!("NICK {name}");
            player.input(state, Input::Text(nick)).await?;
            let user = format!("USER {name} 0 * :{name}");
            let is_answer =
                |line: &str| [" 001 ", " 432 ", " 433 "].iter().any(|it| line.contains(it));
            let line = say_and_hear(state, player, user, is_answer).await?;
            refused(!line.contains(" 001 "), &line)
        }
        "ourchat" => {
            let email = format!("{}@playground.invalid", random()?);
            let register = json!({
                "code": 4, "email": email, "password": random()?, "name": name,
            });
            let is_reply = |text: &str| field(text, "code") == json!(5);
            let reply = say_and_hear(state, player, register.to_string(), is_reply).await?;
            let uid = field(&reply, "ocid").as_u64();
            let uid = uid.ok_or_else(|| format!("the registration was refused: {reply}"))?;
            let mut place = player.place.lock();
            place.user = Some(UserRef::Id(Uid(uid)));
            place.proof = uid.to_string();
            Ok(())
        }
        "channel" => channel_sign_in(state, player).await,
        "usr_room" => {
            let openid = format!("playground-{name}");
            player.place.lock().proof.clone_from(&openid);
            let complete = json!({ "openid": openid, "name": name });
            http::ask(state, player, &post("/usr/complete", &complete, "")).await.map(drop)
        }
        // Guests of chatroom sign in with the room; the other dialects have no words that are known.
        _ => Ok(()),
    }
}

/// With a name that is free: that which is wished for, or one like it.
async fn channel_sign_in(state: &Arc<GatewayState>, player: &Arc<Player>) -> Result<(), Failure> {
    let password = random()?;
    for attempt in 0..2 {
        let name = match attempt {
            0 => player.name.clone(),
            _ => format!("{}-{}", player.name, &random()?[..6]),
        };
        let register = json!({ "name": name, "password": password, "password_repete": password });
        http::ask(state, player, &post("/register", &register, "")).await?;
        let log_in = json!({ "name": name, "password": password });
        let response = http::ask(state, player, &post("/login", &log_in, "")).await?;
        let reply = String::from_utf8_lossy(&response.body).into_owned();
        if let Some(token) = field(&reply, "data")["token"].as_str() {
            let mut place = player.place.lock();
            place.user = Some(UserRef::Handle(name));
            token.clone_into(&mut place.proof);
            return Ok(());
        }
    }
    Err(format!("the name {} cannot be registered; take another one", player.name))
}

pub(super) async fn join(
    state: &Arc<GatewayState>,
    player: &Arc<Player>,
    id: RoomId,
    room: &str,
) -> Result<(), Failure> {
    let proof = player.place.lock().proof.clone();
    match player.dialect.as_str() {
        "token" => frame(state, player, ENTER_ROOM, &id.0.to_be_bytes()).await,
        "irc" => {
            let join = format!("JOIN {}", channel_name(room));
            // RPL_ENDOFNAMES comes last; 4xx are refusals.
            let is_end = |line: &str| line.contains(" 366 ") || line.contains(" 47");
            let line = say_and_hear(state, player, join, is_end).await?;
            refused(!line.contains(" 366 "), &line)
        }
        "chatroom" => {
            let is_answer =
                |text: &str| matches!(field(text, "type").as_str(), Some("user" | "error"));
            let packet = packet("join", room, &player.name, "");
            let answer = say_and_hear(state, player, packet, is_answer).await?;
            refused(field(&answer, "type") == "error", &answer)
        }
        "ourchat" => player.be_added(state, id).await,
        "channel" => {
            let receive = post("/channel/receive", &json!({ "name": room }), &proof);
            http::ask(state, player, &receive).await.map(drop)
        }
        "usr_room" => {
            let join = post("/usr/join", &json!({ "room_id": id.0, "openid": proof }), "");
            http::ask(state, player, &join).await.map(drop)
        }
        _ => Err(no_words(player)),
    }
}

pub(super) async fn say(
    state: &Arc<GatewayState>,
    player: &Arc<Player>,
    (id, room): (RoomId, &str),
    text: &str,
) -> Result<(), Failure> {
    let proof = player.place.lock().proof.clone();
    match player.dialect.as_str() {
        "token" => {
            let body = [&id.0.to_be_bytes()[..], &long_string(text)].concat();
            frame(state, player, POST_MESSAGE, &body).await
        }
        "irc" => {
            let line = format!("PRIVMSG {} :{}", channel_name(room), text.replace('\n', " "));
            player.input(state, Input::Text(line)).await
        }
        "chatroom" => {
            player.input(state, Input::Text(packet("msg", room, &player.name, text))).await
        }
        "ourchat" => {
            let ocid: u64 = proof.parse().unwrap_or_default();
            let message =
                json!({ "code": 0, "sender": { "ocid": ocid, "group_id": id.0 }, "msg": text });
            player.input(state, Input::Text(message.to_string())).await
        }
        "channel" => {
            let send = post("/channel/send", &json!({ "name": room, "message": text }), &proof);
            http::ask(state, player, &send).await.map(drop)
        }
        "usr_room" => {
            let message = json!({ "room_id": id.0, "openid": proof, "message": text });
            http::ask(state, player, &post("/room/send_message", &message, "")).await.map(drop)
        }
        _ => Err(no_words(player)),
    }
}

pub(super) async fn leave(
    state: &Arc<GatewayState>,
    player: &Arc<Player>,
    (id, room): (RoomId, &str),
) -> Result<(), Failure> {
    match player.dialect.as_str() {
        "token" => frame(state, player, LEAVE_ROOM, &id.0.to_be_bytes()).await,
        "irc" => player.input(state, Input::Text(format!("PART {}", channel_name(room)))).await,
        "chatroom" => {
            player.input(state, Input::Text(packet("leave", room, &player.name, ""))).await
        }
        // These have no words for it.
        "ourchat" | "channel" => player.be_removed(state, id).await,
        _ => Err(no_words(player)),
    }
}

/// The request for messages; none before a room is entered, or where messages are pushed.
pub(super) fn poll(player: &Player) -> Option<Request> {
    let place = player.place.lock().clone();
    let (id, room) = place.room?;
    match player.dialect.as_str() {
        "channel" => Some(post("/channel/receive", &json!({ "name": room }), &place.proof)),
        "usr_room" => Some(post("/room/get_message", &json!({ "room_id": id.0, "limit": 20 }), "")),
        _ => None,
    }
}

/// Whether the answer to such a request has messages.
pub(super) fn has_messages(response: &Response) -> bool {
    let body = String::from_utf8_lossy(&response.body);
    !body.contains("\"messages\":[]") && !body.ends_with(",[]]") && response.status == 200
}

/// What the front end says where it refuses, as of a name that a user of another dialect has.
fn refused(is_refusal: bool, answer: &str) -> Result<(), Failure> {
    if is_refusal {
        return Err(format!("the front end refuses: {answer}; try another name or room"));
    }
    Ok(())
}

fn no_words(player: &Player) -> Failure {
    format!("the playground has no words of the dialect {} for this; send it raw", player.dialect)
}

/// Sends a text, and waits for a frame from the front end that is wanted.
async fn say_and_hear(
    state: &Arc<GatewayState>,
    player: &Arc<Player>,
    text: String,
    wanted: impl Fn(&str) -> bool,
) -> Result<String, Failure> {
    let before = player.log.newest();
    player.input(state, Input::Text(text)).await?;
    let is_wanted = |shown: &Shown| shown.text.as_deref().is_some_and(&wanted);
    let heard = hear(player, before, is_wanted).await?;
    Ok(heard.text.unwrap_or_default())
}

/// The first frame from the front end after this one that is wanted.
async fn hear(
    player: &Arc<Player>,
    mut after: u64,
    wanted: impl Fn(&Shown) -> bool,
) -> Result<Shown, Failure> {
    let mut newest = player.log.watch();
    let found = async {
        loop {
            for (number, _, shown) in player.log.after(after) {
                after = number;
                if shown.direction == Direction::Out && wanted(&shown) {
                    return Ok(shown);
                }
                if shown == Shown::closed() {
                    return Err("the front end has closed the connection".to_owned());
                }
            }
            let arrived = newest.wait_for(|newest| newest.number > after || newest.has_ended);
            match arrived.await {
                Ok(newest) if !newest.has_ended => (),
                _ => return Err("the session has ended".to_owned()),
            }
        }
    };
    let late = "the front end does not answer; look at its frames";
    timeout(ANSWER_TIMEOUT, found).await.unwrap_or_else(|_| Err(late.into()))
}

/// Sends a frame of the token dialect, and waits for its reply.
async fn frame(
    state: &Arc<GatewayState>,
    player: &Arc<Player>,
    command: u16,
    body: &[u8],
) -> Result<(), Failure> {
    let sequence = {
        let mut place = player.place.lock();
        place.sequence += 1;
        place.sequence
    };
    let length = u32::try_from(6 + body.len()).unwrap_or(u32::MAX);
    let head = [&length.to_be_bytes()[..], &command.to_be_bytes(), &sequence.to_be_bytes()];
    let before = player.log.newest();
    player.input(state, Input::Bytes([&head.concat()[..], body].concat())).await?;
    let is_reply = |shown: &Shown| {
        let mut fields = shown.fields.iter();
        fields.any(|field| field.name == "content.sequence" && field.value == sequence.to_string())
    };
    hear(player, before, is_reply).await.map(drop)
}

fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

fn long_string(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// A packet of chatroom.
fn packet(kind: &str, room: &str, user: &str, msg: &str) -> String {
    let user = json!({ "user_name": user, "user_avatar": "" });
    json!({ "type": kind, "data": { "user": user, "room_name": room, "msg": msg } }).to_string()
}

fn post(path: &str, body: &Value, token: &str) -> Request {
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if !token.is_empty() {
        headers.push(("authorization".into(), format!("Bearer {token}")));
    }
    Request {
        method: "POST".into(),
        path: path.into(),
        query: String::new(),
        headers,
        body: body.to_string().into_bytes(),
    }
}

/// A field of an object of JSON.
fn field(text: &str, name: &str) -> Value {
    let object: Value = serde_json::from_str(text).unwrap_or_default();
    object.get(name).cloned().unwrap_or_default()
}

/// The channel of a room, in irc's own escapes.
fn channel_name(room: &str) -> String {
    let mut channel = String::from("#");
    for char in room.chars() {
        if " ,\\".contains(char) || char.is_ascii_control() {
            channel.push_str(&format!("\\{:02x}", u32::from(char)));
        } else {
            channel.push(char);
        }
    }
    channel
}

/// A password, or a part of a name.
fn random() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(HEXLOWER.encode(&bytes))
}
