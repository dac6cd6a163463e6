//! The servers that documents name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use frontend_api::Listener;
use frontend_api::schema::Server;

use super::endpoint::ListenAddress;
use super::public_url::{PublicUrl, schemes};

/// Where clients reach a listener at an address. `None`: at a unix socket, which has no URL, or at a
/// port that is not chosen yet.
pub fn server(
    listener: &Listener,
    address: &ListenAddress,
    is_encrypted: bool,
    public_url: Option<&PublicUrl>,
) -> Option<Server> {
    let url = match public_url {
        Some(url) => url.text().to_owned(),
        None => {
            let mut at = address.ip().filter(|at| at.port() != 0)?;
            // All addresses of this machine; clients on it reach this one.
            if at.ip().is_unspecified() {
                at.set_ip(if at.is_ipv4() { LOOPBACK_V4 } else { LOOPBACK_V6 });
            }
            let scheme = schemes(listener.transport)[usize::from(is_encrypted)];
            format!("{scheme}://{at}")
        }
    };
    Some(Server { listener: listener.key.clone(), url })
}

const LOOPBACK_V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOOPBACK_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
