//! Connections over real sockets; the tests tick.

use core_model::{Command, Event, Recorded, Timestamp, UserRef};
use frontend_api::{Broadcast, Frame, Frontend, Input, Manifest, Outbox, Peer, Session, Subscribe};
use gateway_fanout::{DeliveryOutcome, Framing, RoomClass, Source};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, yield_now};

use super::*;
use crate::config::Limits;
use crate::runtime::net::connection;
use crate::runtime::net::tcp::Lines;
use crate::runtime::session::driver::SessionDriver;
use crate::runtime::session::stream::tests::{config, no_listeners, sign_in};
use crate::runtime::session::stream::{LOST_FRAME, StreamSession};
use crate::runtime::start;

/// Its users write to themselves.
struct Echo;

impl Frontend for Echo {
    fn manifest(&self) -> &Manifest {
        no_listeners()
    }

    fn open(&self, _: &Peer) -> Box<dyn Session> {
        Box::new(Self)
    }

    fn broadcast(&self, recorded: &Recorded) -> Broadcast {
        match &recorded.event {
            Event::Posted { message } => Broadcast::Everyone(Frame::Text(message.text.clone())),
            _ => Broadcast::Nothing,
        }
    }
}

impl Session for Echo {
    fn handle(&mut self, _: Timestamp, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Text("sign in") => {
                let mut command = sign_in();
                if let Command::SignIn { delivery, .. } = &mut command {
                    // Nothing is acknowledged: a delivery is done when it is written.
                    *delivery = None;
                }
                out.submit_and_subscribe(command, Subscribe::User);
            }
            Input::Text(text) => out.submit(Command::PostDirect {
                author: UserRef::Session,
                to: UserRef::Session,
                text: text.into(),
                allow_self: true,
                notice: false,
            }),
            Input::Answer(_) => out.send_text("answer"),
            _ => (),
        }
    }
}

struct Scene {
    state: Arc<GatewayState>,
    hub: JoinHandle<()>,
    reconciler: Reconciler,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path(), Limits::default());
        config.frontends[0].frontend = Arc::new(Echo);
        let (state, hub) = start::open(&config).await.unwrap();
        start::prepare(&state.services, &config).await.unwrap();
        Self { state, hub, reconciler: Reconciler::default(), _folder: folder }
    }

    /// A client that has signed in, and the task of its connection.
    async fn client(&self) -> (BufReader<TcpStream>, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let frontend = self.state.registry().frontends[0].clone();
        let permit = frontend.connections.admit(None, &frontend.limits).unwrap();
        let services = self.state.services.clone();
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let driver = SessionDriver::open_stream(services, frontend, Peer::default(), address);
        let session = StreamSession::new(driver.unwrap(), Framing::Lines);
        let reservation = session.services().memory_budget.reservation(None);
        let socket = Lines::new(stream.into(), 100, reservation);
        let task = tokio::spawn(connection::run(permit, socket, session));
        let mut client = BufReader::new(client);
        assert_eq!(ask(&mut client, "sign in", 1).await, ["answer"]);
        (client, task)
    }

    fn ledger(&self) -> Arc<gateway_fanout::Ledger> {
        self.state.registry().frontends[0].metrics.ledger.clone()
    }

    /// The mismatch after one more tick.
    fn tick(&mut self) -> i64 {
        self.reconciler.tick(&self.state.registry(), true);
        self.ledger().mismatch()
    }

    async fn end(self) {
        self.state.services.hub.stop();
        self.hub.await.unwrap();
    }
}

/// Sends a line, and reads so many.
async fn ask(client: &mut BufReader<TcpStream>, line: &str, answers: usize) -> Vec<String> {
    client.get_mut().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    let mut lines = Vec::new();
    for _ in 0..answers {
        let mut line = String::new();
        client.read_line(&mut line).await.unwrap();
        lines.push(line.trim_end().to_owned());
    }
    lines
}

#[tokio::test]
async fn a_delivery_that_a_connection_loses_is_reported_at_the_next_tick_and_for_good() {
    let mut scene = Scene::open().await;
    let (mut client, task) = scene.client().await;
    assert_eq!(ask(&mut client, "one", 2).await, ["answer", "one"]);
    assert_eq!(scene.tick(), 0);
    let lost = std::str::from_utf8(LOST_FRAME).unwrap().trim_end();
    assert_eq!(ask(&mut client, lost, 1).await, ["answer"]);
    assert_eq!(ask(&mut client, "two", 2).await, ["answer", "two"]);
    assert_eq!(scene.tick(), 1);
    assert_eq!(ask(&mut client, "three", 2).await, ["answer", "three"]);
    assert_eq!(scene.tick(), 1, "whatever else is delivered");
    drop(client);
    task.await.unwrap();
    for _ in 0..3 {
        assert_eq!(scene.tick(), 1, "the connection is gone, and so is the delivery");
    }
    let ledger = scene.ledger();
    let written = ledger.outcome(DeliveryOutcome::Written, RoomClass::Direct);
    assert_eq!((ledger.owed(Source::Live, RoomClass::Direct), written), (4, 3));
    scene.end().await;
}

#[tokio::test]
async fn a_lost_delivery_is_reported_within_a_second() {
    let scene = Scene::open().await;
    let (mut client, _task) = scene.client().await;
    let lost = std::str::from_utf8(LOST_FRAME).unwrap().trim_end();
    assert_eq!(ask(&mut client, lost, 1).await, ["answer"]);
    // Whatever comes after it was delivered after it was lost.
    assert_eq!(ask(&mut client, "one", 2).await, ["answer", "one"]);
    tokio::time::pause();
    let reconciling = tokio::spawn(run(scene.state.clone()));
    // It begins to wait.
    for _ in 0..10 {
        yield_now().await;
    }
    assert_eq!(scene.ledger().mismatch(), 0);
    // Timers are rounded up to a millisecond.
    tokio::time::advance(PERIOD + Duration::from_millis(1)).await;
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(scene.ledger().mismatch(), 1);
    reconciling.abort();
    tokio::time::resume();
    scene.end().await;
}

#[tokio::test]
async fn what_is_under_way_is_no_mismatch() {
    let mut scene = Scene::open().await;
    let (mut client, task) = scene.client().await;
    client.get_mut().write_all(b"one\ntwo\nthree\n").await.unwrap();
    while scene.ledger().totals() != (3, 3) {
        assert_eq!(scene.tick(), 0);
        yield_now().await;
    }
    drop(client);
    task.await.unwrap();
    assert_eq!((scene.tick(), scene.tick()), (0, 0));
    scene.end().await;
}

#[tokio::test]
async fn a_difference_of_the_sums_counts_when_nothing_has_moved_since_the_last_tick() {
    let mut scene = Scene::open().await;
    let ledger = scene.ledger();
    let one = gateway_fanout::Tally::new(RoomClass::Public, 1);
    ledger.owe(Source::Live, one);
    assert_eq!(scene.tick(), 0, "it may be under way");
    ledger.owe(Source::Live, one);
    ledger.settle(DeliveryOutcome::Written, one);
    assert_eq!(scene.tick(), 0, "something has moved");
    scene.reconciler.tick(&scene.state.registry(), false);
    assert_eq!(ledger.mismatch(), 0, "the hub delivers");
    assert_eq!(scene.tick(), 1);
    ledger.settle(DeliveryOutcome::Written, one);
    assert_eq!(scene.tick(), 1, "not yet known to be right");
    assert_eq!(scene.tick(), 0);
    scene.end().await;
}
