//! Where a request comes from.

use std::net::IpAddr;

use hyper::header::HeaderMap;

use crate::runtime::net::registry::FrontendRegistry;

/// The address that a request counts for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) address: IpAddr,
    /// Whether a trusted proxy named it.
    pub(super) proxied: bool,
}

impl Caller {
    /// The last address that is not a trusted proxy's.
    pub(super) fn of(remote: IpAddr, registry: &FrontendRegistry, headers: &HeaderMap) -> Self {
        let mut caller = Self { address: remote.to_canonical(), proxied: false };
        if !registry.trusts(remote) {
            return caller;
        }
        let forwarded = headers.get_all("x-forwarded-for").iter();
        let texts = forwarded.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
        for text in texts.iter().rev().flat_map(|text| text.rsplit(',')) {
            let Ok(address) = text.trim().parse::<IpAddr>() else { break };
            caller = Self { address: address.to_canonical(), proxied: true };
            if !registry.trusts(address) {
                break;
            }
        }
        caller
    }
}
