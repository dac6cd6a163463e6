//! How a command or query fails: refused, or by the store.

use core_model::Refusal;

/// The store failed, or holds a row that cannot be read.
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
