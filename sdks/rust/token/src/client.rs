//! The connection: requests out, replies and notifications in, and again when it ends.
//!
//! One thread owns the reading side (see `connection`). Callers write for themselves and wait for the
//! reply.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::Shutdown;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::connection::{Connection, End, jittered, keep, random};
use crate::events::{Event, Events};
use crate::frame::encode;
use crate::options::Options;
use crate::resume::Resume;
use crate::state::{Line, Memory, Shared, Waiting, lock};
use crate::{
    EnterRoomRequest, Error, HeartbeatRequest, LoginRequest, PostOnceRequest, Reply, Request,
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
            Request::PostOnce(_) | Request::CreateRoomOnce(_) => self.ask_once(&request)?,
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
        match self.ask_once(&Request::PostOnce(PostOnceRequest { room_id, client_id, text }))? {
            Reply::PostOnce(reply) => Ok(reply.message_id),
            _ => Err(Error::Protocol("the reply is to another command".into())),
        }
    }

    /// Sends a request that has a `client_id` until its outcome is known.
    fn ask_once(&self, request: &Request) -> Result<Reply, Error> {
        let mut pause = self.shared.options.backoff_first;
        loop {
            match self.shared.ask(request) {
                Ok(reply) => return Ok(reply),
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
    pub(crate) fn note(&self, reply: &Reply) {
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
            | Request::CreateRoomOnce(_)
            | Request::RoomList(_)
            | Request::ApplyForToken(_)
            | Request::Heartbeat(_)
            | Request::PostMessage(_)
            | Request::PostOnce(_)
            | Request::CatchUp(_) => (),
        }
    }

    pub(crate) fn heartbeat_if_idle(&self) {
        // The holder is writing, and a write is as good as a heartbeat.
        let Ok(mut line) = self.line.try_lock() else { return };
        let idle = line.written.is_none_or(|at| at.elapsed() >= self.options.heartbeat);
        if idle {
            // A connection that cannot be written to is noticed by reading it.
            let _ = self.write(&mut line, &Request::Heartbeat(HeartbeatRequest {}), None);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
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
    pub(crate) fn forget_waiting(&self, error: fn() -> Error) {
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
