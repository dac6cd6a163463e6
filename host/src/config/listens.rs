//! The listeners of a configuration, and which of them cannot share an address.

use std::fmt;
use std::net::IpAddr;

use frontend_api::{Route, Transport};

use super::endpoint::{EndpointOptions, ListenAddress};
use super::problem::{Problem, ValueSource};
use super::settings::FrontendConfig;

/// One listener.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The key of the address: `frontends.channel.listen`.
    pub key: String,
    pub transport: Transport,
    /// The HTTP routes. `None`: the admin listener, which cannot share an address.
    pub routes: Option<Vec<Route>>,
    pub address: ListenAddress,
    pub options: EndpointOptions,
    pub source: ValueSource,
}

const ADMIN_IS_ALONE: &str = "and the admin listener cannot share an address";

impl fmt::Display for Listen {
    /// `frontends.channel.listen = "127.0.0.1:5004"`, with a note if that is the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = if self.source == ValueSource::Default { " (the default)" } else { "" };
        write!(f, "{} = \"{}\"{default}", self.key, self.address)
    }
}

/// A problem for each listener that cannot share an earlier one's address.
pub(super) fn collisions(listens: &[Listen]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (nth, listen) in listens.iter().enumerate() {
        let earlier = &listens[..nth];
        let clash = earlier.iter().find_map(|other| Some((other, clash(listen, other)?)));
        if let Some((other, why)) = clash {
            let what = format!("{listen}: {} is at {}, {why}", other.key, other.address);
            problems.push(Problem::new(listen.source.clone(), what));
        }
    }
    problems
}

/// Whether any two listeners of these front ends collide.
pub fn collide(frontends: &[FrontendConfig]) -> bool {
    let listens = frontends.iter().flat_map(|frontend| {
        frontend.listeners.iter().map(|(listener, endpoint)| Listen {
            key: listener.key.clone(),
            transport: listener.transport,
            routes: Some(listener.routes.clone()),
            address: endpoint.address.clone(),
            options: endpoint.options.clone(),
            source: ValueSource::Default,
        })
    });
    !collisions(&listens.collect::<Vec<_>>()).is_empty()
}

/// Whether a listening socket on one address prevents binding the other.
pub fn is_in_the_way(one: &ListenAddress, other: &ListenAddress) -> bool {
    // One that is passed is bound already.
    if matches!(other, ListenAddress::Passed(_)) {
        return false;
    }
    (one == other && !one.has_any_port()) || overlap(one, other, false)
}

/// Why two listeners collide.
fn clash(a: &Listen, b: &Listen) -> Option<String> {
    if a.address != b.address {
        let only_v6 = a.options.only_v6 || b.options.only_v6;
        return overlap(&a.address, &b.address, only_v6)
            .then(|| "which is the same port on overlapping addresses".into());
    }
    if a.address.has_any_port() {
        return None;
    }
    if a.options != b.options {
        return Some("and listeners that share an address must accept connections alike".into());
    }
    match (a.transport, b.transport) {
        (Transport::Http, Transport::Http) => match (&a.routes, &b.routes) {
            (Some(a), Some(b)) => {
                let shared = a.iter().find(|a| b.iter().any(|b| a.path == b.path))?;
                Some(format!("and both answer {}", shared.path))
            }
            _ => Some(ADMIN_IS_ALONE.into()),
        },
        (Transport::WebSocket, Transport::WebSocket) => {
            Some("and both would take every WebSocket".into())
        }
        (Transport::Http, Transport::WebSocket) | (Transport::WebSocket, Transport::Http) => {
            let alone = a.routes.is_none() || b.routes.is_none();
            alone.then(|| ADMIN_IS_ALONE.into())
        }
        (Transport::Tcp | Transport::TcpLines, _) | (_, Transport::Tcp | Transport::TcpLines) => {
            Some("and plain TCP cannot share an address".into())
        }
    }
}

/// Whether one of two different addresses includes the other. `[::]` takes IPv4 as well, unless it
/// is `only_v6`, and `[::ffff:127.0.0.1]` is an address of IPv4.
fn overlap(a: &ListenAddress, b: &ListenAddress, only_v6: bool) -> bool {
    let are_passed = matches!((a, b), (ListenAddress::Passed(_), ListenAddress::Passed(_)));
    if a == b || are_passed {
        return false;
    }
    let Some((a, b)) = a.ip().zip(b.ip()) else { return false };
    let includes = |all: IpAddr, other: IpAddr| {
        let is_alike = all.is_ipv4() == other.is_ipv4() || (all.is_ipv6() && !only_v6);
        all == other || (all.is_unspecified() && is_alike)
    };
    let (one, other) = (a.ip().to_canonical(), b.ip().to_canonical());
    a.port() == b.port() && a.port() != 0 && (includes(one, other) || includes(other, one))
}
