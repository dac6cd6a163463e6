//! The connection: requests out, replies and notifications in, and again when it ends.
//!
//! One thread owns the reading side. It connects, restores what the client had, reads until the
//! connection ends, and begins again. Callers write for themselves and wait for the reply.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::events::{Event, Events};
use crate::frame::{Frames, Incoming, encode};
use crate::options::Options;
use crate::resume::Resume;
use crate::{
    EnterRoomRequest, Error, HeartbeatRequest, LoginRequest, PostMessageRequest, PostOnceRequest,
    Reply, Request, TokenError,
};

/// How the reason begins where the gateway failed at a moment when the request may have been done.
const OUTCOME_UNKNOWN: &str = "the outcome is unknown";

/// A connection to a gateway that comes back when it is lost: logged in as before, and in the same
/// rooms, whose messages of the meantime come then, each once. It may be used by several threads at
/// once.
pub struct Client {
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects to `address`, such as `"127.0.0.1:5100"`.
    pub fn connect(address: &str) -> Result<Self, Error> {
        Self::connect_with(address, Options::default())
    }

    pub fn connect_with(address: &str, options: Options) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            events: Events::new(options.events_max),
            options,
            memory: Mutex::default(),
            resume: Resume::default(),
            line: Mutex::default(),
            changed: Condvar::new(),
            waiting: Mutex::default(),
        });
        let connection = Connection::open(&shared).map_err(|end| match end {
            End::Io(error) => Error::Connect(error),
            End::Protocol(what) => Error::Protocol(what),
            End::Told(refused) => Error::Refused(refused),
        })?;
        let kept = Arc::clone(&shared);
        let keeper = thread::Builder::new().name("dragoman-token".to_owned());
        let keeper = keeper.spawn(move || keep(&kept, connection)).map_err(Error::Connect)?;
        Ok(Self { shared, keeper: Some(keeper) })
    }

    /// Waits for the next event. There is none after [`Client::close`].
    pub fn next_event(&self) -> Option<Event> {
        self.shared.events.next(None)
    }

    /// Waits for the next event, but not longer than `timeout`.
    pub fn next_event_within(&self, timeout: Duration) -> Option<Event> {
        self.shared.events.next(Some(timeout))
    }

    /// Asks the gateway. What [`Client::login`] and the others do; of use with requests that were
    /// made elsewhere.
    pub fn call(&self, request: Request) -> Result<Reply, Error> {
        let reply = match &request {
            Request::EnterRoom(room) if self.shared.options.messages => {
                self.shared.enter(room.room_id)?
            }
            _ => self.shared.ask(&request)?,
        };
        self.shared.remember(request);
        Ok(reply)
    }

    /// Posts to a room that was entered, once; returns the message's id.
    ///
    /// Where the connection ends before the reply, the message is sent again on the next one, under
    /// the same name, and so is posted once.
    pub fn post(&self, room_id: u32, text: &str) -> Result<u64, Error> {
        self.post_as(room_id, text, &format!("{:016x}{:016x}", random(), random()))
    }

    /// As [`Client::post`], with a name for the message, 1 to 200 bytes, of the client's own. Posted
    /// again by another run of the program, it is the same message for a day.
    pub fn post_as(&self, room_id: u32, text: &str, client_id: &str) -> Result<u64, Error> {
        let (client_id, text) = (client_id.to_owned(), text.to_owned());
        let request = Request::PostOnce(PostOnceRequest { room_id, client_id, text });
        let mut pause = self.shared.options.backoff_first;
        loop {
            match self.shared.ask(&request) {
                Ok(Reply::PostOnce(reply)) => return Ok(reply.message_id),
                Ok(_) => return Err(Error::Protocol("the reply is to another command".into())),
                Err(Error::Lost) => (),
                Err(Error::Refused(refused)) if refused.reason.starts_with(OUTCOME_UNKNOWN) => {
                    thread::sleep(jittered(pause));
                    pause = (pause * 2).min(self.shared.options.backoff_max);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the connection. Calls and waiting for events end, also in other threads.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(keeper) = self.keeper.take() {
            // A panic of the keeper has been printed, and there is nothing left to tell it to.
            let _ = keeper.join();
        }
    }
}

struct Shared {
    address: String,
    options: Options,
    events: Events,
    memory: Mutex<Memory>,
    resume: Resume,
    /// Never held while something is read, so that reading goes on while a write waits for it.
    line: Mutex<Line>,
    /// The line was opened or closed.
    changed: Condvar,
    /// Callers that wait for a reply, in the order of the requests.
    waiting: Mutex<VecDeque<Waiting>>,
}

/// What a new connection is given back.
#[derive(Default)]
struct Memory {
    login: Option<LoginRequest>,
    rooms: BTreeSet<u32>,
}

/// The writing side.
#[derive(Default)]
struct Line {
    stream: Option<TcpStream>,
    sequence: u32,
    /// When something was last written.
    written: Option<Instant>,
    closed: bool,
}

struct Waiting {
    sequence: u32,
    /// None for a heartbeat of the keeper's.
    answer: Option<SyncSender<Result<Reply, Error>>>,
}

/// Nothing here is left half-changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn ask(&self, request: &Request) -> Result<Reply, Error> {
        let until = Instant::now() + self.options.call_timeout;
        let (sender, receiver) = sync_channel(1);
        let mut line = lock(&self.line);
        while line.stream.is_none() && !line.closed {
            let left = until.checked_duration_since(Instant::now()).ok_or(Error::TimedOut)?;
            let waited = self.changed.wait_timeout(line, left);
            line = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if line.closed {
            return Err(Error::Closed);
        }
        self.write(&mut line, request, Some(sender))?;
        drop(line);
        answer(&receiver, until)
    }

    /// Enters a room, and catches up with what came after the newest message that the client has of
    /// it, or with what comes from now on.
    fn enter(&self, room_id: u32) -> Result<Reply, Error> {
        let is_known = lock(&self.memory).rooms.contains(&room_id);
        let newest = match self.resume.newest(room_id).filter(|_| is_known) {
            Some(newest) => newest,
            None => match self.ask(&Request::CatchUp(Resume::beginning(room_id)))? {
                Reply::CatchUp(reply) => reply.cursor,
                _ => return Err(Error::Protocol("the reply is to another command".into())),
            },
        };
        self.resume.begin(room_id, newest);
        let entered = self.ask(&Request::EnterRoom(EnterRoomRequest { room_id }));
        let caught_up = entered.and_then(|entered| self.catch_up(room_id).map(|()| entered));
        // Of a room that it knows, the keeper may be catching up on a new connection.
        if caught_up.is_err() && !is_known || matches!(caught_up, Err(Error::Refused(_))) {
            self.resume.give_up(room_id, &self.events);
        }
        caught_up
    }

    fn catch_up(&self, room_id: u32) -> Result<(), Error> {
        while let Some(request) = self.resume.next(room_id) {
            self.ask(&Request::CatchUp(request))?;
            if !self.resume.wait(room_id, Instant::now() + self.options.call_timeout) {
                return Err(Error::TimedOut);
            }
        }
        Ok(())
    }

    /// What came on a connection, besides being an answer.
    fn note(&self, reply: &Reply) {
        if let Reply::CatchUp(reply) = reply {
            self.resume.replied(reply, &self.events);
        }
    }

    /// A connection that cannot be written to is ended, which the keeper notices.
    fn write(
        &self,
        line: &mut Line,
        request: &Request,
        answer: Option<SyncSender<Result<Reply, Error>>>,
    ) -> Result<(), Error> {
        line.sequence = line.sequence.wrapping_add(1);
        let frame = encode(request, line.sequence).map_err(|_| Error::TooLong)?;
        let Some(stream) = &mut line.stream else { return Err(Error::Lost) };
        lock(&self.waiting).push_back(Waiting { sequence: line.sequence, answer });
        line.written = Some(Instant::now());
        stream.write_all(&frame).map_err(|_| {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
            Error::Lost
        })
    }

    /// Keeps what a new connection needs.
    fn remember(&self, request: Request) {
        let mut memory = lock(&self.memory);
        match request {
            Request::Login(login) => {
                // The account exists now, and its info is stored.
                let login = LoginRequest { auto_create: 0, info: String::new(), ..login };
                *memory = Memory { login: Some(login), rooms: BTreeSet::new() };
            }
            Request::LeaveApplication(_) => *memory = Memory::default(),
            Request::EnterRoom(room) => {
                memory.rooms.insert(room.room_id);
            }
            Request::LeaveRoom(room) => {
                memory.rooms.remove(&room.room_id);
            }
            Request::CreateAccount(_)
            | Request::CreateRoom(_)
            | Request::RoomList(_)
            | Request::ApplyForToken(_)
            | Request::Heartbeat(_)
            | Request::PostMessage(_)
            | Request::PostOnce(_)
            | Request::CatchUp(_) => (),
        }
    }

    fn heartbeat_if_idle(&self) {
        // The holder is writing, and a write is as good as a heartbeat.
        let Ok(mut line) = self.line.try_lock() else { return };
        let idle = line.written.is_none_or(|at| at.elapsed() >= self.options.heartbeat);
        if idle {
            // A connection that cannot be written to is noticed by reading it.
            let _ = self.write(&mut line, &Request::Heartbeat(HeartbeatRequest {}), None);
        }
    }

    fn is_closed(&self) -> bool {
        lock(&self.line).closed
    }

    fn close(&self) {
        let mut line = lock(&self.line);
        line.closed = true;
        if let Some(stream) = line.stream.take() {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
        drop(line);
        self.events.end();
    }

    /// Fails all pending requests.
    fn forget_waiting(&self, error: fn() -> Error) {
        for waiting in lock(&self.waiting).drain(..) {
            if let Some(answer) = waiting.answer {
                // The caller has timed out.
                let _ = answer.send(Err(error()));
            }
        }
    }
}

fn answer(receiver: &Receiver<Result<Reply, Error>>, until: Instant) -> Result<Reply, Error> {
    let left = until.saturating_duration_since(Instant::now());
    receiver.recv_timeout(left).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => Err(Error::TimedOut),
        RecvTimeoutError::Disconnected => Err(Error::Lost),
    })
}

/// Why a connection ended.
enum End {
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
fn keep(shared: &Shared, mut connection: Connection) {
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
fn jittered(pause: Duration) -> Duration {
    let share = f64::from(u32::try_from(random() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + share / 2.0)
}

/// Each RandomState has other keys: as good as a random number.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The reading side.
struct Connection {
    stream: TcpStream,
    frames: Frames,
    /// When something last came.
    heard: Instant,
}

impl Connection {
    /// A connection as the client had it: logged in, in its rooms, open to callers.
    fn open(shared: &Shared) -> Result<Self, End> {
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
