//! The event and the answer that almost all are: a message was posted.
//!
//! Serde reads an enum with a tag by putting all of it aside until it has seen the tag, which
//! takes longer than everything else that happens at the border. Where the tag is known, it need
//! not. Whatever else it is, or in whatever other order, is read as any JSON.

use core_model::{
    ConnectionId, Event, Message, MessageId, Outcome, Person, Recipient, Recorded, Reply, Seq,
    Timestamp,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tag {
    Posted,
}

#[derive(Deserialize)]
struct PostedRecord {
    seq: Seq,
    at: Timestamp,
    cause: ConnectionId,
    event: PostedEvent,
}

#[derive(Deserialize)]
struct PostedEvent {
    #[serde(rename = "event")]
    _tag: Tag,
    message: PostedMessage,
}

#[derive(Deserialize)]
enum PostedOutcome {
    Ok(PostedReply),
}

#[derive(Deserialize)]
struct PostedReply {
    #[serde(rename = "did")]
    _tag: Tag,
    message: PostedMessage,
}

/// `Message`, without the detour that serde takes to an `Arc`.
#[derive(Deserialize)]
struct PostedMessage {
    id: MessageId,
    at: Timestamp,
    author: Person,
    to: Recipient,
    text: String,
}

impl From<PostedMessage> for Message {
    fn from(PostedMessage { id, at, author, to, text }: PostedMessage) -> Self {
        Self { id, at, author: author.into(), to, text }
    }
}

pub(crate) fn event(json: &str) -> Option<Recorded> {
    let PostedRecord { seq, at, cause, event } = serde_json::from_str(json).ok()?;
    Some(Recorded { seq, at, cause, event: Event::Posted { message: event.message.into() } })
}

pub(crate) fn outcome(json: &str) -> Option<Outcome> {
    let PostedOutcome::Ok(reply) = serde_json::from_str(json).ok()?;
    Some(Ok(Reply::Posted { message: reply.message.into() }))
}
