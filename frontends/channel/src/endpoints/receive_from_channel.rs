//! `POST /channel/receive` gives the messages of a channel that the caller has not received yet,
//! its own among them. The caller joins the channel by it.

use std::sync::Arc;

use core_model::{Gap, MessageId, Outcome, Reply, RoomRef, Timestamp};
use frontend_api::http::{Action, Digits, Endpoint, Params, RequestParams, Response};
use frontend_api::schema::Operation;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Success, required, signed_in, success};
use crate::refusal::Failure;
use crate::{Channel, refusal};

pub(super) const ENDPOINT: Endpoint<Channel> = Endpoint {
    name: "receive_from_channel",
    methods: &["POST"],
    path: "/channel/receive",
    decode,
    encode,
    describe: |_| {
        Operation::of::<Request>(
            "Returns the messages of a channel that the caller has not received yet, its own \
            included. The caller joins the channel.",
        )
        .for_users()
        .replies::<Success<Received>>()
        .replies::<Failure>()
    },
};

#[derive(Deserialize, JsonSchema)]
struct Request {
    /// The channel's.
    #[schemars(required, length(min = 1))]
    name: Option<String>,
    /// The `cursor` of an earlier reply: returns the messages after it.
    after: Option<Digits>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ChannelMessages")]
struct Received<'a> {
    /// In the order of sending.
    messages: Vec<Message<'a>>,
    /// The id of the newest message that the caller has received; 0 for none.
    cursor: MessageId,
    /// Only after a request with `after`, and only if some of those after it were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<Gap>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ChannelMessage")]
struct Message<'a> {
    /// The sender's handle.
    name: &'a str,
    /// `YYYY.MM.DD:HH:MM:SS` in the front end's time zone.
    datetime: String,
    /// The text.
    msg: &'a str,
}

fn decode(channel: &Channel, params: &RequestParams<'_>) -> Result<Action, Response> {
    signed_in(params, |caller, Request { name, after }| {
        let room = RoomRef::Name(required("name", name)?);
        Ok(Action::Submit(channel.receive(caller, None, Some(room), after)))
    })
}

fn encode(channel: &Channel, _: &Params<'_>, outcome: &Outcome) -> Response {
    match outcome {
        Ok(Reply::Received { messages, cursor, gap }) => {
            let show = |message| show(&channel.timezone, message);
            success(Received {
                messages: messages.iter().map(Arc::as_ref).map(show).collect(),
                cursor: *cursor,
                gap: *gap,
            })
        }
        Ok(_) => refusal::server_error(),
        Err(refusal) => refusal::refused(refusal),
    }
}

fn show<'a>(timezone: &TimeZone, message: &'a core_model::Message) -> Message<'a> {
    let datetime = datetime(timezone, message.at);
    Message { name: &message.author.handle, datetime, msg: &message.text }
}

/// The moment on a clock in the zone; the last there is for one after the year 9999.
fn datetime(timezone: &TimeZone, at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    moment.to_zoned(timezone.clone()).strftime("%Y.%m.%d:%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_the_zones_own() {
        let at = Timestamp(1_583_410_320_000);
        for (zone, shown) in [
            ("UTC", "2020.03.05:12:12:00"),
            ("Asia/Shanghai", "2020.03.05:20:12:00"),
            ("America/New_York", "2020.03.05:07:12:00"),
        ] {
            assert_eq!(datetime(&TimeZone::get(zone).unwrap(), at), shown, "{zone}");
        }
    }

    #[test]
    fn a_second_is_not_rounded_up_and_every_part_has_its_digits() {
        assert_eq!(datetime(&TimeZone::UTC, Timestamp(999)), "1970.01.01:00:00:00");
    }

    #[test]
    fn a_moment_beyond_the_calendar_is_its_end() {
        assert!(datetime(&TimeZone::UTC, Timestamp(u64::MAX)).starts_with("9999.12.3"));
    }
}
