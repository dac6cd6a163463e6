//! Events in one dialect, laid out for each transport on first use.

use std::sync::Arc;

use bytes::Bytes;
use core_model::{Event, MessageId, Recorded};
use frontend_api::{Broadcast, Frame};

use crate::event_encoder::EventEncoder;
use crate::framing::Framing;
use crate::handle::ConnectionHandle;
use crate::mailbox::MailboxItem;

/// One event in one dialect.
pub(crate) enum Encoded {
    Nothing,
    Frame {
        frame: Frame,
        skip_cause: bool,
        laid_out: LaidOut,
        /// The event, for sessions that encode it themselves.
        shared: Option<Arc<Recorded>>,
    },
    PerSession(Arc<Recorded>),
}

/// The bytes for each transport that has been asked for.
type LaidOut = Vec<(Framing, Bytes)>;

impl Encoded {
    pub(crate) fn new(encoder: &dyn EventEncoder, recorded: &Recorded) -> Self {
        match encoder.encode(recorded) {
            Broadcast::Nothing => Self::Nothing,
            Broadcast::Everyone(frame) => Self::frame(frame, false),
            Broadcast::Others(frame) => Self::frame(frame, true),
            Broadcast::PerSession => Self::PerSession(Arc::new(recorded.clone())),
        }
    }

    fn frame(frame: Frame, skip_cause: bool) -> Self {
        Self::Frame { frame, skip_cause, laid_out: Vec::new(), shared: None }
    }

    /// What this connection gets of the event.
    pub(crate) fn item(
        &mut self,
        recorded: &Recorded,
        to: &ConnectionHandle,
    ) -> Option<MailboxItem> {
        match self {
            Self::Nothing => None,
            Self::Frame { skip_cause: true, .. } if recorded.cause == to.id => None,
            Self::Frame { shared, .. } if to.is_per_session() => {
                let recorded = shared.get_or_insert_with(|| Arc::new(recorded.clone()));
                Some(MailboxItem::Event(Arc::clone(recorded)))
            }
            Self::Frame { frame, laid_out, .. } => {
                let bytes = lay_out(laid_out, to.framing, || to.framing.encode(frame.clone()));
                Some(MailboxItem::Frame { bytes, frames: 1, message: message_of(recorded) })
            }
            Self::PerSession(recorded) => Some(MailboxItem::Event(recorded.clone())),
        }
    }
}

/// The messages of a [`PostBatch`](crate::post_batch::PostBatch) in one dialect.
pub(crate) struct EncodedPostBatch {
    pub(crate) each: Vec<Encoded>,
    /// All frames in one buffer, unless a session encodes one of the messages itself.
    joined: Option<Joined>,
}

struct Joined {
    frames: u32,
    last: Option<MessageId>,
    laid_out: LaidOut,
}

impl EncodedPostBatch {
    pub(crate) fn new(encoder: &dyn EventEncoder, posted: &[Recorded]) -> Self {
        let each: Vec<_> = posted.iter().map(|recorded| Encoded::new(encoder, recorded)).collect();
        let mut joined = Joined { frames: 0, last: None, laid_out: Vec::new() };
        for (encoded, recorded) in each.iter().zip(posted) {
            match encoded {
                Encoded::Nothing => (),
                Encoded::Frame { .. } => {
                    joined.frames += 1;
                    joined.last = message_of(recorded);
                }
                Encoded::PerSession(_) => return Self { each, joined: None },
            }
        }
        Self { each, joined: Some(joined) }
    }

    /// Passes on everything for a connection that caused none of it.
    pub(crate) fn items(
        &mut self,
        posted: &[Recorded],
        to: &ConnectionHandle,
        mut put: impl FnMut(MailboxItem),
    ) {
        let Self { each, joined } = self;
        let each = each.iter_mut().zip(posted);
        let mut each = each.filter_map(|(encoded, recorded)| encoded.item(recorded, to));
        match joined {
            None => each.for_each(put),
            Some(_) if to.is_per_session() => each.for_each(put),
            Some(Joined { frames: 0, .. }) => (),
            Some(Joined { frames, last, laid_out }) => {
                let bytes = lay_out(laid_out, to.framing, || join(&mut each));
                put(MailboxItem::Frame { bytes, frames: *frames, message: *last });
            }
        }
    }
}

fn join(items: &mut dyn Iterator<Item = MailboxItem>) -> Bytes {
    let mut joined = Vec::new();
    for item in items {
        if let MailboxItem::Frame { bytes, .. } = item {
            joined.extend_from_slice(&bytes);
        }
    }
    joined.into()
}

/// The bytes for a transport, made on first use.
fn lay_out(laid_out: &mut LaidOut, framing: Framing, make: impl FnOnce() -> Bytes) -> Bytes {
    if let Some((_, bytes)) = laid_out.iter().find(|(of, _)| *of == framing) {
        return bytes.clone();
    }
    let bytes = make();
    laid_out.push((framing, bytes.clone()));
    bytes
}

fn message_of(recorded: &Recorded) -> Option<MessageId> {
    match &recorded.event {
        Event::Posted { message } => Some(message.id),
        Event::Entered { .. }
        | Event::Left { .. }
        | Event::PopulationChanged { .. }
        | Event::RoomChanged { .. }
        | Event::RoleChanged { .. }
        | Event::RoomCreated { .. }
        | Event::RoomDeleted { .. } => None,
    }
}
