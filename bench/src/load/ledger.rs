//! Accounts for every message: whether one is lost, doubled or reordered.
//!
//! Every message is either delivered to all listeners or refused to its speaker. Over HTTP and in
//! the token dialect a refusal names its message. In chatroom and ourchat it does not, but a
//! speaker gets its answers in the order of its messages. So as many messages of a speaker must be
//! missing as were refused, and a message that was refused by this order must not arrive. If some
//! messages between two delivered ones were refused and one was lost, the order shows that one was
//! lost, but not which.

use std::collections::{BTreeSet, VecDeque};

use super::latency::Histogram;

/// Counts of faults.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Faults {
    /// Deliveries that are missing.
    pub(super) lost: u64,
    /// Deliveries that happened twice, and refusals of messages that were delivered or never sent.
    pub(super) doubled: u64,
    /// Deliveries in another order than at other listeners, or than they were sent in.
    pub(super) reordered: u64,
    /// Deliveries to a listener of another room.
    pub(super) misled: u64,
}

/// All rooms, speakers and listeners. A connection is both, under one number.
#[derive(Default)]
pub(super) struct Ledger {
    rooms: Vec<Room>,
    seats: Vec<Seat>,
    pub(super) latency: Histogram,
    pub(super) faults: Faults,
    /// Messages sent, delivered to all listeners, and refused.
    pub(super) sent: u64,
    pub(super) completed: u64,
    pub(super) refused: u64,
    pub(super) delivered: u64,
    /// Messages that were refused before a later one of the same speaker was delivered, and those
    /// that no listener got and no refusal names: speaker and number.
    refused_early: BTreeSet<(u32, u32)>,
    missing: BTreeSet<(u32, u32)>,
    /// Speakers that may post again, if each waits for its last message.
    pub(super) done: Vec<u32>,
}

/// The order of the messages of a room is that of their first delivery.
#[derive(Default)]
struct Room {
    listeners: u32,
    /// The position of the oldest message that a listener has not received.
    base: u64,
    unheard: VecDeque<Entry>,
}

struct Entry {
    speaker: u32,
    number: u32,
    due_ns: u64,
    /// Listeners that have not received it yet.
    remaining: u32,
}

struct Seat {
    room: u32,
    /// The position in the order of the room up to which it has received.
    heard: u64,
    /// The number of its next message.
    next: u32,
    /// The next of its messages that no listener has received.
    unheard: u32,
    /// When the messages from `unheard` on were due.
    due: VecDeque<u64>,
    /// The next of its own messages that it has neither received nor seen refused.
    unanswered: u32,
    /// Refusals without a number since it last received a message of its own.
    nameless: u32,
}

impl Ledger {
    /// Adds a connection that posts and listens in a room.
    pub(super) fn seat(&mut self, room: u32) {
        let rooms = self.rooms.len().max(room as usize + 1);
        self.rooms.resize_with(rooms, Room::default);
        self.rooms[room as usize].listeners += 1;
        let due = VecDeque::new();
        self.seats.push(Seat {
            room,
            heard: 0,
            next: 0,
            unheard: 0,
            due,
            unanswered: 0,
            nameless: 0,
        });
    }

    /// The number of messages neither delivered to all nor refused.
    pub(super) fn under_way(&self) -> u64 {
        // Negative if a message was both refused and delivered.
        self.sent.saturating_sub(self.completed + self.refused)
    }

    /// Registers the message about to be sent and returns its number.
    pub(super) fn say(&mut self, speaker: u32, due_ns: u64) -> u32 {
        let seat = &mut self.seats[speaker as usize];
        let number = seat.next;
        seat.next += 1;
        seat.due.push_back(due_ns);
        self.sent += 1;
        number
    }

    /// A listener has received a message.
    pub(super) fn hear(&mut self, listener: u32, speaker: u32, number: u32, now_ns: u64) {
        let here = self.seats[listener as usize].room;
        let from = self.seats.get(speaker as usize);
        if from.is_none_or(|from| from.room != here || number >= from.next) {
            self.faults.misled += 1;
            return;
        }
        let room = &self.rooms[here as usize];
        let at = (self.seats[listener as usize].heard - room.base) as usize;
        let is_it = |entry: &Entry| entry.speaker == speaker && entry.number == number;
        if room.unheard.get(at).is_some_and(is_it) {
            self.tick(listener, at, now_ns);
        } else if let Some(ahead) = room.unheard.iter().skip(at).position(is_it) {
            // The messages in between may still arrive, reordered; otherwise they are lost.
            self.faults.reordered += 1;
            self.skip(listener, at, ahead);
            self.tick(listener, at + ahead, now_ns);
        } else if number < self.seats[speaker as usize].unheard {
            self.faults.doubled += 1;
        } else {
            let left = room.unheard.len() - at;
            if left > 0 {
                self.faults.reordered += 1;
                self.skip(listener, at, left);
            }
            self.note(here, speaker, number);
            self.tick(listener, at + left, now_ns);
        }
        if listener == speaker {
            self.answer(speaker, number);
        }
        self.sweep(here);
    }

    /// The server has refused a message of a speaker, with or without its number.
    pub(super) fn refuse(&mut self, speaker: u32, number: Option<u32>) {
        let seat = &mut self.seats[speaker as usize];
        match number {
            Some(number) if number >= seat.next => self.faults.doubled += 1,
            Some(number) => self.strike(speaker, number),
            None if seat.unanswered + seat.nameless >= seat.next => {
                self.faults.doubled += 1;
                return;
            }
            None => seat.nameless += 1,
        }
        self.refused += 1;
        self.done.push(speaker);
    }

    /// A speaker has received a message of its own. Answers come in the order of the messages, but a
    /// refusal may overtake the delivery of the one message before it. So refusals without a number
    /// since the last answer belong to the skipped messages, and the rest of them to the next.
    fn answer(&mut self, speaker: u32, number: u32) {
        let seat = &mut self.seats[speaker as usize];
        if number < seat.unanswered {
            return;
        }
        let between = seat.unanswered..number;
        let mut nameless = std::mem::take(&mut seat.nameless);
        for passed in between {
            if nameless > 0 && self.missing.remove(&(speaker, passed)) {
                nameless -= 1;
            }
        }
        let next = number + 1..number + 1 + nameless;
        self.seats[speaker as usize].unanswered = next.end;
        next.for_each(|refused| self.strike(speaker, refused));
    }

    /// A message that no listener may receive.
    fn strike(&mut self, speaker: u32, number: u32) {
        let heard = number < self.seats[speaker as usize].unheard;
        if !self.missing.remove(&(speaker, number))
            && (heard || !self.refused_early.insert((speaker, number)))
        {
            self.faults.doubled += 1;
        }
    }

    /// Ends the drive: messages that have not arrived are lost.
    pub(super) fn settle(&mut self) {
        for room in &mut self.rooms {
            let remaining = room.unheard.iter().map(|entry| u64::from(entry.remaining));
            self.faults.lost += remaining.sum::<u64>();
            self.completed += room.unheard.len() as u64;
            room.base += room.unheard.len() as u64;
            room.unheard.clear();
        }
        for (speaker, seat) in (0..).zip(&mut self.seats) {
            // Refused messages are known by number, except those after the last received one.
            for number in seat.unheard..seat.next {
                if !self.refused_early.remove(&(speaker, number)) {
                    self.missing.insert((speaker, number));
                }
            }
            while seat.nameless > 0
                && let Some(&next) =
                    self.missing.range((speaker, seat.unanswered)..=(speaker, u32::MAX)).next()
            {
                self.missing.remove(&next);
                seat.nameless -= 1;
            }
            self.faults.doubled += u64::from(seat.nameless);
            seat.heard = self.rooms[seat.room as usize].base;
            (seat.unheard, seat.unanswered, seat.nameless) = (seat.next, seat.next, 0);
            seat.due.clear();
        }
        for (speaker, _) in std::mem::take(&mut self.missing) {
            let room = self.seats[speaker as usize].room;
            self.faults.lost += u64::from(self.rooms[room as usize].listeners);
            self.completed += 1;
        }
        self.refused_early.clear();
    }

    /// Appends a message to the order of its room at its first delivery.
    fn note(&mut self, room: u32, speaker: u32, number: u32) {
        let seat = &mut self.seats[speaker as usize];
        for skipped in seat.unheard..number {
            seat.due.pop_front();
            // Refused already, or its refusal is not read yet, or it is lost.
            if !self.refused_early.remove(&(speaker, skipped)) {
                self.missing.insert((speaker, skipped));
            }
        }
        seat.unheard = number + 1;
        if self.refused_early.remove(&(speaker, number)) {
            self.faults.doubled += 1;
        }
        let due_ns = seat.due.pop_front().unwrap_or_default();
        let room = &mut self.rooms[room as usize];
        room.unheard.push_back(Entry { speaker, number, due_ns, remaining: room.listeners });
    }

    /// A listener has received the message at this position.
    fn tick(&mut self, listener: u32, at: usize, now_ns: u64) {
        let seat = &mut self.seats[listener as usize];
        seat.heard += 1;
        let entry = &mut self.rooms[seat.room as usize].unheard[at];
        entry.remaining -= 1;
        self.delivered += 1;
        self.latency.record(now_ns.saturating_sub(entry.due_ns));
        if entry.remaining == 0 {
            self.completed += 1;
            self.done.push(entry.speaker);
        }
    }

    /// A listener has skipped messages.
    fn skip(&mut self, listener: u32, at: usize, count: usize) {
        let seat = &mut self.seats[listener as usize];
        seat.heard += count as u64;
        for entry in self.rooms[seat.room as usize].unheard.range_mut(at..at + count) {
            entry.remaining -= 1;
            self.faults.lost += 1;
            if entry.remaining == 0 {
                self.completed += 1;
                self.done.push(entry.speaker);
            }
        }
    }

    /// Removes messages that all listeners have received.
    fn sweep(&mut self, room: u32) {
        let room = &mut self.rooms[room as usize];
        while room.unheard.front().is_some_and(|entry| entry.remaining == 0) {
            room.unheard.pop_front();
            room.base += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger with one room of `members`, in which 0 has posted three messages.
    fn three_said(listeners: u32) -> Ledger {
        let mut ledger = Ledger::default();
        for _ in 0..listeners {
            ledger.seat(0);
        }
        for number in 0..3 {
            assert_eq!(ledger.say(0, 100), number);
        }
        ledger
    }

    fn hear(ledger: &mut Ledger, listener: u32, numbers: &[u32]) {
        for number in numbers {
            ledger.hear(listener, 0, *number, 200);
        }
    }

    #[test]
    fn what_all_hear_in_order_is_completed_and_faultless() {
        let mut ledger = three_said(2);
        hear(&mut ledger, 0, &[0, 1, 2]);
        assert_eq!(ledger.under_way(), 3);
        hear(&mut ledger, 1, &[0, 1, 2]);
        ledger.settle();
        assert_eq!((ledger.under_way(), ledger.delivered, ledger.done.len()), (0, 6, 3));
        assert_eq!(ledger.faults, Faults::default());
    }

    #[test]
    fn a_message_that_a_listener_misses_is_lost() {
        let mut ledger = three_said(2);
        hear(&mut ledger, 0, &[0, 2]);
        hear(&mut ledger, 1, &[0]);
        ledger.settle();
        assert_eq!(ledger.faults, Faults { lost: 3, ..Faults::default() });
        assert_eq!(ledger.under_way(), 0);
    }

    #[test]
    fn what_comes_twice_is_doubled() {
        let mut ledger = three_said(2);
        hear(&mut ledger, 0, &[0, 1, 1, 0, 2]);
        hear(&mut ledger, 1, &[0, 1, 2, 2]);
        ledger.settle();
        assert_eq!(ledger.faults, Faults { doubled: 3, ..Faults::default() });
    }

    #[test]
    fn two_who_hear_two_speakers_in_two_orders_are_noticed() {
        let mut ledger = Ledger::default();
        (0..2).for_each(|_| ledger.seat(0));
        (0..2).for_each(|speaker| assert_eq!(ledger.say(speaker, 0), 0));
        for (listener, speaker) in [(0, 0), (0, 1), (1, 1), (1, 0)] {
            ledger.hear(listener, speaker, 0, 0);
        }
        assert_eq!(ledger.faults.reordered, 1);
    }

    #[test]
    fn what_is_heard_in_another_room_or_was_never_said_is_misled() {
        let mut ledger = three_said(1);
        ledger.seat(1);
        hear(&mut ledger, 1, &[0]);
        hear(&mut ledger, 0, &[3]);
        assert_eq!(ledger.faults.misled, 2);
    }

    #[test]
    fn a_refused_message_is_not_lost_whichever_is_read_first() {
        for refusal_first in [true, false] {
            let mut ledger = three_said(2);
            hear(&mut ledger, 0, &[0]);
            if refusal_first {
                ledger.refuse(0, None);
                hear(&mut ledger, 1, &[0, 2]);
            } else {
                hear(&mut ledger, 1, &[0, 2]);
                ledger.refuse(0, None);
            }
            hear(&mut ledger, 0, &[2]);
            ledger.settle();
            assert_eq!(ledger.faults, Faults::default());
            assert_eq!((ledger.refused, ledger.under_way()), (1, 0));
        }
    }

    #[test]
    fn a_refusal_may_come_before_the_message_that_was_said_before_it() {
        let mut ledger = three_said(1);
        ledger.refuse(0, None);
        ledger.refuse(0, None);
        hear(&mut ledger, 0, &[0]);
        ledger.settle();
        assert_eq!(ledger.faults, Faults::default());
        assert_eq!((ledger.refused, ledger.under_way()), (2, 0));
    }

    #[test]
    fn a_lost_message_beside_a_refused_one_is_lost() {
        for number in [Some(1), None] {
            let mut ledger = three_said(2);
            (3..5).for_each(|number| assert_eq!(ledger.say(0, 100), number));
            hear(&mut ledger, 0, &[0]);
            ledger.refuse(0, number);
            hear(&mut ledger, 0, &[2, 4]);
            hear(&mut ledger, 1, &[0, 2, 4]);
            ledger.settle();
            assert_eq!(ledger.faults, Faults { lost: 2, ..Faults::default() });
            assert_eq!((ledger.refused, ledger.under_way()), (1, 0));
        }
    }

    #[test]
    fn a_refusal_of_what_was_heard_hides_no_loss() {
        for number in [Some(2), None] {
            let mut ledger = three_said(1);
            (3..5).for_each(|number| assert_eq!(ledger.say(0, 100), number));
            hear(&mut ledger, 0, &[0]);
            ledger.refuse(0, number);
            // Without a number: as 1 arrives after it, it belongs to 2.
            hear(&mut ledger, 0, &[1, 2, 4]);
            ledger.settle();
            assert_eq!(ledger.faults, Faults { lost: 1, doubled: 1, ..Faults::default() });
            assert_eq!(ledger.under_way(), 0);
        }
    }

    #[test]
    fn a_refusal_of_nothing_is_a_fault() {
        for number in [Some(1), Some(3), None] {
            let mut ledger = three_said(1);
            hear(&mut ledger, 0, &[0, 1, 2]);
            ledger.refuse(0, number);
            ledger.settle();
            assert_eq!(ledger.faults, Faults { doubled: 1, ..Faults::default() }, "{number:?}");
        }
    }

    #[test]
    fn what_comes_after_the_last_that_was_heard_is_lost_or_refused() {
        for (refusals, lost) in [(2, 0), (1, 1)] {
            let mut ledger = three_said(1);
            hear(&mut ledger, 0, &[0]);
            (0..refusals).for_each(|_| ledger.refuse(0, None));
            ledger.settle();
            assert_eq!(ledger.faults, Faults { lost, ..Faults::default() });
            assert_eq!(ledger.under_way(), 0);
        }
    }

    #[test]
    fn after_a_loss_the_next_messages_are_heard_as_if_nothing_had_happened() {
        let mut ledger = three_said(2);
        hear(&mut ledger, 0, &[0]);
        ledger.settle();
        let lost = ledger.faults.lost;
        assert_eq!(ledger.say(0, 0), 3);
        hear(&mut ledger, 0, &[3]);
        hear(&mut ledger, 1, &[3]);
        ledger.settle();
        assert_eq!(ledger.faults, Faults { lost, ..Faults::default() });
    }
}
