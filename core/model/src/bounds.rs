//! How long everything may be that the engine stores, indexes or searches for.
//!
//! The engine checks a command against these bounds before it looks anything up, so that no client
//! can make the writer, the store or the other clients pay for its texts. The front ends' own limits
//! (`text_chars_max`, `body_bytes_max`) are lower or come earlier; these hold whatever they say.

use crate::admin::{AdminCommand, BanTarget, DELETED_MESSAGES_MAX};
use crate::command::{Command, NewRoom, NewUser, ProfileChanges, RoomChanges};
use crate::mask::MASK_BYTES_MAX;
use crate::policy::{PolicyChange, ROOM_KEY_BYTES_MAX};
use crate::query::{Query, RoomFilter};
use crate::refusal::Refusal;

/// A room's display name, in characters; the rest is cut off. As long as a room name: lists show it,
/// and searches index all of it.
pub const TITLE_CHARS_MAX: usize = 64;

/// A section, in characters. It is a key of an index.
pub const SECTION_CHARS_MAX: usize = 64;

/// A room's description, in characters. It comes with every list of rooms.
pub const DESCRIPTION_CHARS_MAX: usize = 500;

/// A user's display name, in characters; the rest is cut off. It goes wherever its user does.
pub const DISPLAY_NAME_CHARS_MAX: usize = 256;

/// An avatar's URL, in bytes. Chatroom sends it with every message.
pub const AVATAR_BYTES_MAX: usize = 2_048;

/// A user's sex, in characters: a word.
pub const SEX_CHARS_MAX: usize = 64;

/// Preferences of a user. Each is looked up when rooms are recommended.
pub const PREFERENCES_MAX: usize = 64;

/// A client's own JSON object about a user or a room, in bytes. It comes with every list of members
/// or rooms.
pub const INFO_BYTES_MAX: usize = 8_192;

/// The subject of an identity, and the type in its realm, in bytes: openids have some thirty.
pub const SUBJECT_BYTES_MAX: usize = 255;

/// The subject of an identity in a realm of [`PROVEN_REALMS`], in bytes: certificates have long ones.
pub const PROVEN_SUBJECT_BYTES_MAX: usize = 512;

/// The realms of identities that another server or a certificate proves.
pub const PROVEN_REALMS: [&str; 3] = ["http", "jwt", "cert"];

/// An identity as a whole, in bytes. Stores of former versions, and exports of them, have some whose
/// subject is longer than [`check_identity`] accepts.
pub const IDENTITY_BYTES_MAX: usize = 640;

/// Identities of a user. They go wherever their user does.
pub const IDENTITIES_MAX: usize = 16;

/// The text of a message, in bytes, where the front end allows longer ones: the size of the largest
/// frame by default.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// Why a user leaves, in characters; the rest is cut off. Everyone in the room receives it.
pub const REASON_CHARS_MAX: usize = 256;

/// A peer's address as it is kept for signing in by it, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 64;

/// Addresses from which a user counts as signed in; those that expire first are forgotten. More than
/// a user has devices and networks within the time that a sign-in by address lasts.
pub const ADDRESSES_MAX: usize = 64;

/// Sessions of a user. More than a user has devices; a login looks at each, and each is sent all of
/// the user's messages.
pub const SESSIONS_MAX: usize = 1_000;

/// An idempotency key, in bytes, without the front end's name and the caller before it.
pub const KEY_BYTES_MAX: usize = 255;

/// The name of a user's device, in bytes: a UUID and more.
pub const DEVICE_BYTES_MAX: usize = 64;

/// What rooms are searched for, in characters. The work grows with the product of this and the
/// length of the names and descriptions that are compared.
pub const SEARCH_CHARS_MAX: usize = 64;

/// What an operator calls a token, in characters.
pub const LABEL_CHARS_MAX: usize = 64;

/// The first so many characters of `text`.
pub fn cut(text: &str, chars_max: usize) -> &str {
    text.char_indices().nth(chars_max).map_or(text, |(end, _)| &text[..end])
}

/// Refuses an identity that no user can be given. `Err`: why, after "the identity".
pub fn check_identity(identity: &str) -> Result<(), &'static str> {
    let (realm, subject) = identity.split_once('/').unwrap_or_default();
    if realm.is_empty() || subject.is_empty() {
        return Err("is not of the form realm/subject");
    }
    let kind = realm.split_once(':').map_or(realm, |(_, kind)| kind);
    let is_proven = PROVEN_REALMS.contains(&realm);
    let subject_max = if is_proven { PROVEN_SUBJECT_BYTES_MAX } else { SUBJECT_BYTES_MAX };
    let fits = kind.len() <= SUBJECT_BYTES_MAX && subject.len() <= subject_max;
    if !fits || identity.len() > IDENTITY_BYTES_MAX {
        return Err("is too long");
    }
    Ok(())
}

/// Refuses a command that would store something too long.
pub fn check_command(command: &Command) -> Result<(), Refusal> {
    match command {
        Command::Post { text, .. } | Command::PostDirect { text, .. } => {
            check_bytes("text", text, TEXT_BYTES_MAX)
        }
        Command::Register { user } => check_user(user),
        Command::SignIn { create, changes, address, delivery, .. } => {
            create.as_ref().map_or(Ok(()), check_user)?;
            let device = delivery.as_ref().map_or("", |delivery| delivery.device.as_str());
            check_bytes("device", device, DEVICE_BYTES_MAX)?;
            check_profile(changes)?;
            let address = address.as_ref().map(|grant| grant.address.as_str());
            check_bytes("address", address.unwrap_or_default(), ADDRESS_BYTES_MAX)
        }
        Command::UpdateUser { changes, .. } => check_profile(changes),
        Command::CreateRoom { room, .. } | Command::DeclareRoom { room } => check_room(room),
        Command::UpdateRoom { changes: RoomChanges { section, description, .. }, .. } => {
            check_room_texts(
                section.as_deref().unwrap_or_default(),
                description.as_deref().unwrap_or_default(),
            )
        }
        Command::Enter { avatar, .. } => {
            check_bytes("avatar", avatar.as_deref().unwrap_or_default(), AVATAR_BYTES_MAX)
        }
        Command::ChangePolicy { change, .. } => check_policy(change),
        Command::DeleteMessage { reason, .. } => check_chars("reason", reason, REASON_CHARS_MAX),
        Command::SignOut { .. }
        | Command::LinkIdentity { .. }
        | Command::UnlinkIdentity { .. }
        | Command::SetPassword { .. }
        | Command::IssueToken { .. }
        | Command::RefreshToken { .. }
        | Command::SetOwner { .. }
        | Command::DeleteRoom { .. }
        | Command::ClearMessages { .. }
        | Command::Join { .. }
        | Command::Kick { .. }
        | Command::SetRole { .. }
        | Command::Exit { .. }
        | Command::Receive { .. }
        | Command::MarkRead { .. }
        | Command::Start { .. }
        | Command::EndRun { .. }
        | Command::Tick
        | Command::Acknowledge { .. }
        | Command::Disconnect { .. }
        | Command::Expire
        | Command::Prune { .. }
        | Command::DeclareWebhooks { .. }
        | Command::AdvanceWebhook { .. } => Ok(()),
        Command::Admin(command) => check_admin(command),
    }
}

fn check_policy(change: &PolicyChange) -> Result<(), Refusal> {
    match change {
        PolicyChange::Key(Some(key)) => check_bytes("key", key, ROOM_KEY_BYTES_MAX),
        PolicyChange::Mask { mask, .. } => check_bytes("mask", mask, MASK_BYTES_MAX),
        PolicyChange::Moderated(_)
        | PolicyChange::Secret(_)
        | PolicyChange::InviteOnly(_)
        | PolicyChange::OpenTopic(_)
        | PolicyChange::OpenPosts(_)
        | PolicyChange::Capacity(_)
        | PolicyChange::Key(None)
        | PolicyChange::Invited(_) => Ok(()),
    }
}

fn check_admin(command: &AdminCommand) -> Result<(), Refusal> {
    match command {
        AdminCommand::AddToken(token) => check_chars("label", &token.label, LABEL_CHARS_MAX),
        AdminCommand::Ban { target, reason, .. } => {
            if let BanTarget::Identity(identity) = target {
                check_bytes("identity", identity, IDENTITY_BYTES_MAX)?;
            }
            check_chars("reason", reason, REASON_CHARS_MAX)
        }
        AdminCommand::DeleteMessages { messages } => {
            check_count("list of messages", messages.len(), DELETED_MESSAGES_MAX)
        }
        AdminCommand::ChangeRoom { section, description, .. } => check_room_texts(
            section.as_deref().unwrap_or_default(),
            description.as_deref().unwrap_or_default(),
        ),
        AdminCommand::ChangePolicy { changes, .. } => changes.iter().try_for_each(check_policy),
        AdminCommand::Announce { text, .. } | AdminCommand::AnnounceToNext { text, .. } => {
            check_bytes("text", text, TEXT_BYTES_MAX)
        }
        AdminCommand::RemoveToken { .. }
        | AdminCommand::LiftBan { .. }
        | AdminCommand::RevokeSignIns { .. }
        | AdminCommand::RevokeSignIn { .. }
        | AdminCommand::RenewPassword { .. }
        | AdminCommand::Shed { .. }
        | AdminCommand::DeleteUser { .. }
        | AdminCommand::DeleteRoom { .. }
        | AdminCommand::Kick { .. }
        | AdminCommand::Mute { .. }
        | AdminCommand::StoreSignatures { .. }
        | AdminCommand::Unmute { .. } => Ok(()),
    }
}

/// Refuses an idempotency key that is too long: `<front end>/<caller>/<key>`, as the host makes it
/// of the client's.
pub fn check_key(key: &str) -> Result<(), Refusal> {
    let key = key.splitn(3, '/').last().unwrap_or(key);
    check_bytes("idempotency key", key, KEY_BYTES_MAX)
}

/// Refuses a query that would search for something too long.
pub fn check_query(query: &Query) -> Result<(), Refusal> {
    let texts = match query {
        Query::SearchRooms { text, section, description, .. } => [text, section, description],
        Query::Rooms { filter: RoomFilter::Section(section), .. } => {
            return check_chars("section", section, SECTION_CHARS_MAX);
        }
        _ => return Ok(()),
    };
    for text in texts.into_iter().flatten() {
        check_chars("search key", text, SEARCH_CHARS_MAX)?;
    }
    Ok(())
}

/// Refuses to search messages for a text that is too long.
pub fn check_search(text: &str) -> Result<(), Refusal> {
    check_chars("search key", text, SEARCH_CHARS_MAX)
}

fn check_user(user: &NewUser) -> Result<(), Refusal> {
    check_count("list of identities", user.identities.len(), IDENTITIES_MAX)?;
    check_profile(&user.profile)
}

fn check_profile(changes: &ProfileChanges) -> Result<(), Refusal> {
    let ProfileChanges { name: _, avatar, sex, preferences, info } = changes;
    check_bytes("avatar", avatar.as_deref().unwrap_or_default(), AVATAR_BYTES_MAX)?;
    check_chars("sex", sex.as_deref().unwrap_or_default(), SEX_CHARS_MAX)?;
    check_bytes("info", info.as_deref().unwrap_or_default(), INFO_BYTES_MAX)?;
    let preferences = preferences.as_deref().unwrap_or_default();
    check_count("list of preferences", preferences.len(), PREFERENCES_MAX)?;
    preferences.iter().try_for_each(|section| check_chars("preference", section, SECTION_CHARS_MAX))
}

fn check_room(room: &NewRoom) -> Result<(), Refusal> {
    check_room_texts(&room.section, &room.description)?;
    check_bytes("info", room.info.as_deref().unwrap_or_default(), INFO_BYTES_MAX)
}

fn check_room_texts(section: &str, description: &str) -> Result<(), Refusal> {
    check_chars("section", section, SECTION_CHARS_MAX)?;
    check_chars("description", description, DESCRIPTION_CHARS_MAX)
}

fn check_chars(what: &str, text: &str, chars_max: usize) -> Result<(), Refusal> {
    // A text has at least as many bytes as characters.
    let fits = text.len() <= chars_max || cut(text, chars_max).len() == text.len();
    if fits { Ok(()) } else { Err(too_long(what, format!("{chars_max} characters"))) }
}

fn check_bytes(what: &str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.len() <= bytes_max {
        return Ok(());
    }
    Err(too_long(what, format!("{bytes_max} bytes")))
}

fn check_count(what: &str, count: usize, count_max: usize) -> Result<(), Refusal> {
    if count <= count_max { Ok(()) } else { Err(too_long(what, format!("{count_max} entries"))) }
}

fn too_long(what: &str, limit: String) -> Refusal {
    Refusal::TooLong { what: what.into(), limit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RoomRef;

    fn described(description: String) -> Command {
        let room = NewRoom { description, ..NewRoom::default() };
        Command::CreateRoom { room, owner: None, members: None }
    }

    #[test]
    fn an_identity_has_a_realm_and_a_subject_of_a_bounded_length() {
        let is_sound = |realm: &str, kind: usize, subject: usize| {
            let identity = format!("{realm}{}/{}", "k".repeat(kind), "s".repeat(subject));
            check_identity(&identity).is_ok()
        };
        assert!(is_sound("openid:", 255, 255) && is_sound("email", 0, 255));
        assert!(!is_sound("openid:", 256, 255) && !is_sound("openid:", 255, 256));
        assert!(!is_sound("tel", 0, 256) && !is_sound("", 256, 1));
        for realm in PROVEN_REALMS {
            assert!(is_sound(realm, 0, 512) && !is_sound(realm, 0, 513), "{realm}");
        }
        assert!(!is_sound("http:", 1, 256), "only the realms of that very name");
        assert!(!is_sound("openid:", 255, 0) && !is_sound("", 0, 9));
        assert!(check_identity("no slash").is_err());
    }

    #[test]
    fn characters_are_counted_and_not_bytes() {
        assert_eq!(check_command(&described("茶".repeat(DESCRIPTION_CHARS_MAX))), Ok(()));
        let refused = check_command(&described("茶".repeat(DESCRIPTION_CHARS_MAX + 1)));
        let said = refused.map_err(|refusal| refusal.to_string());
        assert_eq!(said, Err("the description is longer than 500 characters".into()));
    }

    #[test]
    fn a_cut_is_between_characters() {
        assert_eq!(cut("茶茶茶", 2), "茶茶");
        assert_eq!(cut("茶", 2), "茶");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn changes_are_bounded_as_what_they_change() {
        let changes = RoomChanges { section: Some("x".repeat(65)), ..RoomChanges::default() };
        let room = RoomRef::Name("tea".into());
        let update = Command::UpdateRoom { room, changes, by: None };
        assert!(matches!(check_command(&update), Err(Refusal::TooLong { .. })));
    }

    #[test]
    fn a_key_is_bounded_without_the_name_of_its_front_end() {
        for scope in ["usr_room/u10000/", "usr_room/a2001:db8:0:1:2:3:4:5/", "test/", ""] {
            assert_eq!(check_key(&format!("{scope}{}", "k".repeat(255))), Ok(()), "{scope}");
            assert!(check_key(&format!("{scope}{}", "k".repeat(256))).is_err(), "{scope}");
        }
        let with_slashes = format!("usr_room/u10000/a/b/{}", "k".repeat(251));
        assert_eq!(check_key(&with_slashes), Ok(()));
        assert!(check_key(&(with_slashes + "k")).is_err());
    }
}
