//! What the dialect carries.

use frontend_api::fidelity::{Fidelity, Field, Way};

const ESCAPED: Way = Way::emulated("what IRC cannot have in a name is escaped, as in `\\20`");
const ENDS_LINE: Way = Way::absent("it ends the line");

pub(crate) fn fidelity() -> Fidelity {
    Fidelity::of(MESSAGE).with(TEXT).with(PERSON).with(ROOM)
}

const MESSAGE: &[(Field, Way, Way)] = &[
    (Field::MessageId, Way::ABSENT, Way::exact("to clients with `message-tags`")),
    (Field::MessageAt, Way::ABSENT, Way::exact("to clients with `server-time`")),
    (Field::MessageAuthor, Way::EXACT, ESCAPED),
    (Field::MessageToRoom, Way::EXACT, ESCAPED),
    (Field::MessageToUser, Way::EXACT, ESCAPED),
    (Field::MessageNotice, Way::EXACT, Way::EXACT),
];

const TEXT: &[(Field, Way, Way)] = &[
    (Field::MessageText, Way::EXACT, Way::EXACT),
    (
        Field::TextLong,
        Way::exact("by `draft/multiline`, up to 16,384 bytes"),
        Way::exact("by `draft/multiline`; else in several messages"),
    ),
    (
        Field::TextLines,
        Way::exact("by `draft/multiline`"),
        Way::exact("by `draft/multiline`; else in a message for each line"),
    ),
    (
        Field::TextManyLines,
        Way::absent("a batch has at most 50 lines"),
        Way::absent(
            "lines after the fiftieth are joined by spaces: each costs every reader a line",
        ),
    ),
    (
        Field::TextBlankLines,
        Way::exact("by `draft/multiline`"),
        Way::exact("by `draft/multiline`; else as a space, and at the ends left out"),
    ),
    (
        Field::TextBlank,
        Way::absent("a message has a character, and a batch a line that is not empty"),
        Way::absent("as one space: a message has a character"),
    ),
    (Field::TextReturns, ENDS_LINE, Way::emulated("as line feeds")),
    (Field::TextAction, Way::exact("as ACTION"), Way::emulated("as ACTION")),
    (Field::TextControl, Way::EXACT, Way::EXACT),
    (
        Field::TextMark,
        Way::exact("not at the start, where it marks a command"),
        Way::absent("removed: clients would take what follows for a command"),
    ),
    (Field::TextNul, ENDS_LINE, Way::absent("removed: the protocol forbids it")),
];

const PERSON: &[(Field, Way, Way)] = &[
    (Field::PersonUid, Way::ABSENT, Way::exact("as the user of the mask")),
    (Field::PersonHandle, Way::emulated("a guest's, after `guest:`"), ESCAPED),
    (
        Field::PersonName,
        Way::absent("the real name is shown to users of irc alone"),
        Way::emulated("in WHO and WHOIS, cut to what a line holds"),
    ),
    (Field::PersonOnline, Way::ABSENT, Way::EXACT),
];

const ROOM: &[(Field, Way, Way)] = &[
    (Field::RoomName, Way::EXACT, ESCAPED),
    (Field::RoomTitle, Way::absent("the name is the title"), Way::absent("the name is shown")),
    (
        Field::RoomDescription,
        Way::exact("up to 390 bytes"),
        Way::emulated("as the topic: line ends become spaces, cut to what a line holds"),
    ),
    (Field::RoomOwner, Way::EXACT, Way::exact("as the operator, where present")),
    (Field::RoomCreated, Way::ABSENT, Way::emulated("in whole seconds, with the modes")),
    (Field::RoomPopulation, Way::ABSENT, Way::absent("the people are shown")),
    (Field::RoomPeople, Way::ABSENT, Way::exact("in LIST")),
    (Field::RoomCapacity, Way::ABSENT, Way::exact("as the mode `l`")),
    (Field::RoomClosed, Way::ABSENT, Way::exact("as the mode `i`")),
    (Field::RoomMembers, Way::emulated("a seat while connected"), Way::exact("those present")),
];
