//! The log of a cluster as the engine's: on the writer's thread.

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use core_cluster::{Error, Position, Reader};
use core_engine::{Entries, Entry, EntryFault, EntryId, Fate, Log, LogEntry, Next, Progress};
use core_model::{AdminCommand, Command, Timestamp};

use super::node::Node;
use crate::config::Sync;

/// The most commands in one commit, as with a store that follows no log.
const BATCH_MAX: usize = 1024;

/// With [`Sync::Log`], between two commits that are on disk.
const SYNC_PERIOD: Duration = Duration::from_secs(1);

pub(super) struct EngineLog<T> {
    node: Arc<Node<T>>,
    sync: Sync,
    reader: Source,
    /// What was read and not given to the engine yet.
    read: VecDeque<LogEntry>,
    /// The end of what the engine has in hand.
    in_hand: Option<u64>,
    /// Whether something that was read since changes bans.
    changes_bans: bool,
    /// Whether nothing more is read: what comes next cannot be.
    is_over: bool,
    /// When a commit was last on disk.
    synced: Instant,
}

enum Source {
    /// It comes once the servers can be reached.
    Awaited(mpsc::Receiver<Reader>),
    Open(Reader),
}

impl<T: Send> EngineLog<T> {
    pub(super) fn new(node: Arc<Node<T>>, sync: Sync, reader: mpsc::Receiver<Reader>) -> Self {
        let reader = Source::Awaited(reader);
        let synced = Instant::now();
        let read = VecDeque::new();
        let (in_hand, changes_bans, is_over) = (None, false, false);
        Self { node, sync, reader, read, in_hand, changes_bans, is_over, synced }
    }

    /// Reads on. `None`: there is no more.
    fn read(&mut self) -> Option<()> {
        if self.is_over {
            return None;
        }
        if let Source::Awaited(coming) = &self.reader {
            self.reader = Source::Open(coming.recv().ok()?);
        }
        let Source::Open(reader) = &mut self.reader else { unreachable!("it has come") };
        let batch = match reader.next_batch() {
            Ok(batch) => batch,
            Err(error) => {
                self.node.end_with(&error);
                return None;
            }
        };
        for read in batch.entries {
            let position = read.position;
            match decode(read) {
                Ok(entry) => {
                    self.note(&entry);
                    self.read.push_back(entry);
                }
                Err(fault) => {
                    self.node.end(unreadable(position, &fault));
                    self.is_over = true;
                    // What is before it is applied first.
                    break;
                }
            }
        }
        Some(())
    }

    fn note(&mut self, entry: &LogEntry) {
        for envelope in &entry.entry.commands {
            match &envelope.command {
                Command::Start { node, boot, .. } => self.node.note_start(node, *boot),
                Command::Tick => self.node.note_tick(),
                Command::Admin(admin) => {
                    let is_ban =
                        matches!(**admin, AdminCommand::Ban { .. } | AdminCommand::LiftBan { .. });
                    self.changes_bans |= is_ban;
                }
                _ => (),
            }
        }
    }

    /// What goes into the next commit.
    fn take(&mut self) -> Vec<LogEntry> {
        let mut taken = Vec::new();
        let mut commands = 0;
        while let Some(next) = self.read.front() {
            commands += next.entry.commands.len();
            if !taken.is_empty() && commands > BATCH_MAX {
                break;
            }
            let id = next.entry.id;
            taken.extend(self.read.pop_front());
            if self.node.ends_batch(id) {
                break;
            }
        }
        taken
    }

    fn is_durable(&mut self) -> bool {
        let is_due = self.sync == Sync::Disk || self.synced.elapsed() >= SYNC_PERIOD;
        if is_due {
            self.synced = Instant::now();
        }
        is_due
    }
}

impl<T: Send> Log<T> for EngineLog<T> {
    fn next(&mut self) -> Next<T> {
        if let Some(position) = self.in_hand.take() {
            // All that was read is applied with this batch, or it is said again with the next.
            let changes_bans = self.changes_bans;
            self.changes_bans &= !self.read.is_empty();
            self.node.committed(Position(position), changes_bans);
        }
        while self.read.is_empty() {
            if self.read().is_none() {
                return Next::Stop;
            }
        }
        let entries = self.take();
        self.in_hand = entries.last().map(|entry| entry.position);
        Next::Entries(Entries { entries, durable: self.is_durable() })
    }

    fn progressed(&mut self, progress: &Progress) {
        self.node.standing().progressed(progress);
    }

    fn settled(&mut self, entry: EntryId, fate: Fate) -> Vec<T> {
        self.node.settled(entry, fate)
    }
}

fn decode(read: core_cluster::Entry) -> Result<LogEntry, EntryFault> {
    let core_cluster::Entry { position: Position(position), at, bytes } = read;
    let entry = if bytes.is_empty() { Entry::nothing() } else { Entry::decode(&bytes)? };
    Ok(LogEntry { position, at: Timestamp(at), entry })
}

fn unreadable(Position(position): Position, fault: &EntryFault) -> String {
    match fault {
        EntryFault::Version { .. } => format!("the log's entry at {position}: {fault}"),
        EntryFault::Unreadable(_) | EntryFault::Frontend => {
            let (subject, why) = ("the log's subject".to_owned(), fault.to_string());
            Error::UnknownEntry { position, subject, why }.to_string()
        }
    }
}
