//! Encodes outcomes and events as server messages.

use std::sync::Arc;

use core_model::{
    Event, Gap, Message, Outcome, Person, Recipient, Recorded, Reply, Timestamp, UserView,
};
use frontend_api::http::Charset;
use frontend_api::json;
use serde::Serialize;

use crate::message::{
    self, Account, AccountData, Code, Failure, GroupCreated, Kept, LoggedIn, OcidStyle, Registered,
    Sender, Status, Text, Verified,
};
use crate::refusal;

/// The reason sent when the engine's answer does not match the query; it never should.
const ASTRAY: &str = "server error";

/// The message that an event becomes for the sessions it concerns.
pub(crate) enum Push {
    Nothing,
    Everyone(String),
    Others(String),
}

pub(crate) fn event(style: OcidStyle, recorded: &Recorded) -> Push {
    match &recorded.event {
        Event::Posted { message } => Push::Everyone(text(style, message)),
        Event::RoomCreated { room, members, .. } if !members.is_empty() => {
            let ocid = |member: &Arc<Person>| style.write(member.uid);
            Push::Others(json(&GroupCreated {
                code: Code,
                time: recorded.at,
                success: true,
                msg: String::new(),
                group_id: Some(room.id),
                members: Some(members.iter().map(ocid).collect()),
            }))
        }
        Event::RoomCreated { .. }
        | Event::Entered { .. }
        | Event::Left { .. }
        | Event::PopulationChanged { .. }
        | Event::RoomChanged { .. }
        | Event::RoleChanged { .. }
        | Event::PolicyChanged { .. }
        | Event::MessageDeleted { .. }
        | Event::RoomDeleted { .. } => Push::Nothing,
    }
}

/// Code 0.
pub(crate) fn text(style: OcidStyle, message: &Message) -> String {
    let (group_id, private_id) = match &message.to {
        Recipient::Room(room) => (Some(room.id), None),
        Recipient::User(user) => (None, Some(style.write(user.uid))),
    };
    json(&Text {
        code: Code,
        time: message.at,
        cid: message.id,
        sender: Sender { ocid: style.write(message.author.uid), group_id, private_id },
        msg: message.text.clone(),
    })
}

/// Code 16.
pub(crate) fn gap(now: Timestamp, gap: Gap) -> String {
    let Gap { after, before, count } = gap;
    json(&message::Gap { code: Code, time: now, after, before, count })
}

/// Code 19, for a text with a `client_id`; 18 where it was not kept.
pub(crate) fn kept(now: Timestamp, client_id: &str, outcome: &Outcome) -> String {
    match outcome {
        Ok(Reply::Posted { message }) => {
            let client_id = client_id.to_owned();
            json(&Kept { code: Code, time: now, client_id, cid: message.id })
        }
        Ok(_) => failure(now, ASTRAY.into()),
        Err(refused) => failure(now, refusal::details(refused)),
    }
}

/// Code 5.
pub(crate) fn registered(now: Timestamp, style: OcidStyle, outcome: &Outcome) -> String {
    match outcome {
        Ok(Reply::Registered { user, .. }) => {
            let ocid = Some(style.write(user.person.uid));
            json(&Registered { code: Code, time: now, state: 0, status: 0, ocid, details: None })
        }
        Ok(_) => not_registered(now, 1, ASTRAY.into()),
        Err(refused) => {
            not_registered(now, refusal::states(refused).register, refusal::details(refused))
        }
    }
}

/// Code 5, without an account.
pub(crate) fn not_registered(now: Timestamp, state: u8, details: String) -> String {
    let details = Some(details);
    json(&Registered { code: Code, time: now, state, status: state, ocid: None, details })
}

/// Code 7.
pub(crate) fn logged_in(now: Timestamp, style: OcidStyle, outcome: &Outcome) -> String {
    let (state, ocid, details) = match outcome {
        Ok(Reply::SignedIn { user, .. }) => (0, Some(style.write(user.person.uid)), None),
        Ok(_) => (2, None, Some(ASTRAY.into())),
        Err(refused) => match refusal::states(refused).login {
            // A reason would reveal whether the account exists.
            1 => (1, None, None),
            state => (state, None, Some(refusal::details(refused))),
        },
    };
    json(&LoggedIn { code: Code, time: now, state, status: state, ocid, details })
}

/// Code 9, to the session that made the group.
pub(crate) fn group_created(now: Timestamp, outcome: &Outcome) -> String {
    match outcome {
        Ok(Reply::RoomCreated { room }) => json(&GroupCreated {
            code: Code,
            time: now,
            success: true,
            msg: String::new(),
            group_id: Some(room.id),
            members: None,
        }),
        Ok(_) => no_group(now, ASTRAY.into()),
        Err(refused) => no_group(now, refusal::details(refused)),
    }
}

/// Code 9, without a group.
pub(crate) fn no_group(now: Timestamp, msg: String) -> String {
    let code = Code;
    let time = now;
    let success = false;
    json(&GroupCreated { code, time, success, msg, group_id: None, members: None })
}

/// The account fields that the client requested.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    ocid: bool,
    nickname: bool,
    status: bool,
    avater: bool,
    time: bool,
}

impl Wanted {
    /// Ignores unknown field names.
    pub(crate) fn of(names: &[String]) -> Self {
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        Self {
            ocid: has("ocid"),
            nickname: has("nickname"),
            status: has("status"),
            avater: has("avater"),
            time: has("time"),
        }
    }
}

/// Code 11, or 18 if the query failed.
pub(crate) fn account(
    now: Timestamp,
    style: OcidStyle,
    wanted: Wanted,
    outcome: &Outcome,
) -> String {
    let (status, data) = match outcome {
        Ok(Reply::User { user }) => (0, account_data(style, wanted, user)),
        Ok(_) => return failure(now, ASTRAY.into()),
        Err(refused) => match refusal::states(refused).account {
            Some(status) => (status, AccountData::default()),
            None => return failure(now, refusal::details(refused)),
        },
    };
    json(&Account { code: Code, time: now, status, data })
}

fn account_data(style: OcidStyle, wanted: Wanted, user: &UserView) -> AccountData {
    let person = &user.person;
    AccountData {
        ocid: wanted.ocid.then(|| style.write(person.uid)),
        nickname: wanted.nickname.then(|| person.name.clone()),
        status: wanted.status.then_some(u8::from(user.online)),
        avater: wanted.avater.then(|| person.avatar.clone()),
        time: wanted.time.then_some(user.created),
    }
}

/// Code 12.
pub(crate) fn status(now: Timestamp) -> String {
    json(&Status { code: Code, time: now, status: 0 })
}

/// Code 15.
pub(crate) fn verified(now: Timestamp) -> String {
    json(&Verified { code: Code, time: now, status: 0 })
}

/// Code 18.
pub(crate) fn failure(now: Timestamp, details: String) -> String {
    json(&Failure { code: Code, time: now, details })
}

fn json(message: &impl Serialize) -> String {
    json::to_string(message).expect("a message is plain data with string keys")
}

/// JSON as clients of this charset read it. What is not ASCII stands within strings, so it can be
/// escaped; escapes are the same in every charset, and name characters that GBK lacks.
pub(crate) fn in_charset(charset: Charset, json: String) -> String {
    match charset {
        Charset::Utf8 => json,
        Charset::Gbk if json.is_ascii() => json,
        Charset::Gbk => {
            let mut escaped = String::with_capacity(2 * json.len());
            for c in json.chars() {
                if c.is_ascii() {
                    escaped.push(c);
                } else {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        escaped += &format!("\\u{unit:04x}");
                    }
                }
            }
            escaped
        }
    }
}
