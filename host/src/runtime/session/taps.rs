//! Taps: copies of the frames of sessions, for operators that watch. While there is none, a frame
//! costs one relaxed load.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use core_model::{ConnectionId, Person, RoomRef, Timestamp, UserRef};
use frontend_api::Peer;
use frontend_api::http::{Request, Response};
use gateway_fanout::Framing;
use ipnet::IpNet;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::peer_address;

/// Taps at once.
pub(crate) const TAPS_MAX: usize = 16;

/// Frames and bytes that wait for one tap; what comes on top is dropped and counted.
const FRAMES_MAX: usize = 4096;
const BYTES_MAX: usize = 4 << 20;

/// What a frame costs besides its bytes.
const FRAME_BYTES: usize = 256;

/// All taps.
#[derive(Default)]
pub(crate) struct Taps {
    /// How many there are.
    open: AtomicUsize,
    taps: RwLock<Vec<Arc<Queue>>>,
}

/// Which frames a tap gets. What else is asked for, its reader looks at.
#[derive(Debug, Default)]
pub(crate) struct TapFilter {
    pub(crate) frontend: Option<String>,
    pub(crate) session: Option<ConnectionId>,
    pub(crate) network: Option<IpNet>,
    /// Whether it gets the answers of the engine, and events.
    pub(crate) engine: bool,
}

/// Where a frame comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) connection: ConnectionId,
    pub(crate) frontend: &'a str,
    pub(crate) dialect: &'a str,
    pub(crate) address: IpAddr,
}

/// A frame as the session has it, with its secrets.
#[derive(Debug)]
pub(crate) struct RawFrame {
    pub(crate) at: Timestamp,
    pub(crate) connection: ConnectionId,
    pub(crate) frontend: String,
    pub(crate) dialect: String,
    pub(crate) address: IpAddr,
    pub(crate) content: RawContent,
}

#[derive(Debug)]
pub(crate) enum RawContent {
    Opened(Box<Peer>),
    Closed,
    /// From the peer.
    In(Piece),
    /// To the peer.
    Out(Piece),
    /// To the peer, as it is written: one or more frames.
    Written(Bytes, Framing),
    Request(Box<Request>),
    Response(Box<Response>),
    /// Who and what a request is about.
    Subject {
        user: Option<SubjectUser>,
        room: Option<RoomRef>,
    },
    /// The engine's answer, as JSON.
    Answer(String),
    /// An event that the session encodes, as JSON.
    Event(String),
}

#[derive(Clone, Debug)]
pub(crate) enum SubjectUser {
    /// As the engine says.
    Person(Arc<Person>),
    /// As a request says that was not refused.
    Named(UserRef),
}

#[derive(Debug)]
pub(crate) enum Piece {
    /// Of a byte stream.
    Bytes(Vec<u8>),
    Text(String),
    /// A binary message, or a line that is not UTF-8.
    Binary(Vec<u8>),
}

impl RawContent {
    fn is_of_engine(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Event(_))
    }

    pub(super) fn bytes(&self) -> usize {
        let fields = |fields: &[(String, String)]| -> usize {
            fields.iter().map(|(name, value)| name.len() + value.len()).sum()
        };
        let of_request =
            |it: &Request| it.path.len() + it.query.len() + it.body.len() + fields(&it.headers);
        FRAME_BYTES
            + match self {
                Self::Closed | Self::Subject { .. } => 0,
                Self::Opened(peer) => peer.upgrade.as_ref().map_or(0, of_request),
                Self::In(piece) | Self::Out(piece) => match piece {
                    Piece::Bytes(bytes) | Piece::Binary(bytes) => bytes.len(),
                    Piece::Text(text) => text.len(),
                },
                Self::Written(bytes, _) => bytes.len(),
                Self::Request(request) => of_request(request),
                Self::Response(response) => response.body.len() + fields(&response.headers),
                Self::Answer(json) | Self::Event(json) => json.len(),
            }
    }
}

/// What waits for one tap.
#[derive(Debug)]
struct Queue {
    filter: TapFilter,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<RawFrame>,
    bytes: usize,
    dropped: u64,
}

/// What a tap has got since it was last read.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) frames: VecDeque<RawFrame>,
    /// How many did not fit, after these.
    pub(crate) dropped: u64,
}

/// One tap; it ends when it is dropped.
pub(crate) struct Tap {
    taps: Arc<Taps>,
    queue: Arc<Queue>,
}

impl Taps {
    /// Whether frames are to be noted.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) != 0
    }

    /// Opens a tap. `None`: there are too many.
    pub(crate) fn open(self: &Arc<Self>, filter: TapFilter) -> Option<Tap> {
        let queue = Arc::new(Queue { filter, waiting: Mutex::default(), arrived: Notify::new() });
        let mut taps = self.taps.write();
        if taps.len() >= TAPS_MAX {
            return None;
        }
        taps.push(queue.clone());
        self.open.store(taps.len(), Ordering::Relaxed);
        Some(Tap { taps: self.clone(), queue })
    }

    /// Gives a frame to each tap that wants it.
    #[cold]
    pub(crate) fn note(
        &self,
        at: Timestamp,
        origin: &Origin<'_>,
        content: impl Fn() -> RawContent,
    ) {
        for queue in &*self.taps.read() {
            if queue.filter.takes(origin) {
                let content = content();
                if queue.filter.engine || !content.is_of_engine() {
                    queue.push(at, origin, content);
                }
            }
        }
    }

    /// The same for what only taps with the engine's part get, and is dear to make.
    #[cold]
    pub(crate) fn note_engine(
        &self,
        at: Timestamp,
        origin: &Origin<'_>,
        content: impl Fn() -> RawContent,
    ) {
        if self.taps.read().iter().any(|queue| queue.filter.engine) {
            self.note(at, origin, content);
        }
    }
}

impl TapFilter {
    fn takes(&self, origin: &Origin<'_>) -> bool {
        self.frontend.as_ref().is_none_or(|frontend| frontend == origin.frontend)
            && self.session.is_none_or(|session| session == origin.connection)
            && self.network.is_none_or(|network| {
                peer_address::known(origin.address).is_some_and(|it| network.contains(&it))
            })
    }
}

impl Queue {
    fn push(&self, at: Timestamp, origin: &Origin<'_>, content: RawContent) {
        let bytes = content.bytes();
        let mut waiting = self.waiting.lock();
        // What is dropped stays dropped until the reader comes, so that it knows where the gap is.
        let is_full = waiting.dropped > 0
            || waiting.frames.len() >= FRAMES_MAX
            || waiting.bytes + bytes > BYTES_MAX;
        if is_full {
            waiting.dropped += 1;
        } else {
            waiting.bytes += bytes;
            waiting.frames.push_back(RawFrame {
                at,
                connection: origin.connection,
                frontend: origin.frontend.to_owned(),
                dialect: origin.dialect.to_owned(),
                address: origin.address,
                content,
            });
        }
        drop(waiting);
        self.arrived.notify_one();
    }
}

impl Tap {
    /// Waits until there is something to take.
    pub(crate) async fn arrived(&self) {
        self.queue.arrived.notified().await;
    }

    pub(crate) fn take(&self) -> Taken {
        let Waiting { frames, dropped, .. } = std::mem::take(&mut *self.queue.waiting.lock());
        Taken { frames, dropped }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let mut taps = self.taps.taps.write();
        taps.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        self.taps.open.store(taps.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin<'static> {
        Origin {
            connection: ConnectionId(7),
            frontend: "stage",
            dialect: "stage",
            address: [127, 0, 0, 1].into(),
        }
    }

    fn text(bytes: usize) -> RawContent {
        RawContent::In(Piece::Text("x".repeat(bytes)))
    }

    #[test]
    fn a_tap_that_is_not_read_is_bounded_and_counts_what_it_drops() {
        let taps = Arc::<Taps>::default();
        assert!(!taps.is_open());
        let tap = taps.open(TapFilter::default()).expect("there is room");
        assert!(taps.is_open());
        for _ in 0..FRAMES_MAX + 10 {
            taps.note(Timestamp(1), &origin(), || text(1));
        }
        let taken = tap.take();
        assert_eq!((taken.frames.len(), taken.dropped), (FRAMES_MAX, 10));
        taps.note(Timestamp(1), &origin(), || text(BYTES_MAX));
        taps.note(Timestamp(1), &origin(), || text(1));
        let taken = tap.take();
        assert_eq!((taken.frames.len(), taken.dropped), (0, 2), "nothing after a gap");
        taps.note(Timestamp(1), &origin(), || text(1));
        assert_eq!(tap.take().frames.len(), 1);
        drop(tap);
        assert!(!taps.is_open());
    }

    #[test]
    fn a_tap_gets_what_it_asks_for_and_taps_are_bounded() {
        let taps = Arc::<Taps>::default();
        let filter = |frontend: &str, session, network: &str| TapFilter {
            frontend: Some(frontend.into()),
            session: Some(ConnectionId(session)),
            network: Some(network.parse().unwrap()),
            engine: false,
        };
        let all = [
            filter("stage", 7, "127.0.0.0/8"),
            filter("other", 7, "127.0.0.0/8"),
            filter("stage", 8, "127.0.0.0/8"),
            filter("stage", 7, "10.0.0.0/8"),
        ];
        let open: Vec<Tap> = all.into_iter().map(|filter| taps.open(filter).unwrap()).collect();
        taps.note(Timestamp(1), &origin(), || text(1));
        taps.note_engine(Timestamp(1), &origin(), || RawContent::Answer("{}".into()));
        let counts: Vec<usize> = open.iter().map(|tap| tap.take().frames.len()).collect();
        assert_eq!(counts, [1, 0, 0, 0]);
        let more: Vec<_> = (0..TAPS_MAX).map(|_| taps.open(TapFilter::default())).collect();
        assert_eq!(more.iter().flatten().count(), TAPS_MAX - open.len());
    }
}
