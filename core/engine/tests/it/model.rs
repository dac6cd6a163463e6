//! The engine against its [`Reference`]: after any commands, the same answers, the same events,
//! and the same to be found.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_engine::Envelope;
use core_model::{
    Command, Detail, Expired, MessageId, Outcome, Query, Recorded, Refusal, Reply, RoomFilter,
    RoomId, RoomRef, RoomView, Timestamp,
};
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;

use crate::build::*;
use crate::conversations;
use crate::gateway::Gateway;
use crate::generate::{self, Step};
use crate::reference::Reference;
use crate::say;

type Answer = (Outcome, Vec<Recorded>);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_engine_does_what_its_reference_does(
        steps in generate::steps(20..80),
        in_one_commit in 1usize..12,
    ) {
        agrees(&steps, in_one_commit)?;
    }
}

fn agrees(steps: &[Step], in_one_commit: usize) -> Result<(), TestCaseError> {
    let mut gateway = Gateway::in_memory();
    let mut reference = Reference::new();
    let envelopes = generate::envelopes(steps);
    let mut ended = Timestamp(0);
    for run in envelopes.split(Option::is_none) {
        let run: Vec<Envelope> = run.iter().flatten().cloned().collect();
        let start = gateway.envelope(0, start());
        compare(&gateway, &mut reference, &[Envelope { at: ended, ..start }])?;
        ended = run.last().map_or(ended, |last| last.at);
        for batch in run.chunks(in_one_commit) {
            compare(&gateway, &mut reference, batch)?;
            compare_repeated_queries(&gateway, &reference)?;
        }
        compare_all_queries(&gateway, &reference)?;
        gateway.reopen();
    }
    gateway.reopen_checked();
    Ok(())
}

fn compare(
    gateway: &Gateway,
    reference: &mut Reference,
    batch: &[Envelope],
) -> Result<(), TestCaseError> {
    // The host looks ahead only where there is no key, which may have been used before.
    let first = batch.first().filter(|first| first.key.is_none());
    let foreseen = first.map(|first| {
        let Envelope { at, connection, command, .. } = first;
        gateway.engine().try_read_only(*at, *connection, command, usize::MAX)
    });
    let answers = gateway.batch(batch.to_vec());
    if let (Some(Ok(foreseen)), Some(answer)) = (foreseen, answers.first()) {
        prop_assert_eq!((foreseen.outcome, &vec![]), (answer.0.clone(), &answer.1));
    }
    for (envelope, answer) in batch.iter().zip(answers) {
        let expected = reference.apply(envelope);
        prop_assert_eq!(
            essentials(envelope, answer),
            essentials(envelope, expected),
            "engine, then reference, of {:?}",
            envelope
        );
    }
    Ok(())
}

/// An answer without the words that explain a refusal. How many rows were pruned counts those of
/// cleared messages that have not been swept up; in which order the seats of a deleted room
/// are left is the engine's own business.
fn essentials(envelope: &Envelope, (outcome, told): Answer) -> (Outcome, Vec<u64>, Vec<String>) {
    let mut outcome = outcome.map_err(|refusal| say::refusal(&refusal));
    if let Ok(Reply::Pruned { messages, expired, .. }) = &mut outcome {
        *messages = 0;
        *expired = Expired::default();
    }
    let numbers = told.iter().map(|recorded| recorded.seq.0).collect();
    let mut told: Vec<String> = told
        .iter()
        .map(|Recorded { at, cause, event, .. }| format!("{at} {cause} {event:?}"))
        .collect();
    if matches!(envelope.command, Command::DeleteRoom { .. }) {
        told.sort_unstable();
    }
    (outcome, numbers, told)
}

/// Queries that readers answer from caches: they must not return an earlier state.
fn compare_repeated_queries(gateway: &Gateway, reference: &Reference) -> Result<(), TestCaseError> {
    let seen = |id| reference.room_for(id, None).expect("it is open");
    let open: Vec<RoomView> = reference.open_rooms().into_iter().map(seen).collect();
    let listed = gateway.ask(&listed(RoomFilter::Open));
    let own = |room: &RoomView| RoomView {
        members: vec![],
        messages: vec![],
        masks: vec![],
        people: None,
        ..room.clone()
    };
    let rooms = open.iter().map(own).map(Arc::new).collect();
    prop_assert_eq!(listed, Ok(Reply::Rooms { rooms }));
    for RoomView { id, messages, .. } in open {
        let history = gateway.ask(&history(RoomRef::Id(id), u32::MAX));
        prop_assert_eq!(history, Ok(Reply::Messages { messages }));
    }
    Ok(())
}

fn compare_all_queries(gateway: &Gateway, reference: &Reference) -> Result<(), TestCaseError> {
    let found = |query: Query| gateway.ask(&query);
    let uids = reference.uids();
    for uid in &uids {
        let user = reference.account_of(*uid);
        prop_assert_eq!(found(about_user(self::uid(*uid))), Ok(Reply::User { user }));
        for (filter, expected) in [
            (RoomFilter::MemberOf(self::uid(*uid)), reference.rooms_of_member(*uid)),
            (RoomFilter::OwnedBy(self::uid(*uid)), reference.rooms_of_owner(*uid)),
        ] {
            prop_assert_eq!(ids(found(listed(filter))), expected);
        }
    }
    for id in reference.room_ids() {
        for caller in uids.iter().map(|uid| Some(*uid)).chain([None]) {
            let expected = reference.room_for(id, caller).ok_or(Refusal::UnknownRoom);
            let occupants = expected.clone().map(|_| reference.occupants(id));
            let occupants = occupants.and_then(|people| match reference.shows_people(id, caller) {
                true => Ok(people),
                false => Err(Refusal::UnknownRoom),
            });
            let query = Query::Occupants { room: room_id(id), caller: caller.map(self::uid) };
            let occupants = occupants.map(|members| {
                let roles = reference.roles(id, &members);
                Reply::Members { members, roles }
            });
            prop_assert_eq!(found(query), occupants);
            compare_room(gateway, id, caller, expected)?;
        }
        for (after, limit, newest) in [(0, 2, true), (3, 0, true), (3, 2, false), (0, 9, false)] {
            let missed = reference.missed_of(id, after, limit as usize, newest);
            let after = Some(MessageId(after));
            // The engine may read any room.
            let room = room_id(id);
            let owner = uids.iter().find(|uid| reference.room_for(id, Some(**uid)).is_some());
            let Some(caller) = owner.map(|owner| Some(self::uid(*owner))) else { continue };
            let query = Query::Missed { room, caller, after, limit, newest };
            prop_assert_eq!(found(query), missed);
        }
    }
    conversations::compare(gateway, reference)?;
    let at = reference.changed_at();
    prop_assert_eq!(found(Query::LastChange), Ok(Reply::LastChange { at }));
    Ok(())
}

fn compare_room(
    gateway: &Gateway,
    id: u32,
    caller: Option<u64>,
    expected: Result<RoomView, Refusal>,
) -> Result<(), TestCaseError> {
    let caller = caller.map(uid);
    let room = RoomRef::Id(RoomId(id));
    let detail = Detail { members: true, messages: u32::MAX, people: true, masks: true };
    let query = Query::Room { room: room.clone(), caller: caller.clone(), detail };
    let shown = expected.clone().map(|room| Reply::Room { room: Arc::new(room) });
    prop_assert_eq!(gateway.ask(&query), shown);
    let query = Query::Members { room: room.clone(), caller: caller.clone() };
    let members = expected.clone().map(|room| {
        let members = room.members.into_iter().map(|member| member.person).collect();
        Reply::Members { members, roles: BTreeMap::new() }
    });
    prop_assert_eq!(gateway.ask(&query), members);
    // A page in the middle.
    let before = None;
    let after = Some(MessageId(3));
    let query = Query::History { room, caller, before, after, limit: 2 };
    let page = expected.map(|room| {
        let messages = room.messages.into_iter().filter(|message| message.id.0 > 3).take(2);
        Reply::Messages { messages: messages.collect() }
    });
    prop_assert_eq!(gateway.ask(&query), page);
    Ok(())
}

fn ids(rooms: Outcome) -> Vec<u32> {
    match rooms {
        Ok(Reply::Rooms { rooms }) => rooms.into_iter().map(|room| room.id.0).collect(),
        other => panic!("not rooms: {other:?}"),
    }
}
