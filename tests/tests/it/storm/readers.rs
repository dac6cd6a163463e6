//! Clients that read: each from where it was, over as many connections as it takes.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::OnceLock;
use std::time::Instant;

use gateway_tests::PATIENCE;
use gateway_tests::token::{CATCH_UP, ENTER_ROOM, Fields, Frame, MESSAGE, Token};
use serde_json::json;

use super::network::Network;
use super::posters::{call, channel_token, log_in, log_in_to_ourchat, sign_on};
use super::wire::{Lines, Packets, broken, join, number, post};
use super::{CHANNEL, CHATROOM, ROOM, ROOM_ID, TOKEN, USR_ROOM};

/// A message as a reader had it; the channel dialect gives no ids.
pub(super) type Had = (Option<u64>, String);

/// A connection of a dialect that reads.
pub(super) trait Read {
    /// The next messages of the room, in their order.
    fn read(&mut self) -> io::Result<Vec<Had>>;
}

/// Where a reader is: the newest message that it has, or the cursor of the last reply.
pub(super) type Open = fn(&Network, u64) -> io::Result<Box<dyn Read>>;

/// Each reader.
pub(super) const READERS: [(&str, Open); 7] = [
    ("token", TokenReader::open),
    ("chatroom", ChatroomReader::open),
    ("ourchat, phone", |network, _| OurchatReader::open(network, "phone")),
    ("ourchat, desk", |network, _| OurchatReader::open(network, "desk")),
    ("channel", ChannelReader::open),
    ("usr_room", UsrRoomReader::open),
    ("irc", IrcReader::open),
];

/// Reads until it has all that is wanted, once that is known.
pub(super) fn run(network: &Network, open: Open, wanted: &OnceLock<BTreeSet<String>>) -> Vec<Had> {
    let mut had: Vec<Had> = Vec::new();
    let mut texts = BTreeSet::new();
    let mut connection = None;
    let mut newest = 0;
    let mut until = None;
    loop {
        if let Some(wanted) = wanted.get() {
            let until = *until.get_or_insert_with(|| Instant::now() + PATIENCE);
            if texts.is_superset(wanted) || Instant::now() > until {
                return had;
            }
        }
        let reading = match &mut connection {
            Some(connection) => Some(connection),
            None => open(network, newest).ok().map(|opened| connection.insert(opened)),
        };
        match reading.map(|reading| reading.read()) {
            Some(Ok(more)) => {
                newest = more.iter().filter_map(|(id, _)| *id).fold(newest, u64::max);
                texts.extend(more.iter().map(|(_, text)| text.clone()));
                had.extend(more.into_iter().filter(|(_, text)| !text.is_empty()));
            }
            Some(Err(_)) => connection = None,
            None => (),
        }
    }
}

struct TokenReader {
    token: Token,
    newest: u64,
    /// Whether what was missed has come.
    is_current: bool,
    /// What was posted before that.
    held: Vec<Had>,
}

impl TokenReader {
    fn open(network: &Network, newest: u64) -> io::Result<Box<dyn Read>> {
        let mut token = Token::over(network.connect(TOKEN)?);
        log_in(&mut token, "reader")?;
        call(&mut token, ENTER_ROOM, &ROOM_ID.to_be_bytes())?;
        Ok(Box::new(Self { token, newest, is_current: false, held: Vec::new() }))
    }

    fn next(&mut self) -> io::Result<Frame> {
        self.token.try_receive()
    }

    fn catch_up(&mut self) -> io::Result<Vec<Had>> {
        let body = [&ROOM_ID.to_be_bytes()[..], &self.newest.to_be_bytes(), &[0, 0]].concat();
        self.token.send(CATCH_UP, &body)?;
        let reply = loop {
            let frame = self.next()?;
            match frame.result {
                Some(0) => break frame,
                Some(_) => return Err(broken(format!("{frame:?}"))),
                None => self.held.extend(message(&frame)),
            }
        };
        let mut fields = Fields::of(&reply);
        let (_, count, more) = (fields.u32(), fields.u16(), fields.u8());
        let mut missed = Vec::new();
        for _ in 0..count {
            let frame = self.next()?;
            missed.push(message(&frame).ok_or_else(|| broken(format!("{frame:?}")))?);
        }
        if more == 0 {
            self.is_current = true;
            missed.append(&mut self.held);
        }
        Ok(missed)
    }
}

/// The id and the text of a message.
fn message(frame: &Frame) -> Option<Had> {
    let mut fields = Fields::of(frame);
    (frame.command == MESSAGE).then(|| {
        let (_room, _author, id, _time) = (fields.u32(), fields.u64(), fields.u64(), fields.u64());
        (Some(id), fields.text())
    })
}

impl Read for TokenReader {
    fn read(&mut self) -> io::Result<Vec<Had>> {
        let had = if self.is_current {
            message(&self.next()?).into_iter().collect()
        } else {
            self.catch_up()?
        };
        self.newest = had.iter().filter_map(|(id, _)| *id).fold(self.newest, u64::max);
        Ok(had)
    }
}

struct ChatroomReader(Packets);

impl ChatroomReader {
    fn open(network: &Network, newest: u64) -> io::Result<Box<dyn Read>> {
        let mut packets = Packets::open(network, CHATROOM)?;
        packets.send(&join("reader", Some(newest)))?;
        Ok(Box::new(Self(packets)))
    }
}

impl Read for ChatroomReader {
    fn read(&mut self) -> io::Result<Vec<Had>> {
        let packet = self.0.receive()?;
        match packet["type"].as_str() {
            Some("error") => Err(broken(packet)),
            Some("gap") => panic!("nothing is so far behind: {packet}"),
            Some("msg") => {
                let text = packet["data"]["msg"].as_str().unwrap_or_default();
                Ok(vec![(Some(number(&packet["data"]["id"])?), text.into())])
            }
            _ => Ok(Vec::new()),
        }
    }
}

struct OurchatReader(Packets);

impl OurchatReader {
    fn open(network: &Network, device: &str) -> io::Result<Box<dyn Read>> {
        let (packets, _) = log_in_to_ourchat(network, "our-reader", Some(device))?;
        Ok(Box::new(Self(packets)))
    }
}

impl Read for OurchatReader {
    fn read(&mut self) -> io::Result<Vec<Had>> {
        let message = self.0.receive()?;
        match message["code"].as_u64() {
            Some(0) => {
                let cid = number(&message["cid"])?;
                let text = message["msg"].as_str().unwrap_or_default();
                // It may be lost: then the message comes again.
                self.0.send(&json!({"code": 17, "cid": cid})).ok();
                Ok(vec![(Some(cid), text.into())])
            }
            Some(16) => panic!("nothing is so far behind: {message}"),
            _ => Ok(Vec::new()),
        }
    }
}

struct ChannelReader {
    network: Network,
    token: String,
    cursor: u64,
}

impl ChannelReader {
    /// The cursor comes as the id of an empty message.
    fn open(network: &Network, cursor: u64) -> io::Result<Box<dyn Read>> {
        let token = channel_token(network, "channel-reader")?;
        Ok(Box::new(Self { network: network.clone(), token, cursor }))
    }
}

impl Read for ChannelReader {
    fn read(&mut self) -> io::Result<Vec<Had>> {
        let body = json!({"name": ROOM, "after": self.cursor});
        let headers = [("token", self.token.as_str())];
        let reply = post(&self.network, CHANNEL, "/channel/receive", &body, &headers)?;
        let data = &reply["data"];
        self.cursor = number(&data["cursor"])?;
        let messages = data["messages"].as_array().ok_or_else(|| broken(&reply))?;
        let texts = messages.iter().map(|one| one["msg"].as_str().unwrap_or_default().to_owned());
        let had = texts.map(|text| (None, text));
        Ok(had.chain([(Some(self.cursor), String::new())]).collect())
    }
}

struct UsrRoomReader {
    network: Network,
    newest: u64,
}

impl UsrRoomReader {
    fn open(network: &Network, newest: u64) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(Self { network: network.clone(), newest }))
    }
}

impl Read for UsrRoomReader {
    fn read(&mut self) -> io::Result<Vec<Had>> {
        let body = json!({"room_id": ROOM_ID, "after": self.newest});
        let reply = post(&self.network, USR_ROOM, "/room/get_message", &body, &[])?;
        let messages = reply["messages"].as_array().ok_or_else(|| broken(&reply))?;
        let had = messages.iter().map(|one| {
            let text = one["message"].as_str().unwrap_or_default();
            Ok((Some(number(&one["id"])?), text.to_owned()))
        });
        let had: Vec<Had> = had.collect::<io::Result<_>>()?;
        self.newest = had.iter().filter_map(|(id, _)| *id).fold(self.newest, u64::max);
        Ok(had)
    }
}

struct IrcReader {
    lines: Lines,
    newest: u64,
    is_current: bool,
    held: VecDeque<Had>,
}

impl IrcReader {
    fn open(network: &Network, newest: u64) -> io::Result<Box<dyn Read>> {
        let lines = sign_on(network, "batch message-tags")?;
        Ok(Box::new(Self { lines, newest, is_current: false, held: VecDeque::new() }))
    }

    /// The message of the next line, and whether it is of a batch.
    fn next(&mut self) -> io::Result<(String, Option<Had>, bool)> {
        let line = self.lines.receive()?;
        if let Some(payload) = line.strip_prefix("PING ") {
            self.lines.send(&format!("PONG {payload}"))?;
        }
        let (tags, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let tag = |name: &str| {
            let tags = tags.strip_prefix('@')?.split(';');
            tags.filter_map(|tag| tag.split_once('=')).find(|(key, _)| *key == name)
        };
        let said = rest.split_once(&format!(" PRIVMSG #{ROOM} :")).map(|(_, text)| text);
        let id = tag("msgid").and_then(|(_, id)| id.parse().ok());
        let had = said.map(|text| (id, text.to_owned()));
        let is_batched = tag("batch").is_some();
        Ok((line, had, is_batched))
    }

    /// A page of what was missed; the end is an empty one.
    fn catch_up(&mut self) -> io::Result<Vec<Had>> {
        self.lines.send(&format!("CHATHISTORY AFTER #{ROOM} msgid={} 100", self.newest))?;
        let mut missed = Vec::new();
        loop {
            let (line, had, is_batched) = self.next()?;
            match had {
                Some(had) if is_batched => missed.push(had),
                Some(had) => self.held.push_back(had),
                None if line.contains(" BATCH -") => break,
                None if line.contains(" FAIL ") => return Err(broken(line)),
                None => (),
            }
        }
        if missed.is_empty() {
            self.is_current = true;
            missed.extend(self.held.drain(..));
        }
        Ok(missed)
    }
}

impl Read for IrcReader {
    fn read(&mut self) -> io::Result<Vec<Had>> {
        let had =
            if self.is_current { self.next()?.1.into_iter().collect() } else { self.catch_up()? };
        self.newest = had.iter().filter_map(|(id, _)| *id).fold(self.newest, u64::max);
        Ok(had)
    }
}
