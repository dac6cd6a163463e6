//! `dragoman tap`: the frames of a running gateway's sessions as they pass.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use hyper::StatusCode;
use serde_json::Value;

use super::client::Client;
use super::operation::{Backend, printable};
use super::{Options, output};
use crate::admin::OpenTap;
use crate::admin::types::Nothing;
use crate::tap::{Direction, FrameKind, HttpFrame, Shown, TapFrame, TapQuery, Transcript};

/// The longest event: a frame has 64 KiB of text at most, escaped, and its fields.
const EVENT_BYTES_MAX: usize = 16 << 20;

#[derive(Args, Debug)]
pub(super) struct Tap {
    #[command(flatten)]
    options: Options,
    /// Only of this front end
    #[arg(long, value_name = "NAME")]
    frontend: Option<String>,
    /// Only of this session, as `session list` shows it
    #[arg(long, value_name = "ID")]
    session: Option<u64>,
    /// Only of this user (10000, bob, tel/5551234), or of a guest (guest:zed)
    #[arg(long, value_name = "WHO")]
    user: Option<String>,
    /// Only with a seat in this room, or about it
    #[arg(long, value_name = "NAME")]
    room: Option<String>,
    /// Only from this address or network
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<String>,
    /// Print each frame as a line of JSON
    #[arg(long)]
    json: bool,
    /// At the end, write what the sessions did as a script that frontend-testkit plays
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    transcript: Option<PathBuf>,
}

pub(super) fn run(options: Options, tap: Tap) -> Result<(), Box<dyn Error>> {
    let backend = options.and(tap.options.clone()).backend()?;
    let client = match backend {
        Backend::Here(config) => Client::of_configuration(&config)?,
        Backend::Elsewhere(client) => *client,
    };
    let query = TapQuery {
        frontend: tap.frontend.clone(),
        session: tap.session,
        user: tap.user.clone(),
        room: tap.room.clone(),
        peer: tap.peer.clone(),
        engine: tap.transcript.is_some(),
    };
    let mut printer = Printer { json: tap.json, transcript: Transcript::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let watched = runtime.block_on(watch(&client, &query, &mut printer));
    if let Some(file) = &tap.transcript {
        let written = std::fs::write(file, printer.transcript.text());
        written.map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    watched
}

/// Prints until the gateway ends the tap, or the user does.
async fn watch(
    client: &Client,
    query: &TapQuery,
    printer: &mut Printer,
) -> Result<(), Box<dyn Error>> {
    let interrupted = tokio::signal::ctrl_c();
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        biased;
        interrupted = interrupted => Ok(interrupted?),
        _ = terminated.recv() => Ok(()),
        watched = print(client, query, printer) => watched,
    }
}

async fn print(
    client: &Client,
    query: &TapQuery,
    printer: &mut Printer,
) -> Result<(), Box<dyn Error>> {
    let request = client.request::<OpenTap>(&[], query, &Nothing {})?;
    let begun = client.begin(request).await;
    let mut response = begun.map_err(|error| client.silent(&*error))?;
    if response.status() != StatusCode::OK {
        return Err(client.problem(response).await?.detail.into());
    }
    let mut unread = Vec::new();
    while let Some(bytes) = Client::next_bytes(&mut response).await? {
        unread.extend_from_slice(&bytes);
        while let Some(end) = unread.windows(2).position(|end| end == b"\n\n") {
            let event: Vec<u8> = unread.drain(..end + 2).collect();
            printer.event(&String::from_utf8_lossy(&event))?;
        }
        if unread.len() > EVENT_BYTES_MAX {
            return Err("the gateway sends an event that does not end".into());
        }
    }
    Err("the gateway has ended the tap".into())
}

struct Printer {
    json: bool,
    transcript: Transcript,
}

impl Printer {
    /// An event of the stream: `event: …` and `data: …`.
    fn event(&mut self, event: &str) -> Result<(), Box<dyn Error>> {
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
        let (Some(name), Some(data)) = (field("event: "), field("data: ")) else { return Ok(()) };
        match name {
            "ready" if !self.json => output::note("tapping; Ctrl-C ends it"),
            "dropped" => {
                let dropped: Value = serde_json::from_str(data)?;
                let count = dropped["count"].as_u64().unwrap_or_default();
                self.transcript.note_dropped(count);
                output::note(format_args!("{count} frames were too many to be shown"));
            }
            "frame" => {
                let frame: TapFrame = serde_json::from_str(data)?;
                self.transcript.add(&frame);
                let is_of_engine = matches!(frame.shown.kind, FrameKind::Answer | FrameKind::Event);
                if self.json {
                    output::line(data)?;
                } else if !is_of_engine {
                    output::line(line(&frame))?;
                }
            }
            _ => (),
        }
        Ok(())
    }
}

/// `12:30:00.123 17 token ann@127.0.0.1 < …`, with an arrow in the direction of the frame.
fn line(frame: &TapFrame) -> String {
    let ms = frame.at_ms % 86_400_000;
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let secs = ms / 1000 % 60;
    let who = frame.user.as_deref().unwrap_or("-");
    let arrow = match frame.shown.direction {
        Direction::In => '>',
        Direction::Out => '<',
    };
    let head = format!(
        "{hours:02}:{minutes:02}:{secs:02}.{:03} {} {} {who}@{} {arrow} ",
        ms % 1000,
        frame.session,
        frame.frontend,
        frame.peer,
    );
    printable(&(head + &content(&frame.shown)))
}

/// The content of a frame in one line.
pub(super) fn content(shown: &Shown) -> String {
    match shown.kind {
        FrameKind::Opened => "(opened)".into(),
        FrameKind::Closed => "(closed)".into(),
        FrameKind::Http => shown.http.as_ref().map(http).unwrap_or_default(),
        FrameKind::Binary if !shown.fields.is_empty() => {
            let fields = shown.fields.iter();
            let fields = fields.map(|field| {
                let name = field.name.trim_start_matches("content.").trim_start_matches("body.");
                format!("{name}={}", field.value)
            });
            fields.collect::<Vec<_>>().join(" ")
        }
        FrameKind::Text | FrameKind::Binary | FrameKind::Answer | FrameKind::Event => {
            shown.text.clone().unwrap_or_default()
        }
    }
}

fn http(http: &HttpFrame) -> String {
    let head = match (&http.method, &http.target, http.status) {
        (Some(method), Some(target), _) => format!("{method} {target}"),
        (_, _, status) => status.unwrap_or_default().to_string(),
    };
    format!("{head} {}", http.body).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tap::Masker;

    #[test]
    fn a_frame_is_one_line() {
        let shown = Masker::new("irc", &[]).text(Direction::In, "PRIVMSG #tea :\u{1}ACTION\u{1}");
        let frame = TapFrame {
            at_ms: 3_723_004,
            session: 7,
            frontend: "irc".into(),
            dialect: "irc".into(),
            peer: "127.0.0.1".into(),
            user: Some("ann".into()),
            shown,
        };
        let said = line(&frame);
        assert_eq!(said, "01:02:03.004 7 irc ann@127.0.0.1 > PRIVMSG #tea :\\u{1}ACTION\\u{1}");
    }
}
