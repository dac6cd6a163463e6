//! Fresh reads: an empty entry is sent after the request came, and the answer waits until the log is
//! applied to it. Requests that wait for the next one share it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;
use crate::proposer::Publisher;
use crate::state::{State, count};

/// A request waits no longer, and says that the log has no leader.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) type Request = oneshot::Sender<Result<(), Error>>;

/// Sends one barrier after another while there are requests.
pub(crate) async fn run(
    publisher: Publisher,
    state: Arc<State>,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    while let Some(first) = requests.recv().await {
        let mut waiting = vec![first];
        while let Ok(request) = requests.try_recv() {
            waiting.push(request);
        }
        match publish(&publisher, &state).await {
            Ok(position) => {
                let state = state.clone();
                tokio::spawn(async move { answer(waiting, reached(&state, position).await) });
            }
            Err(error) => answer(waiting, Err(error)),
        }
    }
}

fn answer(waiting: Vec<Request>, result: Result<(), Error>) {
    for request in waiting {
        // A request that is gone needs no answer.
        let _ = request.send(result.clone());
    }
}

async fn publish(publisher: &Publisher, state: &State) -> Result<u64, Error> {
    count(&state.counters.sent, 1);
    let problem = |error| publisher.problem(&error);
    let ack = publisher.send(Bytes::new()).await.map_err(problem)?.await.map_err(problem)?;
    state.note_last(ack.sequence);
    Ok(ack.sequence)
}

async fn reached(state: &State, position: u64) -> Result<(), Error> {
    let mut applied = state.applied.subscribe();
    let is_there = applied.wait_for(|applied| applied.position >= position);
    match tokio::time::timeout(PATIENCE, is_there).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(Error::Closed),
        Err(_) => Err(state.problem().unwrap_or_else(|| Error::NoQuorum {
            what: "the log".to_owned(),
            why: format!("entry {position} was not applied here in time"),
        })),
    }
}
