//! Who is served at the moment, and where. A reload of the configuration puts another in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::Config;
use crate::runtime::frontends::instance::{Served, Standing};
use crate::runtime::net::listener::Door;

#[derive(Clone)]
pub(crate) struct Roster {
    /// Those that the configuration has, in its order.
    pub(crate) frontends: Vec<Arc<Served>>,
    /// Those that it had, and that have connections yet.
    pub(crate) leaving: Vec<Arc<Standing>>,
    /// Where the former listen, or will.
    pub(crate) doors: Vec<Arc<Door>>,
    pub(crate) admin: Option<Arc<Door>>,
    /// Which of them are not as the configuration wants them, and why.
    pub(crate) kept: BTreeMap<String, String>,
    pub(crate) drain_timeout: Duration,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Whether front ends serve the documents that describe them.
    pub(crate) well_known: bool,
    /// Whether the admin listener shows them in pages.
    pub(crate) api_page: bool,
}

impl Roster {
    pub(crate) fn new(config: &Config, frontends: Vec<Arc<Served>>) -> Self {
        Self {
            frontends,
            leaving: Vec::new(),
            doors: Vec::new(),
            admin: None,
            kept: BTreeMap::new(),
            drain_timeout: config.server.drain_timeout,
            trusted_proxies: config.server.trusted_proxies.clone(),
            well_known: config.server.well_known,
            api_page: config.admin.api_page,
        }
    }

    /// Everyone who has connections.
    pub(crate) fn everyone(&self) -> impl Iterator<Item = &Arc<Standing>> {
        self.frontends.iter().map(|served| served.standing()).chain(&self.leaving)
    }

    /// The same, each name once: those of one name count together.
    pub(crate) fn by_name(&self) -> Vec<Arc<Standing>> {
        let mut names = BTreeSet::new();
        self.everyone().filter(|standing| names.insert(&standing.name)).cloned().collect()
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Served>> {
        self.frontends.iter().find(|served| served.name == name)
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// Whether a front end listens wherever it should.
    pub(crate) fn listens(&self, served: &Served) -> bool {
        let mut its = self.doors.iter().filter(|door| door.leads_to(served)).peekable();
        let opened = its.peek().is_some() && its.all(|door| door.bound().is_some());
        opened && served.down().is_none()
    }
}
