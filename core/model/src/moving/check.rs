//! What a record may hold, as far as it can be told from the record alone.

use super::{
    CursorOf, EXPORT_VERSION, ExportRecord, ExportedBan, ExportedInvitation, ExportedMask,
    ExportedMessage, ExportedReadMark, ExportedRoom, ExportedUser,
};
use crate::bounds::{
    AVATAR_BYTES_MAX, DESCRIPTION_CHARS_MAX, DISPLAY_NAME_CHARS_MAX, IDENTITIES_MAX,
    IDENTITY_BYTES_MAX, INFO_BYTES_MAX, PREFERENCES_MAX, REASON_CHARS_MAX, SECTION_CHARS_MAX,
    SEX_CHARS_MAX, TEXT_BYTES_MAX, TITLE_CHARS_MAX, cut,
};
use crate::mask::{MASK_BYTES_MAX, MaskFault, check_mask as check_mask_form};
use crate::name::{GUEST_PREFIX, NAME_CHARS_MAX, check_existing_handle, check_existing_name};

/// The smallest uid.
const UID_MIN: u64 = 10_000;

/// Ids are below: the greatest number that every reader of JSON has exactly.
const ID_END: u64 = 1 << 53;

/// The longest hash of a password, in bytes.
const PASSWORD_HASH_BYTES_MAX: usize = 1_024;

/// The longest handle, of a guest as of an account, in characters.
const BY_CHARS_MAX: usize = GUEST_PREFIX.len() + NAME_CHARS_MAX;

/// What is wrong with a field of a record.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct FieldFault {
    pub field: &'static str,
    pub why: String,
}

impl FieldFault {
    pub fn new(field: &'static str, why: impl Into<String>) -> Self {
        Self { field, why: why.into() }
    }
}

type Checked = Result<(), FieldFault>;

impl ExportRecord {
    /// Checks everything that does not depend on other records.
    pub fn check(&self) -> Checked {
        match self {
            Self::Export(header) if !(1..=EXPORT_VERSION).contains(&header.version) => {
                let version = header.version;
                let why = format!("is {version}, and this version reads 1 to {EXPORT_VERSION}");
                Err(FieldFault::new("version", why))
            }
            Self::Export(header) => {
                id_below("next_uid", header.next_uid)?;
                id_below("next_message", header.next_message)
            }
            Self::User(user) => check_user(user),
            Self::Room(room) => check_room(room),
            Self::Member(member) => {
                room("room", member.room.0)?;
                uid("user", member.user.0)?;
                id_below("since", member.since.0)
            }
            Self::Ban(ban) => check_ban(ban),
            Self::Mute(mute) => {
                room("room", mute.room.0)?;
                uid("user", mute.user.0)
            }
            Self::Mask(mask) => check_mask(mask),
            Self::Invitation(invitation) => check_invitation(invitation),
            Self::Message(message) => check_message(message),
            Self::Cursor(cursor) => {
                uid("user", cursor.user.0)?;
                if let CursorOf::Room(id) = cursor.of {
                    room("of", id.0)?;
                }
                id_below("message", cursor.message.0)
            }
            Self::ReadMark(mark) => check_mark(mark),
            Self::End(_) => Ok(()),
        }
    }
}

fn check_user(user: &ExportedUser) -> Checked {
    uid("uid", user.uid.0)?;
    name("handle", check_existing_handle(&user.handle), &user.handle)?;
    chars("name", &user.name, DISPLAY_NAME_CHARS_MAX)?;
    count("identities", user.identities.len(), IDENTITIES_MAX)?;
    for (at, one) in user.identities.iter().enumerate() {
        identity("identities", one)?;
        if user.identities[..at].contains(one) {
            return Err(FieldFault::new("identities", format!("{one:?} is there twice")));
        }
    }
    bytes("password", &user.password, PASSWORD_HASH_BYTES_MAX)?;
    bytes("avatar", &user.avatar, AVATAR_BYTES_MAX)?;
    chars("sex", &user.sex, SEX_CHARS_MAX)?;
    count("preferences", user.preferences.len(), PREFERENCES_MAX)?;
    user.preferences.iter().try_for_each(|one| chars("preferences", one, SECTION_CHARS_MAX))?;
    bytes("info", &user.info, INFO_BYTES_MAX)?;
    id_below("removed_received", user.removed_received.0)?;
    id_below("removed_sent", user.removed_sent.0)
}

fn check_room(one: &ExportedRoom) -> Checked {
    room("id", one.id.0)?;
    name("name", check_existing_name(&one.name), &one.name)?;
    chars("title", &one.title, TITLE_CHARS_MAX)?;
    chars("section", &one.section, SECTION_CHARS_MAX)?;
    chars("description", &one.description, DESCRIPTION_CHARS_MAX)?;
    bytes("info", &one.info, INFO_BYTES_MAX)?;
    if let Some(owner) = one.owner {
        uid("owner", owner.0)?;
        if one.ends_unused {
            return Err(FieldFault::new("ends_unused", "is for rooms without an owner"));
        }
    }
    id_below("removed", one.removed.0)
}

fn check_ban(ban: &ExportedBan) -> Checked {
    let targets = [ban.user.is_some(), ban.identity.is_some(), ban.network.is_some()];
    one_of("user", "a ban has one of user, identity and network", &targets)?;
    ban.user.map_or(Ok(()), |user| uid("user", user.0))?;
    ban.identity.as_deref().map_or(Ok(()), |one| identity("identity", one))?;
    chars("reason", &ban.reason, REASON_CHARS_MAX)
}

fn check_mask(one: &ExportedMask) -> Checked {
    room("room", one.room.0)?;
    bytes("mask", &one.mask, MASK_BYTES_MAX)?;
    match check_mask_form(&one.mask) {
        // The engine takes a name alone as well.
        Ok(()) | Err(MaskFault::NoUser) => (),
        Err(fault) => return Err(FieldFault::new("mask", fault.to_string())),
    }
    chars("by", &one.by, BY_CHARS_MAX)
}

fn check_invitation(one: &ExportedInvitation) -> Checked {
    room("room", one.room.0)?;
    let invited = [one.user.is_some(), one.guest.is_some()];
    one_of("user", "an invitation has one of user and guest", &invited)?;
    one.user.map_or(Ok(()), |user| uid("user", user.0))?;
    if let Some(guest) = &one.guest {
        name("guest", check_existing_name(guest), guest)?;
    }
    chars("by", &one.by, BY_CHARS_MAX)
}

fn check_message(message: &ExportedMessage) -> Checked {
    id("id", message.id.0, 1)?;
    let authors = [message.user.is_some(), message.guest.is_some()];
    one_of("user", "a message has one of user and guest", &authors)?;
    let places = [message.room.is_some(), message.to.is_some()];
    one_of("room", "a message has one of room and to", &places)?;
    message.user.map_or(Ok(()), |user| uid("user", user.0))?;
    message.to.map_or(Ok(()), |to| uid("to", to.0))?;
    message.room.map_or(Ok(()), |id| room("room", id.0))?;
    if let Some(guest) = &message.guest {
        name("guest", check_existing_name(guest), guest)?;
    }
    if message.text.is_empty() {
        return Err(FieldFault::new("text", "is empty"));
    }
    bytes("text", &message.text, TEXT_BYTES_MAX)
}

fn check_mark(mark: &ExportedReadMark) -> Checked {
    uid("user", mark.user.0)?;
    one_of("room", "a mark has one of room and with", &[mark.room.is_some(), mark.with.is_some()])?;
    mark.room.map_or(Ok(()), |id| room("room", id.0))?;
    mark.with.map_or(Ok(()), |with| uid("with", with.0))
}

fn one_of(field: &'static str, why: &str, given: &[bool]) -> Checked {
    let count = given.iter().filter(|given| **given).count();
    if count == 1 { Ok(()) } else { Err(FieldFault::new(field, why)) }
}

fn uid(field: &'static str, number: u64) -> Checked {
    id(field, number, UID_MIN)
}

fn room(field: &'static str, number: u32) -> Checked {
    if number > 0 { Ok(()) } else { Err(FieldFault::new(field, "is 0; rooms begin at 1")) }
}

fn id_below(field: &'static str, number: u64) -> Checked {
    id(field, number, 0)
}

fn id(field: &'static str, number: u64, min: u64) -> Checked {
    if (min..ID_END).contains(&number) {
        return Ok(());
    }
    Err(FieldFault::new(field, format!("is {number}; expected {min} to {}", ID_END - 1)))
}

/// A name that is not empty, too long or in another normalization form than C.
fn name(field: &'static str, checked: Result<String, crate::NameFault>, given: &str) -> Checked {
    match checked {
        Ok(normal) if normal == given => Ok(()),
        Ok(_) => Err(FieldFault::new(field, "is not in Unicode normalization form C")),
        Err(fault) => Err(FieldFault::new(field, fault.to_string())),
    }
}

fn identity(field: &'static str, identity: &str) -> Checked {
    let parts = identity.split_once('/');
    if !parts.is_some_and(|(realm, subject)| !realm.is_empty() && !subject.is_empty()) {
        let why = format!("{identity:?} is not of the form realm/subject");
        return Err(FieldFault::new(field, why));
    }
    bytes(field, identity, IDENTITY_BYTES_MAX)
}

fn chars(field: &'static str, text: &str, chars_max: usize) -> Checked {
    let fits = text.len() <= chars_max || cut(text, chars_max).len() == text.len();
    if fits { Ok(()) } else { too_long(field, format!("{chars_max} characters")) }
}

fn bytes(field: &'static str, text: &str, bytes_max: usize) -> Checked {
    if text.len() <= bytes_max { Ok(()) } else { too_long(field, format!("{bytes_max} bytes")) }
}

fn count(field: &'static str, count: usize, count_max: usize) -> Checked {
    if count <= count_max { Ok(()) } else { too_long(field, format!("{count_max} entries")) }
}

fn too_long(field: &'static str, limit: String) -> Checked {
    Err(FieldFault::new(field, format!("is longer than {limit}")))
}
