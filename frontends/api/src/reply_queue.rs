//! The replies that a session owes its peer, in the order of the requests.

use std::collections::VecDeque;

use core_model::Outcome;

use crate::Outbox;

/// The replies that a session owes its peer, in the order of the requests.
///
/// It keeps the promise that nothing overtakes what an earlier request of the same connection led
/// to, its events included: a reply that needs no answer of the engine waits, if necessary, for its
/// turn with [`Outbox::wait_turn`]. The host bounds the unanswered requests of a connection, and so
/// this queue.
///
/// ```
/// use core_model::{Query, Reply};
/// use frontend_api::{Outbox, ReplyQueue};
///
/// let mut out = Outbox::default();
/// let mut replies = ReplyQueue::default();
/// assert_eq!(replies.in_turn("pong", &mut out), Some("pong"));
/// out.query(Query::LastChange);
/// replies.push_query("changed");
/// assert_eq!(replies.in_turn("pong", &mut out), None);
/// assert_eq!(replies.pop(&Ok(Reply::Done)), Some("changed"));
/// ```
#[derive(Debug)]
pub struct ReplyQueue<T> {
    replies: VecDeque<(Answer, T)>,
    /// A command succeeded since the last query was answered, so that its events may be on their
    /// way to the peer.
    events_due: bool,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    ToCommand,
    ToQuery,
}

impl<T> Default for ReplyQueue<T> {
    fn default() -> Self {
        Self { replies: VecDeque::new(), events_due: false }
    }
}

impl<T> ReplyQueue<T> {
    /// Queues the reply to a command that the session has submitted.
    pub fn push_command(&mut self, reply: T) {
        self.replies.push_back((Answer::ToCommand, reply));
    }

    /// Queues the reply to a query that the session has made.
    pub fn push_query(&mut self, reply: T) {
        self.replies.push_back((Answer::ToQuery, reply));
    }

    /// Queues a reply that needs no answer, or returns it if it may be sent now.
    #[must_use = "a reply that is returned is to be sent"]
    pub fn in_turn(&mut self, reply: T, out: &mut Outbox) -> Option<T> {
        if self.replies.is_empty() && !self.events_due {
            return Some(reply);
        }
        out.wait_turn();
        self.push_query(reply);
        None
    }

    /// The reply for an answer that has arrived.
    pub fn pop(&mut self, outcome: &Outcome) -> Option<T> {
        let (answer, reply) = self.replies.pop_front()?;
        self.events_due = match answer {
            Answer::ToCommand => self.events_due || outcome.is_ok(),
            Answer::ToQuery => false,
        };
        Some(reply)
    }

    /// Whether events of an earlier command may be on their way to the peer.
    pub fn are_events_due(&self) -> bool {
        self.events_due
    }

    /// The replies owed, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.replies.iter().map(|(_, reply)| reply)
    }

    /// The newest reply owed.
    pub fn last(&self) -> Option<&T> {
        self.replies.back().map(|(_, reply)| reply)
    }

    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    pub fn len(&self) -> usize {
        self.replies.len()
    }
}

#[cfg(test)]
mod tests {
    use core_model::{Refusal, Reply};

    use super::*;

    #[test]
    fn a_reply_waits_while_events_of_an_earlier_command_may_be_due() {
        let mut replies = ReplyQueue::default();
        let mut out = Outbox::default();
        replies.push_command("refused");
        assert_eq!(replies.pop(&Err(Refusal::RoomFull)), Some("refused"));
        assert_eq!(replies.in_turn("at once", &mut out), Some("at once"));
        replies.push_command("done");
        assert_eq!(replies.pop(&Ok(Reply::Done)), Some("done"));
        assert_eq!(replies.in_turn("waits", &mut out), None);
        assert_eq!(out.drain().count(), 1);
        assert_eq!(replies.pop(&Err(Refusal::Overloaded)), Some("waits"));
        assert_eq!(replies.in_turn("at once", &mut out), Some("at once"));
        assert_eq!(replies.pop(&Ok(Reply::Done)), None);
    }
}
