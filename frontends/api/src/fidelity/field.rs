//! The fields of the contract: those of the model's messages, persons and rooms, with the texts by
//! what they contain.

/// A text with more bytes than this is long: it may not fit in one line of IRC, whose 512 bytes
/// hold names as well.
pub const LONG_TEXT_BYTES: usize = 350;

/// A text with more lines than this has many.
pub const LINES_MAX: usize = 50;

/// A field of a message, a person or a room.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Field {
    MessageId,
    MessageAt,
    MessageAuthor,
    MessageToRoom,
    MessageToUser,
    MessageNotice,
    MessageText,
    TextLong,
    TextLines,
    TextManyLines,
    TextBlankLines,
    TextBlank,
    TextReturns,
    TextAction,
    TextControl,
    TextMark,
    TextNul,
    PersonUid,
    PersonHandle,
    PersonName,
    PersonAvatar,
    PersonIdentities,
    PersonCreated,
    PersonOnline,
    PersonSex,
    PersonPreferences,
    PersonInfo,
    RoomId,
    RoomName,
    RoomTitle,
    RoomSection,
    RoomDescription,
    RoomOwner,
    RoomCreated,
    RoomPopulation,
    RoomPeople,
    RoomCapacity,
    RoomActive,
    RoomClosed,
    RoomAppCode,
    RoomInfo,
    RoomMembers,
}

/// A field with its name and what it is.
#[derive(Clone, Copy, Debug)]
pub struct FieldRow {
    pub field: Field,
    /// As in a manifest: the kind of thing, its field in the model, and for a text what it contains.
    pub name: &'static str,
    pub about: &'static str,
    /// Whether the gateway makes it, so that no client gives it.
    pub by_gateway: bool,
}

impl Field {
    /// Every field, in the order of its declaration.
    pub const ALL: &'static [FieldRow] = &[
        made(Self::MessageId, "message.id", "the id, which orders all messages"),
        made(Self::MessageAt, "message.at", "when it was accepted, in milliseconds"),
        given(Self::MessageAuthor, "message.author", "who wrote it"),
        given(Self::MessageToRoom, "message.to.room", "the room it was posted to"),
        given(Self::MessageToUser, "message.to.user", "the user it was sent to directly"),
        given(Self::MessageNotice, "message.notice", "that no program is to answer it"),
        given(Self::MessageText, "message.text", "one line of any script, up to 350 bytes"),
        given(Self::TextLong, "message.text.long", "more than 350 bytes"),
        given(Self::TextLines, "message.text.lines", "line feeds"),
        given(Self::TextManyLines, "message.text.many_lines", "more than 50 lines"),
        given(Self::TextBlankLines, "message.text.blank_lines", "empty lines"),
        given(Self::TextBlank, "message.text.blank", "line ends and nothing else"),
        given(Self::TextReturns, "message.text.returns", "carriage returns"),
        given(Self::TextAction, "message.text.action", "`/me ` at the start"),
        given(
            Self::TextControl,
            "message.text.control",
            "control characters: tabs, colours, bells",
        ),
        given(Self::TextMark, "message.text.mark", "U+0001, the mark of client-to-client commands"),
        given(Self::TextNul, "message.text.nul", "U+0000"),
        made(Self::PersonUid, "person.uid", "the account's number"),
        given(Self::PersonHandle, "person.handle", "the name that is unique in the gateway"),
        given(Self::PersonName, "person.name", "the display name"),
        given(Self::PersonAvatar, "person.avatar", "the URL of a picture"),
        given(Self::PersonIdentities, "person.identities", "openid, telephone number, email"),
        made(Self::PersonCreated, "person.created", "when the account was made"),
        made(Self::PersonOnline, "person.online", "whether the user is connected"),
        given(Self::PersonSex, "person.sex", "as the client words it"),
        given(Self::PersonPreferences, "person.preferences", "what the user likes"),
        given(Self::PersonInfo, "person.info", "a JSON object of the client's own"),
        made(Self::RoomId, "room.id", "the room's number"),
        given(Self::RoomName, "room.name", "the name that is unique in the gateway"),
        given(Self::RoomTitle, "room.title", "the display name"),
        given(Self::RoomSection, "room.section", "the part of the list it belongs to"),
        given(Self::RoomDescription, "room.description", "what it is for; the topic"),
        given(Self::RoomOwner, "room.owner", "who may change it"),
        made(Self::RoomCreated, "room.created", "when it was made"),
        made(Self::RoomPopulation, "room.population", "how many seats are taken"),
        made(Self::RoomPeople, "room.people", "how many people are in it, whatever their seats"),
        made(Self::RoomCapacity, "room.capacity", "how many seats there are"),
        made(Self::RoomActive, "room.active", "whether it has been used"),
        given(Self::RoomClosed, "room.closed", "that only members see it"),
        given(Self::RoomAppCode, "room.app_code", "the number of the app that made it"),
        given(Self::RoomInfo, "room.info", "a JSON object of the client's own"),
        given(Self::RoomMembers, "room.members", "the members, or those present"),
    ];

    /// The field's row.
    pub fn row(self) -> &'static FieldRow {
        &Self::ALL[self as usize]
    }

    /// As in a manifest: `message.notice`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The kinds of text.
    pub fn texts() -> impl Iterator<Item = Self> {
        let is_text = |row: &&FieldRow| row.name.starts_with(Self::MessageText.name());
        Self::ALL.iter().filter(is_text).map(|row| row.field)
    }

    /// The kinds of text that a text is of; every text is a [`Field::MessageText`].
    pub fn of_text(text: &str) -> impl Iterator<Item = Self> + '_ {
        Self::texts().filter(|field| field.is_in(text))
    }

    /// Whether a text has what makes it one of this kind.
    fn is_in(self, text: &str) -> bool {
        let is_end = |char| matches!(char, '\n' | '\r');
        match self {
            Self::MessageText => true,
            Self::TextLong => text.len() > LONG_TEXT_BYTES,
            Self::TextLines => text.contains('\n'),
            Self::TextManyLines => text.replace("\r\n", "\n").split(is_end).count() > LINES_MAX,
            Self::TextBlankLines => text.replace("\r\n", "\n").split(is_end).any(str::is_empty),
            Self::TextBlank => !text.is_empty() && text.chars().all(is_end),
            Self::TextReturns => text.contains('\r'),
            Self::TextAction => text.starts_with("/me "),
            Self::TextControl => {
                let lines = ['\0', '\x01', '\n', '\r'];
                text.chars().any(|char| char.is_ascii_control() && !lines.contains(&char))
            }
            Self::TextMark => text.contains('\x01'),
            Self::TextNul => text.contains('\0'),
            _ => false,
        }
    }
}

const fn given(field: Field, name: &'static str, about: &'static str) -> FieldRow {
    FieldRow { field, name, about, by_gateway: false }
}

const fn made(field: Field, name: &'static str, about: &'static str) -> FieldRow {
    FieldRow { field, name, about, by_gateway: true }
}
