//! The command line of the load client.

use std::error::Error;
use std::io::{IsTerminal as _, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::load::{HttpCall, Load, Pace, Progress, Report, Seat, Span, Talk, prepare};

/// Puts a load on a running gateway, and checks that every message reaches every member of its
/// room, once and in the same order
///
/// Without --url the addresses are those of the configuration. The connections of a room
/// alternate between the dialects. Messages that the limits of the gateway refuse are counted
/// separately and are no faults; raise the limits that the run should not measure
/// (messages_per_s, connections_per_address_max, room_capacity). Messages stay in the rooms, and
/// guests are named bench-….
#[derive(Args, Clone, Debug)]
#[group(id = "load")]
pub struct Bench {
    /// ws://HOST:PORT/ (chatroom), tcp://HOST:PORT (token) or http://HOST:PORT/PATH (requests);
    /// DIALECT=URL selects another dialect; may be repeated
    #[arg(long, value_name = "[DIALECT=]URL")]
    url: Vec<Target>,

    /// A dialect to use at its configured address; may be repeated [default: chatroom]
    #[arg(long, value_name = "DIALECT", conflicts_with = "url")]
    dialect: Vec<Dialect>,

    /// An existing room, with its number for token and ourchat; may be repeated
    #[arg(long, value_name = "NAME[:NUMBER]", default_value = "TEST:1")]
    room: Vec<Room>,

    /// Connections in each room; of requests over HTTP, connections
    #[arg(long, value_name = "N", default_value_t = 100)]
    connections: u32,

    /// Connections that post; the others only listen [default: all]
    #[arg(long, value_name = "N")]
    senders: Option<u32>,

    /// Messages or requests a second, over all rooms
    #[arg(long, value_name = "N", default_value_t = 100.0, conflicts_with_all = ["under_way", "idle"])]
    rate: f64,

    /// As fast as possible, with this many messages in flight; over HTTP, one per connection
    #[arg(long, value_name = "N", conflicts_with = "idle")]
    under_way: Option<usize>,

    /// Only joins, and posts nothing
    #[arg(long)]
    idle: bool,

    /// Duration
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    seconds: f64,

    /// Stops after this many messages or requests, if that is sooner
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// Bytes of a message's text, at least 17
    #[arg(long, value_name = "N", default_value_t = 120)]
    bytes: usize,

    /// A local address to connect from, used in turn; may be repeated
    #[arg(long, value_name = "IP")]
    from: Vec<IpAddr>,

    /// ourchat: the email of an account that is a member of the rooms. Without it, an account is
    /// registered and made a member through the channel dialect (channel=http://…)
    #[arg(long, value_name = "EMAIL")]
    account: Option<String>,

    /// ourchat: the account's password
    #[arg(long, value_name = "TEXT", default_value = "bench")]
    password: String,

    /// HTTP: JSON to post (otherwise GET); ~0000000000000000 is replaced by a new text each time
    #[arg(long, value_name = "JSON")]
    body: Option<String>,

    /// HTTP: a header, such as "token: 0123"; may be repeated
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,

    /// HTTP: text that the body of every good response contains
    #[arg(long, value_name = "TEXT", default_value = "")]
    expect: String,

    /// Writes the report as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// A dialect, or plain HTTP.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Dialect {
    /// Guests over WebSockets
    Chatroom,
    /// Sessions of one account over WebSockets
    Ourchat,
    /// Connections over the binary token protocol
    Token,
    /// Only to make the account of ourchat a member of the rooms
    Channel,
    /// Requests of any kind
    #[value(skip)]
    Http,
}

/// A dialect and its address.
#[derive(Clone, Debug)]
pub struct Target {
    pub dialect: Dialect,
    pub address: SocketAddr,
    /// The path with its query.
    pub path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (dialect, url) = match text.split_once('=') {
            Some((dialect, url)) if !dialect.contains(':') => {
                (Some(Dialect::from_str(dialect, true)?), url)
            }
            _ => (None, text),
        };
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let usual = match scheme {
            "ws" => Dialect::Chatroom,
            "tcp" => Dialect::Token,
            "http" => Dialect::Http,
            "wss" | "https" => {
                return Err("TLS is not spoken; go to the gateway itself, behind the proxy".into());
            }
            _ => return Err("expected ws://…, tcp://… or http://…".into()),
        };
        let dialect = dialect.unwrap_or(usual);
        let wanted = match dialect {
            Dialect::Chatroom | Dialect::Ourchat => "ws",
            Dialect::Token => "tcp",
            Dialect::Channel | Dialect::Http => "http",
        };
        if scheme != wanted {
            return Err(format!("this dialect is spoken over {wanted}://"));
        }
        let (place, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let address =
            place.to_socket_addrs().map_err(|error| format!("{place:?}: {error}"))?.next();
        let address = address.ok_or_else(|| format!("{place:?} has no address"))?;
        Ok(Self { dialect, address, path: path.into() })
    }
}

/// A room, by name and by number.
#[derive(Clone, Debug)]
struct Room {
    name: String,
    number: Option<u32>,
}

impl FromStr for Room {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, number)) = text.rsplit_once(':') else {
            return Ok(Self { name: text.into(), number: None });
        };
        let number = number.parse().map_err(|_| format!("{number:?} is no room's number"))?;
        Ok(Self { name: name.into(), number: Some(number) })
    }
}

/// The printed result.
#[derive(Serialize)]
struct Outcome {
    connections: usize,
    /// Connections that joined their rooms, per second.
    joins_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Report>,
}

/// Shared by all seats of a run.
struct Cast {
    /// Part of the names of guests, so that two concurrent runs do not share names.
    run: u32,
    /// The email of the account of ourchat.
    account: String,
}

impl Bench {
    /// Whether to take the addresses from the configuration.
    pub fn wants_addresses(&self) -> bool {
        self.url.is_empty()
    }

    /// Runs the load and writes its report to `out`. `configured` has the addresses of the dialects of the configuration, for a run
    /// without URLs. `Err` also if a message was lost, doubled or reordered.
    pub fn run(&self, configured: &[Target], out: &mut impl Write) -> Result<(), Box<dyn Error>> {
        let seats = self.seats(&self.targets(configured)?)?;
        let mut tell = teller();
        let begin = Instant::now();
        let mut load = Load::join(&seats, self.bytes, &mut tell)?;
        let joins_per_s = seats.len() as f64 / begin.elapsed().as_secs_f64();
        let time = Duration::try_from_secs_f64(self.seconds)?;
        let report = if self.idle {
            load.listen(time)?;
            None
        } else {
            let messages = self.count.unwrap_or(u64::MAX);
            Some(load.drive(self.pace(&seats), Span { time, messages }, &mut tell)?)
        };
        let faultless = report.as_ref().is_none_or(Report::is_faultless);
        self.print(&Outcome { connections: seats.len(), joins_per_s, report }, out)?;
        if faultless {
            Ok(())
        } else {
            Err("not every message came to everyone once and in order".into())
        }
    }

    fn print(&self, outcome: &Outcome, out: &mut impl Write) -> std::io::Result<()> {
        if self.json {
            return writeln!(out, "{}", serde_json::to_string(outcome)?);
        }
        match &outcome.report {
            None => writeln!(out, "connections      {:>12}", outcome.connections)?,
            Some(report) => writeln!(out, "{report}")?,
        }
        writeln!(out, "joins            {:>12.0} /s", outcome.joins_per_s)
    }

    fn pace(&self, seats: &[Seat]) -> Pace {
        let http = matches!(seats[0].talk, Talk::Http(_));
        match self.under_way {
            None => Pace::Rate(self.rate),
            Some(_) if http => Pace::OneEach,
            Some(under_way) => Pace::UnderWay(under_way),
        }
    }

    fn targets(&self, configured: &[Target]) -> Result<Vec<Target>, Box<dyn Error>> {
        if !self.wants_addresses() {
            return Ok(self.url.clone());
        }
        let dialects = if self.dialect.is_empty() { &[Dialect::Chatroom] } else { &*self.dialect };
        let helps = [Dialect::Channel];
        let mut targets = Vec::new();
        for dialect in dialects.iter().chain(helps.iter().filter(|help| !dialects.contains(help))) {
            match configured.iter().find(|target| target.dialect == *dialect) {
                Some(target) => targets.push(target.clone()),
                None if helps.contains(dialect) => (),
                None => {
                    let name = dialect.to_possible_value().unwrap_or_default();
                    let why = "has no listener that this can speak to";
                    return Err(format!("the dialect {} {why}; give --url", name.get_name()).into());
                }
            }
        }
        Ok(targets)
    }

    fn seats(&self, targets: &[Target]) -> Result<Vec<Seat>, Box<dyn Error>> {
        let http = targets.iter().find(|target| target.dialect == Dialect::Http);
        let chats: Vec<&Target> = targets
            .iter()
            .filter(|target| !matches!(target.dialect, Dialect::Channel | Dialect::Http))
            .collect();
        let mut seats = match (http, chats.as_slice()) {
            (None, []) => return Err("nothing to do: there is only the channel dialect".into()),
            (Some(_), [_, ..]) => return Err("requests and rooms are two runs".into()),
            (Some(http), []) => self.requests(http),
            (None, chats) => {
                let run = std::process::id();
                let cast = Cast { run, account: self.account_in_rooms(run, targets)? };
                self.members(chats, &cast)?
            }
        };
        if seats.is_empty() {
            return Err("nothing to do: no connections".into());
        }
        for (nth, seat) in seats.iter_mut().enumerate() {
            seat.from = (!self.from.is_empty()).then(|| self.from[nth % self.from.len()]);
        }
        Ok(seats)
    }

    fn requests(&self, target: &Target) -> Vec<Seat> {
        let headers: String = self.header.iter().map(|header| format!("{header}\r\n")).collect();
        let requests = vec![HttpCall::request(&target.path, &headers, self.body.as_deref())];
        let call = HttpCall { requests, expect: self.expect.clone() };
        let seat = |nth| Seat::new(target.address, nth, Talk::Http(call.clone()));
        (0..self.connections).map(seat).collect()
    }

    /// The seats of all rooms, alternating between the dialects.
    fn members(&self, targets: &[&Target], cast: &Cast) -> Result<Vec<Seat>, Box<dyn Error>> {
        let mut seats = Vec::new();
        for (at, room) in (0..).zip(&self.room) {
            for (member, target) in (0..self.connections).zip(targets.iter().cycle()) {
                let name = format!("bench-{}-{}", cast.run, seats.len());
                let talk = self.talk(target.dialect, room, cast, name)?;
                seats.push(Seat {
                    path: target.path.clone(),
                    speaks: self.senders.is_none_or(|senders| member < senders),
                    ..Seat::new(target.address, at, talk)
                });
            }
        }
        Ok(seats)
    }

    fn talk(
        &self,
        dialect: Dialect,
        room: &Room,
        cast: &Cast,
        name: String,
    ) -> Result<Talk, Box<dyn Error>> {
        let number = || {
            let Room { name, .. } = room;
            room.number.ok_or_else(|| format!("this dialect needs a room's number: {name}:1"))
        };
        Ok(match dialect {
            Dialect::Ourchat => Talk::OurChat {
                account: cast.account.clone(),
                password: self.password.clone(),
                group: number()?,
            },
            Dialect::Token => Talk::Token { openid: name, room: number()? },
            Dialect::Chatroom | Dialect::Channel | Dialect::Http => {
                Talk::Chatroom { room: room.name.clone(), user: name }
            }
        })
    }

    /// The email of the account of the OurChat sessions; empty without such sessions.
    fn account_in_rooms(&self, run: u32, targets: &[Target]) -> Result<String, Box<dyn Error>> {
        let of = |dialect| targets.iter().find(|target| target.dialect == dialect);
        let Some(ourchat) = of(Dialect::Ourchat) else { return Ok(String::new()) };
        if let Some(account) = &self.account {
            return Ok(account.clone());
        }
        let channel = of(Dialect::Channel)
            .ok_or("ourchat needs --account, or --url channel=http://HOST:PORT to make one")?;
        let name = format!("bench-{run}");
        let email = format!("{name}@example.invalid");
        prepare::register(ourchat.address, &email, &name, &self.password)?;
        for room in &self.room {
            prepare::join(channel.address, &name, &self.password, &room.name)?;
        }
        Ok(email)
    }
}

/// Reports progress on standard error, on one line if that is a terminal.
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
        // A progress line that cannot be written is no reason to stop.
        drop(if terminal {
            write!(stderr, "\r\x1b[K{line}\r")
        } else {
            writeln!(stderr, "{line}")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_what_is_spoken_unless_it_is_said_before() {
        let of = |text: &str| {
            let target: Target = text.parse().unwrap();
            (target.dialect, target.address.port(), target.path)
        };
        assert_eq!(of("ws://127.0.0.1:2333"), (Dialect::Chatroom, 2333, "/".into()));
        assert_eq!(of("tcp://127.0.0.1:5100"), (Dialect::Token, 5100, "/".into()));
        assert_eq!(of("http://127.0.0.1:1/a?b=c"), (Dialect::Http, 1, "/a?b=c".into()));
        assert_eq!(of("ourchat=ws://[::1]:7777/x"), (Dialect::Ourchat, 7777, "/x".into()));
    }

    #[test]
    fn a_url_that_leads_nowhere_is_refused_with_a_reason() {
        let why = |text: &str| text.parse::<Target>().unwrap_err();
        assert!(why("wss://127.0.0.1:1").contains("behind the proxy"));
        assert!(why("127.0.0.1:2333").contains("expected ws://"));
        assert!(why("token=ws://127.0.0.1:1").contains("over tcp://"));
        assert!(why("ws://127.0.0.1").contains("127.0.0.1"));
        assert!(why("tea=ws://127.0.0.1:1").contains("tea"));
    }

    #[test]
    fn a_room_has_a_name_and_perhaps_a_number() {
        let of = |text: &str| {
            let Room { name, number } = text.parse().unwrap();
            (name, number)
        };
        assert_eq!(of("TEST"), ("TEST".into(), None));
        assert_eq!(of("a:b:7"), ("a:b".into(), Some(7)));
        assert!("TEST:x".parse::<Room>().is_err());
    }
}
