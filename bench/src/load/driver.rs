//! The event loop: connects, sends the messages that are due, reads the rest.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::connection::{CHUNK_BYTES, Connection, Heard, Stage};
use super::cpu::own_cpu_s;
use super::latency::Histogram;
use super::ledger::{Faults, Ledger};
use super::report::Report;
use super::talk::Seat;
use super::timer::Timer;

/// Connections that join at once: fewer than the backlog of any listener.
const JOINING_MAX: usize = 16;

/// Deadline for the messages in flight at the end.
const GRACE: Duration = Duration::from_secs(10);

/// Deadline for the next connection to join.
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Interval of progress reports.
const PROGRESS: Duration = Duration::from_secs(1);

/// Maximum number of messages in flight at a given rate: bounds the memory if the server is slower.
/// Messages that become due meanwhile are sent later.
const UNDER_WAY_MAX: u64 = 1 << 18;

const TIMER: Token = Token(usize::MAX);

/// The rate of messages.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// So many per second, evenly spaced, from the speakers in turn.
    Rate(f64),
    /// So many in flight, from the speakers in turn.
    UnderWay(usize),
    /// One message in flight per speaker.
    OneEach,
}

/// The end of a drive: after a duration, or after a number of messages.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub time: Duration,
    pub messages: u64,
}

impl From<Duration> for Span {
    fn from(time: Duration) -> Self {
        Self { time, messages: u64::MAX }
    }
}

/// The progress of a drive.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    Joining { joined: usize, of: usize },
    Driving { elapsed: Duration, sent: u64, delivered: u64, refused: u64, faults: u64 },
}

/// Connections in their rooms.
pub struct Load {
    poll: Poll,
    timer: Timer,
    connections: Vec<Connection>,
    ledger: Ledger,
    chunk: Box<[u8]>,
    text_bytes: usize,
    began: Instant,
    /// The order of the speakers.
    turns: Vec<u32>,
    next_turn: usize,
    /// Speakers whose message is due but could not be sent, and since when.
    late: VecDeque<(u32, u64)>,
    joined: usize,
    ended: usize,
    ended_because: Option<String>,
}

impl Load {
    /// Connects all seats and joins their rooms. Fails with the first reason why one could not join.
    /// Messages have texts of `text_bytes`.
    pub fn join(
        seats: &[Seat],
        text_bytes: usize,
        tell: &mut dyn FnMut(Progress),
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new(poll.registry(), TIMER)?;
        if seats.iter().all(|seat| !seat.speaks) {
            return Err(io::Error::other("no connection posts"));
        }
        let mut load = Self {
            poll,
            timer,
            connections: Vec::with_capacity(seats.len()),
            ledger: Ledger::default(),
            chunk: vec![0; CHUNK_BYTES].into(),
            text_bytes,
            began: Instant::now(),
            turns: turns(seats),
            next_turn: 0,
            late: VecDeque::new(),
            joined: 0,
            ended: 0,
            ended_because: None,
        };
        load.join_all(seats, tell)?;
        Ok(load)
    }

    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    fn join_all(&mut self, seats: &[Seat], tell: &mut dyn FnMut(Progress)) -> io::Result<()> {
        let of = seats.len();
        let mut events = Events::with_capacity(1024);
        let mut told = Instant::now();
        let mut last = (0, Instant::now());
        while self.joined < of {
            while self.connections.len() < of && self.connections.len() - self.joined < JOINING_MAX
            {
                self.open(&seats[self.connections.len()])?;
            }
            self.wait(&mut events, PROGRESS)?;
            self.turn(&events);
            if let Some(why) = &self.ended_because {
                let why = format!("connection {} of {of}: {why}", self.joined + 1);
                return Err(io::Error::other(why));
            }
            let now = Instant::now();
            if self.joined > last.0 {
                last = (self.joined, now);
            } else if now - last.1 > JOIN_TIMEOUT {
                let why = format!("{} of {of} connections did not get in", of - self.joined);
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            if now - told >= PROGRESS {
                told = now;
                tell(Progress::Joining { joined: self.joined, of });
            }
        }
        Ok(())
    }

    fn open(&mut self, seat: &Seat) -> io::Result<()> {
        let mut connection = Connection::open(seat)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", seat.address)))?;
        let token = Token(self.connections.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(connection.stream(), token, interest)?;
        self.connections.push(connection);
        self.ledger.seat(seat.room);
        Ok(())
    }

    /// Only reads, and answers pings, for `time`.
    pub fn listen(&mut self, span: Duration) -> io::Result<()> {
        let until = Instant::now() + span;
        let mut events = Events::with_capacity(1024);
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.wait(&mut events, left)?;
            self.turn(&events);
        }
        Ok(())
    }

    /// Posts messages for `span`, waits until all are delivered, and reports.
    pub fn drive(
        &mut self,
        pace: Pace,
        span: impl Into<Span>,
        tell: &mut dyn FnMut(Progress),
    ) -> io::Result<Report> {
        let Span { time: mut until, messages } = span.into();
        self.forget();
        let start = Instant::now();
        let cpu_s = own_cpu_s();
        let mut drive = Drive { pace, start_ns: self.now_ns(), due: 0, left: messages };
        let mut told = start;
        let mut events = Events::with_capacity(1024);
        loop {
            let now = Instant::now();
            let elapsed = now - start;
            if drive.left == 0 || self.ended == self.connections.len() {
                until = until.min(elapsed);
            }
            let wait = if elapsed < until {
                self.speak(&mut drive).min(until - elapsed)
            } else if (self.ledger.under_way() == 0 && self.late.is_empty())
                || elapsed > until + GRACE
                || self.ended == self.connections.len()
            {
                break;
            } else {
                self.speak_late();
                GRACE
            };
            self.wait(&mut events, wait.min(PROGRESS))?;
            self.turn(&events);
            if now - told >= PROGRESS {
                told = now;
                tell(self.progress(elapsed));
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        Ok(self.report(seconds, own_cpu_s() - cpu_s))
    }

    /// Posts the first messages of a drive without waiting for them.
    pub fn begin(&mut self, pace: Pace) -> io::Result<()> {
        self.forget();
        let mut drive = Drive { pace, start_ns: self.now_ns(), due: 0, left: u64::MAX };
        self.speak(&mut drive);
        Ok(())
    }

    /// Forgets the last drive.
    fn forget(&mut self) {
        self.ledger.settle();
        self.ledger.latency = Histogram::default();
        self.ledger.faults = Faults::default();
        let ledger = &mut self.ledger;
        (ledger.sent, ledger.completed, ledger.refused, ledger.delivered) = (0, 0, 0, 0);
        ledger.done.clear();
        self.late.clear();
    }

    fn report(&mut self, seconds: f64, client_cpu_s: f64) -> Report {
        self.ledger.settle();
        let Faults { lost, doubled, reordered, misled } = self.ledger.faults;
        Report {
            connections: self.connections.len(),
            seconds,
            sent: self.ledger.sent,
            delivered: self.ledger.delivered,
            refused: self.ledger.refused,
            lost,
            doubled,
            reordered,
            misled,
            ended: self.ended,
            ended_because: self.ended_because.clone(),
            latency: self.ledger.latency.quantiles(),
            client_cpu_s,
        }
    }

    fn progress(&self, elapsed: Duration) -> Progress {
        let Faults { lost, doubled, reordered, misled } = self.ledger.faults;
        Progress::Driving {
            elapsed,
            sent: self.ledger.sent,
            delivered: self.ledger.delivered,
            refused: self.ledger.refused,
            faults: lost + doubled + reordered + misled + self.ended as u64,
        }
    }

    /// Posts the messages that are due; returns the time until the next is.
    fn speak(&mut self, drive: &mut Drive) -> Duration {
        self.speak_late();
        match drive.pace {
            Pace::Rate(per_s) => loop {
                if drive.left == 0 || self.ledger.under_way() >= UNDER_WAY_MAX {
                    return PROGRESS;
                }
                let since_start = (drive.due as f64 * 1e9 / per_s) as u64;
                let due_ns = drive.start_ns + since_start;
                if let Some(wait) = due_ns.checked_sub(self.now_ns() + 1) {
                    return Duration::from_nanos(wait + 1);
                }
                drive.due += 1;
                drive.left -= 1;
                let speaker = self.next_speaker();
                self.say(speaker, due_ns);
            },
            Pace::UnderWay(wanted) => {
                self.ledger.done.clear();
                let missing = wanted.saturating_sub(self.ledger.under_way() as usize);
                let missing = missing.saturating_sub(self.late.len()) as u64;
                let now = missing.min(drive.left);
                drive.left -= now;
                for _ in 0..now {
                    let speaker = self.next_speaker();
                    self.say(speaker, self.now_ns());
                }
                PROGRESS
            }
            Pace::OneEach => {
                if drive.due == 0 {
                    drive.due = 1;
                    self.ledger.done.clone_from(&self.turns);
                }
                while drive.left > 0
                    && let Some(speaker) = self.ledger.done.pop()
                {
                    drive.left -= 1;
                    self.say(speaker, self.now_ns());
                }
                PROGRESS
            }
        }
    }

    /// Posts messages that were due before and could not be sent.
    fn speak_late(&mut self) {
        for _ in 0..self.late.len() {
            if let Some((speaker, due_ns)) = self.late.pop_front() {
                self.say(speaker, due_ns);
            }
        }
    }

    fn next_speaker(&mut self) -> u32 {
        let speaker = self.turns[self.next_turn];
        self.next_turn = (self.next_turn + 1) % self.turns.len();
        speaker
    }

    fn say(&mut self, speaker: u32, due_ns: u64) {
        let connection = &mut self.connections[speaker as usize];
        match connection.stage {
            Stage::Gone(_) => (),
            _ if !connection.may_say() => self.late.push_back((speaker, due_ns)),
            _ => {
                let number = self.ledger.say(speaker, due_ns);
                connection.say(speaker, number);
            }
        }
    }

    fn wait(&mut self, events: &mut Events, wait: Duration) -> io::Result<()> {
        let at_most = self.timer.arm(wait)?;
        match self.poll.poll(events, at_most) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            polled => polled,
        }
    }

    /// Handles one event.
    fn turn(&mut self, events: &Events) {
        for event in events {
            let Token(at) = event.token();
            let Some(connection) = self.connections.get_mut(at) else { continue };
            if matches!(connection.stage, Stage::Gone(_)) {
                continue;
            }
            let was_in = connection.stage == Stage::In;
            if event.is_writable() {
                connection.writable(self.text_bytes);
            }
            if event.is_readable() {
                let now_ns = self.began.elapsed().as_nanos() as u64;
                let ledger = &mut self.ledger;
                let listener = at as u32;
                connection.readable(
                    &mut self.chunk,
                    self.text_bytes,
                    listener,
                    |heard| match heard {
                        Heard::Message { speaker, number } => {
                            ledger.hear(listener, speaker, number, now_ns);
                        }
                        Heard::Refused { number } => ledger.refuse(listener, number),
                    },
                );
            }
            match &connection.stage {
                Stage::In if !was_in => self.joined += 1,
                Stage::Gone(why) => {
                    self.ended += 1;
                    self.ended_because.get_or_insert_with(|| why.clone());
                }
                _ => (),
            }
        }
    }

    fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

struct Drive {
    pace: Pace,
    start_ns: u64,
    /// Number of messages due so far.
    due: u64,
    /// Number of messages that may still be posted.
    left: u64,
}

/// Every speaker once, changing the room from one to the next if there are several.
fn turns(seats: &[Seat]) -> Vec<u32> {
    let mut seen: Vec<u32> = Vec::new();
    let mut order: Vec<(u32, u32)> = Vec::with_capacity(seats.len());
    for (at, seat) in seats.iter().enumerate() {
        let room = seat.room as usize;
        if !seat.speaks {
            continue;
        }
        seen.resize(seen.len().max(room + 1), 0);
        order.push((seen[room], at as u32));
        seen[room] += 1;
    }
    order.sort_unstable();
    order.into_iter().map(|(_, at)| at).collect()
}
