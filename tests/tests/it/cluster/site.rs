//! Three servers of NATS and three gateways, each gateway with a proxy of its own before each server.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use core_cluster::{Cluster, LogInfo, Settings};
use gateway_tests::{Gateway, Http, Launch, PATIENCE};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::proxy::Proxy;
use super::server::Server;
use crate::backup::run;
use crate::storm::{self, CHANNEL, CHATROOM, IRC, OURCHAT, TOKEN, USR_ROOM};

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
        let settings = Settings::new("test", servers.iter().map(Server::url).collect());
        let connected = runtime.block_on(Cluster::connect(settings));
        let observer = connected.expect("the servers run");
        let (proxies, gateways) = (Vec::new(), Vec::new());
        let mut site = Self { servers, proxies, gateways, runtime, observer };
        for node in 0..3 {
            let launch = site.launch(keys(node));
            let verb: &[&str] = if node == 0 { &["cluster", "init"] } else { &["cluster", "join"] };
            site.add(launch, verb);
        }
        site.gateways.iter_mut().for_each(wait_until_it_listens);
        site
    }

    /// A further gateway, with proxies of its own, before it has a store.
    fn launch(&mut self, keys: &str) -> Launch {
        let before = |server: &Server| Proxy::before(server.address());
        let proxies: Vec<Proxy> = self.servers.iter().map(before).collect();
        let launch = Launch::of(&toml(self.proxies.len(), &proxies, keys));
        self.proxies.push(proxies);
        launch
    }

    fn add(&mut self, launch: Launch, verb: &[&str]) {
        let (code, out, why) = run(launch.folder(), verb);
        assert_eq!(code, 0, "{verb:?}: {out}{why}");
        self.gateways.push(launch.spawn());
    }

    /// Adds a gateway that has nothing but its configuration.
    pub(super) fn join(&mut self) {
        let launch = self.launch("");
        self.add(launch, &["cluster", "join"]);
        wait_until_it_listens(self.gateways.last_mut().expect("it was added"));
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

    /// Waits until every server has all of the log.
    pub(super) fn wait_until_whole(&self) {
        let until = Instant::now() + PATIENCE;
        let is_whole = |info: LogInfo| info.leader.is_some() && info.behind.is_empty();
        while !self.runtime.block_on(self.observer.info()).is_ok_and(is_whole) {
            assert!(Instant::now() < until, "a replica of the log stays behind");
        }
    }

    /// Cuts all gateways off from a server.
    pub(super) fn cut_server(&self, server: usize) {
        self.proxies.iter().for_each(|proxies| proxies[server].cut());
    }

    pub(super) fn heal_server(&self, server: usize) {
        self.proxies.iter().for_each(|proxies| proxies[server].heal());
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

    /// Waits until all gateways have told the digest of the same entry, and returns those.
    #[track_caller]
    pub(super) fn digests(&self) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let checkpoints = (0..self.gateways.len()).map(|gateway| {
                let mut admin = Http::connect(self.address(gateway, "admin", "listen"));
                let header = [("X-Dragoman-Admin", "1")];
                let shown = admin.request("GET", "/api/v1/cluster", &header, b"");
                shown.json()["checkpoint"].take()
            });
            let checkpoints: Vec<Value> = checkpoints.collect();
            if checkpoints.iter().all(|it| it["at"].is_u64() && it["at"] == checkpoints[0]["at"]) {
                let digest = |it: &Value| it["digest"].as_str().expect("it is a text").to_owned();
                return checkpoints.iter().map(digest).collect();
            }
            assert!(Instant::now() < until, "they are never at one entry: {checkpoints:?}");
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
        "[cluster]\nname = \"test\"\nnode = \"g{node}\"\nservers = [{servers}]\n\
         log_bytes = 268435456\n{keys}\n{}",
        storm::toml()
    )
}

fn wait_until_it_listens(gateway: &mut Gateway) {
    for (frontend, key) in [("admin", "listen"), TOKEN, USR_ROOM, CHATROOM, OURCHAT, CHANNEL, IRC] {
        gateway.wait_for_listener(frontend, key);
    }
}
