//! A front end without a dialect: tests script what it sends and what it asks the engine.
//!
//! On streams it reads lines (or WebSocket messages) with a verb and an argument, and reports
//! events as lines. Over HTTP the path is the verb and the body is the argument.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use core_model::{Command, Query, Recorded, Timestamp};
use dragoman::config::{
    AdminConfig, ApiKey, AuthConfig, Config, FrontendConfig, Guard, Limits, LogConfig, LogFormat,
    ServerConfig, StoreConfig,
};
use dragoman::runtime::Gateway;
use frontend_api::http::{HttpError, Response};
use frontend_api::schema::Document;
use frontend_api::{
    Acknowledges, Broadcast, Capabilities, EventFilter, Frame, Frontend, Input, Listener, Manifest,
    Outbox, Output, Peer, Route, Session, Subscribe, Support, Transport,
};

pub(super) struct Stage {
    manifest: Manifest,
}

impl Stage {
    fn new() -> Self {
        let listener = |key: &str, transport, paths: &[&str]| Listener {
            key: key.into(),
            transport,
            address: None,
            routes: paths
                .iter()
                .map(|path| Route {
                    path: (*path).into(),
                    methods: vec!["POST".into()],
                    ..Route::default()
                })
                .collect(),
        };
        let none = Support::Absent;
        Self {
            manifest: Manifest {
                dialect: "stage".into(),
                title: "what tests say".into(),
                version: "0".into(),
                listeners: vec![
                    listener("http", Transport::Http, &["/call", "/ask", "/peer"]),
                    listener("ws", Transport::WebSocket, &[]),
                    listener("tcp", Transport::Tcp, &[]),
                    listener("lines", Transport::TcpLines, &[]),
                ],
                upstreams: Vec::new(),
                acknowledges: Acknowledges::default(),
                capabilities: Capabilities {
                    post: none,
                    receive_push: none,
                    receive_poll: none,
                    direct_messages: none,
                    presence: none,
                    history: none,
                    search: none,
                    credentials: none,
                },
                fidelity: None,
                hint: "nc {lines}".into(),
                options: serde_json::Value::Null,
            },
        }
    }
}

impl Frontend for Stage {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        Box::new(Player { peer: peer.clone(), unanswered: 0 })
    }

    fn schemas(&self) -> Vec<Document> {
        vec![Document {
            name: "schema.json".into(),
            media_type: "application/schema+json".into(),
            text: "{}\n".into(),
        }]
    }

    fn broadcast(&self, event: &Recorded) -> Broadcast {
        let text = serde_json::to_string(&event.event).unwrap();
        match &event.event {
            core_model::Event::Posted { message } if message.text == "panic" => panic!("as told"),
            core_model::Event::Posted { message } if message.text == "nothing" => {
                Broadcast::Nothing
            }
            core_model::Event::Posted { message }
                if ["ask", "unseen", "fail"].contains(&message.text.as_str()) =>
            {
                Broadcast::PerSession
            }
            core_model::Event::Posted { message } if message.text == "others" => {
                Broadcast::Others(Frame::Text(format!("* {text}")))
            }
            _ => Broadcast::Everyone(Frame::Text(format!("* {text}"))),
        }
    }

    fn fault(&self, fault: &HttpError) -> Response {
        Response::text(fault.status, &format!("stage: {}", fault.reason))
    }
}

/// Whether an event is a message with this text.
fn says(recorded: &Recorded, text: &str) -> bool {
    matches!(&recorded.event, core_model::Event::Posted { message } if message.text == text)
}

struct Player {
    peer: Peer,
    unanswered: u32,
}

impl Session for Player {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Opened | Input::Closed => (),
            Input::Request(request) if request.path == "/peer" => {
                out.respond(Response::json(200, &self.peer));
            }
            Input::Request(request) => {
                let body = std::str::from_utf8(&request.body).expect("tests send UTF-8");
                self.act(now, request.path.trim_start_matches('/'), body, out);
                if self.unanswered == 0 {
                    out.respond(Response::json(200, request));
                }
            }
            Input::Bytes(bytes) => out.send_bytes(bytes),
            Input::Text(text) => {
                let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
                self.act(now, verb, rest, out);
            }
            Input::Binary(bytes) => out.send_text(format!("binary {bytes:?}")),
            Input::Answer(outcome) => {
                let text = match outcome {
                    Ok(reply) => format!("= {}", serde_json::to_string(reply).unwrap()),
                    Err(refusal) => format!("! {}", serde_json::to_string(refusal).unwrap()),
                };
                match self.peer.listener.as_str() {
                    "http" => out.respond(Response::text(200, &text)),
                    _ => out.send_text(text),
                }
            }
            Input::Event(recorded) if says(recorded, "fail") => panic!("as told"),
            Input::Event(recorded) if says(recorded, "unseen") => (),
            Input::Event(recorded) => {
                let text = serde_json::to_string(&recorded.event).unwrap();
                out.send_text(format!("? {text}"));
            }
            Input::Woken => out.send_text("woken"),
            Input::Ending(ending) => {
                out.send_text(format!("bye {}", serde_json::to_string(&ending).unwrap()));
            }
        }
    }
}

impl Player {
    fn act(&mut self, now: Timestamp, verb: &str, rest: &str, out: &mut Outbox) {
        let mut call = |subscribe| {
            let command: Command = serde_json::from_str(rest).expect("a command as JSON");
            out.push(Output::Submit {
                command: Box::new(command),
                subscribe,
                key: None,
                ack_only: false,
            });
            self.unanswered += 1;
        };
        match verb {
            "call" => call(Subscribe::Nothing),
            "seat" => call(Subscribe::Seat),
            "user" => call(Subscribe::User),
            "ask" => {
                let query: Query = serde_json::from_str(rest).expect("a query as JSON");
                out.query(query);
                self.unanswered += 1;
            }
            "interest" => {
                let interest: EventFilter =
                    serde_json::from_str(rest).expect("an interest as JSON");
                out.set_event_filter(interest);
            }
            "wake" => out.wake_at(now.plus_ms(rest.parse().expect("milliseconds"))),
            "peer" => out.send_text(serde_json::to_string(&self.peer).unwrap()),
            "say" => out.send_text(rest),
            "panic" => panic!("as told"),
            "close" => {
                out.send_text("closing");
                out.close();
            }
            _ => (),
        }
    }
}

pub(super) fn api_key(key: &str) -> ApiKey {
    ApiKey { name: "app".into(), key: key.into() }
}

/// A front end called `stage` on its own ports, with very high limits.
pub(super) fn frontend() -> FrontendConfig {
    let frontend = Stage::new();
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners = frontend.manifest.listeners.iter().cloned();
    FrontendConfig {
        name: "stage".into(),
        required: false,
        listeners: listeners.map(|listener| (listener, anywhere.into())).collect(),
        frontend: Arc::new(frontend),
        options: serde_json::Value::Null,
        plugin: None,
        upstreams: Vec::new(),
        limits: Limits {
            requests_per_s: 0,
            messages_per_s: 0,
            bytes_per_s: 0,
            ping_interval: Duration::ZERO,
            ..Limits::default()
        },
        guard: Guard::default(),
        hosts: Vec::new(),
        cors_origins: Vec::new(),
        room_capacity: 500,
        auto_join: Vec::new(),
    }
}

/// A gateway with these front ends and its store in `folder`.
pub(super) fn config(folder: &Path, frontends: Vec<FrontendConfig>) -> Config {
    Config {
        webhooks: Vec::new(),
        server: ServerConfig {
            drain_timeout: Duration::from_secs(20),
            log: LogConfig { format: LogFormat::Text, filter: "info".into() },
            threads: 2,
            password_threads: 1,
            trusted_proxies: Default::default(),
            well_known: true,
            on_store_failure: Default::default(),
            unread: Default::default(),
        },
        store: StoreConfig {
            path: folder.join("new/store.redb"),
            cache_bytes: 16 << 20,
            queue_max: 16_384,
            keep_days: 0,
            keep_messages_per_room: 0,
            free_space_min: 0,
            search: false,
            backup: None,
        },
        cluster: None,
        admin: AdminConfig {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0)).into()),
            tls_listen: None,
            api_page: true,
            console: false,
            trace: 0,
            playground: false,
            hosts: Vec::new(),
        },
        auth: AuthConfig::default(),
        rooms: vec![core_model::NewRoom {
            name: Some("tea".into()),
            insist: true,
            ..core_model::NewRoom::default()
        }],
        frontends,
    }
}

/// A gateway with one front end, configured by `change`; its store is deleted with it.
pub(super) struct Stagecraft {
    pub(super) gateway: Gateway,
    pub(super) folder: tempfile::TempDir,
}

impl Stagecraft {
    pub(super) async fn start(change: impl FnOnce(&mut FrontendConfig)) -> Self {
        Self::start_all(|config| change(&mut config.frontends[0])).await
    }

    pub(super) async fn start_all(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path(), vec![frontend()]);
        change(&mut config);
        Self { gateway: Gateway::start(config).await.unwrap(), folder }
    }

    pub(super) fn address(&self, listener: &str) -> SocketAddr {
        self.gateway.address("stage", listener).expect("it listens")
    }
}
