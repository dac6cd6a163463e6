//! The tables, and the two ways to reach them: [`ReadTables`], one committed state, and
//! [`WriteTables`], a write transaction. What both can do is the trait [`Tables`], so that every
//! rule and view is written once.
//!
//! Both carry what a caller attaches (`A`), such as a cache; this module does not look at it.

use std::cell::OnceCell;
use std::sync::OnceLock;

use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, Table,
    TableDefinition, Value, WriteTransaction,
};

use crate::digest::{Digest, WrittenTable};
use crate::error::StoreError;

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident, $name_mut:ident, $constant:ident: $key:ty => $value:ty;)*) => {
        $(pub(crate) const $constant: TableDefinition<'static, $key, $value> =
            TableDefinition::new(stringify!($name));)*

        /// Names a table.
        #[expect(non_camel_case_types, reason = "the tables' own names")]
        #[derive(Clone, Copy)]
        pub(crate) enum TableId { $($name,)* }

        /// Read access to every table.
        pub(crate) trait Tables {
            $($(#[$doc])* fn $name(&self) -> Result<&impl ReadableTable<$key, $value>, StoreError>;)*
        }

        /// One committed state, for as long as it is held.
        pub(crate) struct ReadTables<A> {
            pub(crate) attached: A,
            transaction: ReadTransaction,
            $($name: OnceLock<ReadOnlyTable<$key, $value>>,)*
        }

        impl<A> ReadTables<A> {
            pub(crate) fn begin(database: &Database, attached: A) -> Result<Self, StoreError> {
                let transaction = database.begin_read()?;
                Ok(Self { attached, transaction, $($name: OnceLock::new(),)* })
            }

            /// Shows every table to `visitor`.
            pub(crate) fn each_table(&self, visitor: &mut impl TableVisitor) {
                $(visitor.visit(stringify!($name), self.$name());)*
            }

            /// Every row of every table, as bytes.
            pub(crate) fn dump(&self) -> Result<Dump, StoreError> {
                Ok(vec![$((stringify!($name), rows_as_bytes(self.$name()?)?),)*])
            }
        }

        impl<A> Tables for ReadTables<A> {
            $(fn $name(&self) -> Result<&impl ReadableTable<$key, $value>, StoreError> {
                if let Some(table) = self.$name.get() {
                    return Ok(table);
                }
                let table = self.transaction.open_table($constant)?;
                Ok(self.$name.get_or_init(|| table))
            })*
        }

        /// One write transaction. Tables are opened when first used.
        pub(crate) struct WriteTables<'t, A> {
            pub(crate) attached: A,
            transaction: &'t WriteTransaction,
            /// How often a table was taken to be written to.
            writes: u64,
            /// One bit for each table that was.
            written: u64,
            /// What was written so far, where the store follows a log.
            digest: Option<Digest>,
            // In boxes: inline they are ten kilobytes, and moving those took 46,000 of the 800,000
            // instructions of a post.
            $($name: OnceCell<Box<Table<'t, $key, $value>>>,)*
        }

        impl<'t, A> WriteTables<'t, A> {
            pub(crate) fn new(transaction: &'t WriteTransaction, attached: A) -> Self {
                let digest = None;
                Self { attached, transaction, writes: 0, written: 0, digest, $($name: OnceCell::new(),)* }
            }

            /// Begins to add what is written to a digest.
            pub(crate) fn digesting(&mut self, digest: Digest) {
                self.digest = Some(digest);
            }

            pub(crate) fn digest(&mut self) -> Option<&mut Digest> {
                self.digest.as_mut()
            }

            /// Shows every table that is in the digest to `visitor`.
            pub(crate) fn each_digested(&self, visitor: &mut impl TableVisitor) {
                $(if TableId::$name.is_digested() {
                    visitor.visit(stringify!($name), self.$name());
                })*
            }

            /// A count that grows with every write.
            pub(crate) fn writes(&self) -> u64 {
                self.writes
            }

            /// Whether any of these tables may have been written to.
            pub(crate) fn has_written(&self, tables: &[TableId]) -> bool {
                tables.iter().any(|table| self.written & (1 << *table as u64) != 0)
            }

            pub(crate) fn into_attached(self) -> A {
                self.attached
            }

            $(pub(crate) fn $name_mut(
                &mut self,
            ) -> Result<WrittenTable<'_, 't, $key, $value>, StoreError> {
                self.$name()?;
                self.writes += 1;
                self.written |= 1 << TableId::$name as u64;
                let table = &mut **self.$name.get_mut().expect("opened in the line above");
                let digest = self.digest.as_mut().filter(|_| TableId::$name.is_digested());
                Ok(WrittenTable::new(table, stringify!($name), digest))
            })*
        }

        impl<A> Tables for WriteTables<'_, A> {
            $(fn $name(&self) -> Result<&impl ReadableTable<$key, $value>, StoreError> {
                if let Some(table) = self.$name.get() {
                    return Ok(&**table);
                }
                let table = Box::new(self.transaction.open_table($constant)?);
                Ok(&**self.$name.get_or_init(|| table))
            })*
        }

        /// Inserts rows as bytes, those of one table. Refused: a table that this version does not have.
        pub(crate) fn insert_rows(
            transaction: &WriteTransaction,
            table: &str,
            rows: &[(&[u8], &[u8])],
        ) -> Result<(), StoreError> {
            match table {
                $(stringify!($name) => insert_bytes(transaction.open_table($constant)?, rows),)*
                unknown => Err(StoreError::UnknownTable { table: unknown.into() }),
            }
        }

        /// Makes every table, so that a snapshot finds it.
        pub(crate) fn create_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
            $(transaction.open_table($constant)?;)*
            Ok(())
        }
    };
}

tables! {
    /// The row `COUNTERS_KEY`: everything that counts up. The row `CLOCK_KEY`: `ClockRow`.
    /// The row `BEFORE_NOTES_KEY`: see `removed`. The row `LOG_KEY`: see `event_log`.
    /// The row `RUNS_KEY`: `RunsRow`. The row `SCAN_KEY`: see `row_scan`.
    counters, counters_mut, COUNTERS: u8 => &'static [u8];

    /// uid → `UserRow`.
    users, users_mut, USERS: u64 => &'static [u8];
    /// Handle → uid.
    handles, handles_mut, HANDLES: &'static str => u64;
    /// (Key of a handle, uid). See `lookalike`.
    lookalikes, lookalikes_mut, LOOKALIKES: (&'static str, u64) => ();
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
    /// Ids of open rooms: a list passes over any number of closed ones.
    open_rooms, open_rooms_mut, OPEN_ROOMS: u32 => ();
    /// Ids of rooms that a client made without an owner. They end when they are not used.
    unowned_rooms, unowned_rooms_mut, UNOWNED_ROOMS: u32 => ();
    /// (Owner's uid, room id).
    owned_rooms, owned_rooms_mut, OWNED_ROOMS: (u64, u32) => ();
    /// (Room id, uid) → (place in the order of joining, newest message id at the time).
    members, members_mut, MEMBERS: (u32, u64) => (u64, u64);
    /// (uid, room id).
    member_rooms, member_rooms_mut, MEMBER_ROOMS: (u64, u32) => ();
    /// uid → its rows in `member_rooms`; absent for none.
    membership_counts, membership_counts_mut, MEMBERSHIP_COUNTS: u64 => u32;
    /// (What is counted, peer address) → (when the count ends in ms, count). See `quotas`.
    quotas, quotas_mut, QUOTAS: (u8, u128) => (u64, u32);

    /// Seat id → `SeatRow`. This and what follows up to `presence` ends with the run.
    seats, seats_mut, SEATS: u64 => &'static [u8];
    /// (Room id, person key, seat id).
    seats_by_person, seats_by_person_mut, SEATS_BY_PERSON: (u32, &'static str, u64) => ();
    /// (Connection id, seat id).
    seats_by_connection, seats_by_connection_mut, SEATS_BY_CONNECTION: (u64, u64) => ();
    /// Room id → live seats taken; absent for none.
    seat_counts, seat_counts_mut, SEAT_COUNTS: u32 => u32;
    /// (When a lease without a connection ends in steady ms, seat id).
    seat_ends, seat_ends_mut, SEAT_ENDS: (u64, u64) => ();
    /// (Peer address, room id, seat id) of leases without a connection; and, with another bit in the
    /// address, of connected guests. See `seat_rows`.
    leases_by_address, leases_by_address_mut, LEASES_BY_ADDRESS: (u128, u32, u64) => ();
    /// Connection id → `SessionRow`.
    sessions, sessions_mut, SESSIONS: u64 => &'static [u8];
    /// (uid, connection id) of sessions.
    sessions_by_user, sessions_by_user_mut, SESSIONS_BY_USER: (u64, u64) => ();
    /// uid → sessions and connected seats; absent for none.
    presence, presence_mut, PRESENCE: u64 => u32;

    /// Message id → `MessageRow`.
    messages, messages_mut, MESSAGES: u64 => &'static [u8];
    /// Stream → its newest message ids. See `message_index`.
    tails, tails_mut, TAILS: u64 => &'static [u8];
    /// (Stream, message id) → a run of older message ids that began with that one; retention may have
    /// shortened it. See `removed` for the runs that belong to no stream.
    chunks, chunks_mut, CHUNKS: (u64, u64) => &'static [u8];
    /// First message id of a run → message ids whose rows are to be removed.
    garbage, garbage_mut, GARBAGE: u64 => &'static [u8];
    /// Stream → the key of its newest run in `chunks` that was cleared and is still to be removed.
    cleared, cleared_mut, CLEARED: u64 => u64;
    /// (uid, stream) → the message id up to which the user has received. See `rules/delivery` for
    /// the streams of deliveries, and `removed` for uid 0, and `read_markers` for rows of another kind.
    cursors, cursors_mut, CURSORS: (u64, u64) => u64;

    /// Idempotency key → `KeyRow`.
    keys, keys_mut, KEYS: &'static str => &'static [u8];
    /// (Peer address, when the key expires in ms, idempotency key).
    keys_by_address, keys_by_address_mut, KEYS_BY_ADDRESS: (u128, u64, &'static str) => ();
    /// Idempotency key of a lease of this run → when it was taken, in steady ms. Ends with the run.
    leased_keys, leased_keys_mut, LEASED_KEYS: &'static str => u64;
    /// (When in ms, what kind, its key): tokens, addresses and idempotency keys that run out.
    expiries, expiries_mut, EXPIRIES: (u64, u8, &'static [u8]) => ();

    /// (Gram of a room's name or description, room id) of open rooms. See `search`.
    grams, grams_mut, GRAMS: (u64, u32) => ();
    /// Gram → rooms that have it.
    gram_counts, gram_counts_mut, GRAM_COUNTS: u64 => u32;
    /// (Folded display name, room id) of open rooms.
    folded_names, folded_names_mut, FOLDED_NAMES: (&'static str, u32) => ();

    /// Name of a webhook → `WebhookRow`.
    webhooks, webhooks_mut, WEBHOOKS: &'static str => &'static [u8];
    /// (Newest message before it, sequence number) → an event that webhooks wait for. See `event_log`.
    event_log, event_log_mut, EVENT_LOG: (u64, u64) => &'static [u8];
    /// (Name of a webhook, message, sequence number) → `DeadLetterRow`.
    dead_letters, dead_letters_mut, DEAD_LETTERS: (&'static str, u64, u64) => &'static [u8];
    /// Hash of a token of the admin API → `AdminTokenRow`.
    admin_tokens, admin_tokens_mut, ADMIN_TOKENS: &'static [u8; 32] => &'static [u8];
    /// Target of a ban → `BanRow`. See `bans` for the keys.
    bans, bans_mut, BANS: &'static [u8] => &'static [u8];
    /// (Room id, uid) of muted users → until when, ms; `u64::MAX` until it is lifted.
    mutes, mutes_mut, MUTES: (u32, u64) => u64;
    /// (uid, room id) of `mutes`.
    mutes_by_user, mutes_by_user_mut, MUTES_BY_USER: (u64, u32) => ();
    /// (Room id, list, mask) → `MaskRow`. See `policy_row::ListId` for the lists.
    room_masks, room_masks_mut, ROOM_MASKS: (u32, u8, &'static str) => &'static [u8];
    /// Number of a run of a gateway → `RunRow`. Those that have ended are not there any more.
    runs, runs_mut, RUNS: u64 => &'static [u8];
    /// Block of messages → which words they have. See `signatures`.
    signatures, signatures_mut, SIGNATURES: u64 => &'static [u8];
}

impl<A> ReadTables<A> {
    /// A table that is not of the state.
    pub(crate) fn open_other<K: redb::Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<ReadOnlyTable<K, V>, StoreError> {
        Ok(self.transaction.open_table(table)?)
    }
}

impl TableId {
    /// Whether the table is equal in all stores that have followed a log to the same entry. The others
    /// are written once per commit, or made anew by the version that opens the store. A table that only
    /// a later version has, and fills by itself, belongs to these.
    const fn is_digested(self) -> bool {
        !matches!(
            self,
            Self::counters
                | Self::tails
                | Self::chunks
                | Self::lookalikes
                | Self::grams
                | Self::gram_counts
                | Self::folded_names
        )
    }
}

impl<A> WriteTables<'_, A> {
    /// Empties every table that ends with a run of the gateway.
    pub(crate) fn clear_run_state(&mut self) -> Result<(), StoreError> {
        self.seats_mut()?.retain(|_, _| false)?;
        self.seats_by_person_mut()?.retain(|_, ()| false)?;
        self.seats_by_connection_mut()?.retain(|_, ()| false)?;
        self.seat_counts_mut()?.retain(|_, _| false)?;
        self.seat_ends_mut()?.retain(|_, ()| false)?;
        self.leases_by_address_mut()?.retain(|_, ()| false)?;
        self.sessions_mut()?.retain(|_, _| false)?;
        self.sessions_by_user_mut()?.retain(|_, ()| false)?;
        self.presence_mut()?.retain(|_, _| false)?;
        self.leased_keys_mut()?.retain(|_, _| false)?;
        Ok(())
    }
}

/// Is shown every table.
pub(crate) trait TableVisitor {
    fn visit<K: redb::Key + 'static, V: Value + 'static>(
        &mut self,
        name: &'static str,
        table: Result<&impl ReadableTable<K, V>, StoreError>,
    );
}

fn insert_bytes<K: redb::Key + 'static, V: Value + 'static>(
    mut table: Table<'_, K, V>,
    rows: &[(&[u8], &[u8])],
) -> Result<(), StoreError> {
    for (key, value) in rows {
        table.insert(K::from_bytes(key), V::from_bytes(value))?;
    }
    Ok(())
}

/// Tables by name, each with its rows in the order of their keys.
pub(crate) type Dump = Vec<(&'static str, Rows)>;
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn rows_as_bytes<K: redb::Key + 'static, V: Value + 'static>(
    table: &impl ReadableTable<K, V>,
) -> Result<Rows, StoreError> {
    let rows = table.iter()?.map(|row| {
        let (key, value) = row?;
        let key = key.value();
        let value = value.value();
        Ok((K::as_bytes(&key).as_ref().to_vec(), V::as_bytes(&value).as_ref().to_vec()))
    });
    rows.collect()
}
