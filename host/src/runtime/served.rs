//! A front end while it is served.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use core_engine::Origin;
use core_model::ConnectionId;
use frontend_api::http::{Fault, Response};
use frontend_api::{Ending, Frontend};
use plugin_loader::FaultKind;
use tokio::sync::watch;

use super::apart::Apart;
use super::bounds::{PLUGIN_FAULTS_MAX, PLUGIN_FAULTS_WINDOW};
use super::http::cors::Cors;
use super::http::guard::Keys;
use super::limits::{Census, Paces};
use super::link::Link;
use super::metrics::Counters;
use super::trouble::{Kind, Trouble, Verdict};
use crate::config::{FrontendConfig, Limits};
use crate::plugin::Loaded;

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
    /// Where it was loaded from, if it was.
    plugin: Option<Loaded>,
    trouble: Trouble,
    /// What it answers once it is taken down, in its own words: asked for while it was well.
    pub(super) out_of_order: Response,
    /// Why it was taken down, if it was.
    down: watch::Sender<Option<Arc<str>>>,
    allow: Vec<ipnet::IpNet>,
    links: Mutex<Links>,
}

/// What is answered for a front end that was taken down.
pub(super) fn out_of_order() -> Fault {
    Fault::new(503, "this part of the gateway is out of order")
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
            frontend: match &config.plugin {
                Some(_) => Arc::new(Apart(config.frontend.clone())),
                None => config.frontend.clone(),
            },
            limits: config.limits.clone(),
            origin: Arc::new(origin),
            keys: Keys::new(&config.guard.api_keys),
            cors: Cors::new(&config.cors_origins),
            counters: Counters::default(),
            census: Arc::default(),
            paces: Paces::default(),
            plugin: config.plugin.clone(),
            trouble: Trouble::default(),
            // One that is linked in is never taken down.
            out_of_order: (config.plugin.as_ref())
                .map_or_else(Response::default, |_| config.frontend.fault(&out_of_order())),
            down: watch::Sender::new(None),
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

    pub(super) fn is_loaded(&self) -> bool {
        self.plugin.is_some()
    }

    /// Has itself told of what its plugin does wrong.
    pub(super) fn observe(self: &Arc<Self>) {
        let Some(plugin) = &self.plugin else { return };
        let served = Arc::downgrade(self);
        plugin.observe(move |fault| {
            let Some(served) = served.upgrade() else { return };
            let kind = match fault.kind {
                FaultKind::Panicked => Kind::Panicked,
                FaultKind::Malformed => Kind::Malformed,
            };
            served.failed(kind, fault.function, &fault.to_string());
        });
    }

    /// A request was left without a response. `hung_up`: the session has closed, as it does after
    /// a fault that is known already.
    pub(super) fn left_unanswered(&self, hung_up: bool) {
        let what = "a request was left without a response";
        match &self.plugin {
            None => tracing::error!(frontend = self.name, "{what}"),
            Some(_) if hung_up => (),
            Some(plugin) => {
                let (name, path) = (&self.frontend.manifest().dialect, plugin.path.display());
                let what = format!("plugin {name} ({path}): {what}");
                self.failed(Kind::Silent, "session_handle", &what);
            }
        }
    }

    /// Counts a fault of a plugin, and speaks of it if it is news. Where there are too many, the
    /// front end is taken down.
    fn failed(&self, kind: Kind, function: &'static str, what: &str) {
        self.counters.plugin_fault(kind);
        let Verdict { news, enough } = self.trouble.note(kind, function, Instant::now());
        if news {
            tracing::error!(frontend = self.name, "{what}");
        } else {
            tracing::debug!(frontend = self.name, "{what}");
        }
        if enough {
            let secs = PLUGIN_FAULTS_WINDOW.as_secs();
            self.take_down(&format!(
                "more than {PLUGIN_FAULTS_MAX} faults within {secs} s, the last: {what}"
            ));
        }
    }

    /// Lets nobody in any more, and whoever is there end.
    fn take_down(&self, why: &str) {
        let is_first = self.down.send_if_modified(|down| {
            let up = down.is_none();
            if up {
                *down = Some(why.into());
            }
            up
        });
        if is_first {
            tracing::error!(frontend = self.name, "taken down until the gateway restarts: {why}");
            self.drain();
        }
    }

    /// Why it was taken down, if it was.
    pub(super) fn down(&self) -> Option<Arc<str>> {
        self.down.borrow().clone()
    }

    /// Waits until it is taken down.
    pub(super) async fn until_down(&self) {
        // The sender is part of this, and so is there as long.
        drop(self.down.subscribe().wait_for(Option::is_some).await);
    }

    /// Counts and logs a panic of the front end's own code.
    pub(super) fn panicked(&self, at: &str) {
        self.counters.panics.add(1);
        tracing::error!(frontend = self.name, "the front end panicked {at}");
    }
}
