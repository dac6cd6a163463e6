//! The same commands in the same order: the same answers, the same events, the same bytes.

use std::sync::Arc;

use core_engine::{Envelope, FrontendSettings};
use core_model::{Command, ConnectionId, Outcome, Recorded, Timestamp};
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;

use crate::build::*;
use crate::gateway::Gateway;
use crate::generate;

type Table = (&'static str, Vec<(Vec<u8>, Vec<u8>)>);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn how_commands_are_grouped_into_commits_changes_nothing(
        steps in generate::steps(20..80),
        in_one_commit in 2usize..100,
    ) {
        let steps = generate::envelopes(&steps);
        same(&played(&steps, 1), &played(&steps, in_one_commit))?;
    }
}

#[test]
fn reading_what_the_same_commit_wrote_does_not_move_the_time() {
    let at = |now: u64, command: Command| {
        let frontend =
            Arc::new(FrontendSettings { room_capacity: 5, ..FrontendSettings::default() });
        let connection = ConnectionId(1);
        Some(Envelope {
            at: Timestamp(now),
            steady_ms: now,
            connection,
            address: None,
            frontend,
            key: None,
            command,
        })
    };
    let read_newest = Command::Receive {
        user: user("ann"),
        expect: None,
        room: Some(room("tea")),
        after: None,
        limit: 9,
        first_limit: 9,
        newest: true,
    };
    let steps = [
        at(1_000, register("ann")),
        at(1_000, create(titled("tea"), Some(user("ann")))),
        at(1_000, post(room("tea"), user("ann"), "hi")),
        at(2_000, read_newest),
        at(1_500, post(room("tea"), user("ann"), "ho")),
    ];
    same(&played(&steps, 1), &played(&steps, 9)).expect("the same either way");
}

fn same(alone: &Played, together: &Played) -> Result<(), TestCaseError> {
    prop_assert_eq!(&alone.answers, &together.answers);
    prop_assert_eq!(alone.tables.len(), together.tables.len());
    for (alone, together) in alone.tables.iter().zip(&together.tables) {
        prop_assert_eq!(alone, together, "rows of {}", alone.0);
    }
    Ok(())
}

/// The answers to commands, and the store's contents after each run.
struct Played {
    answers: Vec<(Outcome, Vec<Recorded>)>,
    tables: Vec<Table>,
}

/// Carries out the commands, `in_one_commit` at a time; None is a restart.
fn played(steps: &[Option<Envelope>], in_one_commit: usize) -> Played {
    let mut gateway = Gateway::in_memory();
    let mut answers = Vec::new();
    let mut tables = Vec::new();
    for run in steps.split(Option::is_none) {
        let run: Vec<Envelope> = run.iter().flatten().cloned().collect();
        for batch in run.chunks(in_one_commit) {
            answers.extend(gateway.batch(batch.to_vec()));
        }
        tables.extend(gateway.engine().dump().expect("the store can be read"));
        gateway.reopen();
    }
    Played { answers, tables }
}
