//! The command line of the load client.

use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::load::{HttpCall, Load, Pace, Progress, Report, Seat, Talk, prepare};

/// Puts a load on a gateway that runs, over whichever dialects are given, and checks that every
/// message comes to everyone in its room, once and in the same order.
///
/// The connections of a room take turns in the dialects: with --chatroom-websocket and --token, every second
/// one is a token connection. Raise the limits of the gateway that are not to be measured
/// (messages_per_s, connections_per_address_max, room_capacity). Where messages are refused by a
/// limit, the report says so.
#[derive(Args, Clone, Debug)]
pub struct Bench {
    /// Guests over chatroom WebSockets
    #[arg(long, value_name = "ADDR")]
    chatroom_websocket: Option<SocketAddr>,

    /// Sessions of one account over OurChat WebSockets; the account must be a member of the rooms
    #[arg(long, value_name = "ADDR")]
    ourchat_websocket: Option<SocketAddr>,

    /// The account's email; without it one is registered, and made a member by way of --channel
    #[arg(long, value_name = "EMAIL")]
    account: Option<String>,

    /// The account's password
    #[arg(long, default_value = "bench")]
    password: String,

    /// The channel front end, where an account becomes a member of the rooms
    #[arg(long, value_name = "ADDR")]
    channel: Option<SocketAddr>,

    /// Connections over the binary token protocol
    #[arg(long, value_name = "ADDR")]
    token: Option<SocketAddr>,

    /// Requests over HTTP, to --get or --post
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,

    /// What is got: a path, with a query where it needs one
    #[arg(long, value_name = "TARGET", requires = "http", conflicts_with = "post")]
    get: Option<String>,

    /// Where --body is posted to
    #[arg(long, value_name = "TARGET", requires = "http")]
    post: Option<String>,

    /// The JSON that is posted; ~0000000000000000 in it becomes another text each time
    #[arg(long, value_name = "JSON", default_value = "{}")]
    body: String,

    /// A header of the requests, such as "token: 0123"; may be repeated
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,

    /// What must be in the body of every good response
    #[arg(long, value_name = "TEXT", default_value = "")]
    expect: String,

    /// A room that exists, its name and the number by which token and ourchat know it; may be repeated
    #[arg(long, value_name = "NAME:ID", default_value = "TEST:1")]
    room: Vec<Room>,

    /// Connections in each room; over HTTP, connections
    #[arg(long, value_name = "N", default_value_t = 100)]
    members: u32,

    /// Messages or requests a second, over all rooms
    #[arg(long, value_name = "N", default_value_t = 100.0, conflicts_with_all = ["under_way", "idle"])]
    rate: f64,

    /// As fast as possible, with so many messages under way
    #[arg(long, value_name = "N", conflicts_with = "idle")]
    under_way: Option<usize>,

    /// Only joins and stays
    #[arg(long)]
    idle: bool,

    /// How long
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    seconds: f64,

    /// Bytes of a message's text, at least 17
    #[arg(long, value_name = "N", default_value_t = 120)]
    bytes: usize,

    /// An address of this machine that connections come from, in turn; may be repeated
    #[arg(long, value_name = "IP")]
    from: Vec<IpAddr>,

    /// Writes the report as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// A room, by the two ways to name it.
#[derive(Clone, Debug)]
struct Room {
    name: String,
    id: u32,
}

impl FromStr for Room {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, id) = text.rsplit_once(':').unwrap_or((text, "0"));
        let id = id.parse().map_err(|_| format!("{id:?} is no room's number"))?;
        Ok(Self { name: name.into(), id })
    }
}

/// What is printed.
#[derive(Serialize)]
struct Outcome {
    connections: usize,
    /// Connections that got into their rooms, a second.
    joins_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Report>,
}

impl Bench {
    /// Runs it; `Err` also where something was lost, doubled or in another order.
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        let seats = self.seats()?;
        if seats.is_empty() {
            return Err(
                "nothing to do: give --chatroom-websocket, --ourchat-websocket, --token or --http"
                    .into(),
            );
        }
        let mut tell = teller();
        let begin = std::time::Instant::now();
        let mut load = Load::join(&seats, self.bytes, &mut tell)?;
        let joins_per_s = seats.len() as f64 / begin.elapsed().as_secs_f64();
        let span = Duration::try_from_secs_f64(self.seconds)?;
        let report = match (self.idle, self.pace()) {
            (true, _) => load.listen(span).map(|()| None)?,
            (false, pace) => Some(load.drive(pace, span, &mut tell)?),
        };
        let faultless = report.as_ref().is_none_or(Report::is_faultless);
        let outcome = Outcome { connections: seats.len(), joins_per_s, report };
        match (self.json, &outcome.report) {
            (true, _) => println!("{}", serde_json::to_string(&outcome)?),
            (false, None) => println!("connections      {:>12}", outcome.connections),
            (false, Some(report)) => println!("{report}"),
        }
        if !self.json {
            println!("joins            {:>12.0} /s", outcome.joins_per_s);
        }
        match faultless {
            true => Ok(()),
            false => Err("not every message came to everyone once and in order".into()),
        }
    }

    fn pace(&self) -> Pace {
        match (self.under_way, self.http) {
            (None, _) => Pace::Rate(self.rate),
            (Some(_), Some(_)) => Pace::OneEach,
            (Some(under_way), None) => Pace::UnderWay(under_way),
        }
    }

    fn seats(&self) -> Result<Vec<Seat>, Box<dyn Error>> {
        let run = std::process::id();
        let account = self.account_in_rooms(run)?;
        let mut seats = Vec::new();
        for (nth, room) in self.room.iter().enumerate() {
            let talks = self.talks(room, run, account.as_deref());
            for (member, (address, talk)) in (0..self.members).zip(talks) {
                let from = self.source(seats.len());
                let talk = talk(nth as u32 * self.members + member);
                seats.push(Seat { address, from, room: nth as u32, talk });
            }
        }
        if let (Some(address), Some(call)) = (self.http, self.call()) {
            for nth in 0..self.members {
                let (room, from) = (nth, self.source(nth as usize));
                seats.push(Seat { address, from, room, talk: Talk::Http(call.clone()) });
            }
        }
        Ok(seats)
    }

    /// The dialects that were given, again and again.
    fn talks<'a>(
        &'a self,
        room: &'a Room,
        run: u32,
        account: Option<&'a str>,
    ) -> impl Iterator<Item = (SocketAddr, Box<dyn Fn(u32) -> Talk + 'a>)> {
        type Make<'a> = fn(&'a Bench, &'a Room, u32, Option<&'a str>, u32) -> Talk;
        let chatroom: Make<'a> = |_, room, run, _, nth| Talk::Chatroom {
            room: room.name.clone(),
            user: format!("bench-{run}-{nth}"),
        };
        let ourchat: Make<'a> = |bench, room, _, account, _| Talk::OurChat {
            account: account.unwrap_or_default().into(),
            password: bench.password.clone(),
            group: room.id,
        };
        let token: Make<'a> = |_, room, run, _, nth| Talk::Token {
            openid: format!("bench-{run}-{nth}"),
            room: room.id,
        };
        let given: Vec<(SocketAddr, Make<'a>)> = [
            (self.chatroom_websocket, chatroom),
            (self.ourchat_websocket, ourchat),
            (self.token, token),
        ]
        .into_iter()
        .filter_map(|(address, make)| Some((address?, make)))
        .collect();
        let len = given.len();
        (0..if len == 0 { 0 } else { usize::MAX }).map(move |nth| {
            let (address, make) = given[nth % len];
            let talk: Box<dyn Fn(u32) -> Talk + 'a> =
                Box::new(move |nth| make(self, room, run, account, nth));
            (address, talk)
        })
    }

    /// The account of OurChat's sessions, where there are to be some.
    fn account_in_rooms(&self, run: u32) -> Result<Option<String>, Box<dyn Error>> {
        let Some(ourchat) = self.ourchat_websocket else { return Ok(None) };
        if let Some(account) = &self.account {
            return Ok(Some(account.clone()));
        }
        let channel = self.channel.ok_or(
            "--ourchat-websocket needs --account, or --channel to make one a member of the rooms",
        )?;
        let name = format!("bench-{run}");
        let email = format!("{name}@example.invalid");
        prepare::register(ourchat, &email, &name, &self.password)?;
        for room in &self.room {
            prepare::join(channel, &name, &self.password, &room.name)?;
        }
        Ok(Some(email))
    }

    fn call(&self) -> Option<HttpCall> {
        let (target, body) = match (&self.get, &self.post) {
            (Some(target), _) => (target, None),
            (None, Some(target)) => (target, Some(self.body.as_str())),
            (None, None) => return None,
        };
        let headers: String = self.header.iter().map(|header| format!("{header}\r\n")).collect();
        let requests = vec![HttpCall::request(target, &headers, body)];
        Some(HttpCall { requests, expect: self.expect.clone() })
    }

    fn source(&self, nth: usize) -> Option<IpAddr> {
        (!self.from.is_empty()).then(|| self.from[nth % self.from.len()])
    }
}

/// Tells progress on standard error: on one line where somebody looks at it.
pub fn teller() -> impl FnMut(Progress) {
    let terminal = std::io::stderr().is_terminal();
    move |progress| {
        let line = match progress {
            Progress::Joining { joined, of } => format!("{joined} of {of} connections are in"),
            Progress::Driving { elapsed, sent, delivered, refused, faults } => format!(
                "{:>3} s: {sent} messages, {delivered} deliveries, {refused} refused, {faults} faults",
                elapsed.as_secs()
            ),
        };
        let mut stderr = std::io::stderr();
        // Progress that cannot be told is no reason to stop.
        drop(match terminal {
            true => write!(stderr, "\r\x1b[K{line}\r"),
            false => writeln!(stderr, "{line}"),
        });
    }
}
