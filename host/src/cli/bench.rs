//! `dragoman bench`: the load client, and where the configuration says that it may go.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use frontend_api::{Listener, Transport};
use gateway_bench::command::{self, Dialect, Target};

use super::Options;
use crate::config::Config;

#[derive(Args, Debug)]
pub(super) struct Bench {
    #[command(flatten)]
    options: Options,

    #[command(flatten)]
    load: command::Bench,
}

pub(super) fn run(options: Options, bench: Bench) -> Result<(), Box<dyn Error>> {
    let targets = match bench.load.wants_addresses() {
        true => targets(&options.and(bench.options).configuration()?.config),
        false => Vec::new(),
    };
    bench.load.run(&targets)
}

/// Where the dialects are spoken that the load client knows.
fn targets(config: &Config) -> Vec<Target> {
    let listeners = config.frontends.iter().flat_map(|frontend| {
        let dialect = frontend.frontend.manifest().dialect.clone();
        frontend
            .listeners
            .iter()
            .map(move |(listener, address)| (dialect.clone(), listener, *address))
    });
    let target = |(dialect, listener, address): (String, &Listener, SocketAddr)| {
        let dialect = match (dialect.as_str(), listener.transport) {
            ("chatroom", Transport::WebSocket) => Dialect::Chatroom,
            ("ourchat", Transport::WebSocket) => Dialect::Ourchat,
            ("token", Transport::Tcp) => Dialect::Token,
            ("channel", Transport::Http) => Dialect::Channel,
            _ => return None,
        };
        (address.port() != 0).then(|| Target {
            dialect,
            address: from_here(address),
            path: "/".into(),
        })
    };
    listeners.filter_map(target).collect()
}

/// On every address is also on this machine's own.
fn from_here(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => (),
    }
    address
}
