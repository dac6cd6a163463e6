use core_engine::Engine;
use core_model::{
    Command, ConnectionId, Credential, Delivery, NewUser, PostRight, ProfileChanges, Query, RoomId,
    RoomRef, Secret, Uid, UserRef,
};
use frontend_api::{Frontend, Manifest, Peer, Session, Subscribe};
use gateway_fanout::{Fanout, Hub, MailboxPoll};

use super::*;
use crate::config::{
    AdminConfig, AuthConfig, Config, FrontendConfig, Guard, Limits, LogConfig, LogFormat,
    ServerConfig, StoreConfig,
};
use crate::runtime::metrics::{GatewayMetrics, SignInResult};
use crate::runtime::session::admission::settle_passwords;
use crate::runtime::session::recent::RecentMessages;
use crate::runtime::session::services::{BACKLOG_COMMANDS_MAX, CommandSource};

mod long_work;

/// The manifest of a front end without listeners.
pub(crate) fn no_listeners() -> &'static Manifest {
    static MANIFEST: std::sync::LazyLock<Manifest> = std::sync::LazyLock::new(|| {
        let (dialect, listeners) = ("asking", serde_json::json!([]));
        let manifest = serde_json::json!({
            "dialect": dialect, "title": "", "version": "0", "listeners": listeners,
        });
        serde_json::from_value(manifest).expect("it is a manifest")
    });
    &MANIFEST
}

struct Asking;

impl Frontend for Asking {
    fn manifest(&self) -> &Manifest {
        no_listeners()
    }

    fn open(&self, _: &Peer) -> Box<dyn Session> {
        Box::new(Self)
    }
}

/// Submits or queries at every line, and reports each answer.
impl Session for Asking {
    fn handle(&mut self, _: Timestamp, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Text("sign in") => out.submit_and_subscribe(sign_in(), Subscribe::User),
            Input::Text("register") => out.submit(Command::Register { user: NewUser::default() }),
            Input::Text("register ack only") => {
                out.submit_ack_only(Command::Register { user: NewUser::default() });
            }
            Input::Text("post ack only") => out.submit_ack_only(post()),
            Input::Text("post") => out.submit(post()),
            Input::Text("ask") => out.query(Query::History {
                room: RoomRef::Id(RoomId(1)),
                caller: None,
                before: None,
                after: None,
                limit: 1,
            }),
            Input::Text(_) => out.query(Query::LastChange),
            Input::Answer(_) => out.send_text("answer"),
            _ => (),
        }
    }
}

pub(crate) fn sign_in() -> Command {
    let identities = vec!["tel/1".to_owned()];
    Command::SignIn {
        user: UserRef::Identity("tel/1".into()),
        credential: Credential::Vouched,
        create: Some(NewUser { identities, ..NewUser::default() }),
        changes: ProfileChanges::default(),
        session: true,
        delivery: Some(Delivery { backlog_max: 10, ..Delivery::default() }),
        token: None,
        address: None,
    }
}

fn post() -> Command {
    let (room, author) = (RoomRef::Id(RoomId(1)), UserRef::Id(Uid(1)));
    Command::Post { room, author, text: "hello".into(), standing: PostRight::Seated, notice: false }
}

pub(crate) fn config(folder: &std::path::Path, limits: Limits) -> Config {
    Config {
        server: ServerConfig {
            drain_timeout: Duration::ZERO,
            log: LogConfig { format: LogFormat::Text, filter: String::new() },
            threads: 1,
            password_threads: 1,
            trusted_proxies: Default::default(),
            well_known: true,
            on_store_failure: Default::default(),
            unread: Default::default(),
        },
        store: StoreConfig {
            path: folder.join("store.redb"),
            cache_bytes: 1 << 20,
            queue_max: 4096,
            keep_days: 0,
            keep_messages_per_room: 0,
            free_space_min: 0,
            search: false,
            backup: None,
        },
        cluster: None,
        admin: AdminConfig {
            listen: None,
            tls_listen: None,
            api_page: true,
            console: false,
            trace: 0,
            playground: false,
            hosts: Vec::new(),
        },
        auth: AuthConfig::default(),
        rooms: Vec::new(),
        webhooks: Vec::new(),
        frontends: vec![FrontendConfig {
            name: "asking".into(),
            required: false,
            frontend: Arc::new(Asking),
            options: serde_json::Value::Null,
            plugin: None,
            listeners: Vec::new(),
            upstreams: Vec::new(),
            limits,
            guard: Guard::default(),
            cors_origins: Vec::new(),
            hosts: Vec::new(),
            room_capacity: 1,
            auto_join: Vec::new(),
        }],
    }
}

/// A stream session without a socket.
pub(crate) struct Scene {
    pub(crate) services: Arc<Services>,
    pub(crate) hub: tokio::task::JoinHandle<()>,
    pub(crate) handle: Arc<ConnectionHandle>,
    pub(crate) session: StreamSession,
    pub(crate) _folder: tempfile::TempDir,
}

impl Scene {
    async fn open() -> Self {
        Self::within(Limits { requests_per_s: 0, ..Limits::default() }).await
    }

    pub(crate) async fn within(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), limits);
        let hub = Arc::<Hub>::default();
        let frontend = Arc::new(FrontendHandle::new(0, &config.frontends[0], None));
        hub.add_frontend(0, Arc::new(frontend.frontend.clone()));
        let options = core_engine::Options { queue_max: 4096, cache_bytes: 1 << 20 };
        let publish = hub.clone();
        let engine = Engine::open(&config.store.path, options, move |batch| publish.publish(batch));
        let metrics = Arc::<GatewayMetrics>::default();
        let task = hub.clone().run(Fanout::new(metrics.fanout.clone()));
        let engine = Arc::new(engine.unwrap());
        let clock = Arc::new(crate::runtime::clock::Clock::start());
        let recent = Arc::new(RecentMessages::new(clock.clone(), 0));
        let services = Arc::new(Services::new(
            engine,
            hub,
            metrics,
            Default::default(),
            clock,
            recent,
            &config,
        ));
        let driver = SessionDriver::open(
            services.clone(),
            frontend,
            &Peer::default(),
            std::net::Ipv4Addr::LOCALHOST.into(),
        )
        .unwrap();
        let session = StreamSession::new(driver, Framing::Lines);
        let handle = session.handle.clone();
        Self { services, hub: task, handle, session, _folder: folder }
    }
}

/// Submits a command of another connection.
async fn submit(services: &Services, frontend: &FrontendHandle, command: Command) -> Outcome {
    let source = CommandSource { connection: ConnectionId(2), network: None };
    services.submit_and_wait(frontend, source, command, None).await
}

async fn end(services: &Services, hub: tokio::task::JoinHandle<()>) {
    services.hub.stop();
    hub.await.unwrap();
}

#[tokio::test]
async fn a_peer_with_much_unanswered_is_not_read_from() {
    let Scene { services, hub, mut session, _folder, .. } = Scene::open().await;
    for _ in 0..UNANSWERED_MAX {
        assert!(session.may_read());
        session.feed(Input::Text("ask"));
    }
    assert!(!session.may_read());
    assert!(session.advance(), "others have their turn before all is answered");
    while session.advance() {}
    assert!(session.may_read() && session.is_answered());
    drop(session);
    end(&services, hub).await;
}

#[tokio::test]
async fn waiting_for_a_turn_does_not_count_against_the_rate_of_requests() {
    let limits = Limits { requests_per_s: 1, requests_burst: 1, ..Limits::default() };
    let Scene { services, hub, mut session, _folder, .. } = Scene::within(limits).await;
    let is_refused = |pending: &Pending| matches!(pending, Pending::Decided(_));
    for _ in 0..3 {
        session.feed(Input::Text("turn"));
    }
    session.feed(Input::Text("post"));
    assert!(!session.pending.iter().any(is_refused));
    session.feed(Input::Text("post"));
    assert!(session.pending.back().is_some_and(is_refused));
    drop(session);
    end(&services, hub).await;
}

#[tokio::test]
async fn the_bytes_of_an_address_are_counted_over_its_connections() {
    // A little more than one message of five bytes.
    let limits = Limits { bytes_per_s: 600, messages_per_s: 0, ..Limits::default() };
    let Scene { services, hub, session, _folder, .. } = Scene::within(limits).await;
    let frontend = session.driver.frontend.clone();
    let is_refused = |address: [u8; 4]| {
        let (services, frontend) = (services.clone(), frontend.clone());
        let driver =
            SessionDriver::open(services, frontend, &Peer::default(), address.into()).unwrap();
        let mut session = StreamSession::new(driver, Framing::Lines);
        session.feed(Input::Text("post"));
        matches!(session.pending.back(), Some(Pending::Decided(_)))
    };
    assert!(!is_refused([10, 0, 0, 1]));
    assert!(is_refused([10, 0, 0, 1]), "another connection of the address");
    assert!(!is_refused([10, 0, 0, 2]));
    drop(session);
    services.hub.stop();
    hub.await.unwrap();
}

#[tokio::test]
async fn while_the_engine_is_behind_a_peer_with_an_unanswered_post_must_slow_down() {
    let Scene { services, hub, mut session, _folder, .. } = Scene::open().await;
    let frontend = session.driver.frontend.clone();
    for _ in 0..=BACKLOG_COMMANDS_MAX {
        services.submit_always(
            &frontend,
            ConnectionId(2),
            Command::SignOut { reason: String::new() },
            Ticket::Discard,
        );
    }
    // The hub task does not run here: committed batches wait for it, and count.
    while services.hub.undelivered() <= BACKLOG_COMMANDS_MAX {
        std::thread::yield_now();
    }
    assert!(services.is_behind());
    session.feed(Input::Text("post"));
    session.feed(Input::Text("post"));
    let is_refused = |pending: &Pending| match pending {
        Pending::Decided(outcome) => matches!(**outcome, Err(Refusal::SlowDown { .. })),
        _ => false,
    };
    assert!(matches!(session.pending[0], Pending::Submitted { .. }));
    assert!(is_refused(&session.pending[1]));
    drop(session);
    end(&services, hub).await;
}

#[tokio::test]
async fn an_ack_only_command_is_answered_done_or_refused() {
    let Scene { services, hub, handle, mut session, _folder } = Scene::open().await;
    for line in ["register", "register ack only", "post ack only"] {
        session.feed(Input::Text(line));
    }
    while session.pending.iter().any(Pending::is_submitted) {
        let poll = std::future::poll_fn(|cx| handle.mailbox.poll(cx, true)).await;
        let MailboxPoll::Items { items, .. } = poll else { panic!("an ending") };
        items.into_iter().for_each(|item| session.take_item(item));
    }
    let answers: Vec<&Outcome> = (session.pending.iter())
        .map(|pending| match pending {
            Pending::Answered(outcome, _) => &**outcome,
            _ => panic!("not settled"),
        })
        .collect();
    assert!(
        matches!(answers[..], [Ok(Reply::Registered { .. }), Ok(Reply::Done), Err(_)]),
        "{answers:?}"
    );
    drop(session);
    end(&services, hub).await;
}

#[tokio::test]
async fn the_hub_keeps_nothing_of_a_session_that_ended() {
    let Scene { services, hub, handle, mut session, _folder } = Scene::open().await;
    session.feed(Input::Text("sign in"));
    let answered = std::future::poll_fn(|cx| handle.mailbox.poll(cx, true)).await;
    assert!(matches!(answered, MailboxPoll::Items { .. }));
    assert!(Arc::strong_count(&handle) > 3, "the hub subscribes it");
    let frontend = session.driver.frontend.clone();
    drop(session);
    // All goes through one queue: a later answer comes after it.
    let signed_out = submit(&services, &frontend, Command::SignOut { reason: String::new() }).await;
    signed_out.unwrap();
    assert_eq!(Arc::strong_count(&handle), 1);
    end(&services, hub).await;
}

#[tokio::test]
async fn guessing_a_password_is_slowed_down_counted_and_bounded_in_length() {
    let Scene { services, hub, session, _folder, .. } = Scene::open().await;
    let frontend = session.driver.frontend.clone();
    let register = NewUser {
        handle: Some("ann".into()),
        password: Some(Secret::Plain("tea".into())),
        ..NewUser::default()
    };
    let address = "10.0.0.1".parse().unwrap();
    let settled = async |command| {
        settle_passwords(&services, &frontend, address, Box::new(command), None)
            .await
            .map(|done| *done)
    };
    let register = settled(Command::Register { user: register }).await.unwrap();
    submit(&services, &frontend, register).await.unwrap();
    let sign_in = |password: &str| match sign_in() {
        Command::SignIn { changes, .. } => Command::SignIn {
            user: UserRef::Handle("ann".into()),
            credential: Credential::Password(password.into()),
            create: None,
            changes,
            session: true,
            delivery: None,
            token: None,
            address: None,
        },
        _ => unreachable!("it is a sign-in"),
    };
    assert!(settled(sign_in("tea")).await.is_ok());
    for wrong in 0..10 {
        let password = if wrong == 0 { "x".repeat(1025) } else { wrong.to_string() };
        assert_eq!(settled(sign_in(&password)).await, Err(Refusal::WrongPassword));
    }
    let refused = settled(sign_in("tea")).await;
    assert!(matches!(refused, Err(Refusal::SlowDown { retry_after_ms: 1..=5_000 })), "{refused:?}");
    let counted = SignInResult::ALL.map(|(result, _)| frontend.metrics.sign_ins(result));
    assert_eq!(counted, [1, 10, 0, 1, 0, 0]);
    drop(session);
    end(&services, hub).await;
}

#[tokio::test]
async fn what_the_host_answers_waits_for_the_events_of_earlier_commands() {
    let Scene { services, hub, handle, mut session, _folder } = Scene::open().await;
    session.feed(Input::Text("post"));
    session.feed(Input::Text("query"));
    let outcome = Box::new(Ok(Reply::Done));
    session.take_item(MailboxItem::Answer { outcome, has_events: true });
    assert!(!session.advance());
    assert_eq!(session.pending.len(), 1, "the post is answered and the query is not");
    while !session.is_answered() {
        let poll = std::future::poll_fn(|cx| handle.mailbox.poll(cx, true)).await;
        let MailboxPoll::Items { items, .. } = poll else { panic!("an ending") };
        for item in items {
            // The engine's own answer comes before the fence or after it. The post has one already.
            if matches!(item, MailboxItem::Answer { .. }) {
                continue;
            }
            let is_due = session.is_answered() || matches!(item, MailboxItem::Fence);
            session.take_item(item);
            session.advance();
            assert_eq!(session.is_answered(), is_due, "from the fence on");
        }
    }
    session.feed(Input::Text("query"));
    session.advance();
    assert!(session.is_answered(), "there is nothing to wait for");
    drop(session);
    end(&services, hub).await;
}

#[tokio::test]
async fn what_the_host_answers_goes_before_the_events_of_later_commands() {
    let Scene { services, hub, mut session, _folder, .. } = Scene::open().await;
    session.feed(Input::Text("post"));
    session.pending.push_back(Pending::Decided(Box::new(Err(Refusal::Overloaded))));
    session.feed(Input::Text("post"));
    let answer = || MailboxItem::Answer { outcome: Box::new(Ok(Reply::Done)), has_events: true };
    session.take_item(answer());
    assert!(!session.advance());
    assert_eq!(session.pending.len(), 2, "the refusal waits for the events of the first post");
    session.take_item(answer());
    assert_eq!(session.pending.len(), 1, "the events of the second post come next");
    drop(session);
    end(&services, hub).await;
}

#[tokio::test]
async fn a_user_name_is_not_remembered_whole() {
    let Scene { services, hub, session, _folder, .. } = Scene::open().await;
    let Command::SignIn { changes, .. } = sign_in() else { unreachable!("it is a sign-in") };
    let sign_in = Command::SignIn {
        user: UserRef::Handle("x".repeat(1 << 20)),
        credential: Credential::Password("?".into()),
        create: None,
        changes,
        session: true,
        delivery: None,
        token: None,
        address: None,
    };
    let address = "10.0.0.1".parse().unwrap();
    let frontend = &session.driver.frontend;
    let settled = settle_passwords(&services, frontend, address, Box::new(sign_in), None).await;
    assert_eq!(settled, Err(Refusal::UnknownUser));
    assert_eq!(services.sign_in_guard.accounts(), [64], "bytes of each");
    drop(session);
    end(&services, hub).await;
}

#[tokio::test]
async fn a_password_has_the_same_hash_at_a_retry_only() {
    let Scene { services, hub, session, _folder, .. } = Scene::open().await;
    let frontend = &session.driver.frontend;
    let address = "10.0.0.1".parse().unwrap();
    let settled = async |name: &str, password: &str, key| {
        let (handle, password) = (Some(name.into()), Some(Secret::Plain(password.into())));
        let user = NewUser { handle, password, ..NewUser::default() };
        let register = Box::new(Command::Register { user });
        settle_passwords(&services, frontend, address, register, key).await.unwrap()
    };
    let first = settled("ann", "tea", Some("k")).await;
    assert_eq!(settled("ann", "tea", Some("k")).await, first);
    for (name, password, key) in
        [("ann", "ale", Some("k")), ("bob", "tea", Some("k")), ("ann", "tea", Some("l"))]
    {
        let Command::Register { user } = *settled(name, password, key).await else { panic!() };
        let Command::Register { user: former } = &*first else { panic!() };
        assert_ne!(user.password, former.password, "{name} {key:?}");
    }
    assert_ne!(settled("ann", "tea", None).await, settled("ann", "tea", None).await);
    drop(session);
    end(&services, hub).await;
}
