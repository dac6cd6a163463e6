//! What the dialect carries.

use frontend_api::fidelity::{Fidelity, Field, Way};

const BY_REQUEST: Way = Way::exact("the one that the request names");

pub(crate) fn fidelity() -> Fidelity {
    Fidelity::default().with_texts(Way::EXACT, Way::EXACT).with(MESSAGE).with(PERSON).with(ROOM)
}

const MESSAGE: &[(Field, Way, Way)] = &[
    (Field::MessageId, Way::ABSENT, Way::emulated("of the last of a reply, as its `cursor`")),
    (
        Field::MessageAt,
        Way::ABSENT,
        Way::emulated("whole seconds, on a clock of `timezone`; not of direct messages"),
    ),
    (Field::MessageAuthor, Way::EXACT, Way::EXACT),
    (Field::MessageToRoom, Way::EXACT, BY_REQUEST),
    (Field::MessageToUser, Way::EXACT, Way::exact("the user that asks")),
    (Field::MessageNotice, Way::ABSENT, Way::absent("shown as any message")),
    (Field::TextLong, Way::exact("up to `text_chars_max`"), Way::EXACT),
];

const PERSON: &[(Field, Way, Way)] = &[(Field::PersonHandle, Way::EXACT, Way::EXACT)];

const ROOM: &[(Field, Way, Way)] = &[
    (Field::RoomName, Way::EXACT, Way::absent("there is no list of channels")),
    (Field::RoomTitle, Way::absent("the name is the title"), Way::ABSENT),
    (Field::RoomOwner, Way::exact("who sends to a new channel"), Way::ABSENT),
    (Field::RoomMembers, Way::EXACT, Way::exact("durable members, not seats")),
];
