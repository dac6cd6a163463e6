//! `dragoman bench`: the load client, with default targets taken from the configuration.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use frontend_api::{Listener, Transport};
use gateway_bench::command::{self, Dialect, Target};

use super::{Options, output};
use crate::config::Config;

#[derive(Args, Debug)]
pub(super) struct Bench {
    #[command(flatten)]
    options: Options,

    #[command(flatten)]
    load: command::Bench,
}

pub(super) fn run(options: Options, bench: Bench) -> Result<(), Box<dyn Error>> {
    let targets = if bench.load.wants_addresses() {
        targets(&options.and(bench.options).configuration()?.config)
    } else {
        Vec::new()
    };
    let mut report = Vec::new();
    let done = bench.load.run(&targets, &mut report);
    output::raw(&report)?;
    done
}

/// The configured addresses of the dialects that the load client speaks.
fn targets(config: &Config) -> Vec<Target> {
    let listeners = config.frontends.iter().flat_map(|frontend| {
        let dialect = frontend.frontend.manifest().dialect.clone();
        frontend
            .listeners
            .iter()
            .filter_map(move |(listener, at)| Some((dialect.clone(), listener, at.address.ip()?)))
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
            address: reachable(address),
            path: "/".into(),
        })
    };
    listeners.filter_map(target).collect()
}

/// A listener on the unspecified address is reachable over loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => (),
    }
    address
}
