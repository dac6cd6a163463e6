//! The clients of the playground, and what passes between each and its front end.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{RoomId, UserRef};
use frontend_api::Transport;
use parking_lot::Mutex;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::runtime::net::frame_log::FrameLog;
use crate::tap::{MASK, Masker, Reassembly};

/// The sessions of the playground that are open.
#[derive(Default)]
pub(crate) struct Players(Mutex<Open>);

#[derive(Default)]
struct Open {
    last: u64,
    players: BTreeMap<u64, Arc<Player>>,
}

/// A client of one front end.
pub(crate) struct Player {
    pub(crate) id: u64,
    pub(crate) frontend: String,
    pub(crate) dialect: String,
    pub(crate) name: String,
    /// The key of the listener that the session is of.
    pub(crate) listener: String,
    pub(crate) log: FrameLog,
    pub(super) masker: Masker,
    pub(super) link: Link,
    pub(super) place: Mutex<Place>,
}

pub(super) enum Link {
    Stream(StreamLink),
    Http,
}

/// The client's end of a stream.
pub(super) struct StreamLink {
    pub(super) transport: Transport,
    pub(super) inputs: mpsc::Sender<Message>,
    /// Until the task that reads and writes there has begun.
    pub(super) end: Mutex<Option<(UnixStream, mpsc::Receiver<Message>)>>,
    /// What the client has sent, of a byte stream.
    pub(super) sent: Mutex<Reassembly>,
}

/// Where the client is, and its user.
#[derive(Clone, Default)]
pub(super) struct Place {
    pub(super) room: Option<(RoomId, String)>,
    /// As the host names the user.
    pub(super) user: Option<UserRef>,
    /// What shows who the client is: a token, or its id in the dialect.
    pub(super) proof: String,
    /// The number of the last request.
    pub(super) sequence: u32,
}

impl Players {
    pub(crate) fn find(&self, id: u64) -> Option<Arc<Player>> {
        self.0.lock().players.get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Player>> {
        self.0.lock().players.values().cloned().collect()
    }

    /// An id for one more, of so many at most.
    pub(super) fn next_id(&self, at_most: usize) -> Option<u64> {
        let mut open = self.0.lock();
        if open.players.len() >= at_most {
            return None;
        }
        open.last += 1;
        Some(open.last)
    }

    pub(super) fn add(&self, player: Arc<Player>) {
        self.0.lock().players.insert(player.id, player);
    }

    pub(crate) fn close(&self, id: u64) {
        if let Some(player) = self.0.lock().players.remove(&id) {
            player.log.end();
        }
    }

    pub(crate) fn close_all(&self) {
        let open = std::mem::take(&mut self.0.lock().players);
        open.values().for_each(|player| player.log.end());
    }
}

impl Player {
    /// The room that it has entered.
    pub(crate) fn room(&self) -> Option<(RoomId, String)> {
        self.place.lock().room.clone()
    }

    /// What shows who the client is, unless it is a secret.
    pub(crate) fn proof_shown(&self) -> String {
        match self.dialect.as_str() {
            "channel" => MASK.into(),
            _ => self.place.lock().proof.clone(),
        }
    }
}
