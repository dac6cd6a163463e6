//! The two ways in which a command or query can end early.

use core_model::Refusal;

use crate::store::StoreError;

pub(crate) enum Fail {
    /// No, in words for the caller.
    Refused(Refusal),
    /// The store is broken: nothing more can be promised.
    Broken(StoreError),
}

impl From<Refusal> for Fail {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<StoreError>> From<E> for Fail {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}
