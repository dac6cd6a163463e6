//! Whole stores, each with the position of the log at which it was taken, in the object store of the
//! servers.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_nats::jetstream::context::ObjectStoreErrorKind;
use async_nats::jetstream::object_store::{Config, ObjectInfo, ObjectMetadata, ObjectStore};
use async_nats::jetstream::stream::StorageType;
use futures_util::TryStreamExt;
use tokio::io::AsyncRead;

use crate::connection::{Connection, causes};
use crate::error::Error;
use crate::names::{self, LogId, Position};
use crate::settings::Settings;

/// A new snapshot removes all but this many. One that is being read is among them for as long as the
/// next one takes.
const KEPT: usize = 2;

/// How long a chunk may take: large snapshots keep the servers' disks busy.
const PATIENCE: Duration = Duration::from_secs(10);

const LOG: &str = "log";
const POSITION: &str = "position";

/// Chunks without a description are left by a gateway that died, or are of a snapshot that is being
/// put: those that are this old are removed.
const LEFT_AFTER: Duration = Duration::from_secs(60 * 60);

/// A snapshot that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub id: LogId,
    pub position: Position,
    pub bytes: u64,
    /// When it was complete, in seconds since 1970.
    pub at: u64,
}

impl Snapshot {
    fn name(&self) -> String {
        name(&self.id, self.position)
    }
}

fn name(id: &LogId, position: Position) -> String {
    format!("{id}-{position:020}", position = position.0)
}

/// The snapshots of one cluster.
#[derive(Debug, Clone)]
pub struct Snapshots {
    connection: Connection,
    settings: Settings,
}

impl Snapshots {
    pub(crate) fn new(connection: Connection, settings: Settings) -> Self {
        Self { connection: connection.with_patience(PATIENCE), settings }
    }

    /// Puts all of `data` as the snapshot at this position, and removes older ones. It can be seen
    /// when it is complete.
    pub async fn put(
        &self,
        id: &LogId,
        position: Position,
        data: &mut (impl AsyncRead + Unpin),
    ) -> Result<Snapshot, Error> {
        let failed = |why: String| Error::Snapshot { position: position.0, done: "put", why };
        let bucket = self.bucket().await?;
        let bucket = match bucket {
            Some(bucket) => bucket,
            None => self.create_bucket().await?,
        };
        let metadata = HashMap::from([
            (LOG.to_owned(), id.to_string()),
            (POSITION.to_owned(), position.to_string()),
        ]);
        let object = ObjectMetadata { name: name(id, position), metadata, ..Default::default() };
        let info = bucket.put(object, data).await.map_err(|error| failed(causes(&error)))?;
        self.trim(&bucket, id).await?;
        snapshot(&info).ok_or_else(|| failed("its description is lost".to_owned()))
    }

    /// Those of this log, the newest first.
    pub async fn list(&self, id: &LogId) -> Result<Vec<Snapshot>, Error> {
        match self.bucket().await? {
            None => Ok(Vec::new()),
            Some(bucket) => {
                let mut snapshots = all(&bucket).await?;
                snapshots.retain(|snapshot| snapshot.id == *id);
                Ok(snapshots)
            }
        }
    }

    /// The newest of this log.
    pub async fn newest(&self, id: &LogId) -> Result<Snapshot, Error> {
        let newest = self.list(id).await?.into_iter().next();
        newest.ok_or_else(|| Error::NoSnapshot { id: id.clone() })
    }

    /// The bytes of a snapshot. The read fails at its end if they are not those that were put.
    pub async fn get(
        &self,
        snapshot: &Snapshot,
    ) -> Result<impl AsyncRead + Send + Unpin + use<>, Error> {
        let bucket = self.bucket().await?;
        let Some(bucket) = bucket else {
            return Err(Error::NoSnapshot { id: snapshot.id.clone() });
        };
        bucket.get(snapshot.name()).await.map_err(|error| Error::Snapshot {
            position: snapshot.position.0,
            done: "read",
            why: causes(&error),
        })
    }

    async fn bucket(&self) -> Result<Option<ObjectStore>, Error> {
        let name = names::bucket(&self.settings.name);
        // A bucket is a stream of this name.
        let subject = format!("STREAM.INFO.OBJ_{name}");
        let what = "the snapshots";
        let found = self.connection.request::<serde_json::Value>(what, subject, &()).await;
        match found {
            Ok(_) => {}
            Err(failure)
                if failure.code == Some(async_nats::jetstream::ErrorCode::STREAM_NOT_FOUND) =>
            {
                return Ok(None);
            }
            Err(failure) => return Err(failure.error),
        }
        match self.connection.jetstream.get_object_store(&name).await {
            Ok(bucket) => Ok(Some(bucket)),
            Err(error) if error.kind() == ObjectStoreErrorKind::GetStore => {
                Err(Error::NoQuorum { what: what.to_owned(), why: causes(&error) })
            }
            Err(error) => Err(Error::Refused { what: what.to_owned(), why: causes(&error) }),
        }
    }

    async fn create_bucket(&self) -> Result<ObjectStore, Error> {
        let config = Config {
            bucket: names::bucket(&self.settings.name),
            description: Some(format!("snapshots of the Dragoman cluster {}", self.settings.name)),
            storage: StorageType::File,
            num_replicas: self.settings.replicas,
            ..Config::default()
        };
        let made = self.connection.jetstream.create_object_store(config).await;
        made.map_err(|error| Error::Refused {
            what: "make the bucket of the snapshots".to_owned(),
            why: causes(&error),
        })
    }

    /// Removes all but the newest of this log, and what is left of those that were not completed.
    async fn trim(&self, bucket: &ObjectStore, id: &LogId) -> Result<(), Error> {
        let snapshots = all(bucket).await?;
        let mut kept = 0;
        for snapshot in &snapshots {
            if snapshot.id == *id && kept < KEPT {
                kept += 1;
                continue;
            }
            bucket.delete(snapshot.name()).await.map_err(|error| Error::Snapshot {
                position: snapshot.position.0,
                done: "removed",
                why: causes(&error),
            })?;
        }
        self.remove_left(bucket, LEFT_AFTER).await
    }

    /// Removes what is left of snapshots that were not completed and have not grown for so long.
    /// `put` does so for an hour.
    pub async fn remove_incomplete(&self, age: Duration) -> Result<(), Error> {
        match self.bucket().await? {
            Some(bucket) => self.remove_left(&bucket, age).await,
            None => Ok(()),
        }
    }

    async fn remove_left(&self, bucket: &ObjectStore, age: Duration) -> Result<(), Error> {
        let refused = |why: String| Error::Refused { what: "list the snapshots".to_owned(), why };
        let name = names::bucket(&self.settings.name);
        let objects = objects(bucket).await?;
        let described: HashSet<String> =
            objects.iter().map(|info| format!("$O.{name}.C.{}", info.nuid)).collect();
        let stream = self.connection.jetstream.get_stream_no_info(format!("OBJ_{name}")).await;
        let stream = stream.map_err(|error| refused(causes(&error)))?;
        let mut subjects = stream
            .info_with_subjects(format!("$O.{name}.C.>"))
            .await
            .map_err(|error| refused(causes(&error)))?;
        let now = async_nats::datetime::now();
        while let Some((subject, _)) =
            subjects.try_next().await.map_err(|error| refused(causes(&error)))?
        {
            if described.contains(&subject) {
                continue;
            }
            let Ok(last) = stream.get_last_raw_message_by_subject(&subject).await else { continue };
            if now - last.time >= age {
                let purged = stream.purge().filter(&subject).await;
                purged.map_err(|error| refused(causes(&error)))?;
            }
        }
        Ok(())
    }
}

async fn objects(bucket: &ObjectStore) -> Result<Vec<ObjectInfo>, Error> {
    let refused = |why: String| Error::Refused { what: "list the snapshots".to_owned(), why };
    let list = bucket.list().await.map_err(|error| refused(causes(&error)))?;
    list.try_collect().await.map_err(|error| refused(causes(&error)))
}

/// Of any log, the newest first.
async fn all(bucket: &ObjectStore) -> Result<Vec<Snapshot>, Error> {
    let mut snapshots: Vec<Snapshot> = objects(bucket).await?.iter().filter_map(snapshot).collect();
    snapshots.sort_by_key(|snapshot| std::cmp::Reverse((snapshot.position, snapshot.at)));
    Ok(snapshots)
}

/// Other objects in the bucket are not ours.
fn snapshot(info: &ObjectInfo) -> Option<Snapshot> {
    if info.deleted {
        return None;
    }
    Some(Snapshot {
        id: LogId::parse(info.metadata.get(LOG)?)?,
        position: Position(info.metadata.get(POSITION)?.parse().ok()?),
        bytes: info.size as u64,
        at: info.modified.map_or(0, |at| at.unix_timestamp()).try_into().unwrap_or(0),
    })
}
