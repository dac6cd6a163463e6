//! What the dialect carries.

use frontend_api::fidelity::{Fidelity, Field, Way};

const NO_DIRECT: Way = Way::absent("the dialect has no direct messages");
const SINCE: Way = Way::emulated("to clients that have joined with `since`");
const SEATS: Way = Way::emulated("as users enter and leave");

pub(crate) fn fidelity() -> Fidelity {
    Fidelity::default().with_texts(Way::EXACT, Way::EXACT).with(MESSAGE).with(PERSON).with(ROOM)
}

const MESSAGE: &[(Field, Way, Way)] = &[
    (Field::MessageId, Way::ABSENT, SINCE),
    (Field::MessageAt, Way::ABSENT, SINCE),
    (Field::MessageAuthor, Way::EXACT, Way::exact("the handle, a guest's without `guest:`")),
    (Field::MessageToRoom, Way::EXACT, Way::EXACT),
    (Field::MessageToUser, NO_DIRECT, NO_DIRECT),
    (Field::MessageNotice, Way::ABSENT, Way::absent("shown as any message")),
    (Field::TextLong, Way::exact("up to `text_chars_max`"), Way::EXACT),
];

const PERSON: &[(Field, Way, Way)] = &[
    (Field::PersonHandle, Way::EXACT, Way::EXACT),
    (
        Field::PersonAvatar,
        Way::absent("that of a join is for this entrance alone, and not kept"),
        Way::EXACT,
    ),
    (Field::PersonIdentities, Way::exact("the telephone number"), Way::absent("one's own alone")),
];

const ROOM: &[(Field, Way, Way)] = &[
    (Field::RoomName, Way::EXACT, Way::EXACT),
    (Field::RoomTitle, Way::absent("the name is the title"), Way::ABSENT),
    (Field::RoomPopulation, Way::ABSENT, Way::EXACT),
    (Field::RoomMembers, Way::emulated("a seat while connected"), SEATS),
];
