//! What a reload can do, given the addresses that it can bind.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, FrontendConfig, ListenAddress, collide, is_in_the_way};
use crate::runtime::net::bind::{ListenSocket, bind};
use crate::runtime::net::listener::{BoundListener, ListenerKey};
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::start::{self, WantedListener};

pub(super) struct Plan {
    pub(super) wanted: Vec<FrontendConfig>,
    /// The front ends that keep their former section because a new address cannot be bound.
    pub(super) kept: BTreeMap<String, String>,
    /// The new addresses, as far as they can be bound beside the former ones.
    pub(super) bound: BTreeMap<ListenerKey, ListenSocket>,
    /// The front ends that have no former section to keep, and why an address cannot be bound.
    pub(super) failed: Vec<(String, String)>,
}

impl Plan {
    /// From what runs to another configuration.
    pub(super) fn of(registry: &FrontendRegistry, former: &[FrontendConfig], new: &Config) -> Self {
        let wanted_admin = new.admin.listen.as_ref();
        let admin = registry.admin.as_ref();
        let moving_admin = admin.filter(|admin| Some(&admin.key.address) != wanted_admin);
        Self::make(registry, former, new.frontends.clone(), moving_admin)
    }

    /// Binds the new addresses. A front end whose new address cannot be bound keeps its former
    /// section, if that collides with none.
    fn make(
        registry: &FrontendRegistry,
        former: &[FrontendConfig],
        wanted: Vec<FrontendConfig>,
        moving_admin: Option<&Arc<BoundListener>>,
    ) -> Self {
        let (kept, bound) = Default::default();
        let mut plan = Self { wanted, kept, bound, failed: Vec::new() };
        loop {
            plan.failed = plan.bind(registry, moving_admin);
            let mut settled = true;
            for (frontend, why) in plan.failed.clone() {
                settled &= !plan.keep(registry, former, &frontend, why);
            }
            if settled {
                return plan;
            }
        }
    }

    /// Binds what is not bound. Returns the front ends whose addresses cannot be bound, and why.
    fn bind(
        &mut self,
        registry: &FrontendRegistry,
        moving_admin: Option<&Arc<BoundListener>>,
    ) -> Vec<(String, String)> {
        let names = self.wanted.iter().map(|config| &config.name);
        let wanted = start::wanted_listeners(names.zip(&self.wanted));
        let is_wanted = |key: &ListenerKey| wanted.iter().any(|one| one.key == *key);
        let is_open = |key: &ListenerKey| {
            registry.listeners.iter().any(|one| one.key == *key && one.is_usable())
        };
        let closing = registry.listeners.iter().filter(|one| !is_wanted(&one.key));
        let closing = closing.chain(moving_admin).filter_map(|listener| listener.bound());
        let closing: Vec<ListenAddress> = closing.collect();
        self.bound.retain(|key, _| is_wanted(key));
        let mut failed = Vec::new();
        for WantedListener { key, options, behind } in &wanted {
            let waits = closing.iter().any(|closing| is_in_the_way(closing, &key.address));
            if is_open(key) || waits || self.bound.contains_key(key) {
                continue;
            }
            match bind(&key.address, options) {
                Ok(socket) => drop(self.bound.insert(key.clone(), socket)),
                Err(error) => {
                    let why = format!("cannot listen on {}: {error}", key.address);
                    failed.extend(behind.iter().map(|(name, ..)| ((*name).clone(), why.clone())));
                }
            }
        }
        failed
    }

    /// Keeps the former section of a front end, if it has one that works and collides with none.
    fn keep(
        &mut self,
        registry: &FrontendRegistry,
        former: &[FrontendConfig],
        frontend: &str,
        why: String,
    ) -> bool {
        let before = former.iter().find(|before| before.name == frontend);
        let works = registry.named(frontend).is_some_and(|one| one.down().is_none());
        let Some(before) = before.filter(|_| works && !self.kept.contains_key(frontend)) else {
            return false;
        };
        let mut wanted = self.wanted.clone();
        let Some(config) = wanted.iter_mut().find(|config| config.name == frontend) else {
            return false;
        };
        *config = before.clone();
        if collide(&wanted) {
            return false;
        }
        self.wanted = wanted;
        self.kept.insert(frontend.to_owned(), why);
        true
    }
}
