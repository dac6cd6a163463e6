//! The stream that is the log: how it is made, and whether the one that is there is it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::account::Account;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};

use crate::connection::{Connection, Failure};
use crate::error::Error;
use crate::names::{self, LogId, Position};
use crate::settings::{MESSAGE_BYTES_MAX, Settings};

/// The key of the log's id among the metadata of the stream.
const LOG_ID: &str = "dragoman-log";
/// Servers that have just been started need some seconds to elect a leader.
const INIT_PATIENCE: Duration = Duration::from_secs(15);
const INIT_PAUSE: Duration = Duration::from_millis(100);

/// The log as the servers have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogInfo {
    pub id: LogId,
    /// The first entry that is there, and the last. There is none when the last is before the first.
    pub first: Position,
    pub last: Position,
    pub bytes: u64,
    pub bytes_max: u64,
    pub replicas: usize,
    /// The names of the servers that keep it, and of the one that leads. None for a server without a
    /// cluster.
    pub peers: Vec<String>,
    pub leader: Option<String>,
    /// Those of them that are behind or away.
    pub behind: Vec<String>,
}

/// Makes the log, which begins after `after`. Waits some seconds for servers that are starting.
pub(crate) async fn create(
    connection: &Connection,
    settings: &Settings,
    after: Position,
) -> Result<LogInfo, Error> {
    let id = LogId::draw();
    let config = config(settings, &id, after);
    let until = Instant::now() + INIT_PATIENCE;
    loop {
        let subject = format!("STREAM.CREATE.{}", config.name);
        let made = connection.request::<Info>("make the log", subject, &config).await;
        let failure = match made {
            Ok(info) => return verify(settings, &info),
            Err(failure) => failure,
        };
        if is_taken(&failure) {
            // An earlier request of this loop may have made it, and only its answer was lost.
            let found = info(connection, settings).await?;
            let is_ours = found.id == id;
            let name = settings.name.clone();
            return if is_ours { Ok(found) } else { Err(Error::LogExists { name, id: found.id }) };
        }
        if !is_passing(&failure) || Instant::now() > until {
            return Err(failure.error);
        }
        tokio::time::sleep(INIT_PAUSE).await;
    }
}

fn is_taken(failure: &Failure) -> bool {
    failure.code == Some(ErrorCode::STREAM_NAME_EXIST)
        || failure.code == Some(ErrorCode::STREAM_SUBJECT_OVERLAP)
}

/// Whether the failure passes: servers have not found each other yet, or one is still removing the files
/// of a former stream of this name.
fn is_passing(failure: &Failure) -> bool {
    matches!(failure.error, Error::NoQuorum { .. })
        || failure.code == Some(ErrorCode::CLUSTER_NO_PEERS)
        || failure.code == Some(ErrorCode::STREAM_CREATE)
}

/// Whether these credentials may use JetStream at all.
pub(crate) async fn check_account(connection: &Connection) -> Result<(), Error> {
    let what = "JetStream";
    connection.request::<Account>(what, "INFO".to_owned(), &()).await?;
    Ok(())
}

/// The log, if it is one.
pub(crate) async fn info(connection: &Connection, settings: &Settings) -> Result<LogInfo, Error> {
    let subject = format!("STREAM.INFO.{}", names::stream(&settings.name));
    match connection.request::<Info>("the log", subject, &()).await {
        Ok(info) => verify(settings, &info),
        Err(failure) if failure.code == Some(ErrorCode::STREAM_NOT_FOUND) => {
            Err(Error::NoLog { name: settings.name.clone() })
        }
        Err(failure) => Err(failure.error),
    }
}

/// Removes the log, if it is there.
pub(crate) async fn remove(connection: &Connection, settings: &Settings) -> Result<(), Error> {
    let subject = format!("STREAM.DELETE.{}", names::stream(&settings.name));
    // The server takes an empty object for nothing, and refuses null.
    let nothing = serde_json::json!({});
    match connection.request::<serde_json::Value>("remove the log", subject, &nothing).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.code == Some(ErrorCode::STREAM_NOT_FOUND) => Ok(()),
        Err(failure) => Err(failure.error),
    }
}

/// Whether a store that has applied the log to `applied` can go on with it.
pub(crate) fn check_reach(info: &LogInfo, applied: Position) -> Result<(), Error> {
    if info.last < applied {
        return Err(Error::Rewound { applied: applied.0, last: info.last.0 });
    }
    if info.first.0 > applied.0 + 1 {
        return Err(Error::Truncated { applied: applied.0, first: info.first.0 });
    }
    Ok(())
}

fn config(settings: &Settings, id: &LogId, after: Position) -> Config {
    Config {
        name: names::stream(&settings.name),
        subjects: vec![names::subject(&settings.name)],
        description: Some(format!("the log of the Dragoman cluster {}", settings.name)),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        num_replicas: settings.replicas,
        max_bytes: settings.log_bytes_max.try_into().unwrap_or(i64::MAX),
        max_age: settings.log_age_max,
        max_message_size: MESSAGE_BYTES_MAX as i32,
        deny_delete: true,
        deny_purge: true,
        metadata: HashMap::from([(LOG_ID.to_owned(), id.to_string())]),
        first_sequence: (after.0 > 0).then_some(after.0 + 1),
        ..Config::default()
    }
}

/// Whether the stream is the log, and nothing was changed that breaks it. Sizes, ages and replicas
/// are the operator's to change.
fn verify(settings: &Settings, info: &Info) -> Result<LogInfo, Error> {
    let config = &info.config;
    let foreign = |why: String| {
        let (name, stream) = (settings.name.clone(), config.name.clone());
        Err(Error::ForeignStream { name, stream, why })
    };
    let Some(id) = config.metadata.get(LOG_ID).and_then(|id| LogId::parse(id)) else {
        return foreign(format!("its metadata have no `{LOG_ID}`"));
    };
    let subject = names::subject(&settings.name);
    if config.subjects != [subject.as_str()] {
        return foreign(format!("its subjects are {:?}, not {subject:?}", config.subjects));
    }
    check_settings(config)?;
    let cluster = info.cluster.as_ref();
    let replicas = cluster.map_or(&[][..], |cluster| &cluster.replicas);
    let leader = cluster.and_then(|cluster| cluster.leader.clone());
    let is_behind = |peer: &&async_nats::jetstream::stream::PeerInfo| !peer.current || peer.offline;
    Ok(LogInfo {
        id,
        first: Position(info.state.first_sequence),
        last: Position(info.state.last_sequence),
        bytes: info.state.bytes,
        bytes_max: config.max_bytes.try_into().unwrap_or(u64::MAX),
        replicas: config.num_replicas,
        peers: leader
            .iter()
            .cloned()
            .chain(replicas.iter().map(|peer| peer.name.clone()))
            .collect(),
        leader,
        behind: replicas.iter().filter(is_behind).map(|peer| peer.name.clone()).collect(),
    })
}

fn check_settings(config: &Config) -> Result<(), Error> {
    let check = |setting, found: String, wanted: &str, why| {
        if found == wanted {
            return Ok(());
        }
        let (stream, wanted) = (config.name.clone(), wanted.to_owned());
        Err(Error::StreamSetting { stream, setting, found, wanted, why })
    };
    let flag = |flag: bool| flag.to_string();
    check("storage", format!("{:?}", config.storage), "File", "an answer promises a disk")?;
    check("retention", format!("{:?}", config.retention), "Limits", "all nodes read all entries")?;
    check("discard", format!("{:?}", config.discard), "Old", "a full log must take new entries")?;
    check("deny_delete", flag(config.deny_delete), "true", "a node that missed an entry differs")?;
    check("deny_purge", flag(config.deny_purge), "true", "a node that missed an entry differs")?;
    check("no_ack", flag(config.no_ack), "false", "an answer waits for the acknowledgement")?;
    check("sealed", flag(config.sealed), "false", "a sealed log takes no entries")?;
    check(
        "allow_msg_ttl",
        flag(config.allow_message_ttl),
        "false",
        "entries leave in their order",
    )?;
    let is_transformed = config.subject_transform.is_some() || config.mirror.is_some();
    let has_sources = config.sources.as_ref().is_some_and(|sources| !sources.is_empty());
    let why = "what nodes publish is all that belongs into the log";
    check(
        "mirror, sources or subject_transform",
        flag(is_transformed || has_sources),
        "false",
        why,
    )?;
    let has_room =
        config.max_message_size <= 0 || config.max_message_size as usize >= MESSAGE_BYTES_MAX;
    if has_room {
        return Ok(());
    }
    let found = config.max_message_size.to_string();
    let wanted = format!("at least {}", MESSAGE_BYTES_MAX);
    check("max_msg_size", found, &wanted, "entries have up to 512 KiB")
}
