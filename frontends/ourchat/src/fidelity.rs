//! What the dialect carries.

use frontend_api::fidelity::{Fidelity, Field, Way};

pub(crate) fn fidelity() -> Fidelity {
    Fidelity::default().with_texts(Way::EXACT, Way::EXACT).with(MESSAGE).with(PERSON).with(ROOM)
}

const MESSAGE: &[(Field, Way, Way)] = &[
    (Field::MessageId, Way::ABSENT, Way::EXACT),
    (Field::MessageAt, Way::ABSENT, Way::EXACT),
    (Field::MessageAuthor, Way::EXACT, Way::emulated("as the uid, which is 0 for every guest")),
    (Field::MessageToRoom, Way::EXACT, Way::EXACT),
    (Field::MessageToUser, Way::EXACT, Way::EXACT),
    (Field::MessageNotice, Way::ABSENT, Way::absent("shown as any message")),
    (Field::TextLong, Way::exact("up to `text_chars_max`"), Way::EXACT),
];

const PERSON: &[(Field, Way, Way)] = &[
    (Field::PersonUid, Way::ABSENT, Way::EXACT),
    (Field::PersonHandle, Way::emulated("made from the name"), Way::absent("the name is shown")),
    (Field::PersonName, Way::exact("up to 256 characters"), Way::EXACT),
    (Field::PersonAvatar, Way::ABSENT, Way::EXACT),
    (Field::PersonIdentities, Way::exact("the email"), Way::ABSENT),
    (Field::PersonCreated, Way::ABSENT, Way::EXACT),
    (Field::PersonOnline, Way::ABSENT, Way::EXACT),
];

const ROOM: &[(Field, Way, Way)] = &[
    (Field::RoomId, Way::ABSENT, Way::EXACT),
    (
        Field::RoomName,
        Way::emulated("made from the title, with the number of the group"),
        Way::absent("groups are shown by number"),
    ),
    (
        Field::RoomTitle,
        Way::exact("up to 64 characters"),
        Way::absent("groups are shown by number"),
    ),
    (Field::RoomOwner, Way::EXACT, Way::ABSENT),
    (Field::RoomClosed, Way::emulated("for all groups alike, by the key `open`"), Way::ABSENT),
    (Field::RoomMembers, Way::EXACT, Way::emulated("when the group is made, to its members")),
];
