//! The active front ends and their listeners. A reload of the configuration replaces it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, TrustedProxies};
use crate::runtime::frontends::instance::{FrontendHandle, FrontendInstance};
use crate::runtime::net::listener::BoundListener;
use crate::runtime::net::remote::Remote;
use crate::tls::Tls;

#[derive(Clone)]
pub(crate) struct FrontendRegistry {
    /// The configured front ends, in the configuration's order.
    pub(crate) frontends: Vec<Arc<FrontendHandle>>,
    /// Front ends that were removed or replaced, and still have connections.
    pub(crate) draining: Vec<Arc<FrontendInstance>>,
    /// Of `frontends`, open or not yet.
    pub(crate) listeners: Vec<Arc<BoundListener>>,
    pub(crate) admin: Option<Arc<BoundListener>>,
    /// The encrypted admin listener.
    pub(crate) admin_tls: Option<Arc<BoundListener>>,
    /// The front ends that are not as the configuration wants them, and why.
    pub(crate) kept: BTreeMap<String, String>,
    /// The keys whose changes take effect at the next start.
    pub(crate) restart: Vec<&'static str>,
    pub(crate) drain_timeout: Duration,
    pub(crate) trusted_proxies: TrustedProxies,
    /// Whether front ends serve the documents that describe them.
    pub(crate) well_known: bool,
    /// Whether the admin listener serves pages of these documents.
    pub(crate) api_page: bool,
    /// Whether the admin API has a playground.
    pub(crate) playground: bool,
    /// Whether the admin listener serves the console.
    pub(crate) console: bool,
    /// Names that clients may call the unencrypted admin listener by.
    pub(crate) admin_hosts: Arc<[String]>,
}

impl FrontendRegistry {
    pub(crate) fn new(config: &Config, frontends: Vec<Arc<FrontendHandle>>) -> Self {
        Self {
            frontends,
            draining: Vec::new(),
            listeners: Vec::new(),
            admin: None,
            admin_tls: None,
            kept: BTreeMap::new(),
            restart: Vec::new(),
            drain_timeout: config.server.drain_timeout,
            trusted_proxies: config.server.trusted_proxies.clone(),
            well_known: config.server.well_known,
            api_page: config.admin.api_page,
            playground: config.admin.playground,
            console: config.admin.console,
            admin_hosts: config.admin.hosts.as_slice().into(),
        }
    }

    /// Every front end that may have connections.
    pub(crate) fn instances(&self) -> impl Iterator<Item = &Arc<FrontendInstance>> {
        self.frontends.iter().map(|frontend| frontend.instance()).chain(&self.draining)
    }

    /// One instance per name: instances of one name share their metrics.
    pub(crate) fn instances_by_name(&self) -> Vec<Arc<FrontendInstance>> {
        let mut names = BTreeSet::new();
        self.instances().filter(|instance| names.insert(&instance.name)).cloned().collect()
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<FrontendHandle>> {
        self.frontends.iter().find(|frontend| frontend.name == name)
    }

    /// Whether the peer of a connection is a trusted proxy.
    pub(crate) fn trusts(&self, remote: &Remote) -> bool {
        match remote.address {
            Some(address) => self.trusts_address(address),
            None => remote.uid.is_some() && self.trusted_proxies.unix,
        }
    }

    pub(crate) fn trusts_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.networks.iter().any(|network| network.contains(&address))
    }

    /// The certificates of all listeners, once each.
    pub(crate) fn served_tls(&self) -> Vec<Arc<Tls>> {
        let mut served: Vec<Arc<Tls>> = Vec::new();
        for listener in self.listeners.iter().chain(&self.admin_tls) {
            if let Some(tls) = &listener.acceptance().options.tls
                && !served.iter().any(|other| other == tls)
            {
                served.push(tls.clone());
            }
        }
        served
    }

    /// When each certificate that is served expires, in seconds since 1970, by its file.
    pub(crate) fn certificate_expiries(&self) -> BTreeMap<PathBuf, i64> {
        let served = self.served_tls();
        let certificates = served.iter().flat_map(|tls| &tls.certificates);
        certificates.map(|one| (one.path.clone(), one.not_after)).collect()
    }

    /// Whether a front end is up and all its listeners are open.
    pub(crate) fn is_listening(&self, frontend: &FrontendHandle) -> bool {
        let leads_to = |listener: &&Arc<BoundListener>| listener.leads_to(frontend);
        let mut listeners = self.listeners.iter().filter(leads_to).peekable();
        let is_open = listeners.peek().is_some()
            && listeners.all(|one| one.bound().is_some() && !one.is_lost());
        is_open && frontend.down().is_none()
    }
}
