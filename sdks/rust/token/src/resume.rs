//! Where the client is in each room: what it has, and what it catches up with.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::events::{Event, Events};
use crate::{CatchUpReply, CatchUpRequest, MessageNotification, Notification};

/// What a client asks to catch up from that wants nothing of the past.
const BEGIN_NOW: u64 = (1 << 53) - 1;

/// The rooms of a client.
#[derive(Default)]
pub(crate) struct Resume {
    rooms: Mutex<BTreeMap<u32, Room>>,
    changed: Condvar,
}

#[derive(Default)]
struct Room {
    /// Up to which message those of the room have come.
    newest: u64,
    catching_up: Option<CatchingUp>,
}

/// Missed messages are on their way.
#[derive(Default)]
struct CatchingUp {
    /// How many still follow the last reply.
    left: u16,
    /// Whether a reply is awaited.
    is_asked: bool,
    more: bool,
    cursor: u64,
    /// What was posted meanwhile.
    held: Vec<MessageNotification>,
}

impl Resume {
    /// What a client asks that is not in the room yet: where it begins.
    pub(crate) fn beginning(room_id: u32) -> CatchUpRequest {
        CatchUpRequest { room_id, after: BEGIN_NOW, limit: 0 }
    }

    pub(crate) fn newest(&self, room_id: u32) -> Option<u64> {
        self.lock().get(&room_id).map(|room| room.newest)
    }

    /// From now on messages of the room wait for those after `newest`, which were missed.
    pub(crate) fn begin(&self, room_id: u32, newest: u64) {
        let catching_up = Some(CatchingUp { more: true, ..CatchingUp::default() });
        self.lock().insert(room_id, Room { newest, catching_up });
    }

    /// The next request for what was missed; none when all has come.
    pub(crate) fn next(&self, room_id: u32) -> Option<CatchUpRequest> {
        let mut rooms = self.lock();
        let room = rooms.get_mut(&room_id)?;
        let catching_up = room.catching_up.as_mut()?;
        catching_up.is_asked = true;
        Some(CatchUpRequest { room_id, after: room.newest, limit: 0 })
    }

    /// Whether what the last request asked for has come.
    pub(crate) fn has_come(&self, room_id: u32) -> bool {
        let rooms = self.lock();
        let catching_up = rooms.get(&room_id).and_then(|room| room.catching_up.as_ref());
        catching_up.is_none_or(|it| !it.is_asked && it.left == 0)
    }

    /// Waits for that; false when the time is over.
    pub(crate) fn wait(&self, room_id: u32, until: Instant) -> bool {
        while !self.has_come(room_id) {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            let rooms = self.lock();
            // What has changed since the look above is seen after a moment at the latest.
            let moment = left.min(std::time::Duration::from_millis(20));
            drop(self.changed.wait_timeout(rooms, moment));
        }
        true
    }

    /// The room could not be caught up with: what waited for that comes now.
    pub(crate) fn give_up(&self, room_id: u32, events: &Events) {
        if let Some(room) = self.lock().get_mut(&room_id)
            && let Some(catching_up) = room.catching_up.take()
        {
            room.release(catching_up, events);
        }
    }

    /// The connection is lost: what waited comes again on the next one.
    pub(crate) fn forget_held(&self) {
        for room in self.lock().values_mut() {
            room.catching_up = None;
        }
        self.changed.notify_all();
    }

    /// A reply: the missed messages follow it at once.
    pub(crate) fn replied(&self, reply: &CatchUpReply, events: &Events) {
        let mut rooms = self.lock();
        let Some(room) = rooms.get_mut(&reply.room_id) else { return };
        let Some(catching_up) = room.catching_up.as_mut().filter(|it| it.is_asked) else { return };
        catching_up.is_asked = false;
        catching_up.left = reply.count;
        catching_up.more = reply.more == 1;
        catching_up.cursor = reply.cursor;
        if reply.gap_before != 0 {
            let count = Some(reply.gap_count).filter(|count| *count > 0);
            let (room_id, after, before) = (reply.room_id, room.newest, reply.gap_before);
            events.push(Event::Gap { room_id, after, before, count });
        }
        room.end_of_batch(events);
        self.changed.notify_all();
    }

    /// A notification.
    pub(crate) fn heard(&self, notification: Notification, events: &Events) {
        let Notification::Message(message) = notification else {
            return events.push(Event::Notified(notification));
        };
        let mut rooms = self.lock();
        let Some(room) = rooms.get_mut(&message.room_id) else {
            return events.push(Event::Notified(Notification::Message(message)));
        };
        match &mut room.catching_up {
            Some(catching_up) if catching_up.left == 0 => catching_up.held.push(message),
            Some(catching_up) => {
                catching_up.left -= 1;
                room.pass_on(message, events);
                room.end_of_batch(events);
                self.changed.notify_all();
            }
            None => room.pass_on(message, events),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn end_of_batch(&mut self, events: &Events) {
        let is_over = |it: &mut CatchingUp| it.left == 0 && !it.more;
        if let Some(catching_up) = self.catching_up.take_if(is_over) {
            let cursor = catching_up.cursor;
            self.release(catching_up, events);
            self.newest = self.newest.max(cursor);
        }
    }

    fn release(&mut self, catching_up: CatchingUp, events: &Events) {
        for message in catching_up.held {
            self.pass_on(message, events);
        }
    }

    /// What is caught up with may come twice. Within a room, ids ascend.
    fn pass_on(&mut self, message: MessageNotification, events: &Events) {
        if message.message_id > self.newest {
            self.newest = message.message_id;
            events.push(Event::Notified(Notification::Message(message)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(message_id: u64) -> Notification {
        let text = message_id.to_string();
        Notification::Message(MessageNotification { room_id: 1, uid: 7, message_id, time: 0, text })
    }

    fn reply(count: u16, more: u8, gap_before: u64, cursor: u64) -> CatchUpReply {
        CatchUpReply { room_id: 1, count, more, gap_before, gap_count: 3, cursor }
    }

    #[test]
    fn what_was_missed_comes_before_what_is_new_and_each_message_once() {
        let (resume, events) = (Resume::default(), Events::new(99));
        resume.begin(1, 10);
        resume.heard(message(22), &events);
        assert_eq!(resume.next(1).map(|request| request.after), Some(10));
        resume.replied(&reply(2, 1, 14, 15), &events);
        for id in [14, 15] {
            assert!(!resume.has_come(1));
            resume.heard(message(id), &events);
        }
        assert!(resume.has_come(1));
        assert_eq!(resume.next(1).map(|request| request.after), Some(15));
        resume.heard(message(23), &events);
        resume.replied(&reply(2, 0, 0, 22), &events);
        for id in [20, 22] {
            resume.heard(message(id), &events);
        }
        assert_eq!(resume.next(1), None);
        for id in [22, 24] {
            resume.heard(message(id), &events);
        }
        assert_eq!(resume.newest(1), Some(24));
        events.end();
        let told: Vec<Event> = std::iter::from_fn(|| events.next(None)).collect();
        let gap = Event::Gap { room_id: 1, after: 10, before: 14, count: Some(3) };
        let messages = [14, 15, 20, 22, 23, 24].map(|id| Event::Notified(message(id)));
        assert_eq!(told, [vec![gap], messages.to_vec()].concat());
    }

    #[test]
    fn what_waits_when_the_connection_is_lost_comes_again() {
        let (resume, events) = (Resume::default(), Events::new(99));
        resume.begin(1, 10);
        resume.heard(message(12), &events);
        resume.forget_held();
        assert_eq!((resume.newest(1), resume.has_come(1)), (Some(10), true));
    }
}
