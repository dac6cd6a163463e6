//! Events in one dialect, laid out for each transport on first use.

use std::sync::Arc;

use bytes::Bytes;
use core_model::{Event, MessageId, Recorded, Timestamp};
use frontend_api::{Broadcast, Frame};

use crate::event_encoder::EventEncoder;
use crate::framing::Framing;
use crate::handle::ConnectionHandle;
use crate::ledger::DeliveryOutcome;
use crate::mailbox::MailboxItem;
use crate::tally::RoomClass;

/// One event in one dialect.
pub(crate) enum Encoded {
    /// No connection gets it, for this reason.
    Nothing(DeliveryOutcome),
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
            None => Self::Nothing(DeliveryOutcome::Fault),
            Some(Broadcast::Nothing) => Self::Nothing(DeliveryOutcome::Hidden),
            Some(Broadcast::Everyone(frame)) => Self::frame(frame, false),
            Some(Broadcast::Others(frame)) => Self::frame(frame, true),
            Some(Broadcast::PerSession) => Self::PerSession(Arc::new(recorded.clone())),
        }
    }

    fn frame(frame: Frame, skip_cause: bool) -> Self {
        Self::Frame { frame, skip_cause, laid_out: Vec::new(), shared: None }
    }

    /// What this connection gets of the event; `Err`: nothing, and what that counts as.
    pub(crate) fn item(
        &mut self,
        recorded: &Recorded,
        to: &ConnectionHandle,
    ) -> Result<MailboxItem, DeliveryOutcome> {
        match self {
            Self::Nothing(why) => Err(*why),
            Self::Frame { skip_cause: true, .. } if recorded.cause == to.id => {
                Err(DeliveryOutcome::Own)
            }
            Self::Frame { shared, .. } if to.is_per_session() => {
                let recorded = shared.get_or_insert_with(|| Arc::new(recorded.clone()));
                Ok(MailboxItem::Event(Arc::clone(recorded)))
            }
            Self::Frame { frame, laid_out, .. } => {
                let bytes = lay_out(laid_out, to.framing, || to.framing.encode(frame.clone()));
                let (message, at, class) = message_of(recorded);
                Ok(MailboxItem::Frame { bytes, frames: 1, message, at, class })
            }
            Self::PerSession(recorded) => Ok(MailboxItem::Event(recorded.clone())),
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
    /// When the first was posted.
    at: Timestamp,
    class: RoomClass,
    laid_out: LaidOut,
    /// The messages that are in no frame.
    hidden: u32,
    faults: u32,
}

/// What a connection gets of several messages.
pub(crate) enum Part {
    Item(MailboxItem),
    /// So many messages are not sent, which counts as this.
    Withheld(u32, DeliveryOutcome),
}

impl EncodedPostBatch {
    pub(crate) fn new(encoder: &dyn EventEncoder, posted: &[Recorded]) -> Self {
        let each: Vec<_> = posted.iter().map(|recorded| Encoded::new(encoder, recorded)).collect();
        let first = posted.first().map(message_of);
        let (_, at, class) = first.unwrap_or((None, Timestamp(0), RoomClass::Public));
        let laid_out = LaidOut::new();
        let mut joined =
            Joined { frames: 0, last: None, at, class, laid_out, hidden: 0, faults: 0 };
        for (encoded, recorded) in each.iter().zip(posted) {
            match encoded {
                Encoded::Nothing(DeliveryOutcome::Fault) => joined.faults += 1,
                Encoded::Nothing(_) => joined.hidden += 1,
                Encoded::Frame { .. } => {
                    joined.frames += 1;
                    joined.last = message_of(recorded).0;
                }
                Encoded::PerSession(_) => return Self { each, joined: None },
            }
        }
        Self { each, joined: Some(joined) }
    }

    /// Passes on everything for a connection that caused none of it.
    pub(crate) fn parts(
        &mut self,
        posted: &[Recorded],
        to: &ConnectionHandle,
        mut each_part: impl FnMut(Part),
    ) {
        let Self { each, joined } = self;
        let each = each.iter_mut().zip(posted);
        let each = each.map(|(encoded, recorded)| encoded.item(recorded, to));
        let part = |item| match item {
            Ok(item) => Part::Item(item),
            Err(why) => Part::Withheld(1, why),
        };
        let Some(joined) = joined.as_mut().filter(|_| !to.is_per_session()) else {
            each.map(part).for_each(each_part);
            return;
        };
        let Joined { frames, last, at, class, laid_out, hidden, faults } = joined;
        let withheld = [(*hidden, DeliveryOutcome::Hidden), (*faults, DeliveryOutcome::Fault)];
        for (count, why) in withheld {
            if count > 0 {
                each_part(Part::Withheld(count, why));
            }
        }
        if *frames > 0 {
            let bytes = lay_out(laid_out, to.framing, || join(&mut each.flatten()));
            let (frames, message, at, class) = (*frames, *last, *at, *class);
            each_part(Part::Item(MailboxItem::Frame { bytes, frames, message, at, class }));
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

/// The message that an event is about, when it was posted, and the class of its room.
fn message_of(recorded: &Recorded) -> (Option<MessageId>, Timestamp, RoomClass) {
    match &recorded.event {
        Event::Posted { message } => (Some(message.id), message.at, RoomClass::of(message)),
        Event::Entered { .. }
        | Event::Left { .. }
        | Event::PopulationChanged { .. }
        | Event::RoomChanged { .. }
        | Event::RoleChanged { .. }
        | Event::PolicyChanged { .. }
        | Event::MessageDeleted { .. }
        | Event::RoomCreated { .. }
        | Event::RoomDeleted { .. } => (None, recorded.at, RoomClass::Public),
    }
}
