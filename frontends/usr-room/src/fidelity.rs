//! What the dialect carries, in either flavor.

use frontend_api::fidelity::{Fidelity, Field, Way};

use crate::Flavor;

const NO_DIRECT: Way = Way::absent("the dialect has no direct messages");
const NO_NAMES: Way = Way::absent("only in flavor miniprogram");

pub(crate) fn fidelity(flavor: Flavor) -> Fidelity {
    let both = Fidelity::default().with_texts(Way::EXACT, Way::EXACT);
    let both = both.with(MESSAGE).with(PERSON).with(ROOM);
    match flavor {
        Flavor::Document => both,
        Flavor::Miniprogram => both.with(OF_MINIPROGRAM),
    }
}

const MESSAGE: &[(Field, Way, Way)] = &[
    (Field::MessageId, Way::ABSENT, Way::EXACT),
    (Field::MessageAt, Way::ABSENT, Way::EXACT),
    (Field::MessageAuthor, Way::EXACT, Way::exact("an openid, else `@<handle>`")),
    (Field::MessageToRoom, Way::EXACT, Way::exact("the one that the request names")),
    (Field::MessageToUser, NO_DIRECT, NO_DIRECT),
    (Field::MessageNotice, Way::ABSENT, Way::absent("shown as any message")),
    (Field::TextLong, Way::exact("up to `text_chars_max`"), Way::EXACT),
];

const PERSON: &[(Field, Way, Way)] = &[
    (Field::PersonHandle, Way::ABSENT, Way::emulated("as `@<handle>`, of users without an openid")),
    (Field::PersonName, NO_NAMES, NO_NAMES),
    (Field::PersonAvatar, NO_NAMES, NO_NAMES),
    (Field::PersonIdentities, Way::exact("the openid"), Way::emulated("the openid of this app")),
    (Field::PersonSex, Way::EXACT, Way::EXACT),
    (Field::PersonPreferences, Way::EXACT, Way::EXACT),
];

const OF_MINIPROGRAM: &[(Field, Way, Way)] = &[
    (
        Field::PersonHandle,
        Way::emulated("made from the name"),
        Way::emulated("as `@<handle>`, of users without an openid"),
    ),
    (Field::PersonName, Way::exact("up to 256 characters"), Way::EXACT),
    (Field::PersonAvatar, Way::EXACT, Way::EXACT),
];

const ROOM: &[(Field, Way, Way)] = &[
    (Field::RoomId, Way::ABSENT, Way::EXACT),
    (
        Field::RoomName,
        Way::emulated("made from the title, with a number where that is taken"),
        Way::absent("the title is shown"),
    ),
    (Field::RoomTitle, Way::exact("up to 64 characters"), Way::EXACT),
    (Field::RoomSection, Way::EXACT, Way::EXACT),
    (Field::RoomDescription, Way::EXACT, Way::EXACT),
    (Field::RoomOwner, Way::EXACT, Way::exact("an openid, else `@<handle>`")),
    (Field::RoomActive, Way::ABSENT, Way::EXACT),
    (Field::RoomMembers, Way::EXACT, Way::exact("durable members, not seats")),
];
