//! How a command or query fails: refused, or by the store.

use core_model::Refusal;

/// The store failed, or holds a row that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the store failed: {0}")]
    Redb(#[from] Box<redb::Error>),
    #[error("the store holds a row in {table:?} that cannot be read")]
    Corrupt { table: &'static str },
    #[error("the store is closed after a failure")]
    Closed,
    #[error("this version has no table {table:?}")]
    UnknownTable { table: String },
}

impl StoreError {
    /// Whether a part of the store is damaged: other parts can still be used. Otherwise the store
    /// as a whole has failed and has to be opened again.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Redb(error) => matches!(**error, redb::Error::Corrupted(_)),
            Self::Corrupt { .. } => true,
            Self::Closed | Self::UnknownTable { .. } => false,
        }
    }
}

/// The message of a caught panic.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().copied();
    let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    message.unwrap_or("a panic without a message").to_owned()
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

/// Why a command or query ended early.
pub(crate) enum Error {
    /// A rule refused it.
    Refused(Refusal),
    /// The store cannot be used any further.
    Store(StoreError),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<StoreError>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}
