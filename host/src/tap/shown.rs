//! A frame as an operator sees it.

use core_model::Outcome;
use data_encoding::BASE64;
use frontend_api::http::{Request, Response};
use frontend_api::schema::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MASK;
use super::fields::FrameField;
use super::http::{self, HttpFrame};
use super::irc::mask_line;
use super::json::{Masked, mask_frame, mask_json};
use super::layout::{Layout, Read};
use super::names::SecretNames;
use crate::dialects::DIALECTS;

/// What is shown of a text; more is cut off.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// The dialect whose lines are no JSON.
const IRC: &str = "irc";

/// The end of the name of a document that describes binary frames.
const LAYOUT_SUFFIX: &str = ".ksy";

#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the peer.
    In,
    /// To the peer.
    Out,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// A line, or a text message of a WebSocket.
    Text,
    /// A frame of a byte stream, or a binary message of a WebSocket.
    Binary,
    /// A request or a response.
    Http,
    /// The connection has opened: `text` is the peer, as JSON.
    Opened,
    /// The connection has ended.
    Closed,
    /// What the engine answered, as JSON. Only on demand.
    Answer,
    /// An event that the session encodes itself, as JSON. Only on demand.
    Event,
}

/// A frame, decoded, with `***` in the place of secrets.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Shown {
    pub direction: Direction,
    pub kind: FrameKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Of a binary frame: its bytes, with `*` in the place of secret ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpFrame>,
    /// What the bytes of a binary frame are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FrameField>,
    /// Whether something is masked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// How many bytes there are in all, if not all are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Shown {
    fn new(direction: Direction, kind: FrameKind) -> Self {
        Self {
            direction,
            kind,
            text: None,
            base64: None,
            http: None,
            fields: Vec::new(),
            masked: false,
            bytes: None,
        }
    }

    fn of_text(direction: Direction, kind: FrameKind, masked: Masked) -> Self {
        let Masked { mut text, masked } = masked;
        let bytes = cut(&mut text);
        Self { text: Some(text), masked, bytes, ..Self::new(direction, kind) }
    }

    /// Bytes that are not known to have no secret.
    pub(super) fn hidden(direction: Direction, bytes: usize) -> Self {
        let text = Some(MASK.to_owned());
        let bytes = Some(bytes as u64);
        Self { text, masked: true, bytes, ..Self::new(direction, FrameKind::Binary) }
    }

    /// The connection has ended.
    pub fn closed() -> Self {
        Self::new(Direction::In, FrameKind::Closed)
    }

    /// Whether a part of a binary frame is not what its `.ksy` says.
    pub(super) fn is_malformed(&self) -> bool {
        self.fields.iter().any(|field| field.value.ends_with("(malformed)"))
    }
}

/// Cuts a text that is too long to show; returns how long it was.
fn cut(text: &mut String) -> Option<u64> {
    if text.len() <= TEXT_BYTES_MAX {
        return None;
    }
    let bytes = text.len() as u64;
    let end = (0..=TEXT_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    Some(bytes)
}

/// A frame of a tap.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TapFrame {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The id of the session; each HTTP request has its own.
    pub session: u64,
    pub frontend: String,
    pub dialect: String,
    /// The address that the peer's requests count for.
    pub peer: String,
    /// The handle of the user, once it has signed in; `guest:<name>` for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(flatten)]
    pub shown: Shown,
}

/// What is tapped. Several conditions hold together.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TapQuery {
    /// The name of a front end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<String>,
    /// The id of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// A user, as in `/users/{user}`, or a guest by `guest:<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The name of a room in which the session has a seat, or that a request is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The peer's address, or a network as in `10.0.0.0/8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Whether to show the engine's answers and events too, as a transcript needs them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub engine: bool,
}

/// Server-sent events: `ready` once the tap is open, `frame` with a frame, `dropped` with how many
/// the client was too slow for, as `{"count":3}`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(transparent)]
pub struct TapStream(pub TapFrame);

/// Shows the frames of one front end.
#[derive(Debug)]
pub struct Masker {
    is_irc: bool,
    /// Whether it is one of the linked dialects, from a plugin or not.
    is_known: bool,
    names: SecretNames,
    layout: Option<Layout>,
}

impl Masker {
    /// For a front end with this dialect and these documents.
    pub fn new(dialect: &str, documents: &[Document]) -> Self {
        let layouts = documents.iter().filter(|document| document.name.ends_with(LAYOUT_SUFFIX));
        let layout = layouts.filter_map(|document| Layout::parse(&document.text)).next();
        let is_known = DIALECTS.iter().any(|row| row.name == dialect);
        let is_irc = dialect == IRC;
        let names = SecretNames::of(documents);
        Self { is_irc, is_known, names, layout }
    }

    /// A line or a text message. What is in no known form is masked.
    pub fn text(&self, direction: Direction, text: &str) -> Shown {
        let masked = match mask_frame(text, &self.names) {
            _ if self.is_irc => mask_line(text, direction == Direction::In),
            Some(json) => json,
            None if text.is_empty() => Masked { text: String::new(), masked: false },
            None => Masked { text: format!("{MASK} ({} bytes)", text.len()), masked: true },
        };
        Shown::of_text(direction, FrameKind::Text, masked)
    }

    /// A binary message, or a line that is not UTF-8.
    pub fn binary(&self, direction: Direction, bytes: &[u8]) -> Shown {
        match str::from_utf8(bytes) {
            Ok(text) => Shown { kind: FrameKind::Binary, ..self.text(direction, text) },
            Err(_) => Shown::hidden(direction, bytes.len()),
        }
    }

    /// Shows the whole frames of a stream; returns their bytes. `None`: something in it is no frame.
    pub(super) fn frames(
        &self,
        direction: Direction,
        bytes: &[u8],
        shown: &mut Vec<Shown>,
    ) -> Option<usize> {
        let layout = self.layout.as_ref()?;
        let mut taken = 0;
        loop {
            match layout.read(&bytes[taken..], &self.names) {
                Read::Short => return Some(taken),
                Read::Wrong => return None,
                Read::Frame { length, fields, .. } => {
                    shown.push(frame(direction, &bytes[taken..taken + length], fields));
                    taken += length;
                }
            }
        }
    }

    pub fn request(&self, request: &Request) -> Shown {
        Self::http(Direction::In, http::request(request, &self.names))
    }

    pub fn response(&self, response: &Response) -> Shown {
        Self::http(Direction::Out, http::response(response, &self.names, self.is_known))
    }

    fn http(direction: Direction, (mut http, masked): (HttpFrame, bool)) -> Shown {
        let bytes = cut(&mut http.body);
        Shown { http: Some(http), masked, bytes, ..Shown::new(direction, FrameKind::Http) }
    }

    /// What the engine answered, or an event of it, as JSON.
    pub fn engine(&self, kind: FrameKind, json: &str) -> Shown {
        self.json(Direction::In, kind, json)
    }

    /// The other end of a connection, as JSON.
    pub fn peer(&self, peer: &frontend_api::Peer) -> Shown {
        let mut peer = peer.clone();
        if let Some(upgrade) = &mut peer.upgrade {
            let (shown, _) = http::request(upgrade, &self.names);
            let target = shown.target.unwrap_or_default();
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            (upgrade.path, upgrade.query) = (path.to_owned(), query.to_owned());
            upgrade.headers = shown.headers;
        }
        let json = serde_json::to_string(&peer).expect("a peer is plain data");
        self.json(Direction::In, FrameKind::Opened, &json)
    }

    fn json(&self, direction: Direction, kind: FrameKind, json: &str) -> Shown {
        let masked = mask_json(json, &self.names)
            .unwrap_or_else(|| Masked { text: MASK.into(), masked: true });
        Shown { text: Some(masked.text), masked: masked.masked, ..Shown::new(direction, kind) }
    }
}

/// The answer of the engine as JSON. What another server said is shown only as far as it is JSON.
pub fn outcome_json(outcome: &Outcome) -> String {
    let mut json = serde_json::to_value(outcome).unwrap_or_default();
    if let Some(body) = json.pointer_mut("/Ok/body")
        && body.as_str().is_some_and(|body| serde_json::from_str::<Value>(body).is_err())
    {
        *body = MASK.into();
    }
    json.to_string()
}

fn frame(direction: Direction, bytes: &[u8], fields: Vec<FrameField>) -> Shown {
    let mut bytes = bytes.to_vec();
    let secret = fields.iter().filter(|field| field.masked);
    let mut masked = false;
    for field in secret {
        let begin = field.offset as usize;
        bytes[begin..begin + field.length as usize].fill(b'*');
        masked = true;
    }
    let base64 = Some(BASE64.encode(&bytes));
    Shown { base64, fields, masked, ..Shown::new(direction, FrameKind::Binary) }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn lines_of_no_known_form_are_masked() {
        let masker = Masker::new("stage", &[]);
        let shown = masker.text(Direction::In, "s3cret");
        assert_eq!(shown.text.as_deref(), Some("*** (6 bytes)"));
        let shown = masker.binary(Direction::In, b"{\"password\":\"s3cret\"}");
        assert_eq!(shown.text.as_deref(), Some("{\"password\":\"***\"}"));
        let irc = Masker::new("irc", &[]);
        assert_eq!(irc.text(Direction::In, "PASS s3cret").text.as_deref(), Some("PASS ***"));
    }
}
