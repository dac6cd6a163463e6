//! The reading side: a thread connects, restores what the client had, reads until the connection
//! ends, and begins again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::events::Event;
use crate::frame::{Frames, Incoming, encode};
use crate::state::{Memory, Shared, Waiting, lock};
use crate::{EnterRoomRequest, Error, PostMessageRequest, Reply, Request, TokenError};

/// Why a connection ended.
pub(crate) enum End {
    Io(io::Error),
    Protocol(String),
    /// The gateway said why.
    Told(TokenError),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(out),
            Self::Protocol(what) => out.write_str(what),
            Self::Told(refused) => refused.fmt(out),
        }
    }
}

/// The keeper's loop: from connection to connection, until the client is closed.
pub(crate) fn keep(shared: &Shared, mut connection: Connection) {
    loop {
        let end = connection.run(shared);
        lock(&shared.line).stream = None;
        let closed = shared.is_closed();
        shared.resume.forget_held();
        shared.forget_waiting(if closed { || Error::Closed } else { || Error::Lost });
        if closed {
            return;
        }
        shared.events.push(Event::Disconnected(end.to_string()));
        match reconnect(shared) {
            Some(again) => connection = again,
            None => return,
        }
        shared.events.push(Event::Reconnected);
    }
}

/// Tries until it works. None when the client was closed.
fn reconnect(shared: &Shared) -> Option<Connection> {
    let mut pause = shared.options.backoff_first;
    loop {
        if shared.is_closed() {
            return None;
        }
        if let Ok(connection) = Connection::open(shared) {
            return Some(connection);
        }
        let line = lock(&shared.line);
        let wait = jittered(pause);
        let waited = shared.changed.wait_timeout_while(line, wait, |line| !line.closed);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        pause = (pause * 2).min(shared.options.backoff_max);
    }
}

/// Between half and all of it, so that clients which lost the same gateway do not come back at once.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let share = f64::from(u32::try_from(random() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + share / 2.0)
}

/// Each RandomState has other keys: as good as a random number.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The reading side.
pub(crate) struct Connection {
    stream: TcpStream,
    frames: Frames,
    /// When something last came.
    heard: Instant,
}

impl Connection {
    /// A connection as the client had it: logged in, in its rooms, open to callers.
    pub(crate) fn open(shared: &Shared) -> Result<Self, End> {
        let stream = connect(&shared.address, shared.options.call_timeout)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(shared.options.call_timeout))?;
        stream.set_read_timeout(Some(shared.options.call_timeout))?;
        let mut connection = Self { stream, frames: Frames::default(), heard: Instant::now() };
        let sequence = connection.restore(shared)?;
        let tick = (shared.options.heartbeat / 4).max(Duration::from_millis(1));
        connection.stream.set_read_timeout(Some(tick))?;
        let mut line = lock(&shared.line);
        line.stream = (!line.closed).then(|| connection.stream.try_clone()).transpose()?;
        line.sequence = sequence;
        line.written = Some(Instant::now());
        shared.changed.notify_all();
        drop(line);
        Ok(connection)
    }

    /// Gives the login and the rooms back. Tells the last sequence that was used.
    fn restore(&mut self, shared: &Shared) -> Result<u32, End> {
        let (login, rooms) = {
            let memory = lock(&shared.memory);
            (memory.login.clone(), memory.rooms.clone())
        };
        let mut sequence = 0;
        if let Some(login) = login
            && let Err(refused) = self.ask(shared, next(&mut sequence), &Request::Login(login))?
        {
            *lock(&shared.memory) = Memory::default();
            shared.events.push(Event::LoginLost(refused));
        } else {
            for room_id in rooms {
                if let Err(refused) = self.enter(shared, &mut sequence, room_id)? {
                    shared.resume.give_up(room_id, &shared.events);
                    lock(&shared.memory).rooms.remove(&room_id);
                    shared.events.push(Event::RoomLost { room_id, refused });
                }
            }
        }
        if shared.options.messages {
            // The gateway tells of messages on connections that have used this command; that there
            // is no such room does not matter.
            let nowhere = PostMessageRequest { room_id: 0, text: String::new() };
            let _ = self.ask(shared, next(&mut sequence), &Request::PostMessage(nowhere))?;
        }
        Ok(sequence)
    }

    /// Enters a room again, and catches up with what came meanwhile.
    fn enter(
        &mut self,
        shared: &Shared,
        sequence: &mut u32,
        room_id: u32,
    ) -> Result<Result<(), TokenError>, End> {
        let newest = shared.resume.newest(room_id).filter(|_| shared.options.messages);
        if let Some(newest) = newest {
            shared.resume.begin(room_id, newest);
        }
        let enter = Request::EnterRoom(EnterRoomRequest { room_id });
        if let Err(refused) = self.ask(shared, next(sequence), &enter)? {
            return Ok(Err(refused));
        }
        while let Some(request) = shared.resume.next(room_id) {
            if let Err(refused) = self.ask(shared, next(sequence), &Request::CatchUp(request))? {
                return Ok(Err(refused));
            }
            while !shared.resume.has_come(room_id) {
                match self.next()? {
                    Some(Incoming::Notification(one)) => shared.resume.heard(one, &shared.events),
                    Some(Incoming::Reply { .. }) => return Err(out_of_turn()),
                    Some(Incoming::Other) => (),
                    None => self.read()?,
                }
            }
        }
        Ok(Ok(()))
    }

    /// Asks unless another request is pending.
    fn ask(
        &mut self,
        shared: &Shared,
        sequence: u32,
        request: &Request,
    ) -> Result<Result<Reply, TokenError>, End> {
        let frame = encode(request, sequence).map_err(|_| End::Protocol("too long".into()))?;
        self.stream.write_all(&frame)?;
        loop {
            while let Some(incoming) = self.next()? {
                match incoming {
                    Incoming::Reply { sequence: of, outcome } if of == sequence => {
                        // Too many at once, or a gateway in trouble: later it may be better.
                        return match outcome {
                            Err(refused) if is_passing(&refused) => Err(End::Told(refused)),
                            outcome => {
                                let _ = outcome.as_ref().map(|reply| shared.note(reply));
                                Ok(outcome)
                            }
                        };
                    }
                    Incoming::Reply { outcome: Err(refused), .. } => {
                        return Err(End::Told(refused));
                    }
                    Incoming::Reply { .. } => return Err(out_of_turn()),
                    Incoming::Notification(one) => shared.resume.heard(one, &shared.events),
                    Incoming::Other => (),
                }
            }
            self.read()?;
        }
    }

    /// Reads until the connection ends.
    fn run(&mut self, shared: &Shared) -> End {
        loop {
            if let Err(end) = self.deliver(shared) {
                return end;
            }
            match self.read() {
                Ok(()) => (),
                Err(End::Io(error)) if is_timeout(&error) => {
                    if self.heard.elapsed() >= shared.options.heartbeat * 2 {
                        return End::Io(error);
                    }
                }
                Err(end) => return end,
            }
            shared.heartbeat_if_idle();
        }
    }

    /// Dispatches every complete frame.
    fn deliver(&mut self, shared: &Shared) -> Result<(), End> {
        while let Some(incoming) = self.next()? {
            match incoming {
                Incoming::Reply { sequence, outcome } => {
                    let mut queue = lock(&shared.waiting);
                    let next = queue.front().is_some_and(|waiting| waiting.sequence == sequence);
                    let waiting = if next { queue.pop_front() } else { None };
                    drop(queue);
                    let _ = outcome.as_ref().map(|reply| shared.note(reply));
                    match (waiting, outcome) {
                        (Some(Waiting { answer: Some(answer), .. }), outcome) => {
                            // The caller has timed out.
                            let _ = answer.send(outcome.map_err(Error::Refused));
                        }
                        (Some(Waiting { answer: None, .. }), _) => (),
                        (None, Err(refused)) => return Err(End::Told(refused)),
                        (None, Ok(_)) => return Err(out_of_turn()),
                    }
                }
                Incoming::Notification(one) => shared.resume.heard(one, &shared.events),
                Incoming::Other => (),
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Incoming>, End> {
        self.frames.next().map_err(|malformed| End::Protocol(malformed.to_string()))
    }

    fn read(&mut self) -> Result<(), End> {
        let mut bytes = [0; 16 << 10];
        let count = match self.stream.read(&mut bytes) {
            Ok(0) => return Err(End::Io(ErrorKind::UnexpectedEof.into())),
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            read => read?,
        };
        self.frames.feed(&bytes[..count]);
        self.heard = Instant::now();
        Ok(())
    }
}

fn connect(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, format!("{address} has no address"));
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn next(sequence: &mut u32) -> u32 {
    *sequence += 1;
    *sequence
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn is_passing(refused: &TokenError) -> bool {
    matches!(refused.code, crate::Code::ELimit | crate::Code::EServer)
}

fn out_of_turn() -> End {
    End::Protocol("a reply to what was not asked".to_owned())
}
