//! A front end while it is served.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use core_engine::Origin;
use core_model::ConnectionId;
use frontend_api::{Ending, Frontend};

use super::http::cors::Cors;
use super::http::guard::Keys;
use super::limits::{Census, Paces};
use super::link::Link;
use super::metrics::Counters;
use crate::config::{FrontendConfig, Limits};

/// Everything that all connections of a front end share.
pub(super) struct Served {
    /// Its place among all that are served.
    pub(super) index: u16,
    pub(super) name: String,
    pub(super) frontend: Arc<dyn Frontend>,
    pub(super) limits: Limits,
    pub(super) origin: Arc<Origin>,
    pub(super) keys: Keys,
    pub(super) cors: Cors,
    pub(super) counters: Counters,
    pub(super) census: Arc<Census>,
    pub(super) paces: Paces,
    allow: Vec<ipnet::IpNet>,
    links: Mutex<Links>,
}

/// The stream connections that are open.
#[derive(Default)]
struct Links {
    open: HashMap<ConnectionId, Arc<Link>>,
    /// Set when it drains: whoever comes later is told at once.
    draining: bool,
}

impl Served {
    pub(super) fn new(index: u16, config: &FrontendConfig) -> Self {
        let origin = Origin {
            frontend: config.name.clone(),
            room_capacity: config.room_capacity,
            auto_join: config.auto_join.clone(),
        };
        Self {
            index,
            name: config.name.clone(),
            frontend: config.frontend.clone(),
            limits: config.limits.clone(),
            origin: Arc::new(origin),
            keys: Keys::new(&config.guard.api_keys),
            cors: Cors::new(&config.cors_origins),
            counters: Counters::default(),
            census: Arc::default(),
            paces: Paces::default(),
            allow: config.guard.allow.clone(),
            links: Mutex::default(),
        }
    }

    /// Whether an address may use this front end.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow.is_empty() || self.allow.iter().any(|network| network.contains(&address))
    }

    /// A stream connection has opened.
    pub(super) fn add(&self, link: Arc<Link>) {
        let mut links = self.links.lock().expect("nothing panics while it holds the links");
        if links.draining {
            link.mailbox.end(Ending::Draining);
        }
        links.open.insert(link.id, link);
    }

    /// A stream connection is gone.
    pub(super) fn remove(&self, link: &Link) {
        let mut links = self.links.lock().expect("nothing panics while it holds the links");
        links.open.remove(&link.id);
    }

    /// Lets every stream connection end when what it asked is answered.
    pub(super) fn drain(&self) {
        let mut links = self.links.lock().expect("nothing panics while it holds the links");
        links.draining = true;
        for link in links.open.values() {
            link.mailbox.end(Ending::Draining);
        }
    }

    /// Ends every stream connection at once.
    pub(super) fn give_up(&self) {
        let links = self.links.lock().expect("nothing panics while it holds the links");
        for link in links.open.values() {
            link.mailbox.give_up();
        }
    }

    /// Counts and logs a panic of the front end's own code.
    pub(super) fn panicked(&self, at: &str) {
        self.counters.panics.add(1);
        tracing::error!(frontend = self.name, "the front end panicked {at}");
    }
}
