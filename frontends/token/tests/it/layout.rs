//! Reads every frame of a transcript with the exported `token.ksy`: a gateway frame fits to the
//! last byte; a client's frame fits if and only if the front end accepts its form.

use core_model::Timestamp;
use frontend_api::{Frontend, Input, Outbox, Output, Peer};
use frontend_token::fields::Code;
use serde_json::Value;

use crate::{frames, frontend};

#[test]
fn the_layout_has_every_frame() {
    let mut heard = 0;
    let mut said = 0;
    let mut malformed = 0;
    insta::glob!("..", "transcripts/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        let frontend = frontend(&script);
        let layout = Layout::of(&frontend);
        let (sent, told) = frames::of(&frontend_testkit::play(&frontend, &script));
        for frame in told {
            layout.read(&frame).unwrap_or_else(|why| panic!("{path:?}: {frame:02x?}: {why}"));
            said += 1;
        }
        for frame in sent {
            let refused = is_refused(&frontend, &frame);
            match layout.read(&frame) {
                // Only the gateway sends these.
                Ok(_) if frame[4] & 0xc0 != 0 => assert!(refused, "{path:?}: {frame:02x?}"),
                Ok(info) => {
                    // The layout does not describe the JSON of an info.
                    let is_object = info.is_none_or(|info| info.starts_with('{') && is_json(&info));
                    assert_eq!(refused, !is_object, "{path:?}: {frame:02x?} fits");
                }
                Err(why) => assert!(refused, "{path:?}: {frame:02x?}: {why}"),
            }
            heard += 1;
            malformed += usize::from(refused);
        }
    });
    assert!(heard > 100 && said > 100 && malformed > 20, "{heard} {said} {malformed}");
}

#[test]
fn a_frame_outside_the_layout_is_detected() {
    let frontend = frontend("");
    let layout = Layout::of(&frontend);
    // leave room #1 OK, room_id=7
    let frame = [0, 0, 0, 12, 0x80, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 7];
    assert_eq!(layout.read(&frame), Ok(None));
    for (at, byte) in [(3, 11), (4, 0xc0), (5, 11), (11, 1), (11, 99)] {
        let mut other = frame;
        other[at] = byte;
        assert!(layout.read(&other).is_err(), "{other:02x?}");
    }
    assert!(layout.read(&[&frame[..], &[0]].concat()).is_err(), "a byte more");
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok()
}

/// Whether a new session refuses a frame for its form or for an unknown command.
fn is_refused(frontend: &dyn Frontend, frame: &[u8]) -> bool {
    let mut session = frontend.open(&Peer::default());
    let mut out = Outbox::default();
    session.handle(Timestamp(0), Input::Opened, &mut out);
    session.handle(Timestamp(0), Input::Bytes(frame), &mut out);
    let is_refusal = |output| match output {
        Output::SendBytes(bytes) => {
            let result = u16::from_be_bytes([bytes[10], bytes[11]]);
            result == Code::Frame as u16 || result == Code::Command as u16
        }
        _ => false,
    };
    out.drain().any(is_refusal)
}

/// The subset of Kaitai Struct that the layout uses.
struct Layout(Value);

impl Layout {
    fn of(frontend: &dyn Frontend) -> Self {
        let documents = frontend.schemas();
        let found = documents.iter().find(|document| document.name == "token.ksy");
        Self(serde_json::from_str(&found.expect("the layout is exported").text).expect("JSON"))
    }

    /// Reads one complete frame. Returns its `info` if that is not empty.
    fn read(&self, frame: &[u8]) -> Result<Option<String>, String> {
        let mut rest = frame;
        let length = integer(&mut rest, 4)?;
        if length as usize != rest.len() {
            return Err(format!("{} bytes where {length} should follow", rest.len()));
        }
        let command = integer(&mut rest, 2)?;
        integer(&mut rest, 4)?;
        let is_reply = command & 0x8000 != 0;
        let result = if is_reply { integer(&mut rest, 2)? } else { 0 };
        if is_reply && self.0["enums"]["result"].get(result.to_string()).is_none() {
            return Err(format!("there is no result {result}"));
        }
        let cases = &self.field("content", "body")["type"]["cases"];
        let kind = if result == 0 { cases[command.to_string()].as_str() } else { Some("failure") };
        let kind = kind.ok_or_else(|| format!("there is no body for {command:#x}"))?;
        let mut info = None;
        for field in self.0["types"][kind]["seq"].as_array().expect("fields") {
            let text = self.value(field["type"].as_str().expect("a type"), &mut rest)?;
            if field["id"] == "info" {
                info = text.filter(|text| !text.is_empty());
            }
        }
        match rest.len() {
            0 => Ok(info),
            more => Err(format!("{more} bytes after {kind}")),
        }
    }

    fn field(&self, kind: &str, id: &str) -> &Value {
        let fields = self.0["types"][kind]["seq"].as_array().expect("fields");
        fields.iter().find(|field| field["id"] == id).expect("such a field")
    }

    /// Takes a value off; returns it if it is text.
    fn value(&self, kind: &str, rest: &mut &[u8]) -> Result<Option<String>, String> {
        if let Some(size) = size(kind) {
            return integer(rest, size).map(|_| None);
        }
        let [count, content] = self.0["types"][kind]["seq"].as_array().expect("fields").as_slice()
        else {
            panic!("{kind} has a count and what is counted");
        };
        let count = integer(rest, size(count["type"].as_str().unwrap()).expect("a count"))?;
        match content["type"].as_str().unwrap() {
            "str" => {
                let (text, after) = rest.split_at_checked(count as usize).ok_or("it ends early")?;
                *rest = after;
                let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
                Ok(Some(text.to_owned()))
            }
            element => {
                (0..count).try_for_each(|_| self.value(element, rest).map(drop))?;
                Ok(None)
            }
        }
    }
}

fn size(kind: &str) -> Option<usize> {
    match kind {
        "u1" => Some(1),
        "u2" => Some(2),
        "u4" | "s4" => Some(4),
        "u8" => Some(8),
        _ => None,
    }
}

/// Takes a big-endian number off.
fn integer(rest: &mut &[u8], size: usize) -> Result<u64, String> {
    let (bytes, after) = rest.split_at_checked(size).ok_or("it ends early")?;
    *rest = after;
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
