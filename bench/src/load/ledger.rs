//! What was said and who has heard it: whether anything is lost, doubled or in another order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::latency::Histogram;

/// What went wrong, and what did not happen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Faults {
    /// Deliveries that did not happen.
    pub(super) lost: u64,
    /// Deliveries that happened twice.
    pub(super) doubled: u64,
    /// Deliveries in another order than somebody else's, or than they were sent in.
    pub(super) reordered: u64,
    /// Deliveries to somebody in another room.
    pub(super) misled: u64,
}

/// All rooms, speakers and listeners. A connection is both, under one number.
#[derive(Default)]
pub(super) struct Ledger {
    rooms: Vec<Room>,
    seats: Vec<Seat>,
    pub(super) latency: Histogram,
    pub(super) faults: Faults,
    /// Messages that were sent, that everyone has heard, and that the server would not take.
    pub(super) sent: u64,
    pub(super) completed: u64,
    pub(super) refused: u64,
    pub(super) delivered: u64,
    /// Refused before anybody heard a later message of the same speaker, and the other way round:
    /// speaker and number.
    refused_early: BTreeSet<(u32, u32)>,
    missing: BTreeSet<(u32, u32)>,
    /// Who may speak again, where each waits until the last message was heard.
    pub(super) done: Vec<u32>,
}

/// The order of a room's messages is the one in which anybody first heard them.
#[derive(Default)]
struct Room {
    listeners: u32,
    /// The place of the oldest message that somebody has not heard.
    base: u64,
    unheard: VecDeque<Entry>,
}

struct Entry {
    speaker: u32,
    number: u32,
    due_ns: u64,
    /// Who has not heard it yet.
    remaining: u32,
}

struct Seat {
    room: u32,
    /// The place in the room's order up to which it has heard.
    heard: u64,
    /// The next message it says.
    next: u32,
    /// The next of its messages that is new to the room.
    unheard: u32,
    /// When those from `unheard` on were due.
    due: VecDeque<u64>,
    /// Of its own messages, the next that it neither heard itself nor was refused.
    unanswered: u32,
}

impl Ledger {
    /// A connection that speaks and listens in a room.
    pub(super) fn seat(&mut self, room: u32) {
        let rooms = self.rooms.len().max(room as usize + 1);
        self.rooms.resize_with(rooms, Room::default);
        self.rooms[room as usize].listeners += 1;
        let due = VecDeque::new();
        self.seats.push(Seat { room, heard: 0, next: 0, unheard: 0, due, unanswered: 0 });
    }

    /// How many messages are neither heard by all nor refused.
    pub(super) fn under_way(&self) -> u64 {
        self.sent - self.completed - self.refused
    }

    /// The number of the message that is about to be sent.
    pub(super) fn say(&mut self, speaker: u32, due_ns: u64) -> u32 {
        let seat = &mut self.seats[speaker as usize];
        let number = seat.next;
        seat.next += 1;
        seat.due.push_back(due_ns);
        self.sent += 1;
        number
    }

    /// Somebody has heard a message.
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
            // What lies between may still come: then it is in another order, else it is lost.
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
            let seat = &mut self.seats[speaker as usize];
            seat.unanswered = seat.unanswered.max(number + 1);
        }
        self.sweep(here);
    }

    /// The server would not take the oldest message of a speaker that is not answered.
    pub(super) fn refuse(&mut self, speaker: u32) {
        let seat = &mut self.seats[speaker as usize];
        if seat.unanswered >= seat.next {
            return;
        }
        let number = seat.unanswered;
        seat.unanswered += 1;
        self.refused += 1;
        if !self.missing.remove(&(speaker, number)) {
            self.refused_early.insert((speaker, number));
        }
        self.done.push(speaker);
    }

    /// Nobody waits any longer: what was not heard is lost.
    pub(super) fn settle(&mut self) {
        for room in &mut self.rooms {
            let remaining = room.unheard.iter().map(|entry| u64::from(entry.remaining));
            self.faults.lost += remaining.sum::<u64>();
            self.completed += room.unheard.len() as u64;
            room.base += room.unheard.len() as u64;
            room.unheard.clear();
        }
        // By speaker: messages that nobody heard, less refusals.
        let mut unheard: BTreeMap<u32, i64> = BTreeMap::new();
        for (speaker, seat) in (0..).zip(&mut self.seats) {
            seat.heard = self.rooms[seat.room as usize].base;
            unheard.insert(speaker, i64::from(seat.next - seat.unheard));
            seat.unheard = seat.next;
            seat.unanswered = seat.next;
            seat.due.clear();
        }
        for (speaker, _) in std::mem::take(&mut self.missing) {
            *unheard.entry(speaker).or_default() += 1;
        }
        // A refusal does not say of which message. One that comes before its speaker has heard
        // what it said before was taken for the refusal of that.
        for (speaker, _) in std::mem::take(&mut self.refused_early) {
            *unheard.entry(speaker).or_default() -= 1;
        }
        for (speaker, count) in unheard {
            let room = self.seats[speaker as usize].room;
            let count = count.max(0) as u64;
            self.faults.lost += count * u64::from(self.rooms[room as usize].listeners);
            self.completed += count;
        }
    }

    /// A message that nobody heard before takes its place in its room's order.
    fn note(&mut self, room: u32, speaker: u32, number: u32) {
        let seat = &mut self.seats[speaker as usize];
        for skipped in seat.unheard..number {
            seat.due.pop_front();
            // Refused already, or its refusal is still to be read, or it is lost.
            if !self.refused_early.remove(&(speaker, skipped)) {
                self.missing.insert((speaker, skipped));
            }
        }
        seat.unheard = number + 1;
        let due_ns = seat.due.pop_front().unwrap_or_default();
        let room = &mut self.rooms[room as usize];
        room.unheard.push_back(Entry { speaker, number, due_ns, remaining: room.listeners });
    }

    /// A listener has heard what is at this place.
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

    /// A listener has passed over so many messages.
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

    /// Forgets what everyone has heard.
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

    /// A ledger with one room of so many, in which 0 has said three messages.
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
    fn what_nobody_or_not_everybody_hears_is_lost() {
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
                ledger.refuse(0);
                hear(&mut ledger, 1, &[0, 2]);
            } else {
                hear(&mut ledger, 1, &[0, 2]);
                ledger.refuse(0);
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
        ledger.refuse(0);
        ledger.refuse(0);
        hear(&mut ledger, 0, &[0]);
        ledger.settle();
        assert_eq!(ledger.faults, Faults::default());
        assert_eq!((ledger.refused, ledger.under_way()), (2, 0));
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
