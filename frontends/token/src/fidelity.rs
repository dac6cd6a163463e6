//! What the dialect carries.

use frontend_api::fidelity::{Fidelity, Field, Way};

const NO_DIRECT: Way = Way::absent("the dialect has no direct messages");
const SEATS: Way = Way::emulated("as users enter and leave");

pub(crate) fn fidelity() -> Fidelity {
    Fidelity::default().with_texts(Way::EXACT, Way::EXACT).with(MESSAGE).with(PERSON).with(ROOM)
}

const MESSAGE: &[(Field, Way, Way)] = &[
    (Field::MessageId, Way::ABSENT, Way::EXACT),
    (Field::MessageAt, Way::ABSENT, Way::EXACT),
    (Field::MessageAuthor, Way::EXACT, Way::emulated("as the uid, which is 0 for every guest")),
    (Field::MessageToRoom, Way::EXACT, Way::EXACT),
    (Field::MessageToUser, NO_DIRECT, NO_DIRECT),
    (Field::MessageNotice, Way::ABSENT, Way::absent("shown as any message")),
    (Field::TextLong, Way::exact("up to `frame_bytes_max`"), Way::EXACT),
];

const PERSON: &[(Field, Way, Way)] = &[
    (Field::PersonUid, Way::ABSENT, Way::EXACT),
    (Field::PersonHandle, Way::emulated("made from the name"), Way::absent("only that of guests")),
    (Field::PersonName, Way::exact("up to 256 characters"), Way::EXACT),
    (Field::PersonIdentities, Way::EXACT, Way::ABSENT),
    (Field::PersonInfo, Way::EXACT, Way::absent("only to the user itself")),
    (Field::PersonCreated, Way::ABSENT, Way::absent("only to the user itself")),
];

const ROOM: &[(Field, Way, Way)] = &[
    (Field::RoomId, Way::ABSENT, Way::EXACT),
    (
        Field::RoomName,
        Way::emulated("made from the title, with a number where that is taken"),
        Way::emulated("where the room has no title"),
    ),
    (Field::RoomTitle, Way::exact("up to 64 characters"), Way::EXACT),
    (Field::RoomSection, Way::EXACT, Way::EXACT),
    (Field::RoomDescription, Way::EXACT, Way::emulated("of rooms with it in their `info`")),
    (Field::RoomOwner, Way::EXACT, Way::ABSENT),
    (Field::RoomPopulation, Way::ABSENT, Way::EXACT),
    (Field::RoomCapacity, Way::ABSENT, Way::EXACT),
    (Field::RoomActive, Way::ABSENT, Way::EXACT),
    (Field::RoomAppCode, Way::EXACT, Way::ABSENT),
    (Field::RoomInfo, Way::EXACT, Way::emulated("with keys that the gateway adds")),
    (Field::RoomMembers, Way::emulated("a seat while connected"), SEATS),
];
