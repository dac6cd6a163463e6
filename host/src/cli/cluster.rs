//! `dragoman cluster`: begins, joins, shows, checks and recovers the log that several gateways share.

use std::error::Error;

use clap::{Args, Subcommand};

use super::Options;

#[derive(Args, Debug)]
pub(super) struct Cluster {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the log, and begin it with the store; the gateway must be stopped
    Init(Options),
    /// Make the store from the newest snapshot; the gateway must be stopped
    Join {
        #[command(flatten)]
        options: Options,

        /// Keep a store that cannot go on as `<path>.replaced`
        #[arg(long)]
        replace: bool,
    },
    /// Show the log, its snapshots, and how far the store has followed it
    Status {
        #[command(flatten)]
        options: Options,

        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask each server, and warn of what loses entries: exits with 1 if something is wrong
    Check(Options),
    /// Make a new log after what the store has applied; every gateway must be stopped
    Recover {
        #[command(flatten)]
        options: Options,

        /// Remove the log that is there, with the entries that this store has not applied
        #[arg(long)]
        discard_log: bool,
    },
}

#[cfg(not(feature = "cluster"))]
pub(super) fn run(_: Options, _: Cluster) -> Result<(), Box<dyn Error>> {
    Err("this build has no clusters; use one with the feature cluster, which is a default".into())
}

#[cfg(feature = "cluster")]
pub(super) fn run(options: Options, cluster: Cluster) -> Result<(), Box<dyn Error>> {
    let options = options.and(cluster.options);
    match cluster.what {
        What::Init(further) => here::init(&here::Here::of(&options.and(further))?),
        What::Join { options: further, replace } => {
            here::join(&here::Here::of(&options.and(further))?, replace)
        }
        What::Status { options: further, json } => {
            here::status(&here::Here::of(&options.and(further))?, json)
        }
        What::Check(further) => here::check(&here::Here::of(&options.and(further))?),
        What::Recover { options: further, discard_log } => {
            here::recover(&here::Here::of(&options.and(further))?, discard_log)
        }
    }
}

#[cfg(feature = "cluster")]
mod here {
    use std::error::Error;
    use std::future::Future;

    use core_cluster::{LogInfo, Snapshot};
    use core_model::Timestamp;
    use serde_json::{Value, json};

    use super::super::{Options, output};
    use crate::cluster::membership::{self, Joined, Standing};
    use crate::cluster::settings;
    use crate::config::{ClusterConfig, StoreConfig};
    use crate::users::rfc3339;

    /// What the verbs work on.
    pub(super) struct Here {
        cluster: ClusterConfig,
        store: StoreConfig,
    }

    impl Here {
        pub(super) fn of(options: &Options) -> Result<Self, Box<dyn Error>> {
            let config = options.configuration()?.config;
            let Some(cluster) = config.cluster else {
                let file = options.file();
                return Err(format!(
                    "{}: there is no section [cluster]; give it one with the cluster's `name` and its `servers`",
                    file.display()
                )
                .into());
            };
            Ok(Self { cluster, store: config.store })
        }
    }

    fn wait<R>(work: impl Future<Output = R>) -> Result<R, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(work))
    }

    pub(super) fn init(here: &Here) -> Result<(), Box<dyn Error>> {
        let (log, snapshot) = wait(membership::init(&here.cluster, &here.store))??;
        output::line(format_args!(
            "{}: made the log {} on {} servers; {} follows it, and is its first snapshot ({} bytes)",
            here.cluster.name,
            log.id,
            log.replicas,
            here.store.path.display(),
            snapshot.bytes
        ))?;
        let next = "start this gateway; give the others the same [cluster] and a node of their own, \
                    and start them: they begin with the snapshot";
        Ok(output::line(next)?)
    }

    pub(super) fn join(here: &Here, replace: bool) -> Result<(), Box<dyn Error>> {
        let store = here.store.path.display();
        match wait(membership::join(&here.cluster, &here.store, replace))?? {
            Joined::GoesOn { applied } => output::line(format_args!(
                "{store}: follows the log already, to entry {applied}, and goes on from there"
            ))?,
            Joined::From { snapshot, kept } => {
                output::line(format_args!(
                    "{store}: made from the snapshot of {}",
                    shown(&snapshot)
                ))?;
                if let Some(kept) = kept {
                    output::line(format_args!("{}: the former store", kept.display()))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn recover(here: &Here, discard: bool) -> Result<(), Box<dyn Error>> {
        let (log, snapshot) = wait(membership::recover(&here.cluster, &here.store, discard))??;
        output::line(format_args!(
            "{}: made the log {}, which goes on after entry {}; {} follows it, and is its first snapshot",
            here.cluster.name,
            log.id,
            snapshot.position,
            here.store.path.display()
        ))?;
        let next =
            "start this gateway; on the others `dragoman cluster join --replace`, and start them";
        Ok(output::line(next)?)
    }

    fn shown(snapshot: &Snapshot) -> String {
        let at = rfc3339(Timestamp(snapshot.at * 1_000));
        format!("entry {}, {} bytes, {at}", snapshot.position, snapshot.bytes)
    }

    /// Shows the store even where the servers do not answer, which is then an error.
    pub(super) fn status(here: &Here, json: bool) -> Result<(), Box<dyn Error>> {
        let found = wait(async {
            let cluster = core_cluster::Cluster::connect(settings(&here.cluster)).await?;
            let log = cluster.info().await?;
            let snapshots = cluster.snapshots().list(&log.id).await?;
            Ok::<_, core_cluster::Error>((log, snapshots))
        })?;
        let store = membership::standing(&here.store);
        if json {
            output::line(as_json(here, &found, &store))?;
        } else {
            if let Ok((log, snapshots)) = &found {
                show_log(here, log, snapshots)?;
            }
            let log = found.as_ref().ok().map(|(log, _)| log);
            output::line(format_args!(
                "{}: {}",
                here.store.path.display(),
                shown_store(&store, log)
            ))?;
        }
        found.map(drop).map_err(Into::into)
    }

    fn show_log(here: &Here, log: &LogInfo, snapshots: &[Snapshot]) -> std::io::Result<()> {
        output::line(format_args!("log {} of {}", log.id, here.cluster.name))?;
        output::line(format_args!(
            "entries {} to {}, {} of at most {} bytes, on {}",
            log.first,
            log.last,
            log.bytes,
            log.bytes_max,
            if log.peers.is_empty() { "one server".to_owned() } else { log.peers.join(", ") }
        ))?;
        for peer in &log.behind {
            output::line(format_args!("the replica on {peer} is behind or away"))?;
        }
        for snapshot in snapshots {
            output::line(format_args!("snapshot of {}", shown(snapshot)))?;
        }
        if snapshots.is_empty() {
            output::line("no snapshot: a new gateway cannot join")?;
        }
        Ok(())
    }

    fn shown_store(store: &Standing, found: Option<&LogInfo>) -> String {
        let join = "`dragoman cluster join` makes it from a snapshot";
        match (store, found) {
            (Standing::InUse, _) => {
                "in use by the gateway; its metrics dragoman_cluster_* and GET /api/v1/cluster say more"
                    .into()
            }
            (Standing::Missing, _) => format!("is not there; {join}"),
            (Standing::Alone, _) => format!("follows no log; {join}"),
            (Standing::Follows { log, applied }, None) => {
                format!("follows the log {log}, and has applied entry {applied}")
            }
            (Standing::Follows { log, applied }, Some(found)) if *log == found.id => {
                let behind = found.last.0.saturating_sub(*applied);
                format!("has applied entry {applied}, and is {behind} behind")
            }
            (Standing::Follows { log, applied }, Some(_)) => {
                format!("follows another log, {log}, and has applied its entry {applied}")
            }
            (Standing::Condemned { at }, _) => format!(
                "was found at entry {at} to differ from those of most other gateways, and is not \
                 opened; look for a failing disk or memory, then `dragoman cluster join --replace`"
            ),
            (Standing::Unreadable(why), _) => why.clone(),
        }
    }

    fn as_json(
        here: &Here,
        found: &Result<(LogInfo, Vec<Snapshot>), core_cluster::Error>,
        store: &Standing,
    ) -> Value {
        let (log, applied, condemned_at) = match store {
            Standing::Follows { log, applied } => (Some(log.as_str()), Some(*applied), None),
            Standing::Condemned { at } => (None, None, Some(*at)),
            _ => (None, None, None),
        };
        let store = json!({ "log": log, "condemned_at": condemned_at });
        let (log, snapshots) = match found {
            Ok(found) => found,
            Err(error) => {
                return json!({
                    "cluster": here.cluster.name,
                    "problem": error.to_string(),
                    "applied": applied,
                    "store": store,
                });
            }
        };
        let snapshots = snapshots.iter().map(|snapshot| {
            json!({ "position": snapshot.position.0, "bytes": snapshot.bytes, "at": snapshot.at })
        });
        let is_of_log = matches!(&store["log"], Value::String(id) if *id == log.id.as_str());
        json!({
            "cluster": here.cluster.name,
            "log": log.id.as_str(),
            "first": log.first.0,
            "last": log.last.0,
            "bytes": log.bytes,
            "bytes_max": log.bytes_max,
            "replicas": log.replicas,
            "leader": log.leader,
            "behind": log.behind,
            "snapshots": snapshots.collect::<Vec<_>>(),
            "applied": applied.filter(|_| is_of_log),
            "store": store,
        })
    }

    /// Why warnings alone are a failure.
    const WARNED: &str = "the cluster works, and may lose what it has acknowledged; for a trial on one \
                          machine that may be meant, and a script learns of it by the exit status 1";

    pub(super) fn check(here: &Here) -> Result<(), Box<dyn Error>> {
        let report = wait(core_cluster::Cluster::check(&settings(&here.cluster)))??;
        for server in &report.servers {
            output::line(format_args!(
                "{}: {}, nats-server {}",
                server.address, server.name, server.version
            ))?;
        }
        if let Some(log) = &report.log {
            output::line(format_args!(
                "the log {} has the entries {} to {}, {} replicas, and {} of at most {} bytes",
                log.id, log.first, log.last, log.replicas, log.bytes, log.bytes_max
            ))?;
        }
        for warning in &report.warnings {
            output::line(format_args!("warning: {warning}"))?;
        }
        match report.warnings.len() {
            0 => Ok(output::line("no fault found")?),
            1 => Err(format!("1 warning: {WARNED}").into()),
            count => Err(format!("{count} warnings: {WARNED}").into()),
        }
    }
}
