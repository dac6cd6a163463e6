//! The place of the gateway in its cluster.

use core_engine::RunView;

use super::{Context, OnGateway, Routes};
use crate::admin::types::{ClusterCheckpoint, ClusterRun, ClusterState, Nothing};
use crate::admin::{Problem, ShowCluster};
use crate::users::Failure;

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes.on_gateway::<ShowCluster>()
}

impl OnGateway for ShowCluster {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<ClusterState, Problem> {
        let services = &cx.state.services;
        let Some(cluster) = &services.cluster else {
            let what = "the gateway is in no cluster: gateway.toml has no section [cluster]";
            return Err(Problem::new(404, "unknown", what));
        };
        let runs = services.engine.runs().map_err(|refusal| Problem::from(Failure::of(refusal)))?;
        let node = &cluster.node;
        let (applied, last) = node.positions().unwrap_or_default();
        Ok(ClusterState {
            node: node.name().to_owned(),
            run: node.run(),
            applied,
            last,
            age_ms: u64::try_from(node.age().as_millis()).unwrap_or(u64::MAX),
            cut_off: node.is_cut_off(),
            problem: node.problem(),
            checkpoint: node.checkpoint().map(checkpoint),
            steward: services.is_steward(),
            runs: runs.into_iter().map(run).collect(),
        })
    }
}

fn checkpoint((at, digest): (u64, u64)) -> ClusterCheckpoint {
    ClusterCheckpoint { at, digest: format!("{digest:016x}") }
}

fn run(RunView { run, node, speaks, missed, is_live, .. }: RunView) -> ClusterRun {
    ClusterRun { run, node, missed, live: is_live, speaks }
}
