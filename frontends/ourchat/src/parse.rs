//! Parses the peer's text into a message, and a message into a command. Parsing never fails:
//! invalid input is a variant of the result.

use core_model::{
    Command, Credential, Delivery, NewRoom, NewUser, PostRight, ProfileChanges, Query, RoomId,
    RoomRef, Secret, Uid, UserRef,
};
use frontend_api::http::Digits;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::Options;
use crate::message::{
    AccountQuery, Acknowledge, GroupCreate, Login, Member, Ocid, Register, StatusQuery, TextCreate,
    Verify,
};

/// The maximum length of an email in bytes: what fits in an SMTP path (RFC 5321, 4.5.3.1.3).
const EMAIL_BYTES_MAX: usize = 254;

/// The maximum length of an error text. It may quote the peer's input, which may be long.
const COMPLAINT_CHARS_MAX: usize = 200;

/// Hexadecimal digits of a SHA-256.
const DIGEST_CHARS: usize = 64;

/// No account has this number: uids begin at 10000.
const NO_ACCOUNT: UserRef = UserRef::Id(Uid(0));

/// A parsed message from the peer.
pub(crate) enum Line {
    Text(TextCreate),
    Register(Register),
    Login(Login),
    Group(GroupCreate),
    Account(AccountQuery),
    Status,
    Verify,
    Acknowledge(Acknowledge),
    /// Not a message of this dialect; the text says why.
    Nonsense(String),
}

/// Reads one JSON object. Reads its `code` first, so that the error is about the intended
/// message.
pub(crate) fn line(text: &str) -> Line {
    match code(text) {
        Err(why) => Line::Nonsense(why),
        Ok(0) => read(text, Line::Text),
        Ok(1) => not_made_yet("stickers"),
        Ok(2) => not_made_yet("pictures"),
        Ok(3) => not_made_yet("files"),
        Ok(4) => read(text, Line::Register),
        Ok(6) => read(text, Line::Login),
        Ok(8) => read(text, Line::Group),
        Ok(10) => read(text, Line::Account),
        Ok(12) => read(text, |_: StatusQuery| Line::Status),
        Ok(14) => read(text, |_: Verify| Line::Verify),
        Ok(17) => read(text, Line::Acknowledge),
        Ok(code @ (5 | 7 | 9 | 11 | 15 | 16 | 18 | 19)) => {
            Line::Nonsense(format!("code {code} is only sent by the server"))
        }
        Ok(code) => Line::Nonsense(format!("unknown code {code}")),
    }
}

fn not_made_yet(what: &str) -> Line {
    Line::Nonsense(format!("{what} are not made yet"))
}

fn code(text: &str) -> Result<u64, String> {
    #[derive(Deserialize)]
    struct Head {
        code: Digits,
    }
    // Serde also reads a struct from a JSON array, but no message is an array.
    if !text.trim_start().starts_with('{') {
        return Err("a message is one JSON object".into());
    }
    let Head { code: Digits(code) } =
        serde_json::from_str(text).map_err(|error| complaint(&error))?;
    Ok(code)
}

fn read<T: DeserializeOwned>(text: &str, line: impl FnOnce(T) -> Line) -> Line {
    match serde_json::from_str(text) {
        Ok(message) => line(message),
        Err(error) => Line::Nonsense(complaint(&error)),
    }
}

/// Describes an error: one in the JSON syntax with its position, one in the fields without.
fn complaint(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let words = match error.classify() {
        Category::Data => words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words),
        Category::Io | Category::Syntax | Category::Eof => &format!("not JSON: {words}"),
    };
    words.chars().take(COMPLAINT_CHARS_MAX).collect()
}

/// Code 4. `Err`: what is wrong with the email or the password.
pub(crate) fn register(message: Register) -> Result<Command, &'static str> {
    let Register { email: address, password, name, .. } = message;
    let Some(email) = email(&address) else {
        return Err("the email is not valid");
    };
    if password.is_empty() {
        return Err("the password is empty");
    }
    let before_at = || address.split('@').next().unwrap_or_default().to_owned();
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(before_at);
    let user = NewUser {
        handle: Some(name.clone()),
        insist: false,
        identities: vec![email],
        password: Some(secret(password)),
        profile: ProfileChanges { name: Some(name), ..ProfileChanges::default() },
    };
    Ok(Command::Register { user })
}

/// Clients send the SHA-256 of what the user typed, in lower-case hexadecimal digits.
fn secret(password: String) -> Secret {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if password.len() == DIGEST_CHARS && password.bytes().all(is_digit) {
        Secret::Sha256(password)
    } else {
        Secret::Plain(password)
    }
}

/// Code 6. `Err`: an unknown login type. An account that cannot exist is looked up like any other,
/// so that the answer takes the same time.
pub(crate) fn login(message: Login, options: Options) -> Result<Command, String> {
    let account = message.account.0;
    let user = match message.login_type.0 {
        0 => email(&account).map(UserRef::Identity),
        1 => digits(&account).map(|number| UserRef::Id(Uid(number))),
        other => return Err(format!("unknown login_type {other}")),
    };
    let credential = Credential::Password(message.password);
    let device = message.device.unwrap_or_default();
    let delivery = Delivery { backlog_max: options.backlog, device, ..Delivery::default() };
    Ok(open_session(user.unwrap_or(NO_ACCOUNT), credential, delivery))
}

/// Signs in the account that was just registered on this connection.
pub(crate) fn sign_in(registered: Uid, options: Options) -> Command {
    let delivery = Delivery { backlog_max: options.backlog, ..Delivery::default() };
    open_session(UserRef::Id(registered), Credential::Vouched, delivery)
}

fn open_session(user: UserRef, credential: Credential, delivery: Delivery) -> Command {
    Command::SignIn {
        user,
        credential,
        create: None,
        changes: ProfileChanges::default(),
        session: true,
        delivery: Some(delivery),
        token: None,
        address: None,
    }
}

/// Code 0, from the account that is logged in. `Err`: why the text cannot be posted.
pub(crate) fn post(message: TextCreate, logged_in: Uid) -> Result<Command, &'static str> {
    let TextCreate { sender, msg: text, .. } = message;
    if sender.ocid.number != logged_in.0 {
        return Err("sender.ocid is not the account that is logged in here");
    }
    let author = UserRef::Session;
    match (sender.group_id, sender.private_id) {
        (Some(Digits(group)), None) => {
            let room = group.try_into().map_err(|_| "no such group")?;
            let room = RoomRef::Id(RoomId(room));
            Ok(Command::Post { room, author, text, standing: PostRight::Member, notice: false })
        }
        (None, Some(to)) => {
            Ok(Command::PostDirect { author, to: user(to), text, notice: false, allow_self: false })
        }
        (None, None) => Err("one of sender.group_id and sender.private_id is needed"),
        (Some(_), Some(_)) => Err("only one of sender.group_id and sender.private_id can be given"),
    }
}

/// Code 8. `Err`: a member that is not an account.
pub(crate) fn group(message: GroupCreate, options: Options) -> Result<Command, &'static str> {
    let member = |Member(ocid)| ocid.map(user).ok_or("a member is not an account");
    let members = message.members.into_iter().map(member).collect::<Result<Vec<_>, _>>()?;
    let name = message.name.filter(|name| !name.is_empty());
    Ok(Command::CreateRoom {
        room: NewRoom { name, closed: !options.open, ..NewRoom::default() },
        owner: Some(UserRef::Session),
        members: Some(members),
    })
}

/// Code 10.
pub(crate) fn account(message: &AccountQuery) -> Query {
    Query::User { user: user(message.ocid), caller: Some(UserRef::Session) }
}

fn user(ocid: Ocid) -> UserRef {
    UserRef::Id(Uid(ocid.number))
}

fn digits(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// The identity of an email address.
fn email(address: &str) -> Option<String> {
    let address = address.to_lowercase();
    let (local, domain) = address.split_once('@')?;
    let sound = !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && !address.chars().any(|char| char.is_whitespace() || char.is_control())
        && address.len() <= EMAIL_BYTES_MAX;
    sound.then(|| format!("email/{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_has_one_at_with_something_on_both_sides() {
        assert_eq!(email("Ann@Example.ORG").as_deref(), Some("email/ann@example.org"));
        for address in ["", "@", "ann", "ann@", "@example.org", "a@b@c", "a b@c", "a@b\n"] {
            assert_eq!(email(address), None, "{address:?}");
        }
    }

    #[test]
    fn an_email_is_at_most_254_bytes_long() {
        let address = |bytes: usize| format!("{}@b", "a".repeat(bytes - 2));
        assert!(email(&address(254)).is_some());
        assert_eq!(email(&address(255)), None);
    }
}
