//! A tap as a script that `frontend-testkit` plays: see its `play`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use data_encoding::BASE64;

use super::http::HttpFrame;
use super::shown::{Direction, FrameKind, Shown, TapFrame};

/// What is kept of all sessions; later frames are left out.
const BYTES_MAX: usize = 64 << 20;

/// The script of each session.
#[derive(Debug, Default)]
pub struct Transcript {
    sessions: BTreeMap<u64, String>,
    bytes: usize,
    left_out: u64,
}

impl Transcript {
    pub fn add(&mut self, frame: &TapFrame) {
        let session = self.sessions.entry(frame.session).or_insert_with(|| {
            format!("# session {} of {}, {}\n", frame.session, frame.frontend, frame.dialect)
        });
        let before = session.len();
        if self.bytes > BYTES_MAX {
            self.left_out += 1;
            return;
        }
        append(session, frame.at_ms, &frame.shown);
        self.bytes += session.len() - before;
    }

    /// Frames that the tap has lost.
    pub fn note_dropped(&mut self, count: u64) {
        self.left_out += count;
    }

    /// The sessions, one after the other.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.left_out > 0 {
            writeln!(text, "# {} frames are missing", self.left_out).expect("a text takes text");
        }
        self.sessions.values().for_each(|session| text.push_str(session));
        text
    }
}

/// Adds what the session does, or, as a comment, what follows from it.
fn append(script: &mut String, at_ms: u64, shown: &Shown) {
    let text = shown.text.as_deref().map(one_line).unwrap_or_default();
    let line = match (shown.kind, shown.direction) {
        (FrameKind::Opened, _) => format!("@ {at_ms}\n~ {text}"),
        (FrameKind::Closed, _) => "! closed".to_owned(),
        (FrameKind::Answer, _) => format!("@ {at_ms}\n= {text}"),
        (FrameKind::Event, _) => format!("@ {at_ms}\n* {text}"),
        (FrameKind::Text, Direction::In) => format!("@ {at_ms}\n< {text}"),
        (FrameKind::Binary, Direction::In) => binary(at_ms, shown, &text),
        (FrameKind::Http, Direction::In) => request(at_ms, shown.http.as_ref()),
        (FrameKind::Text, Direction::Out) => format!("# sent: {text}"),
        (FrameKind::Binary, Direction::Out) => match hex(shown) {
            Some(hex) => format!("# sent: {hex}"),
            None => format!("# sent: {text}"),
        },
        (FrameKind::Http, Direction::Out) => {
            let http = shown.http.as_ref();
            let status = http.and_then(|http| http.status).unwrap_or_default();
            let body = http.map(|http| one_line(&http.body)).unwrap_or_default();
            format!("# responded: {status} {body}")
        }
    };
    script.push_str(&line);
    script.push('\n');
}

fn binary(at_ms: u64, shown: &Shown, text: &str) -> String {
    match hex(shown) {
        Some(hex) => format!("@ {at_ms}\n<hex {hex}"),
        None if shown.bytes.is_some() => {
            format!("# {} bytes that the tap does not show", shown.bytes.unwrap_or_default())
        }
        None => {
            let bytes: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("@ {at_ms}\n<binary {}", bytes.join(" "))
        }
    }
}

fn hex(shown: &Shown) -> Option<String> {
    let bytes = BASE64.decode(shown.base64.as_ref()?.as_bytes()).ok()?;
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(bytes.join(" "))
}

fn request(at_ms: u64, http: Option<&HttpFrame>) -> String {
    let Some(http) = http else { return String::new() };
    let [method, target] = [&http.method, &http.target].map(|part| part.as_deref().unwrap_or("-"));
    let mut lines = format!("@ {at_ms}\n> {method} {}", one_line(target));
    for (name, value) in &http.headers {
        write!(lines, "\n>> {}: {}", one_line(name), one_line(value)).expect("a text takes text");
    }
    if !http.body.is_empty() {
        write!(lines, "\n>>> {}", one_line(&http.body)).expect("a text takes text");
    }
    lines
}

/// White space is all that a line end is in JSON, and no other body that is shown has one.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tap::Masker;

    #[test]
    fn sessions_follow_each_other() {
        let masker = Masker::new("ourchat", &[]);
        let mut transcript = Transcript::default();
        let mut add = |session, at_ms, shown| {
            transcript.add(&TapFrame {
                at_ms,
                session,
                frontend: "ourchat".into(),
                dialect: "ourchat".into(),
                peer: "127.0.0.1".into(),
                user: None,
                shown,
            });
        };
        add(2, 5, masker.text(Direction::In, r#"{"code":12}"#));
        add(1, 6, masker.text(Direction::In, r#"{"code":6,"password":"x"}"#));
        add(2, 7, masker.engine(FrameKind::Answer, r#"{"Ok":{"did":"done"}}"#));
        add(2, 7, masker.text(Direction::Out, r#"{"code":12,"state":0}"#));
        assert_eq!(
            transcript.text(),
            "# session 1 of ourchat, ourchat\n@ 6\n< {\"code\":6,\"password\":\"***\"}\n\
             # session 2 of ourchat, ourchat\n@ 5\n< {\"code\":12}\n@ 7\n= \
             {\"Ok\":{\"did\":\"done\"}}\n# sent: {\"code\":12,\"state\":0}\n"
        );
    }
}
