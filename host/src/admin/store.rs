//! Operations that need nothing but the store: one implementation for a running gateway and for the
//! command line.

use core_engine::Engine;
use core_model::{Banned, Command, Outcome, Refusal, Reply, Timestamp, Uid};

use super::endpoint::Endpoint;
use crate::nearest::nearest;
use crate::users::{Failure, Who};

/// An open store. Its methods may block.
pub trait Store {
    /// The tickets of its engine.
    type Ticket: Send + 'static;

    fn engine(&self) -> &Engine<Self::Ticket>;

    fn now(&self) -> Timestamp;

    /// Whether a gateway runs, so that users may be online.
    fn is_running(&self) -> bool;

    /// Has a command of an operator carried out.
    fn submit(&self, command: Command) -> Outcome;
}

/// Whose sessions an operation ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// Those of a user, of who has an identity, or from a network.
    All(Banned),
    /// Those of a user that began with one of its sign-ins, by its id.
    SignIn { uid: Uid, id: String },
}

/// An operation that needs nothing but the store.
pub trait OnStore: Endpoint {
    /// Carries it out. `path` has the parameters of the path, in their order.
    fn run<S: Store>(
        store: &S,
        path: &[String],
        query: Self::Query,
        body: Self::Body,
    ) -> Result<Self::Reply, Failure>;

    /// Whose sessions end with it.
    fn ends(_reply: &Self::Reply) -> Option<Ended> {
        None
    }
}

/// Carries an operation out. A failure to find a user or a room says which one may have been meant.
pub fn carry_out<E: OnStore, S: Store>(
    store: &S,
    path: &[String],
    query: E::Query,
    body: E::Body,
) -> Result<E::Reply, Failure> {
    E::run(store, path, query, body).map_err(|failure| with_near(store.engine(), failure))
}

/// The failure with the name that is nearest to the one that nothing has.
pub fn with_near<T: Send + 'static>(engine: &Engine<T>, failure: Failure) -> Failure {
    let near = match &failure {
        Failure::Unknown(Who::Handle(handle)) => near(handle, |name| engine.handles_near(name)),
        Failure::UnknownRoom(name) => near(name, |name| engine.room_names_near(name)),
        _ => None,
    };
    match near {
        Some(near) => Failure::Near(Box::new(failure), near),
        None => failure,
    }
}

/// The name that is nearest to a wrong one, or to that without the sign in front which dialects write
/// before names: `#tea`, `@bob`.
fn near(wrong: &str, known: impl Fn(&str) -> Result<Vec<String>, Refusal>) -> Option<String> {
    let bare = wrong.trim_start_matches(['#', '&', '@']);
    [wrong, bare].into_iter().find_map(|wrong| {
        let known = known(wrong).unwrap_or_default();
        nearest(wrong, known.iter().map(String::as_str)).map(str::to_owned)
    })
}

/// Refuses what lasts only while the gateway runs: what a killed gateway has left of its connections
/// is dropped by the next one.
pub(super) fn check_running<S: Store>(store: &S, what: &str) -> Result<(), Failure> {
    if store.is_running() {
        return Ok(());
    }
    Err(Failure::Conflict(format!(
        "{what}, and no gateway runs on this store; start it, and try again once the user is there"
    )))
}

/// Submits a command whose answer has no content.
pub(super) fn submit<S: Store>(store: &S, command: Command) -> Result<Reply, Failure> {
    store.submit(command).map_err(Failure::of)
}
