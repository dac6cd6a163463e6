//! The configuration of a gateway that runs: read again at SIGHUP, and what the admin API asks about
//! it.

use std::sync::Arc;

use tokio::task::JoinError;

use crate::admin as admin_api;
use crate::admin::types::ConfigPlan;
use crate::config::{Config, Draft, Problem, Problems, ShownConfig, ValueSource};
use crate::runtime::metrics::ReloadResult;
use crate::runtime::net::state::{ConfigAction, ConfigRequest};
use crate::runtime::{Gateway, reload};

/// A configuration that was in effect.
#[derive(Clone)]
pub(super) struct Former {
    config: Config,
    shown: Arc<ShownConfig>,
}

/// What a rollback leaves to do.
const FILE_STAYS: &str = "the file is as it was, and the next reload or start applies it again: \
    change it back too";

impl Gateway {
    /// Applies another configuration; what has not changed keeps its connections. False: a part
    /// did not work, and is in the log.
    pub async fn reload(&mut self, config: Config) -> bool {
        self.renew(config).await.is_empty()
    }

    /// The same. Returns what did not work.
    async fn renew(&mut self, config: Config) -> Vec<String> {
        let failures = reload::apply(&self.state, &mut self.config, &self.at_start, config).await;
        let complete = failures.is_empty();
        let result = if complete { ReloadResult::Applied } else { ReloadResult::Incomplete };
        self.note_reload(result);
        self.state.reloaded.notify_waiters();
        // After it is in effect and counted, so that it is true for whatever waits for it.
        tracing::info!(complete, "the configuration was read again");
        failures
    }

    /// Shows these values as those in effect.
    pub(super) fn show(&mut self, shown: Arc<ShownConfig>) {
        self.shown = shown.clone();
        self.state.effective.store(Some(shown));
    }

    fn in_effect(&self) -> Former {
        Former { config: self.config.clone(), shown: self.shown.clone() }
    }

    /// Shows other values; those before can be gone back to, unless they are the same.
    fn replace_shown(&mut self, before: Former, shown: Arc<ShownConfig>) {
        if !before.shown.is_same(&shown) {
            self.former = Some(before);
        }
        self.show(shown);
    }

    /// After the configuration was read at SIGHUP, or for a request of the admin API. False: it was
    /// refused, or a part did not work.
    pub(super) async fn renew_from(
        &mut self,
        read: Result<Result<Draft, Problems>, JoinError>,
        request: Option<ConfigRequest>,
    ) -> bool {
        let read = read.unwrap_or_else(|error| {
            let mut problems = Problems::default();
            problems
                .push(Problem::new(ValueSource::Default, format!("reading it failed: {error}")));
            Err(problems)
        });
        let Some(request) = request else { return self.reload_from(read).await };
        let done = match (read, request.action) {
            (_, ConfigAction::RollBack) => self.roll_back().await,
            (Ok(draft), ConfigAction::Plan | ConfigAction::Check) => Ok(self.plan(&draft)),
            (Ok(draft), ConfigAction::Apply) => self.apply(draft).await,
            (Err(problems), ConfigAction::Check) => {
                let problems = problems.iter().map(ToString::to_string).collect();
                Ok(ConfigPlan { problems, ..ConfigPlan::default() })
            }
            (Err(problems), ConfigAction::Plan | ConfigAction::Apply) => {
                Err(admin_api::Problem::new(400, "configuration", problems.to_string()))
            }
        };
        let is_done = done.is_ok();
        // An error: the client is gone.
        drop(request.reply.send(done));
        is_done
    }

    async fn reload_from(&mut self, draft: Result<Draft, Problems>) -> bool {
        match draft {
            Ok(draft) => {
                draft.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                let (before, shown) = (self.in_effect(), ShownConfig::of(&draft));
                let complete = self.renew(draft.config).await.is_empty();
                self.replace_shown(before, shown.into());
                complete
            }
            Err(problems) => {
                problems.iter().for_each(|problem| tracing::error!("{problem}"));
                self.note_reload(ReloadResult::Refused);
                let problems = problems.len();
                tracing::error!(problems, "the configuration is invalid; nothing is changed");
                false
            }
        }
    }

    fn plan(&self, draft: &Draft) -> ConfigPlan {
        let warnings = draft.warnings.iter().map(ToString::to_string).collect();
        ConfigPlan { warnings, ..self.plan_of(&draft.config) }
    }

    fn plan_of(&self, config: &Config) -> ConfigPlan {
        reload::preview(&self.state, &self.config, &self.at_start, config)
    }

    /// Applies a configuration, or the former one again if a part of it does not come up.
    async fn apply(&mut self, draft: Draft) -> Result<ConfigPlan, admin_api::Problem> {
        let plan = self.plan(&draft);
        let shown = ShownConfig::of(&draft).into();
        self.apply_planned(Former { config: draft.config, shown }, plan).await
    }

    /// Applies what was in effect before the last change.
    async fn roll_back(&mut self) -> Result<ConfigPlan, admin_api::Problem> {
        let Some(former) = self.former.clone() else {
            let what = "there is nothing to go back to: the configuration is that of the start";
            return Err(admin_api::Problem::new(409, "conflict", what));
        };
        let mut plan = self.plan_of(&former.config);
        plan.warnings.push(FILE_STAYS.into());
        self.apply_planned(former, plan).await
    }

    async fn apply_planned(
        &mut self,
        wanted: Former,
        plan: ConfigPlan,
    ) -> Result<ConfigPlan, admin_api::Problem> {
        let refused = |detail: String| Err(admin_api::Problem::new(409, "conflict", detail));
        if !plan.problems.is_empty() {
            return refused(format!("{}; nothing is changed", plan.problems.join("\n")));
        }
        plan.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let before = self.in_effect();
        let failures = self.renew(wanted.config).await;
        if failures.is_empty() {
            self.replace_shown(before, wanted.shown);
            return Ok(plan);
        }
        tracing::error!("rolling back, since a part of the configuration did not come up");
        let left = self.renew(before.config).await;
        let failures = failures.join("\n");
        if left.is_empty() {
            return refused(format!("{failures}; the former configuration is in effect again"));
        }
        let left = left.join("\n");
        refused(format!("{failures}; of the former configuration, this is not in effect: {left}"))
    }

    fn note_reload(&self, result: ReloadResult) {
        let services = &self.state.services;
        services.metrics.note_reload(result, services.clock.now());
    }
}
