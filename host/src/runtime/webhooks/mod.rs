//! Sends events to other servers: one task for each webhook of the configuration.

mod courier;
mod replay;
mod shared;
mod stats;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use core_engine::WebhookState;
use core_model::{Command, Refusal, WebhookNeed};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::outgoing::HttpClient;
use crate::runtime::session::services::Services;
use crate::webhooks::WebhookConfig;
use crate::webhooks::wire::{WebhookCondition, WebhookReport};
use courier::{Control, Courier};
use shared::{Ending, Shared};

pub(crate) use stats::WebhookStats;

/// Wishes of operators that may wait for a webhook's task.
const CONTROLS_MAX: usize = 8;

/// The webhooks of the configuration in effect.
#[derive(Default)]
pub(crate) struct Webhooks {
    /// By name. None of them while another gateway of the cluster sends events.
    all: Mutex<BTreeMap<String, Arc<Webhook>>>,
    /// Those of the configuration.
    wanted: Mutex<Vec<WebhookConfig>>,
}

pub(crate) struct Webhook {
    config: WebhookConfig,
    pub(crate) stats: Arc<WebhookStats>,
    /// None while it is off, or cannot run.
    task: Option<RunningTask>,
}

struct RunningTask {
    controls: mpsc::Sender<Control>,
    ending: Ending,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl RunningTask {
    async fn join(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task {
            // A panic is in the log.
            drop(task.await);
        }
    }
}

impl Webhooks {
    /// Replaces the webhooks by these. One whose section is unchanged goes on; one of the same name
    /// goes on from the same place. False: one cannot run, which is logged. `Err`: the store refused.
    pub(crate) async fn apply(
        &self,
        services: &Arc<Services>,
        configs: &[WebhookConfig],
    ) -> Result<bool, Refusal> {
        if !services.is_steward() {
            *self.wanted.lock() = configs.to_vec();
            self.stop().await;
            return Ok(true);
        }
        // Before anything is stopped, so that all go on as they are where the store refuses.
        let declared = declare(services, configs).await?;
        *self.wanted.lock() = configs.to_vec();
        let mut former = self.all.lock().clone();
        let mut all = BTreeMap::new();
        for config in configs {
            let is_unchanged = |one: &&Arc<Webhook>| one.config == *config && !one.reads_files();
            if former.get(&config.name).filter(is_unchanged).is_some() {
                all.extend(former.remove_entry(&config.name));
            }
        }
        for task in former.values().filter_map(|webhook| webhook.task.as_ref()) {
            task.ending.abort.cancel();
            task.join().await;
        }
        // Those that were stopped have noted how far they have come.
        let states = services.engine.webhooks().unwrap_or(declared);
        let mut is_complete = true;
        for config in configs {
            if all.contains_key(&config.name) {
                continue;
            }
            let stats = former.get(&config.name).map(|one| one.stats.clone()).unwrap_or_default();
            let state = states.iter().find(|state| state.name == config.name);
            let webhook = Webhook::start(services, config, stats, state).await;
            is_complete &= webhook.task.is_some() || !config.enabled;
            all.insert(config.name.clone(), Arc::new(webhook));
        }
        *self.all.lock() = all;
        Ok(is_complete)
    }

    /// Whether this gateway is the one of a cluster that sends events has changed.
    pub(crate) async fn take_turn(&self, services: &Arc<Services>) -> Result<bool, Refusal> {
        let wanted = self.wanted.lock().clone();
        if wanted.is_empty() {
            return Ok(true);
        }
        self.apply(services, &wanted).await
    }

    /// Another gateway goes on from where this one was.
    async fn stop(&self) {
        let former = std::mem::take(&mut *self.all.lock());
        for task in former.values().filter_map(|webhook| webhook.task.as_ref()) {
            task.ending.abort.cancel();
            task.join().await;
        }
    }

    /// Sends nothing more, and waits for the answers that are outstanding.
    pub(crate) async fn drain(&self) {
        let all = self.all();
        let tasks = || all.iter().filter_map(|(_, webhook)| webhook.task.as_ref());
        tasks().for_each(|task| task.ending.drain.cancel());
        for task in tasks() {
            task.join().await;
        }
    }

    /// All webhooks, by name.
    pub(crate) fn all(&self) -> Vec<(String, Arc<Webhook>)> {
        self.all.lock().iter().map(|(name, one)| (name.clone(), one.clone())).collect()
    }

    /// What each webhook does.
    pub(crate) fn reports(&self, services: &Services) -> Result<Vec<WebhookReport>, Refusal> {
        let newest = services.engine.newest_event()?.message;
        let report = |(name, webhook): (String, Arc<Webhook>)| {
            let stats = &webhook.stats;
            let state = match &webhook.task {
                _ if !webhook.config.enabled => WebhookCondition::Off,
                _ if stats.is_gone() => WebhookCondition::Gone,
                Some(_) if !stats.is_failing() => WebhookCondition::Active,
                _ => WebhookCondition::Failing,
            };
            WebhookReport {
                name,
                server: webhook.config.server(),
                state,
                lag_messages: stats.lag(newest),
                waiting_since_ms: stats.oldest_ms(),
                delivered: stats.delivered.count(),
                dead_letters: u32::try_from(stats.dead_letters()).unwrap_or(u32::MAX),
                last_failure: stats.last_failure(),
            }
        };
        Ok(self.all().into_iter().map(report).collect())
    }

    /// The names of all.
    pub(crate) fn names(&self) -> Vec<String> {
        self.all.lock().keys().cloned().collect()
    }

    /// Sends the dead letters of a webhook again. Returns how many there are. `Err`: a sentence.
    pub(crate) fn replay(&self, name: &str) -> Result<u32, String> {
        self.control(name, Control::Replay)
    }

    /// Goes on with a receiver that was gone. Returns how many dead letters there are. `Err`: a
    /// sentence; also for one that is not gone.
    pub(crate) fn resume(&self, name: &str) -> Result<u32, String> {
        self.control(name, Control::Resume)
    }

    fn control(&self, name: &str, control: Control) -> Result<u32, String> {
        let webhook = self.all.lock().get(name).cloned();
        let webhook = webhook.ok_or_else(|| format!("there is no webhook {name:?}"))?;
        let task = webhook.task.as_ref();
        let task = task.ok_or_else(|| format!("the webhook {name:?} is off"))?;
        if matches!(control, Control::Resume) && !webhook.stats.is_gone() {
            return Err(format!(
                "the receiver of {name:?} has not answered 410, so there is nothing to resume; \
                 `dragoman webhook list` shows its state"
            ));
        }
        task.controls
            .try_send(control)
            .map_err(|_| format!("the webhook {name:?} is busy; try again"))?;
        Ok(u32::try_from(webhook.stats.dead_letters()).unwrap_or(u32::MAX))
    }
}

impl Webhook {
    /// Whether its section names files whose content may have changed.
    fn reads_files(&self) -> bool {
        self.config.client.ca_file.is_some()
    }

    async fn start(
        services: &Arc<Services>,
        config: &WebhookConfig,
        stats: Arc<WebhookStats>,
        state: Option<&WebhookState>,
    ) -> Self {
        if let Some(state) = state {
            stats.show(state);
        }
        let off = Self { config: config.clone(), stats: stats.clone(), task: None };
        let Some(state) = state.filter(|_| config.enabled) else { return off };
        let name = &config.name;
        if state.gone_since.is_some() {
            tracing::error!(
                webhook = name,
                "the receiver has answered 410, so nothing is sent to it; events wait until: \
                 dragoman webhook resume {name}"
            );
        }
        let options = config.client.clone();
        let client = spawn_blocking(move || HttpClient::new(&options)).await;
        let client = match client.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(client) => client,
            Err(why) => {
                tracing::error!(webhook = name, "cannot send events: {why}");
                return off;
            }
        };
        let services = services.clone();
        let shared = Shared { webhook: config.clone(), client, services, stats };
        let courier = Courier::new(Arc::new(shared), state.position);
        let (controls, wishes) = mpsc::channel(CONTROLS_MAX);
        let ending = Ending::default();
        let task = tokio::spawn(courier.run(wishes, ending.clone()));
        Self { task: Some(RunningTask { controls, ending, task: Mutex::new(Some(task)) }), ..off }
    }
}

/// Has the store know these webhooks, and returns how far they have come.
async fn declare(
    services: &Services,
    configs: &[WebhookConfig],
) -> Result<Vec<WebhookState>, Refusal> {
    let need = |config: &WebhookConfig| WebhookNeed {
        name: config.name.clone(),
        events: config.events.iter().any(|event| !event.is_message()),
    };
    let webhooks = configs.iter().map(need).collect();
    services.submit_internal(Command::DeclareWebhooks { webhooks }).await?;
    services.engine.webhooks()
}
