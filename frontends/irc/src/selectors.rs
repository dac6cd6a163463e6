//! The parameters of CHATHISTORY and MARKREAD: places in a conversation.

use core_model::{MessageId, Part, Position, Timestamp};

use crate::parse::Message;

/// What a CHATHISTORY requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HistoryRequest<'a> {
    /// Messages of one channel or of the conversation with one user.
    Part { target: &'a str, part: Part, limit: u32 },
    /// The conversations whose newest message is between two times.
    Targets { from: Timestamp, to: Timestamp, limit: u32 },
}

/// The error of a request: the code of the standard reply, the wrong parameter or "", and the text.
pub(crate) type BadRequest<'a> = (&'static str, &'a str, &'static str);

/// Parses a CHATHISTORY: IRCv3 chathistory, section "Subcommands".
pub(crate) fn history<'a>(message: &Message<'a>) -> Result<HistoryRequest<'a>, BadRequest<'a>> {
    let subcommand = message.param(0).to_ascii_uppercase();
    let selectors = match subcommand.as_str() {
        "" => return Err(("NEED_MORE_PARAMS", "", "Missing parameters")),
        "LATEST" | "BEFORE" | "AFTER" | "AROUND" => 1,
        "BETWEEN" | "TARGETS" => 2,
        _ => return Err(("UNKNOWN_COMMAND", "", "Unknown command")),
    };
    let first = if subcommand == "TARGETS" { 1 } else { 2 };
    let count = first + selectors + 1;
    if message.given() < count {
        return Err(("NEED_MORE_PARAMS", "", "Missing parameters"));
    }
    if message.given() > count {
        return Err(("INVALID_PARAMS", message.param(count), "Too many parameters"));
    }
    let limit = message.param(count - 1);
    let wrong_limit = ("INVALID_PARAMS", limit, "The limit is a number from 1 up");
    let limit = number(limit).filter(|limit| *limit > 0).ok_or(wrong_limit)?;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    if subcommand == "TARGETS" {
        let at = |param| {
            let text = message.param(param);
            let wrong = ("INVALID_PARAMS", text, "A place is timestamp=<time>");
            timestamp(text).ok_or(wrong)
        };
        return Ok(HistoryRequest::Targets { from: at(1)?, to: at(2)?, limit });
    }
    let at = |param| {
        let text = message.param(param);
        let wrong = ("INVALID_PARAMS", text, "A place is msgid=<number> or timestamp=<time>");
        position(text).ok_or(wrong)
    };
    let part = match subcommand.as_str() {
        "LATEST" if message.param(2) == "*" => Part::Newest { after: None },
        "LATEST" => Part::Newest { after: Some(at(2)?) },
        "BEFORE" => Part::Before(at(2)?),
        "AFTER" => Part::After(at(2)?),
        "AROUND" => Part::Around(at(2)?),
        _ => Part::Between { from: at(2)?, to: at(3)? },
    };
    Ok(HistoryRequest::Part { target: message.param(1), part, limit })
}

fn position(text: &str) -> Option<Position> {
    match text.strip_prefix("msgid=") {
        Some(id) => number(id).map(|id| Position::Message(MessageId(id))),
        None => timestamp(text).map(Position::Time),
    }
}

/// `timestamp=2023-11-14T22:13:20.000Z`; a time before 1970 counts as 1970.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    let time = text.strip_prefix("timestamp=").filter(|time| time.ends_with('Z'))?;
    let at: jiff::Timestamp = time.parse().ok()?;
    Some(Timestamp(u64::try_from(at.as_millisecond()).unwrap_or(0)))
}

/// Digits only: `parse` takes a sign too.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_id_or_a_time() {
        let at = |text| position(text);
        assert_eq!(at("msgid=40"), Some(Position::Message(MessageId(40))));
        assert_eq!(at("msgid=99999999999999999999"), Some(Position::Message(MessageId(u64::MAX))));
        let time = |ms| Some(Position::Time(Timestamp(ms)));
        assert_eq!(at("timestamp=2023-11-14T22:13:20.007Z"), time(1_700_000_000_007));
        assert_eq!(at("timestamp=2023-11-14T22:13:20Z"), time(1_700_000_000_000));
        assert_eq!(at("timestamp=1969-01-01T00:00:00.000Z"), time(0));
        for wrong in [
            "",
            "*",
            "40",
            "msgid=",
            "msgid=+4",
            "msgid=-4",
            "msgid=x",
            "timestamp=",
            "timestamp=2023-11-14T22:13:20.000",
            "timestamp=2023-11-14T22:13:20.000+01:00",
            "timestamp=2023-13-14T22:13:20.000Z",
            "timestamp=1700000000",
        ] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for ms in [0, 7, 1_700_000_000_999] {
            let text = crate::encode::time(Timestamp(ms)).unwrap();
            assert_eq!(timestamp(&format!("timestamp={text}")), Some(Timestamp(ms)));
        }
    }
}
