//! What a peer has shown to have of the messages that were delivered to its user.
//!
//! A message counts only when the peer has acknowledged it: in the words of the dialect, or, of a peer
//! without such words, by the pong to a ping that followed it, or by its system's acknowledgement of
//! the bytes up to a sign of life of the peer. That the operating system here has accepted the bytes
//! says nothing: everything in its buffers is lost with the connection.

use std::collections::VecDeque;

use core_model::MessageId;
use gateway_fanout::{RoomClass, Tally};

use crate::runtime::session::acknowledgements::Reader;

/// Messages whose places in the stream are remembered. Beyond them, the newest take the place of
/// the one before: acknowledged later, not wrongly.
const PLACES_MAX: usize = 1024;

/// The messages on their way to the peer of one connection.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Whose session the connection is; none before the answer to the sign-in.
    reader: Option<Reader>,
    /// Whether only what the peer says in the words of the dialect counts, and nothing that its
    /// system or a library does by itself.
    is_in_words: bool,
    /// Whether the store owes the reader direct messages only.
    is_direct_only: bool,
    /// Counts the sessions of this connection: what is shown of an earlier one is not of this user.
    session: u32,
    /// What is not acknowledged, oldest first.
    places: VecDeque<Place>,
    /// The newest message that was sent in this session.
    newest_sent: Option<MessageId>,
    /// The deliveries in `places`.
    owed: Tally,
    /// The deliveries that were acknowledged since they were last taken.
    acknowledged_owed: Tally,
    /// The bytes that the peer's system had acknowledged at the last sign of life.
    acknowledged_bytes: u64,
    acknowledged: Option<MessageId>,
    /// Of `acknowledged`, what [`take_news`](Self::take_news) has returned.
    noted: Option<MessageId>,
}

/// Up to where messages are sent.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Of the last byte, in the stream.
    end: u64,
    message: MessageId,
    /// The deliveries since the place before.
    owed: Tally,
}

/// The newest message that was sent, as a transport asks for its acknowledgement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Sent {
    session: u32,
    pub(crate) message: MessageId,
}

/// The deliveries without an acknowledgement of a session that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abandoned {
    /// Those that the store owes the reader still.
    pub(crate) returned: Tally,
    pub(crate) ended: Tally,
}

impl Delivery {
    /// The connection becomes a session of this reader; `is_in_words`: whose client acknowledges in
    /// the words of the dialect; `is_direct_only`: to which the store owes direct messages only.
    pub(crate) fn begin(
        &mut self,
        reader: Option<Reader>,
        is_in_words: bool,
        is_direct_only: bool,
    ) {
        let session = self.session.wrapping_add(1);
        *self = Self { reader, is_in_words, is_direct_only, session, ..Self::default() };
    }

    pub(crate) fn reader(&self) -> Option<&Reader> {
        self.reader.as_ref()
    }

    /// These deliveries, the last one that of `message`, end at this place of the stream, counted in
    /// bytes of the connection. False: they are not waited for.
    pub(crate) fn note_sent(&mut self, end: u64, message: MessageId, mut owed: Tally) -> bool {
        if self.reader.is_none() {
            return false;
        }
        self.newest_sent = self.newest_sent.max(Some(message));
        if let Some(last) = self.places.back_mut().filter(|last| last.message >= message) {
            last.owed += owed;
            self.owed += owed;
            return true;
        }
        if self.acknowledged >= Some(message) {
            return false;
        }
        self.owed += owed;
        if self.places.len() >= PLACES_MAX
            && let Some(last) = self.places.pop_back()
        {
            owed += last.owed;
        }
        self.places.push_back(Place { end, message, owed });
        true
    }

    /// The deliveries that are not acknowledged.
    pub(crate) fn owed(&self) -> Tally {
        if self.places.is_empty() { Tally::default() } else { self.owed }
    }

    /// The deliveries that were acknowledged since the last call.
    pub(crate) fn take_acknowledged(&mut self) -> Tally {
        std::mem::take(&mut self.acknowledged_owed)
    }

    /// Waits for no more acknowledgements; returns the deliveries without one.
    pub(crate) fn abandon(&mut self) -> Abandoned {
        let mut owed = Tally::default();
        self.places.drain(..).for_each(|place| owed += place.owed);
        self.owed = Tally::default();
        let returned = if self.is_direct_only { owed.of_class(RoomClass::Direct) } else { owed };
        owed -= returned;
        Abandoned { returned, ended: owed }
    }

    /// The newest message that is not acknowledged; none if the transport's word would not count.
    pub(crate) fn unacknowledged(&self) -> Option<Sent> {
        let message = self.places.back().filter(|_| !self.is_in_words)?.message;
        Some(Sent { session: self.session, message })
    }

    /// The peer has answered what the transport asked it after this message. Its library does that
    /// by itself, maybe long before its program takes the message.
    pub(crate) fn note_answer(&mut self, sent: Sent) {
        if sent.session == self.session && !self.is_in_words {
            self.acknowledge_message(sent.message);
        }
    }

    /// The peer has said, in the words of the dialect, that it has this message. One beyond what it
    /// was sent acknowledges nothing: the peer cannot have it. From now on only its words count, even
    /// before the first message.
    pub(crate) fn acknowledge_in_words(&mut self, message: MessageId) {
        self.is_in_words = true;
        if Some(message) <= self.newest_sent {
            self.acknowledge_message(message);
        }
    }

    fn acknowledge_message(&mut self, message: MessageId) {
        self.acknowledge_while(|place| place.message <= message);
    }

    /// Whether bytes that the peer's system acknowledges would show something.
    pub(crate) fn counts_bytes(&self) -> bool {
        !self.is_in_words && !self.places.is_empty()
    }

    /// The peer has sent something, and its system has acknowledged so many bytes. What it had
    /// acknowledged at the sign of life before counts as read: the peer's program may not have read
    /// yet what arrived since.
    pub(crate) fn note_life(&mut self, acknowledged_bytes: u64) {
        let read = self.acknowledged_bytes;
        self.acknowledged_bytes = read.max(acknowledged_bytes);
        self.acknowledge_bytes(read);
    }

    /// The peer has ended the connection in order. Systems reset a connection that is closed with
    /// something unread, so all that its system has acknowledged was read.
    pub(crate) fn note_orderly_end(&mut self, acknowledged_bytes: u64) {
        self.acknowledge_bytes(acknowledged_bytes);
    }

    fn acknowledge_bytes(&mut self, bytes: u64) {
        if !self.is_in_words {
            self.acknowledge_while(|place| place.end <= bytes);
        }
    }

    fn acknowledge_while(&mut self, is_read: impl Fn(&Place) -> bool) {
        while let Some(place) = self.places.front().copied().filter(|place| is_read(place)) {
            self.places.pop_front();
            self.acknowledged = Some(place.message);
            self.acknowledged_owed += place.owed;
            self.owed -= place.owed;
        }
    }

    /// The newest message that was acknowledged, if that is new since the last call.
    pub(crate) fn take_news(&mut self) -> Option<(&Reader, MessageId)> {
        let message = self.acknowledged.filter(|_| self.noted != self.acknowledged)?;
        self.noted = Some(message);
        Some((self.reader.as_ref()?, message))
    }
}

#[cfg(test)]
mod tests {
    use core_model::Uid;

    use super::*;

    fn one() -> Tally {
        Tally::new(RoomClass::Direct, 1)
    }

    fn reader() -> Option<Reader> {
        Some(Reader { user: Uid(7), device: "".into() })
    }

    /// A session that was sent messages 1 to 3, ending at bytes 10, 20 and 30.
    fn of_three() -> Delivery {
        let mut delivery = Delivery::default();
        delivery.note_sent(5, MessageId(9), one());
        assert_eq!(delivery.unacknowledged(), None, "there is no session yet");
        delivery.begin(reader(), false, false);
        for message in 1..=3 {
            delivery.note_sent(message * 10, MessageId(message), one());
        }
        delivery
    }

    fn acknowledged(delivery: &mut Delivery) -> Option<u64> {
        delivery.take_news().map(|(_, message)| message.0)
    }

    #[test]
    fn bytes_count_when_the_peer_has_shown_life_after_they_arrived() {
        let mut delivery = of_three();
        delivery.note_life(20);
        assert_eq!(acknowledged(&mut delivery), None, "its program may not have read them");
        delivery.note_life(29);
        assert_eq!(acknowledged(&mut delivery), Some(2));
        delivery.note_life(30);
        assert_eq!(acknowledged(&mut delivery), None, "29 are not the third message");
        delivery.note_orderly_end(30);
        assert_eq!(acknowledged(&mut delivery), Some(3));
    }

    #[test]
    fn a_peer_acknowledges_no_more_than_it_was_sent() {
        let mut delivery = of_three();
        delivery.acknowledge_in_words(MessageId(2));
        assert_eq!(acknowledged(&mut delivery), Some(2));
        delivery.acknowledge_in_words(MessageId(1));
        assert_eq!(acknowledged(&mut delivery), None);
        for beyond in [4, u64::MAX] {
            delivery.acknowledge_in_words(MessageId(beyond));
            assert_eq!(acknowledged(&mut delivery), None, "it was sent 3 at most");
        }
        delivery.acknowledge_in_words(MessageId(3));
        assert_eq!(acknowledged(&mut delivery), Some(3));
        delivery.note_sent(40, MessageId(3), one());
        assert!(delivery.owed().is_empty(), "it was acknowledged");
    }

    #[test]
    fn what_a_former_session_was_sent_is_not_acknowledged_for_the_next() {
        let mut delivery = of_three();
        let sent = delivery.unacknowledged().unwrap();
        delivery.begin(reader(), false, false);
        delivery.note_sent(50, MessageId(1), one());
        delivery.note_answer(sent);
        assert_eq!(acknowledged(&mut delivery), None);
        let sent = delivery.unacknowledged().unwrap();
        delivery.note_answer(sent);
        assert_eq!(acknowledged(&mut delivery), Some(1));
    }

    #[test]
    fn a_full_list_of_places_acknowledges_late_and_not_wrongly() {
        let mut delivery = Delivery::default();
        delivery.begin(reader(), false, false);
        for message in 1..=PLACES_MAX as u64 + 5 {
            delivery.note_sent(message * 10, MessageId(message), one());
        }
        delivery.note_orderly_end(PLACES_MAX as u64 * 10);
        assert_eq!(acknowledged(&mut delivery), Some(PLACES_MAX as u64 - 1));
        let [unacknowledged, read] = [6, PLACES_MAX as u32 - 1];
        assert_eq!(delivery.owed(), Tally::new(RoomClass::Direct, unacknowledged));
        assert_eq!(delivery.take_acknowledged(), Tally::new(RoomClass::Direct, read));
        delivery.note_orderly_end(u64::MAX);
        assert_eq!(acknowledged(&mut delivery), Some(PLACES_MAX as u64 + 5));
        assert_eq!(delivery.take_acknowledged(), Tally::new(RoomClass::Direct, unacknowledged));
    }

    #[test]
    fn each_delivery_is_acknowledged_or_left() {
        let mut delivery = of_three();
        assert!(delivery.note_sent(35, MessageId(3), one()), "with the third");
        delivery.acknowledge_message(MessageId(2));
        let counts = |tally: Tally| tally.count(RoomClass::Direct);
        assert_eq!(counts(delivery.take_acknowledged()), 2);
        assert_eq!((counts(delivery.owed()), counts(delivery.abandon().returned)), (2, 2));
        assert!(delivery.owed().is_empty());
        assert!(!delivery.note_sent(40, MessageId(2), one()), "it has this one");
    }

    #[test]
    fn what_is_left_goes_back_to_the_store_if_that_owes_it() {
        for (is_direct_only, returned) in [(false, [1, 1, 1]), (true, [0, 0, 1])] {
            let mut delivery = Delivery::default();
            delivery.begin(reader(), false, is_direct_only);
            for (nth, (class, _)) in RoomClass::ALL.into_iter().enumerate() {
                let nth = nth as u64 + 1;
                assert!(delivery.note_sent(nth * 10, MessageId(nth), Tally::new(class, 1)));
            }
            let counts = |tally: Tally| RoomClass::ALL.map(|(class, _)| tally.count(class));
            let abandoned = delivery.abandon();
            assert_eq!(counts(abandoned.returned), returned);
            assert_eq!(counts(abandoned.ended), returned.map(|count| 1 - count));
        }
    }

    #[test]
    fn only_words_count_for_a_peer_that_acknowledges_in_words() {
        let mut delivery = of_three();
        let asked = delivery.unacknowledged().unwrap();
        delivery.acknowledge_in_words(MessageId(1));
        assert_eq!(acknowledged(&mut delivery), Some(1));
        assert!(!delivery.counts_bytes());
        delivery.note_life(30);
        delivery.note_orderly_end(30);
        assert_eq!(acknowledged(&mut delivery), None, "a proxy may have them");
        delivery.note_answer(asked);
        assert_eq!(acknowledged(&mut delivery), None, "its library has answered");
        assert_eq!(delivery.unacknowledged(), None, "so the transport need not ask");
        delivery.begin(reader(), false, false);
        delivery.acknowledge_in_words(MessageId(0));
        delivery.note_sent(35, MessageId(4), one());
        assert!(delivery.unacknowledged().is_none() && !delivery.counts_bytes(), "said beforehand");
        delivery.begin(reader(), true, false);
        delivery.note_sent(40, MessageId(4), one());
        delivery.note_orderly_end(40);
        assert_eq!(acknowledged(&mut delivery), None);
    }
}
