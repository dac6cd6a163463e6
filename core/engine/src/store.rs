//! The tables, and the two ways to reach them: a [`Snapshot`] to read, a [`Batch`] to read and
//! write. What both can do is the trait [`Tables`], so that every rule and view is written once.

use std::cell::{OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadTransaction, ReadableDatabase,
    ReadableTable, StorageBackend, Table, TableDefinition, Value, WriteTransaction,
};

use crate::cache::Cache;
use crate::lists::Lists;
use crate::rows::{TokenRow, unpack};

/// The layout this code reads and writes. A store says which it has in `meta`; an earlier one is
/// brought up to this when it is opened.
///
/// 1: the first. 2: `tokens_by_user` and `addresses_by_user`.
const FORMAT: u64 = 2;
const FORMAT_KEY: &str = "format";

/// Single values; so far only [`FORMAT_KEY`].
const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");

/// The store failed, or holds what it should not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the store failed: {0}")]
    Redb(#[from] Box<redb::Error>),
    #[error("the store holds a row in {table:?} that cannot be read")]
    Corrupt { table: &'static str },
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Redb(Box::new(error.into()))
            }
        })*
    };
}

from_redb!(CommitError, SetDurabilityError, StorageError, TableError, TransactionError);

/// Why a store cannot be opened. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another process has the store {} open; stop it, or choose another [store] path", path.display())]
    Locked { path: PathBuf },
    #[error("cannot open the store {}: {source}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: Box<redb::Error>,
    },
    #[error(
        "the store {} has format {found}, this version reads up to {FORMAT}; run the version that wrote it, or a later one",
        path.display()
    )]
    TooNew { path: PathBuf, found: u64 },
    #[error("cannot start the thread that writes the store: {0}")]
    Thread(std::io::Error),
    #[error("cannot compact the store {}: {source}; what is in it is as it was", path.display())]
    Compact {
        path: PathBuf,
        #[source]
        source: Box<redb::Error>,
    },
}

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident, $name_mut:ident, $constant:ident: $key:ty => $value:ty;)*) => {
        $(const $constant: TableDefinition<'static, $key, $value> =
            TableDefinition::new(stringify!($name));)*

        /// The tables, to speak of them.
        #[expect(non_camel_case_types, reason = "they are called so")]
        #[derive(Clone, Copy)]
        pub(crate) enum TableId { $($name,)* }

        /// Read access to every table.
        pub(crate) trait Tables {
            $($(#[$doc])* fn $name(&self) -> Result<&impl ReadableTable<$key, $value>, StoreError>;)*

            /// Which store this is, of those that the process has opened; None where what is read
            /// may yet be undone.
            fn store(&self) -> Option<u64> {
                None
            }

            /// Lists of rooms that were read before and are still true.
            fn lists(&self) -> Option<&Lists> {
                None
            }

            /// Decoded rows, where there is somebody who keeps them true.
            fn cache(&self) -> Option<&RefCell<Cache>> {
                None
            }
        }

        /// One committed state, for as long as it is held.
        pub(crate) struct Snapshot {
            store: u64,
            lists: Option<Arc<Lists>>,
            transaction: ReadTransaction,
            $($name: OnceLock<ReadOnlyTable<$key, $value>>,)*
        }

        impl Snapshot {
            pub(crate) fn begin(
                database: &Database,
                store: u64,
                lists: Option<Arc<Lists>>,
            ) -> Result<Self, StoreError> {
                let transaction = database.begin_read()?;
                Ok(Self { store, lists, transaction, $($name: OnceLock::new(),)* })
            }

            /// Every row of every table, as bytes.
            pub(crate) fn dump(&self) -> Result<Dump, StoreError> {
                Ok(vec![$((stringify!($name), rows_as_bytes(self.$name()?)?),)*])
            }
        }

        impl Tables for Snapshot {
            fn store(&self) -> Option<u64> {
                Some(self.store)
            }

            fn lists(&self) -> Option<&Lists> {
                self.lists.as_deref()
            }

            $(fn $name(&self) -> Result<&impl ReadableTable<$key, $value>, StoreError> {
                if let Some(table) = self.$name.get() {
                    return Ok(table);
                }
                let table = self.transaction.open_table($constant)?;
                Ok(self.$name.get_or_init(|| table))
            })*
        }

        /// One write transaction. Tables are opened when first used.
        pub(crate) struct Batch<'t> {
            transaction: &'t WriteTransaction,
            cache: RefCell<Cache>,
            /// How often a table was asked for to be written to.
            writes: u64,
            /// The tables that were, a bit each.
            written: u64,
            $($name: OnceCell<Table<'t, $key, $value>>,)*
        }

        impl<'t> Batch<'t> {
            pub(crate) fn new(transaction: &'t WriteTransaction, cache: Cache) -> Self {
                Self { transaction, cache: RefCell::new(cache), writes: 0, written: 0, $($name: OnceCell::new(),)* }
            }

            /// Grows with every write.
            pub(crate) fn writes(&self) -> u64 {
                self.writes
            }

            /// Whether any of these tables may have been written to.
            pub(crate) fn has_written(&self, tables: &[TableId]) -> bool {
                tables.iter().any(|table| self.written & (1 << *table as u64) != 0)
            }

            /// The cache back, for the next batch.
            pub(crate) fn into_cache(self) -> Cache {
                self.cache.into_inner()
            }

            $(pub(crate) fn $name_mut(&mut self) -> Result<&mut Table<'t, $key, $value>, StoreError> {
                self.$name()?;
                self.writes += 1;
                self.written |= 1 << TableId::$name as u64;
                Ok(self.$name.get_mut().expect("opened in the line above"))
            })*
        }

        impl Tables for Batch<'_> {
            $(fn $name(&self) -> Result<&impl ReadableTable<$key, $value>, StoreError> {
                if let Some(table) = self.$name.get() {
                    return Ok(table);
                }
                let table = self.transaction.open_table($constant)?;
                Ok(self.$name.get_or_init(|| table))
            })*

            fn cache(&self) -> Option<&RefCell<Cache>> {
                Some(&self.cache)
            }
        }

        /// Makes every table, so that a snapshot finds it.
        fn create_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
            $(transaction.open_table($constant)?;)*
            Ok(())
        }
    };
}

tables! {
    /// The row `COUNTERS_KEY`: everything that counts up.
    counters, counters_mut, COUNTERS: u8 => &'static [u8];

    /// uid → `UserRow`.
    users, users_mut, USERS: u64 => &'static [u8];
    /// Handle → uid.
    handles, handles_mut, HANDLES: &'static str => u64;
    /// `realm/subject` → uid.
    identities, identities_mut, IDENTITIES: &'static str => u64;
    /// Token hash → `TokenRow`.
    tokens, tokens_mut, TOKENS: &'static [u8; 32] => &'static [u8];
    /// (uid, token hash).
    tokens_by_user, tokens_by_user_mut, TOKENS_BY_USER: (u64, &'static [u8; 32]) => ();
    /// (Address, uid) that counts as signed in → until when, ms.
    addresses, addresses_mut, ADDRESSES: (&'static str, u64) => u64;
    /// (uid, address).
    addresses_by_user, addresses_by_user_mut, ADDRESSES_BY_USER: (u64, &'static str) => ();

    /// Room id → `RoomRow`.
    rooms, rooms_mut, ROOMS: u32 => &'static [u8];
    /// Unique room name → room id.
    room_names, room_names_mut, ROOM_NAMES: &'static str => u32;
    /// (Section, room id) of open rooms.
    sections, sections_mut, SECTIONS: (&'static str, u32) => ();
    /// (Owner's uid, room id).
    owned_rooms, owned_rooms_mut, OWNED_ROOMS: (u64, u32) => ();
    /// (Room id, uid) → (place in the order of joining, newest message id at the time).
    members, members_mut, MEMBERS: (u32, u64) => (u64, u64);
    /// (uid, room id).
    member_rooms, member_rooms_mut, MEMBER_ROOMS: (u64, u32) => ();

    /// Seat id → `SeatRow`. This and what follows up to `presence` ends with the run.
    seats, seats_mut, SEATS: u64 => &'static [u8];
    /// (Room id, person key, seat id).
    seats_by_person, seats_by_person_mut, SEATS_BY_PERSON: (u32, &'static str, u64) => ();
    /// (Connection id, seat id).
    seats_by_connection, seats_by_connection_mut, SEATS_BY_CONNECTION: (u64, u64) => ();
    /// Room id → live seats taken; absent for none.
    seat_counts, seat_counts_mut, SEAT_COUNTS: u32 => u32;
    /// (When a lease without a connection ends in ms, seat id).
    seat_ends, seat_ends_mut, SEAT_ENDS: (u64, u64) => ();
    /// Connection id → `SessionRow`.
    sessions, sessions_mut, SESSIONS: u64 => &'static [u8];
    /// (uid, connection id) of sessions.
    sessions_by_user, sessions_by_user_mut, SESSIONS_BY_USER: (u64, u64) => ();
    /// uid → sessions and connected seats; absent for none.
    presence, presence_mut, PRESENCE: u64 => u32;

    /// Message id → `MessageRow`.
    messages, messages_mut, MESSAGES: u64 => &'static [u8];
    /// Stream → its newest message ids. See `stream`.
    tails, tails_mut, TAILS: u64 => &'static [u8];
    /// (Stream, message id) → a run of older message ids, of which that was the first.
    chunks, chunks_mut, CHUNKS: (u64, u64) => &'static [u8];
    /// First message id of a run → message ids whose rows are to be removed.
    garbage, garbage_mut, GARBAGE: u64 => &'static [u8];
    /// (uid, stream) → the message id up to which the user has received.
    cursors, cursors_mut, CURSORS: (u64, u64) => u64;

    /// Idempotency key → `KeyRow`.
    keys, keys_mut, KEYS: &'static str => &'static [u8];
    /// (When in ms, what kind, its key): tokens, addresses and idempotency keys that run out.
    expiries, expiries_mut, EXPIRIES: (u64, u8, &'static [u8]) => ();

    /// (Gram of a room's name or description, room id) of open rooms. See `search`.
    grams, grams_mut, GRAMS: (u64, u32) => ();
    /// Gram → rooms that have it.
    gram_counts, gram_counts_mut, GRAM_COUNTS: u64 => u32;
    /// (Folded display name, room id) of open rooms.
    folded_names, folded_names_mut, FOLDED_NAMES: (&'static str, u32) => ();
}

impl Batch<'_> {
    /// Empties every table that ends with a run of the gateway.
    pub(crate) fn forget_the_run(&mut self) -> Result<(), StoreError> {
        self.seats_mut()?.retain(|_, _| false)?;
        self.seats_by_person_mut()?.retain(|_, ()| false)?;
        self.seats_by_connection_mut()?.retain(|_, ()| false)?;
        self.seat_counts_mut()?.retain(|_, _| false)?;
        self.seat_ends_mut()?.retain(|_, ()| false)?;
        self.sessions_mut()?.retain(|_, _| false)?;
        self.sessions_by_user_mut()?.retain(|_, ()| false)?;
        self.presence_mut()?.retain(|_, _| false)?;
        self.cache.borrow_mut().forget_the_run();
        Ok(())
    }
}

/// Tables by name, each with its rows in the order of their keys.
pub(crate) type Dump = Vec<(&'static str, Rows)>;
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn rows_as_bytes<K: redb::Key + 'static, V: Value + 'static>(
    table: &impl ReadableTable<K, V>,
) -> Result<Rows, StoreError> {
    let rows = table.iter()?.map(|row| {
        let (key, value) = row?;
        let (key, value) = (key.value(), value.value());
        Ok((K::as_bytes(&key).as_ref().to_vec(), V::as_bytes(&value).as_ref().to_vec()))
    });
    rows.collect()
}

/// Opens the store, or makes it.
pub(crate) fn open(path: &Path, cache_bytes: usize) -> Result<Database, OpenError> {
    open_with(path, cache_bytes, |builder| builder.create(path))
}

/// Opens or makes a store that is kept by `backend`.
pub(crate) fn open_backend(
    backend: impl StorageBackend,
    cache_bytes: usize,
) -> Result<Database, OpenError> {
    let path = Path::new("(a backend)");
    open_with(path, cache_bytes, |builder| builder.create_with_backend(backend))
}

/// Moves what is in a store together and gives the rest of the file back to the file system: its
/// bytes before and after. Nobody else may have it open. The store is made where it is missing.
pub fn compact(path: &Path, cache_bytes: usize) -> Result<(u64, u64), OpenError> {
    let fail =
        |source: redb::Error| OpenError::Compact { path: path.into(), source: Box::new(source) };
    let bytes = || path.metadata().map(|file| file.len()).map_err(|error| fail(error.into()));
    let mut database = open(path, cache_bytes)?;
    let before = bytes()?;
    database.compact().map_err(|error| fail(error.into()))?;
    // Closing writes, too.
    drop(database);
    Ok((before, bytes()?))
}

fn open_with(
    path: &Path,
    cache_bytes: usize,
    create: impl FnOnce(&Builder) -> Result<Database, DatabaseError>,
) -> Result<Database, OpenError> {
    let fail = |source: redb::Error| match source {
        redb::Error::DatabaseAlreadyOpen => OpenError::Locked { path: path.into() },
        source => OpenError::Open { path: path.into(), source: Box::new(source) },
    };
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    let database = create(&builder).map_err(|error| fail(error.into()))?;
    let found = prepare(&database).map_err(|error| match error {
        StoreError::Redb(source) => OpenError::Open { path: path.into(), source },
        StoreError::Corrupt { table } => {
            fail(redb::Error::Corrupted(format!("a row in {table:?} cannot be read")))
        }
    })?;
    if found > FORMAT {
        return Err(OpenError::TooNew { path: path.into(), found });
    }
    Ok(database)
}

/// Writes what a new store or one of an earlier format needs, and says which format the store has.
/// A store that has all of it is not written to.
fn prepare(database: &Database) -> Result<u64, StoreError> {
    let read = database.begin_read()?;
    let found = match read.open_table(META) {
        Ok(meta) => meta.get(FORMAT_KEY)?.map(|found| found.value()),
        Err(_) => None,
    };
    if let Some(found) = found
        && found >= FORMAT
    {
        return Ok(found);
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    create_tables(&transaction)?;
    if found == Some(1) {
        index_by_user(&transaction)?;
    }
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    transaction.commit()?;
    Ok(FORMAT)
}

/// From format 1 to 2.
fn index_by_user(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut by_user = transaction.open_table(TOKENS_BY_USER)?;
    for row in transaction.open_table(TOKENS)?.iter()? {
        let (hash, row) = row?;
        let row: TokenRow = unpack("tokens", row.value())?;
        by_user.insert((row.uid, hash.value()), ())?;
    }
    let mut by_user = transaction.open_table(ADDRESSES_BY_USER)?;
    for row in transaction.open_table(ADDRESSES)?.iter()? {
        let (key, _) = row?;
        let (address, uid) = key.value();
        by_user.insert((uid, address), ())?;
    }
    Ok(())
}
