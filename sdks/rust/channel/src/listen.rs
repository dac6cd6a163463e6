//! Messages as they come: the dialect has no push, so a listener asks again and again, each time from
//! where the last reply ended, so that a reply that is lost loses no message.

use std::collections::VecDeque;
use std::time::Duration;

use crate::client::new_key;
use crate::models::{
    ChannelMessage, Gap, ReceiveDirectReply, ReceiveDirectRequest, ReceiveFromChannelReply,
    ReceiveFromChannelRequest,
};
use crate::wait::jittered;
use crate::{Client, Error};

impl Client {
    /// The messages of a channel as they come, the own ones too. Joins it.
    pub fn listen_to_channel(&self, name: &str, options: ListenOptions) -> ChannelListener<'_> {
        ChannelListener::new(self, name, options)
    }

    /// The direct messages to this user as they come.
    pub fn listen(&self, options: ListenOptions) -> DirectListener<'_> {
        DirectListener::new(self, options)
    }
}

/// How a listener asks.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Where to read from: a `cursor` of an earlier listener. Without it, what was not received yet.
    pub after: Option<u64>,
    /// How long to wait where there is nothing new.
    pub interval: Duration,
    /// The first wait where the gateway is away or says to slow down; doubled from time to time.
    pub backoff_first: Duration,
    /// The longest such wait.
    pub backoff_max: Duration,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            after: None,
            interval: Duration::from_secs(1),
            backoff_first: Duration::from_millis(250),
            backoff_max: Duration::from_secs(15),
        }
    }
}

/// A reply.
struct Page<M> {
    cursor: u64,
    messages: Vec<M>,
    gap: Option<Gap>,
}

/// When to ask, and from where.
#[derive(Debug)]
struct Pace {
    options: ListenOptions,
    /// Of the requests without a cursor: made again after a lost reply, they give the same messages.
    first_key: String,
    backoff: Duration,
    gaps: Vec<Gap>,
}

impl Pace {
    fn new(options: ListenOptions) -> Self {
        Self { backoff: options.backoff_first, options, first_key: new_key(), gaps: Vec::new() }
    }

    fn key(&self) -> Option<&str> {
        self.options.after.is_none().then_some(&self.first_key)
    }

    /// The messages of a reply; none after a trouble that passes, once that was waited for.
    async fn settle<M>(&mut self, reply: Result<Page<M>, Error>) -> Result<Vec<M>, Error> {
        let Page { cursor, messages, gap } = match reply {
            Ok(reply) => reply,
            Err(error) if error.is_passing() => {
                tokio::time::sleep(jittered(self.backoff)).await;
                self.backoff = (self.backoff * 2).min(self.options.backoff_max);
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        self.backoff = self.options.backoff_first;
        self.options.after = Some(cursor);
        self.gaps.extend(gap);
        if messages.is_empty() {
            tokio::time::sleep(self.options.interval).await;
        }
        Ok(messages)
    }
}

/// The messages of a channel, the own ones too.
#[derive(Debug)]
pub struct ChannelListener<'a> {
    client: &'a Client,
    channel: String,
    pace: Pace,
    ready: VecDeque<ChannelMessage>,
}

impl<'a> ChannelListener<'a> {
    pub(crate) fn new(client: &'a Client, channel: &str, options: ListenOptions) -> Self {
        let (pace, ready) = (Pace::new(options), VecDeque::new());
        Self { client, channel: channel.to_owned(), pace, ready }
    }

    /// Waits for the next one, also where the gateway is away for a while. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Result<ChannelMessage, Error> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(message);
            }
            let request = ReceiveFromChannelRequest {
                name: self.channel.clone(),
                after: self.pace.options.after,
            };
            let reply = self.client.post::<_, ReceiveFromChannelReply>(
                "/channel/receive",
                &request,
                self.pace.key(),
            );
            let reply = reply.await.map(|data| Page {
                cursor: data.cursor,
                messages: data.messages,
                gap: data.gap.map(|gap| *gap),
            });
            self.ready.extend(self.pace.settle(reply).await?);
        }
    }

    /// The gaps before the message that came last, since the last call: messages that are not kept any
    /// more.
    pub fn take_gaps(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.pace.gaps)
    }

    /// Up to which message was asked for; another listener can go on after it.
    pub fn cursor(&self) -> Option<u64> {
        self.pace.options.after
    }
}

/// A direct message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectMessage {
    /// The handle of who sent it.
    pub from: String,
    pub msg: String,
}

/// The direct messages to a user.
#[derive(Debug)]
pub struct DirectListener<'a> {
    client: &'a Client,
    pace: Pace,
    ready: VecDeque<DirectMessage>,
}

impl<'a> DirectListener<'a> {
    pub(crate) fn new(client: &'a Client, options: ListenOptions) -> Self {
        Self { client, pace: Pace::new(options), ready: VecDeque::new() }
    }

    /// Waits for the next one, also where the gateway is away for a while. Dropping the future loses
    /// nothing. Those of one sender come in order.
    pub async fn next(&mut self) -> Result<DirectMessage, Error> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(message);
            }
            let request = ReceiveDirectRequest { name: None, after: self.pace.options.after };
            let key = self.pace.key();
            let reply = self.client.post::<_, ReceiveDirectReply>("/receive", &request, key);
            let reply = reply.await.map(|data| {
                let messages = data.messages.into_iter().flat_map(|(from, texts)| {
                    texts.into_iter().map(move |msg| DirectMessage { from: from.clone(), msg })
                });
                let gap = data.gap.map(|gap| *gap);
                Page { cursor: data.cursor, messages: messages.collect(), gap }
            });
            self.ready.extend(self.pace.settle(reply).await?);
        }
    }

    /// The gaps before the message that came last, since the last call: messages that are not kept any
    /// more.
    pub fn take_gaps(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.pace.gaps)
    }

    /// Up to which message was asked for; another listener can go on after it.
    pub fn cursor(&self) -> Option<u64> {
        self.pace.options.after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChannelError, Code};

    fn refused(code: Code) -> Result<Page<&'static str>, Error> {
        Err(Error::Refused(ChannelError { code, reason: String::new(), status: 200 }))
    }

    #[tokio::test]
    async fn a_listener_goes_on_from_where_it_was() {
        let options = ListenOptions {
            after: Some(3),
            interval: Duration::ZERO,
            backoff_first: Duration::from_nanos(1),
            backoff_max: Duration::from_nanos(3),
        };
        let mut pace = Pace::new(options);
        for wait in [2, 3, 3] {
            assert!(pace.settle(refused(Code::SlowDown)).await.unwrap().is_empty());
            assert_eq!(pace.backoff, Duration::from_nanos(wait));
        }
        assert_eq!(pace.options.after, Some(3));
        let page = Page { cursor: 5, messages: vec!["a", "b"], gap: Some(Gap::new(3, 4)) };
        assert_eq!(pace.settle(Ok(page)).await.unwrap(), ["a", "b"]);
        assert_eq!(pace.gaps, [Gap::new(3, 4)]);
        assert_eq!((pace.options.after, pace.backoff), (Some(5), Duration::from_nanos(1)));
        let error = pace.settle(refused(Code::ChannelFull)).await.unwrap_err();
        assert_eq!((error.code(), pace.options.after), (Some(Code::ChannelFull), Some(5)));
    }

    /// What tokio::spawn wants.
    #[test]
    fn listening_can_be_a_task() {
        fn is_send(_: impl Send) {}
        let client = Client::new("http://127.0.0.1:5004");
        is_send(client.send("bob", "hello"));
        is_send(client.listen_to_channel("TEST", ListenOptions::default()).next());
    }
}
