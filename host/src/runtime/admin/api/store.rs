//! The store: where it is, and the backups that the gateway makes of it.

use std::path::Path;
use std::time::UNIX_EPOCH;

use core_model::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use super::{Context, OnGateway, Routes};
use crate::admin::types::{
    BackupChoice, BackupFile, BackupSchedule, MadeBackup, Nothing, Page, StoreState, VerifiedBackup,
};
use crate::admin::{ListBackups, MakeBackup, Problem, ShowStore, VerifyBackup};
use crate::config::BackupConfig;
use crate::disk_space::free_bytes;
use crate::runtime::net::backup_files;
use crate::runtime::net::state::GatewayState;
use crate::users::rfc3339;

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes
        .on_gateway::<ShowStore>()
        .on_gateway::<ListBackups>()
        .on_gateway::<MakeBackup>()
        .on_gateway::<VerifyBackup>()
}

impl OnGateway for ShowStore {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<StoreState, Problem> {
        let (config, services) = (&cx.state.store, &cx.state.services);
        Ok(StoreState {
            path: services.store.display().to_string(),
            file_bytes: services.engine.store_bytes(),
            free_bytes: free_bytes(&services.store).ok(),
            free_space_min: config.free_space_min,
            keep_days: config.keep_days,
            keep_messages_per_room: config.keep_messages_per_room,
            search: config.search,
            backup: config.backup.as_ref().map(|backup| BackupSchedule {
                folder: backup.folder.display().to_string(),
                every_s: backup.every.as_secs(),
                keep: backup.keep,
            }),
        })
    }
}

impl OnGateway for ListBackups {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Page<BackupFile>, Problem> {
        let Some(config) = cx.state.store.backup.clone() else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        let found = tokio::task::spawn_blocking(move || newest_first(&config)).await;
        let items = found.map_err(|error| failed(error.to_string()))??;
        Ok(Page { items, next: None })
    }
}

/// Those that vanish meanwhile are left out.
fn newest_first(config: &BackupConfig) -> Result<Vec<BackupFile>, Problem> {
    let found = match backup_files::made(&config.folder) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(format!("{}: {error}", config.folder.display()))),
    };
    Ok(found.iter().rev().filter_map(|path| file(path)).collect())
}

fn file(path: &Path) -> Option<BackupFile> {
    let metadata = path.metadata().ok()?;
    let at = metadata.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = Timestamp(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
    let name = path.file_name()?.to_string_lossy().into_owned();
    Some(BackupFile { file: name, bytes: metadata.len(), at: rfc3339(at) })
}

impl OnGateway for MakeBackup {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<MadeBackup, Problem> {
        let (config, turn) = (folder(&cx.state)?, turn(&cx.state)?);
        if let Some(why) = cx.state.services.engine.problem() {
            return Err(failed(format!("the store has failed: {why}")));
        }
        backup_files::make(&cx.state, config, turn).await.map_err(failed)
    }
}

impl OnGateway for VerifyBackup {
    async fn run(
        cx: Context,
        _: Nothing,
        BackupChoice { file }: BackupChoice,
    ) -> Result<VerifiedBackup, Problem> {
        let config = folder(&cx.state)?;
        let listed = config.clone();
        let found = tokio::task::spawn_blocking(move || newest_first(&listed)).await;
        let found = found.map_err(|error| failed(error.to_string()))??;
        let mut names = found.into_iter().map(|found| found.file);
        let name = names.find(|name| file.as_ref().is_none_or(|wanted| wanted == name));
        let name = name.ok_or_else(|| {
            let which = file.map_or("no backup".into(), |file| format!("no backup {file:?}"));
            let folder = config.folder.display();
            let why = format!("there is {which} in {folder}");
            Problem::new(404, "unknown", why).about(&["file"])
        })?;
        backup_files::verify(&cx.state, config, name, turn(&cx.state)?).await.map_err(failed)
    }
}

fn folder(state: &GatewayState) -> Result<&BackupConfig, Problem> {
    state.store.backup.as_ref().ok_or_else(|| {
        let what = "the gateway has no folder for backups; set [store.backup] every and restart it, \
                    or use `dragoman store backup FILE`";
        Problem::new(409, "conflict", what)
    })
}

fn turn(state: &GatewayState) -> Result<OwnedSemaphorePermit, Problem> {
    state.backup_turn.clone().try_acquire_owned().map_err(|_| {
        let why = "another backup or export is being made; wait until it is done";
        Problem::new(409, "conflict", why)
    })
}

fn failed(why: String) -> Problem {
    Problem::new(503, "store", why)
}
