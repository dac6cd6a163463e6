//! A front end while it is served.
//!
//! What a reload of the configuration changes in place, its terms, is in [`Served`]: every
//! connection keeps the one that it began with. What all of them share, whatever their terms, is
//! in [`Standing`], and ends when the last of them does.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use core_engine::FrontendSettings;
use core_model::ConnectionId;
use frontend_api::http::{HttpError, Response};
use frontend_api::{Ending, Frontend};
use plugin_loader::FaultKind;
use tokio::sync::{Notify, watch};

use crate::config::{FrontendConfig, Limits};
use crate::plugin::Loaded;
use crate::runtime::bounds::{PLUGIN_FAULTS_MAX, PLUGIN_FAULTS_WINDOW};
use crate::runtime::fanout::handle::Link;
use crate::runtime::frontends::api_keys::Keys;
use crate::runtime::frontends::cors::Cors;
use crate::runtime::frontends::plugin::calls::Apart;
use crate::runtime::frontends::plugin::fault_breaker::{Kind, Trouble, Verdict};
use crate::runtime::limits::{Census, Paces};
use crate::runtime::metrics::Counters;

/// A front end on the terms of its section of gateway.toml.
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) frontend: Arc<dyn Frontend>,
    pub(crate) limits: Limits,
    pub(crate) origin: Arc<FrontendSettings>,
    pub(crate) keys: Keys,
    pub(crate) cors: Cors,
    pub(crate) counters: Arc<Counters>,
    pub(crate) census: Arc<Census>,
    pub(crate) paces: Arc<Paces>,
    allow: Vec<ipnet::IpNet>,
    stay: Arc<Stay>,
}

/// There as long as anybody holds on to a front end.
struct Stay(Arc<Standing>);

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.gone.notify_one();
    }
}

/// What all connections of a front end share. One that takes the place of another of its name is
/// not the same, but counts where that one did.
pub(crate) struct Standing {
    /// Its place among all that are served, those that leave included.
    pub(crate) index: u16,
    pub(crate) name: String,
    /// As it calls itself.
    dialect: String,
    pub(crate) counters: Arc<Counters>,
    pub(crate) census: Arc<Census>,
    paces: Arc<Paces>,
    /// Where it was loaded from, if it was.
    plugin: Option<Loaded>,
    trouble: Trouble,
    /// What it answers once it is taken down, in its own words: asked for while it was well.
    out_of_order: Response,
    /// Why it was taken down, if it was.
    down: watch::Sender<Option<Arc<str>>>,
    links: Mutex<Links>,
    /// Nobody holds on to it any more.
    gone: Notify,
}

/// What is answered for a front end that was taken down.
pub(crate) fn out_of_order() -> HttpError {
    HttpError::new(503, "this part of the gateway is out of order")
}

/// The stream connections that are open.
#[derive(Default)]
struct Links {
    open: HashMap<ConnectionId, Arc<Link>>,
    /// Set when it drains: whoever comes later is told at once.
    draining: bool,
}

/// What the hub needs of a front end to tell its connections what happens.
pub(crate) struct Voice {
    pub(crate) name: String,
    pub(crate) frontend: Arc<dyn Frontend>,
    pub(crate) counters: Arc<Counters>,
}

impl Served {
    /// A front end that takes the place of `former`, if there is one.
    pub(crate) fn new(index: u16, config: &FrontendConfig, former: Option<&Standing>) -> Self {
        let frontend: Arc<dyn Frontend> = match &config.plugin {
            Some(loaded) => Arc::new(Apart(loaded.frontend.clone())),
            None => config.frontend.clone(),
        };
        let standing = Arc::new(Standing {
            index,
            name: config.name.clone(),
            dialect: match &config.plugin {
                Some(_) => frontend.manifest().dialect.clone(),
                None => config.name.clone(),
            },
            counters: former.map_or_else(Arc::default, |former| former.counters.clone()),
            census: former.map_or_else(Arc::default, |former| former.census.clone()),
            paces: former.map_or_else(Arc::default, |former| former.paces.clone()),
            plugin: config.plugin.clone(),
            trouble: Trouble::default(),
            // One that is linked in is never taken down.
            out_of_order: (config.plugin.as_ref())
                .map_or_else(Response::default, |_| config.frontend.fault(&out_of_order())),
            down: watch::Sender::new(None),
            links: Mutex::default(),
            gone: Notify::new(),
        });
        standing.observe();
        Self::with(frontend, config, Arc::new(Stay(standing)))
    }

    /// The same front end on the terms of another section.
    pub(crate) fn on_terms_of(&self, config: &FrontendConfig) -> Self {
        Self::with(self.frontend.clone(), config, self.stay.clone())
    }

    fn with(frontend: Arc<dyn Frontend>, config: &FrontendConfig, stay: Arc<Stay>) -> Self {
        let origin = FrontendSettings {
            frontend: config.name.clone(),
            room_capacity: config.room_capacity,
            auto_join: config.auto_join.clone(),
        };
        let standing = &stay.0;
        Self {
            name: config.name.clone(),
            frontend,
            limits: config.limits.clone(),
            origin: Arc::new(origin),
            keys: Keys::new(&config.guard.api_keys),
            cors: Cors::new(&config.cors_origins),
            counters: standing.counters.clone(),
            census: standing.census.clone(),
            paces: standing.paces.clone(),
            allow: config.guard.allow.clone(),
            stay,
        }
    }

    pub(crate) fn standing(&self) -> &Arc<Standing> {
        &self.stay.0
    }

    /// Its place among all that are served.
    pub(crate) fn index(&self) -> u16 {
        self.standing().index
    }

    pub(crate) fn voice(&self) -> Voice {
        Voice {
            name: self.name.clone(),
            frontend: self.frontend.clone(),
            counters: self.counters.clone(),
        }
    }

    /// Whether an address may use this front end.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow.is_empty() || self.allow.iter().any(|network| network.contains(&address))
    }

    /// A stream connection has opened.
    pub(crate) fn add(&self, link: Arc<Link>) {
        self.standing().add(link);
    }

    /// A stream connection is gone.
    pub(crate) fn remove(&self, link: &Link) {
        self.standing().remove(link);
    }

    /// A request was left without a response. `hung_up`: the session has closed, as it does after
    /// a fault that is known already.
    pub(crate) fn left_unanswered(&self, hung_up: bool) {
        self.standing().left_unanswered(hung_up);
    }

    /// Why it was taken down, if it was.
    pub(crate) fn down(&self) -> Option<Arc<str>> {
        self.standing().down()
    }

    /// What it answers once it is taken down, in its own words.
    pub(crate) fn out_of_order(&self) -> Response {
        self.standing().out_of_order.clone()
    }

    /// Waits until it is taken down.
    pub(crate) async fn until_down(&self) {
        // The sender is part of this, and so is there as long.
        drop(self.standing().down.subscribe().wait_for(Option::is_some).await);
    }

    /// Counts and logs a panic of the front end's own code.
    pub(crate) fn panicked(&self, at: &str) {
        panicked(&self.counters, &self.name, at);
    }
}

impl Voice {
    /// The same.
    pub(crate) fn panicked(&self, at: &str) {
        panicked(&self.counters, &self.name, at);
    }
}

fn panicked(counters: &Counters, frontend: &str, at: &str) {
    counters.panics.add(1);
    tracing::error!(frontend, "the front end panicked {at}");
}

impl Standing {
    fn add(&self, link: Arc<Link>) {
        let mut links = self.links.lock().expect("nothing panics while it holds the links");
        if links.draining {
            link.mailbox.end(Ending::Draining);
        }
        links.open.insert(link.id, link);
    }

    fn remove(&self, link: &Link) {
        let mut links = self.links.lock().expect("nothing panics while it holds the links");
        links.open.remove(&link.id);
    }

    /// How many stream connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.links.lock().expect("nothing panics while it holds the links").open.len()
    }

    /// Lets every stream connection end when what it asked is answered.
    pub(crate) fn drain(&self) {
        let mut links = self.links.lock().expect("nothing panics while it holds the links");
        links.draining = true;
        for link in links.open.values() {
            link.mailbox.end(Ending::Draining);
        }
    }

    /// Ends every stream connection at once.
    pub(crate) fn give_up(&self) {
        let links = self.links.lock().expect("nothing panics while it holds the links");
        for link in links.open.values() {
            link.mailbox.give_up();
        }
    }

    /// Waits, once, until nobody holds on to it any more.
    pub(crate) async fn until_gone(&self) {
        self.gone.notified().await;
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.plugin.is_some()
    }

    /// Has itself told of what its plugin does wrong.
    fn observe(self: &Arc<Self>) {
        let Some(plugin) = &self.plugin else { return };
        let standing = Arc::downgrade(self);
        plugin.observe(move |fault| {
            let Some(standing) = standing.upgrade() else { return };
            let kind = match fault.kind {
                FaultKind::Panicked => Kind::Panicked,
                FaultKind::Malformed => Kind::Malformed,
            };
            standing.failed(kind, fault.function, &fault.to_string());
        });
    }

    fn left_unanswered(&self, hung_up: bool) {
        let what = "a request was left without a response";
        match &self.plugin {
            None => tracing::error!(frontend = self.name, "{what}"),
            Some(_) if hung_up => (),
            Some(plugin) => {
                let what = format!("plugin {} ({}): {what}", self.dialect, plugin.path.display());
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
            tracing::error!(
                frontend = self.name,
                "taken down until its section or its plugin changes, or the gateway restarts: {why}"
            );
            self.drain();
        }
    }

    /// Why it was taken down, if it was.
    pub(crate) fn down(&self) -> Option<Arc<str>> {
        self.down.borrow().clone()
    }
}
