//! The session of a stream connection, and everything that it asks of the host: its calls and
//! queries in order, its words to the peer, its alarm. No socket here.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use core_model::{Command, Event, Outcome, Query, Refusal, Reply, Timestamp};
use frontend_api::{Input, Outbox, Output, Session, Subscribe};
use tokio::time::Instant;

use crate::runtime::bounds::{ANSWERS_AT_ONCE, BEHIND_RETRY_MS, HOLD, HOLD_BEHIND, UNANSWERED_MAX};
use crate::runtime::fanout::fanout::Ticket;
use crate::runtime::fanout::handle::Link;
use crate::runtime::fanout::mailbox::Mail;
use crate::runtime::fanout::subscriptions::Effect;
use crate::runtime::frontends::instance::Served;
use crate::runtime::limits::Pace;
use crate::runtime::metrics::Limit;
use crate::runtime::session::admission::{check_message, needs_passwords, settle_passwords, ties};
use crate::runtime::session::services::Shared;
use crate::runtime::session::tokens;
use crate::runtime::session::write_queue::Outgoing;

pub(crate) struct Conversation {
    shared: Arc<Shared>,
    served: Arc<Served>,
    link: Arc<Link>,
    session: Box<dyn Session>,
    pub(crate) outgoing: Outgoing,
    /// What was asked and is not answered, in order.
    waiting: VecDeque<Waiting>,
    /// Of them, what is not with the engine yet, or not settled.
    held: usize,
    /// The work for the oldest of `waiting`, where that takes time.
    running: Option<Pin<Box<dyn Future<Output = Finished> + Send>>>,
    alarm: Option<Instant>,
    pace: Pace,
    /// Something was refused for the load, since this was last asked: how long reading from the
    /// peer may pause for that.
    refused: Option<Duration>,
    over: Option<Over>,
    /// Whether the engine may hold something for this connection.
    tied: bool,
}

/// Why the session is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Over {
    /// It asked for it.
    Closed,
    /// Something in it went wrong: it panicked, or is a plugin's and broke the contract.
    Failed,
}

/// One call or query that is not answered.
enum Waiting {
    /// Decided, and not told yet.
    Settled(Box<Outcome>),
    /// With the engine; and the token it grants.
    Submitted { token: Option<Box<str>>, ack_only: bool },
    /// To be submitted when everything before it is answered, or as soon as nothing before it
    /// waits for that.
    Call(Box<Call>),
    /// To be answered when everything before it is answered.
    Query(Box<Query>),
    /// The oldest, being worked on.
    Running,
}

struct Call {
    command: Box<Command>,
    effect: Effect,
    key: Option<String>,
    ack_only: bool,
}

/// What comes of work that takes time.
enum Finished {
    Answer(Box<Outcome>),
    /// The command, with passwords settled.
    Ready(Box<Call>),
}

impl Conversation {
    pub(crate) fn new(
        shared: Arc<Shared>,
        served: Arc<Served>,
        link: Arc<Link>,
        session: Box<dyn Session>,
    ) -> Self {
        served.add(link.clone());
        Self {
            shared,
            served,
            link,
            session,
            outgoing: Outgoing::default(),
            waiting: VecDeque::new(),
            held: 0,
            running: None,
            alarm: None,
            pace: Pace::default(),
            refused: None,
            over: None,
            tied: false,
        }
    }

    pub(crate) fn served(&self) -> &Served {
        &self.served
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    pub(crate) fn alarm(&self) -> Option<Instant> {
        self.alarm
    }

    /// Whether, and why, the session wants no more.
    pub(crate) fn over(&self) -> Option<Over> {
        self.over
    }

    /// Whether the peer may be read from: not while it has much unanswered.
    pub(crate) fn may_read(&self) -> bool {
        self.over.is_none() && self.waiting.len() < UNANSWERED_MAX
    }

    /// Whether something was refused for the load since this was last asked, and how long reading
    /// from the peer may pause for that.
    pub(crate) fn take_refused(&mut self) -> Option<Duration> {
        self.refused.take()
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Tells the session what happened, and carries out what it asks.
    pub(crate) fn feed(&mut self, input: Input<'_>) {
        if self.over.is_some() {
            return;
        }
        let now = self.shared.clock.now();
        let mut out = Outbox::default();
        let handle = AssertUnwindSafe(|| self.session.handle(now, input, &mut out));
        if catch_unwind(handle).is_err() {
            self.served.panicked("in a session");
            self.over = Some(Over::Failed);
            return;
        }
        for output in out.drain() {
            if self.over.is_none() {
                self.carry_out(now, output);
            }
        }
    }

    /// The alarm has rung.
    pub(crate) fn wake(&mut self) {
        self.alarm = None;
        self.feed(Input::Woken);
    }

    /// These are about to be taken.
    pub(crate) fn expect(&mut self, mails: &VecDeque<Mail>) {
        let frames = mails.iter().map(|mail| match mail {
            Mail::Frame { frames, .. } => u64::from(*frames),
            Mail::Answer(_) | Mail::Event(_) => 0,
        });
        // Once for all of them: every connection of the front end counts here.
        self.served.counters.frames.add(frames.sum());
        self.outgoing.reserve(mails.len());
    }

    pub(crate) fn take_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Answer(outcome) => self.settle(outcome),
            Mail::Frame { bytes, message, .. } => self.outgoing.push_message(bytes, message),
            Mail::Event(recorded) => {
                self.feed(Input::Event(&recorded));
                if let Event::Posted { message } = &recorded.event {
                    self.outgoing.note_delivered(message.id);
                }
            }
        }
    }

    /// Waits for the work on the oldest question.
    pub(crate) fn poll_running(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(running) = &mut self.running else { return Poll::Pending };
        let finished = ready!(running.as_mut().poll(cx));
        self.running = None;
        self.held -= 1;
        let head = match finished {
            Finished::Answer(outcome) => match *outcome {
                Err(refusal) => self.refuse(refusal, HOLD.1),
                answer => Waiting::Settled(Box::new(answer)),
            },
            Finished::Ready(call) => self.submit(*call),
        };
        if let Some(running @ Waiting::Running) = self.waiting.front_mut() {
            *running = head;
        }
        self.release();
        Poll::Ready(())
    }

    /// Answers what can be answered. True: there is more, after others had their turn.
    pub(crate) fn advance(&mut self) -> bool {
        for _ in 0..ANSWERS_AT_ONCE {
            if self.over.is_some() {
                return false;
            }
            match self.waiting.front_mut() {
                None => {
                    if self.waiting.capacity() > UNANSWERED_MAX {
                        self.waiting = VecDeque::new();
                    }
                    return false;
                }
                Some(Waiting::Submitted { .. } | Waiting::Running) => return false,
                Some(Waiting::Settled(_)) => {
                    if let Some(Waiting::Settled(outcome)) = self.waiting.pop_front() {
                        self.answer(&outcome);
                    }
                }
                Some(head) => {
                    let work = std::mem::replace(head, Waiting::Running);
                    self.begin(work);
                }
            }
        }
        true
    }

    fn answer(&mut self, outcome: &Outcome) {
        self.shared.skipped.note(&self.served, outcome);
        self.feed(Input::Answer(outcome));
    }

    /// Begins with the oldest question, which waited for all before it.
    fn begin(&mut self, work: Waiting) {
        match work {
            Waiting::Query(query) if self.shared.is_heavy(&query) => {
                let answer =
                    self.shared.clone().ask_apart(self.served.clone(), self.link.id, query);
                self.running = Some(Box::pin(async { Finished::Answer(Box::new(answer.await)) }));
            }
            Waiting::Query(query) => {
                let outcome =
                    self.shared.ask(&self.served, self.shared.clock.now(), self.link.id, &query);
                self.replace_head(Waiting::Settled(Box::new(outcome)));
            }
            Waiting::Call(call) if needs_passwords(&call.command) => {
                let shared = self.shared.clone();
                self.running = Some(Box::pin(settle(shared, call)));
            }
            Waiting::Call(call) => {
                let submitted = self.submit(*call);
                self.replace_head(submitted);
            }
            Waiting::Settled(_) | Waiting::Submitted { .. } | Waiting::Running => {
                unreachable!("these are not begun")
            }
        }
    }

    fn replace_head(&mut self, head: Waiting) {
        self.held -= 1;
        self.waiting[0] = head;
        self.release();
    }

    /// Submits the calls that only waited for what is no longer held.
    fn release(&mut self) {
        for at in 0..self.waiting.len() {
            match &self.waiting[at] {
                Waiting::Settled(_) | Waiting::Submitted { .. } => (),
                Waiting::Call(call) if !needs_passwords(&call.command) => {
                    let taken = std::mem::replace(&mut self.waiting[at], Waiting::Running);
                    let Waiting::Call(call) = taken else { unreachable!("just seen") };
                    self.waiting[at] = self.submit(*call);
                    self.held -= 1;
                }
                Waiting::Call(_) | Waiting::Query(_) | Waiting::Running => return,
            }
        }
    }

    /// The engine has answered the oldest call it was given.
    fn settle(&mut self, mut outcome: Box<Outcome>) {
        let with_engine = |waiting: &&mut Waiting| matches!(waiting, Waiting::Submitted { .. });
        let Some(waiting) = self.waiting.iter_mut().find(with_engine) else { return };
        if let Waiting::Submitted { token, ack_only } = waiting {
            match *ack_only && outcome.is_ok() {
                true => *outcome = Ok(Reply::Done),
                false => tokens::fill_in(&mut outcome, token.take().map(String::from)),
            }
        }
        *waiting = Waiting::Settled(outcome);
    }

    fn carry_out(&mut self, now: Timestamp, output: Output) {
        match output {
            Output::Submit { command, subscribe, key, ack_only } => {
                let effect = effect(&command, subscribe);
                self.call(Call { command, effect, key, ack_only });
            }
            Output::Query { query } => self.ask(query),
            // A stream session has no request to respond to.
            Output::Respond(_) => (),
            Output::SendBytes(bytes) => self.outgoing.push(self.link.wire.bytes(bytes)),
            Output::SendText(text) => self.outgoing.push(self.link.wire.text(text)),
            Output::SetEventFilter(interest) => self.link.set_event_filter(interest),
            Output::WakeAt(at) => {
                let wait = Duration::from_millis(at.0.saturating_sub(now.0));
                self.alarm = Instant::now().checked_add(wait);
            }
            Output::Close if self.session.has_failed() => self.over = Some(Over::Failed),
            Output::Close => self.over = Some(Over::Closed),
        }
    }

    fn call(&mut self, call: Call) {
        let now_ns = self.shared.clock.steady_ns();
        let admitted = self
            .admit(now_ns)
            .and_then(|()| check_message(&self.served, &mut self.pace, now_ns, &call.command))
            .map_err(|refusal| (refusal, HOLD.1))
            .and_then(|()| {
                self.take_turns(&call.command).map_err(|refusal| (refusal, HOLD_BEHIND))
            });
        let waiting = match admitted {
            Err((refusal, hold_max)) => self.refuse(refusal, hold_max),
            Ok(()) if self.held > 0 || needs_passwords(&call.command) => {
                self.held += 1;
                Waiting::Call(Box::new(call))
            }
            Ok(()) => self.submit(call),
        };
        self.waiting.push_back(waiting);
    }

    fn ask(&mut self, query: Box<Query>) {
        let waiting = match self.admit(self.shared.clock.steady_ns()) {
            Err(refusal) => self.refuse(refusal, HOLD.1),
            Ok(()) => {
                self.held += 1;
                Waiting::Query(query)
            }
        };
        self.waiting.push_back(waiting);
    }

    fn admit(&mut self, now_ns: u64) -> Result<(), Refusal> {
        self.pace.request(now_ns, &self.served.limits).map_err(|retry_after_ms| {
            self.served.counters.refused(Limit::Requests);
            Refusal::SlowDown { retry_after_ms }
        })
    }

    /// Refuses a message of somebody who has others under way, while the engine is behind: what
    /// floods it must not keep those waiting who say something now and then.
    fn take_turns(&self, command: &Command) -> Result<(), Refusal> {
        let posts = matches!(command, Command::Post { .. } | Command::PostDirect { .. });
        let with_engine = |waiting: &Waiting| matches!(waiting, Waiting::Submitted { .. });
        if posts && self.waiting.iter().any(with_engine) && self.shared.is_behind() {
            self.served.counters.refused(Limit::Overloaded);
            return Err(Refusal::SlowDown { retry_after_ms: BEHIND_RETRY_MS });
        }
        Ok(())
    }

    fn submit(&mut self, mut call: Call) -> Waiting {
        match self.try_submit(&mut call) {
            Ok(token) => Waiting::Submitted {
                token: token.map(String::into_boxed_str),
                ack_only: call.ack_only,
            },
            Err(refusal) => self.refuse(refusal, HOLD.1),
        }
    }

    /// Reading from the peer pauses for no longer than `hold_max`, or than it is told to wait.
    fn refuse(&mut self, refusal: Refusal, hold_max: Duration) -> Waiting {
        let told = match refusal {
            Refusal::SlowDown { retry_after_ms } => Some(Duration::from_millis(retry_after_ms)),
            Refusal::Overloaded => Some(hold_max),
            _ => None,
        };
        self.refused = self.refused.max(told.map(|told| told.min(hold_max)));
        Waiting::Settled(Box::new(Err(refusal)))
    }

    fn try_submit(&mut self, call: &mut Call) -> Result<Option<String>, Refusal> {
        let mut command = std::mem::replace(&mut *call.command, Command::Expire);
        let token = tokens::draw(&mut command)?;
        self.tied |= ties(&command) || matches!(call.effect, Effect::Seat | Effect::User);
        let ticket = Ticket::Link { link: self.link.clone(), effect: call.effect };
        self.shared.submit(&self.served, self.link.id, command, call.key.as_deref(), ticket)?;
        Ok(token)
    }
}

/// Everything of a connection ends here, however it came to its end.
impl Drop for Conversation {
    fn drop(&mut self) {
        self.feed(Input::Closed);
        self.link.mailbox.shut();
        self.served.remove(&self.link);
        if self.tied {
            self.shared.hub.gone(self.link.id);
            let command = Command::Disconnect { delivered: self.outgoing.delivered() };
            self.shared.submit_always(&self.served, self.link.id, command, Ticket::Nobody);
        }
    }
}

async fn settle(shared: Arc<Shared>, call: Box<Call>) -> Finished {
    let Call { command, effect, key, ack_only } = *call;
    match settle_passwords(&shared, command).await {
        Ok(command) => Finished::Ready(Box::new(Call { command, effect, key, ack_only })),
        Err(refusal) => Finished::Answer(Box::new(Err(refusal))),
    }
}

fn effect(command: &Command, subscribe: Subscribe) -> Effect {
    match (command, subscribe) {
        (Command::SignOut { .. }, _) => Effect::SignOut,
        (_, Subscribe::Nothing) => Effect::Nothing,
        (_, Subscribe::Seat) => Effect::Seat,
        (_, Subscribe::User) => Effect::User,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use core_model::{
        ConnectionId, Credential, NewUser, PostRight, ProfileChanges, RoomId, RoomRef, Uid, UserRef,
    };
    use frontend_api::{Frontend, Manifest, Peer};

    use super::*;
    use crate::config::{
        AdminConfig, Config, FrontendConfig, Guard, Limits, LogConfig, LogFormat, ServerConfig,
        StoreConfig,
    };
    use crate::runtime::bounds::FIRST_COME_MAX;
    use crate::runtime::fanout::framing::Wire;
    use crate::runtime::fanout::mailbox::{Arrival, Mailbox};
    use crate::runtime::start;

    struct Asking;

    impl Frontend for Asking {
        fn manifest(&self) -> &Manifest {
            unreachable!("nobody listens")
        }

        fn open(&self, _: &Peer) -> Box<dyn Session> {
            Box::new(Self)
        }
    }

    /// Asks at every line, and says that it has its answer.
    impl Session for Asking {
        fn handle(&mut self, _: Timestamp, input: Input<'_>, out: &mut Outbox) {
            match input {
                Input::Text("sign in") => out.submit_and_subscribe(sign_in(), Subscribe::User),
                Input::Text("register") => {
                    out.submit(Command::Register { user: NewUser::default() })
                }
                Input::Text("register briefly") => {
                    out.submit_ack_only(Command::Register { user: NewUser::default() });
                }
                Input::Text("post briefly") => out.submit_ack_only(post()),
                Input::Text("post") => out.submit(post()),
                Input::Text(_) => out.query(Query::LastChange),
                Input::Answer(_) => out.send_text("answer"),
                _ => (),
            }
        }
    }

    fn sign_in() -> Command {
        let identities = vec!["tel/1".to_owned()];
        Command::SignIn {
            user: UserRef::Identity("tel/1".into()),
            credential: Credential::Vouched,
            create: Some(NewUser { identities, ..NewUser::default() }),
            changes: ProfileChanges::default(),
            session: true,
            delivery: None,
            token: None,
            address: None,
        }
    }

    fn post() -> Command {
        let (room, author) = (RoomRef::Id(RoomId(1)), UserRef::Id(Uid(1)));
        Command::Post {
            room,
            author,
            text: "hello".into(),
            standing: PostRight::Seated,
            notice: false,
        }
    }

    fn config(folder: &std::path::Path, limits: Limits) -> Config {
        Config {
            server: ServerConfig {
                drain_timeout: Duration::ZERO,
                log: LogConfig { format: LogFormat::Text, filter: String::new() },
                threads: 1,
                password_threads: 1,
                trusted_proxies: Vec::new(),
                well_known: true,
            },
            store: StoreConfig {
                path: folder.join("store.redb"),
                cache_bytes: 1 << 20,
                queue_max: 4096,
                keep_days: 0,
                keep_messages_per_room: 0,
            },
            admin: AdminConfig { listen: None, api_page: true },
            rooms: Vec::new(),
            frontends: vec![FrontendConfig {
                name: "asking".into(),
                required: false,
                frontend: Arc::new(Asking),
                options: serde_json::Value::Null,
                plugin: None,
                listeners: Vec::new(),
                limits,
                guard: Guard::default(),
                cors_origins: Vec::new(),
                room_capacity: 1,
                auto_join: Vec::new(),
            }],
        }
    }

    /// A conversation with no socket.
    pub(crate) struct Scene {
        pub(crate) shared: Arc<Shared>,
        pub(crate) hub: tokio::task::JoinHandle<()>,
        pub(crate) link: Arc<Link>,
        pub(crate) conversation: Conversation,
        pub(crate) _folder: tempfile::TempDir,
    }

    impl Scene {
        async fn open() -> Self {
            Self::within(Limits { requests_per_s: 0, ..Limits::default() }).await
        }

        pub(crate) async fn within(limits: Limits) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (shared, hub) = start::open(&config(folder.path(), limits)).await.unwrap();
            let served = shared.roster().frontends[0].clone();
            let mailbox = Mailbox::new(10, 1000);
            let link = Arc::new(Link::new(ConnectionId(1), 0, Wire::Lines, mailbox));
            let session = served.frontend.open(&Peer::default());
            let conversation = Conversation::new(shared.clone(), served, link.clone(), session);
            Self { shared, hub, link, conversation, _folder: folder }
        }
    }

    #[tokio::test]
    async fn a_peer_with_much_unanswered_is_not_read_from() {
        let Scene { shared, hub, mut conversation, .. } = Scene::open().await;
        for _ in 0..UNANSWERED_MAX {
            assert!(conversation.may_read());
            conversation.feed(Input::Text("ask"));
        }
        assert!(!conversation.may_read());
        assert!(conversation.advance(), "others have their turn before all is answered");
        while conversation.advance() {}
        assert!(conversation.may_read() && conversation.is_answered());
        drop(conversation);
        shared.hub.stop();
        hub.await.unwrap();
    }

    #[tokio::test]
    async fn while_the_engine_is_behind_whoever_has_a_message_under_way_is_told_to_slow_down() {
        let Scene { shared, hub, mut conversation, .. } = Scene::open().await;
        let served = shared.roster().frontends[0].clone();
        for _ in 0..=FIRST_COME_MAX {
            shared.submit_always(
                &served,
                ConnectionId(2),
                Command::SignOut { reason: String::new() },
                Ticket::Nobody,
            );
        }
        // The hub has no turn in here: what is committed waits for it, and counts as before.
        while shared.hub.untold() <= FIRST_COME_MAX {
            std::thread::yield_now();
        }
        assert!(shared.is_behind());
        conversation.feed(Input::Text("post"));
        conversation.feed(Input::Text("post"));
        let is_refused = |waiting: &Waiting| match waiting {
            Waiting::Settled(outcome) => matches!(**outcome, Err(Refusal::SlowDown { .. })),
            _ => false,
        };
        assert!(matches!(conversation.waiting[0], Waiting::Submitted { .. }));
        assert!(is_refused(&conversation.waiting[1]));
        drop(conversation);
        shared.hub.stop();
        hub.await.unwrap();
    }

    #[tokio::test]
    async fn of_what_was_called_briefly_only_a_refusal_says_more_than_that_it_is_done() {
        let Scene { shared, hub, link, mut conversation, _folder } = Scene::open().await;
        for line in ["register", "register briefly", "post briefly"] {
            conversation.feed(Input::Text(line));
        }
        let with_engine = |waiting: &Waiting| matches!(waiting, Waiting::Submitted { .. });
        while conversation.waiting.iter().any(with_engine) {
            let arrival = std::future::poll_fn(|cx| link.mailbox.poll(cx, true)).await;
            let Arrival::Mail { mails, .. } = arrival else { panic!("an ending") };
            mails.into_iter().for_each(|mail| conversation.take_mail(mail));
        }
        let answers: Vec<&Outcome> = (conversation.waiting.iter())
            .map(|waiting| match waiting {
                Waiting::Settled(outcome) => &**outcome,
                _ => panic!("not settled"),
            })
            .collect();
        assert!(
            matches!(answers[..], [Ok(Reply::Registered { .. }), Ok(Reply::Done), Err(_)]),
            "{answers:?}"
        );
        drop(conversation);
        shared.hub.stop();
        hub.await.unwrap();
    }

    #[tokio::test]
    async fn the_hub_holds_nothing_of_a_conversation_that_is_over() {
        let Scene { shared, hub, link, mut conversation, _folder } = Scene::open().await;
        conversation.feed(Input::Text("sign in"));
        let answered = std::future::poll_fn(|cx| link.mailbox.poll(cx, true)).await;
        assert!(matches!(answered, Arrival::Mail { .. }));
        assert!(Arc::strong_count(&link) > 3, "the hub follows");
        drop(conversation);
        // Everything goes through one queue: what is answered after it comes after it.
        let served = &shared.roster().frontends[0];
        shared
            .call(served, ConnectionId(2), Command::SignOut { reason: String::new() }, None)
            .await
            .unwrap();
        assert_eq!(Arc::strong_count(&link), 1);
        shared.hub.stop();
        hub.await.unwrap();
    }
}
