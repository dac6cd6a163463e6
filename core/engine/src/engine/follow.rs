//! Engines whose store follows a log.

use std::path::Path;
use std::sync::Arc;

use super::{Engine, Options};
use crate::digest::Claims;
use crate::envelope::{Done, Envelope};
use crate::log::{Followed, Log};
use crate::open::{OpenError, Opener};
use crate::queue::{Queue, Submitted};
use crate::rules_version::RULES;
use crate::store::Store;
use crate::writer::{ChangedRule, Following, OnBatch};

impl<T: Send + 'static> Engine<T> {
    /// Opens a store that follows a log ([`follow_log`](crate::follow_log)). `connect` gets the
    /// store's place there and the commands that are submitted to this engine, and makes the log that
    /// the writer reads. The rest is as for [`open_timed`](Self::open_timed).
    pub fn follow<L: Log<T> + 'static>(
        path: &Path,
        options: Options,
        on_batch: impl FnMut() + Send + 'static,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
        connect: impl FnOnce(Followed, Submitted<T>) -> L,
    ) -> Result<Self, OpenError> {
        let opener = Opener::file(path, options.cache_bytes);
        let rules = (opener, RULES, no_change as ChangedRule);
        Self::start_following(rules, options, Box::new(on_batch), publish, connect)
    }

    /// As [`follow`](Self::follow), on a backend, as a version with the rules up to `speaks`: for
    /// tests.
    #[doc(hidden)]
    pub fn follow_with_backend<L: Log<T> + 'static>(
        (backend, speaks): (impl redb::StorageBackend + Clone, u32),
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
        connect: impl FnOnce(Followed, Submitted<T>) -> L,
    ) -> Result<Self, OpenError> {
        Self::follow_with_rule(
            (backend, speaks, no_change as ChangedRule),
            options,
            publish,
            connect,
        )
    }

    /// The same, where what `changed_rule` makes of a command under the rules in force is carried out
    /// instead: for tests.
    #[doc(hidden)]
    pub fn follow_with_rule<L: Log<T> + 'static>(
        (backend, speaks, changed_rule): (impl redb::StorageBackend + Clone, u32, ChangedRule),
        options: Options,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
        connect: impl FnOnce(Followed, Submitted<T>) -> L,
    ) -> Result<Self, OpenError> {
        let opener = Opener::backend(backend, options.cache_bytes);
        let rules = (opener, speaks, changed_rule);
        Self::start_following(rules, options, Box::new(|| ()), publish, connect)
    }

    fn start_following<L: Log<T> + 'static>(
        (opener, speaks, changed_rule): (Opener, u32, ChangedRule),
        options: Options,
        on_batch: OnBatch,
        publish: impl FnMut(Vec<Done<T>>) + Send + 'static,
        connect: impl FnOnce(Followed, Submitted<T>) -> L,
    ) -> Result<Self, OpenError> {
        let (store, log, marks) = Store::open_following(opener)?;
        let queue = Arc::new(Queue::new(options.queue_max));
        let followed = Followed { log, applied: marks.applied, rules: marks.rules };
        let log = connect(followed, Submitted(Arc::clone(&queue)));
        let following = Some(Following { marks, speaks, claims: Claims::default(), changed_rule });
        Self::spawn((store, queue), log, following, on_batch, publish)
    }
}

/// The rules of this version.
fn no_change(_: u32, _: &Envelope) -> Option<Envelope> {
    None
}
