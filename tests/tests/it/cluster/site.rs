//! Three servers of NATS and three gateways, each gateway with a proxy of its own before each server.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use core_cluster::{Cluster, LogInfo, Position, Settings};
use gateway_tests::{Gateway, Http, Launch, PATIENCE};
use tokio::runtime::Runtime;

use super::proxy::Proxy;
use super::server::Server;

/// What every gateway serves.
const FRONTENDS: &str = "
    [[rooms]]
    name = \"TEST\"
    capacity = 1000

    [frontends.channel]
    requests_per_s = 0
    messages_per_s = 0
    [frontends.chatroom]
    requests_per_s = 0
    messages_per_s = 0
    [frontends.irc]
    requests_per_s = 0
    messages_per_s = 0
    [frontends.usr_room]
    requests_per_s = 0
";

pub(super) struct Site {
    pub(super) servers: [Server; 3],
    /// Those of each gateway.
    proxies: Vec<Vec<Proxy>>,
    pub(super) gateways: Vec<Gateway>,
    runtime: Runtime,
    observer: Cluster,
}

impl Site {
    /// All of them, with an empty log. `keys` are further ones of `[cluster]` of a gateway.
    pub(super) fn start(program: &Path, keys: fn(usize) -> &'static str) -> Self {
        let servers = Server::three(program);
        let runtime = Runtime::new().expect("there are threads");
        let mut settings = Settings::new("test", servers.iter().map(Server::url).collect());
        settings.log_bytes_max = 256 << 20;
        let (observer, log) = runtime.block_on(async {
            let observer = Cluster::connect(settings).await.expect("the servers run");
            let log = observer.init(Position(0)).await.expect("there is no log yet");
            (observer, log)
        });
        let number = u64::from_str_radix(log.id.as_str(), 16).expect("hexadecimal digits");
        let before = |server: &Server| Proxy::before(server.address());
        let proxies: Vec<Vec<Proxy>> =
            (0..3).map(|_| servers.iter().map(before).collect()).collect();
        let launch = |(node, proxies): (usize, &Vec<Proxy>)| {
            let launch = Launch::of(&toml(node, proxies, keys(node)));
            let store = launch.folder().join("chat.redb");
            core_engine::follow_log(&store, number, 0).expect("the store is new");
            launch.spawn()
        };
        let mut gateways: Vec<Gateway> = proxies.iter().enumerate().map(launch).collect();
        gateways.iter_mut().for_each(wait_until_it_listens);
        Self { servers, proxies, gateways, runtime, observer }
    }

    /// The index of the server that leads the log.
    pub(super) fn leader(&self) -> usize {
        let until = Instant::now() + PATIENCE;
        loop {
            let info = self.runtime.block_on(self.observer.info());
            if let Ok(LogInfo { leader: Some(leader), .. }) = info {
                return self.servers.iter().position(|it| it.name == leader).expect("one of ours");
            }
            assert!(Instant::now() < until, "the log has no leader");
        }
    }

    /// Cuts a gateway off from all servers.
    pub(super) fn cut(&self, gateway: usize) {
        self.proxies[gateway].iter().for_each(Proxy::cut);
    }

    pub(super) fn heal(&self, gateway: usize) {
        self.proxies[gateway].iter().for_each(Proxy::heal);
    }

    /// Starts a gateway again that has ended or is to be killed.
    pub(super) fn restart(&mut self, gateway: usize) {
        self.gateways[gateway].restart();
    }

    pub(super) fn address(&self, gateway: usize, frontend: &str, key: &str) -> SocketAddr {
        self.gateways[gateway].address(frontend, key)
    }

    /// What /readyz says.
    pub(super) fn readiness(&self, gateway: usize) -> (u16, String) {
        let mut admin = Http::connect(self.address(gateway, "admin", "listen"));
        let response = admin.get("/readyz");
        (response.status, response.text().to_owned())
    }

    /// Waits until /readyz has this status.
    #[track_caller]
    pub(super) fn wait_for_readiness(&self, gateway: usize, status: u16) -> Duration {
        let from = Instant::now();
        loop {
            let (found, text) = self.readiness(gateway);
            if found == status {
                return from.elapsed();
            }
            assert!(from.elapsed() < PATIENCE, "gateway {gateway} stays at {found}: {text}");
        }
    }

    /// A metric without labels.
    pub(super) fn metric(&self, gateway: usize, name: &str) -> u64 {
        let mut admin = Http::connect(self.address(gateway, "admin", "listen"));
        let metrics = admin.get("/metrics");
        let text = metrics.text();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("it is a number")
    }
}

fn toml(node: usize, proxies: &[Proxy], keys: &str) -> String {
    let servers: Vec<String> = proxies.iter().map(|proxy| format!("{:?}", proxy.url())).collect();
    let servers = servers.join(", ");
    format!(
        "[cluster]\nname = \"test\"\nnode = \"g{node}\"\nservers = [{servers}]\n{keys}\n{FRONTENDS}"
    )
}

fn wait_until_it_listens(gateway: &mut Gateway) {
    for (frontend, key) in [
        ("admin", "listen"),
        ("channel", "listen"),
        ("chatroom", "listen"),
        ("chatroom", "websocket_listen"),
        ("irc", "listen"),
        ("usr_room", "listen"),
    ] {
        gateway.wait_for_listener(frontend, key);
    }
}
