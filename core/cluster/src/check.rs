//! What an operator should know of the servers before relying on them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::connection::Connection;
use crate::error::Error;
use crate::names;
use crate::settings::Settings;
use crate::stream::{self, LogInfo};

const MONITORING_TIMEOUT: Duration = Duration::from_secs(3);
const MONITORING_BYTES_MAX: usize = 4 << 20;

/// What was found. A warning is a sentence; without any, all is well as far as it could be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub servers: Vec<Server>,
    pub log: Option<LogInfo>,
    pub warnings: Vec<String>,
}

/// One of `cluster.servers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub address: String,
    pub name: String,
    pub version: String,
}

/// Asks each server of the settings by itself.
pub(crate) async fn check(settings: &Settings) -> Result<Report, Error> {
    settings.check()?;
    let mut report = Report::default();
    let mut hosts: BTreeMap<String, IpAddr> = BTreeMap::new();
    let mut connection = None;
    for address in &settings.servers {
        match Connection::open(settings, std::slice::from_ref(address)).await {
            Ok(found) => {
                let info = found.client.server_info();
                if let Some(host) = resolve(address).await {
                    hosts.insert(info.server_name.clone(), host);
                }
                let (name, version) = (info.server_name, info.version);
                report.servers.push(Server { address: address.clone(), name, version });
                connection.get_or_insert(found);
            }
            Err(error) => report.warnings.push(format!("{address}: {error}")),
        }
    }
    if let Some(connection) = connection {
        look_at_log(&connection, settings, &hosts, &mut report).await;
    }
    if settings.monitoring.is_empty() {
        let what = "cluster.monitoring names no address, so it is not known whether the servers \
                    write to disk before they acknowledge; name them, as http://host:8222";
        report.warnings.push(what.to_owned());
    }
    for address in &settings.monitoring {
        if let Some(warning) = look_at_disk(address).await {
            report.warnings.push(warning);
        }
    }
    Ok(report)
}

async fn look_at_log(
    connection: &Connection,
    settings: &Settings,
    hosts: &BTreeMap<String, IpAddr>,
    report: &mut Report,
) {
    let found = async {
        stream::check_account(connection).await?;
        stream::info(connection, settings).await
    };
    let info = match found.await {
        Ok(info) => info,
        Err(error) => return report.warnings.push(error.to_string()),
    };
    if info.replicas < 3 {
        report.warnings.push(format!(
            "the log has {} replica, and ends with that server's disk; give it 3 with `nats stream \
             edit {} --replicas 3`, on three servers",
            info.replicas,
            names::stream(&settings.name)
        ));
    }
    if info.replicas != settings.replicas {
        report.warnings.push(format!(
            "the log has {} replicas, and cluster.replicas = {}; make them equal, here or with `nats \
             stream edit {} --replicas {}`",
            info.replicas,
            settings.replicas,
            names::stream(&settings.name),
            settings.replicas
        ));
    }
    for peer in &info.behind {
        report.warnings.push(format!("the replica on {peer} is behind or away"));
    }
    let mut on: BTreeMap<IpAddr, Vec<&str>> = BTreeMap::new();
    for peer in &info.peers {
        if let Some(host) = hosts.get(peer) {
            on.entry(*host).or_default().push(peer);
        }
    }
    for (host, peers) in on.iter().filter(|(_, peers)| peers.len() > 1) {
        report.warnings.push(format!(
            "the replicas on {} are all on {host}, and fail together; put them on several machines",
            peers.join(", ")
        ));
    }
    report.log = Some(info);
}

async fn resolve(address: &str) -> Option<IpAddr> {
    let address: async_nats::ServerAddr = address.parse().ok()?;
    let mut addresses = address.socket_addrs().await.ok()?;
    addresses.next().map(|address| address.ip())
}

/// Whether the server at this monitoring address writes to disk before it acknowledges.
async fn look_at_disk(address: &str) -> Option<String> {
    let asked = tokio::time::timeout(MONITORING_TIMEOUT, fetch(address)).await;
    let config = match asked.unwrap_or_else(|_| Err("no answer".to_owned())) {
        Ok(answer) => answer["config"].clone(),
        Err(why) => return Some(format!("cluster.monitoring = {address:?}: {why}")),
    };
    if config["sync_always"] == Value::Bool(true) {
        return None;
    }
    Some(format!(
        "{address}: the server acknowledges before its disk has what it acknowledges, so a power cut \
         at all servers loses entries; set `sync_interval: always` in its section `jetstream`"
    ))
}

async fn fetch(address: &str) -> Result<Value, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let uri: Uri = format!("{}/jsz?config=true", address.trim_end_matches('/'))
        .parse()
        .map_err(|error| text(&error))?;
    let host = uri.authority().map(|authority| authority.to_string()).unwrap_or_default();
    let port = uri.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((uri.host().unwrap_or_default(), port)).await;
    let stream = stream.map_err(|error| text(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| text(&error))?;
    let connection = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let request = Request::get(path).header(HOST, host).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| text(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| text(&error))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MONITORING_BYTES_MAX).collect().await;
    connection.abort();
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    if !status.is_success() {
        return Err(format!("answered {status}"));
    }
    serde_json::from_slice(&body).map_err(|error| text(&error))
}
