//! What the generated sequences cover.

use std::collections::BTreeMap;

use proptest::prelude::Strategy;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::generate::{envelopes, steps};
use crate::reference::Reference;

#[test]
fn the_sequences_cover_every_command_and_refusal() {
    let mut runner = TestRunner::deterministic();
    let (mut done, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..256 {
        let steps = steps(20..80).new_tree(&mut runner).expect("a sequence").current();
        let mut reference = Reference::new();
        for envelope in envelopes(&steps).into_iter().flatten() {
            let count = match reference.apply(&envelope).0 {
                Ok(_) => done.entry(first_word(&envelope.command)),
                Err(refusal) => refused.entry(first_word(&refusal)),
            };
            *count.or_insert(0) += 1;
        }
    }
    let often = |counts: BTreeMap<String, usize>| -> Vec<String> {
        counts.into_iter().filter(|(_, count)| *count >= 3).map(|(name, _)| name).collect()
    };
    let commands = "Acknowledge AdvanceWebhook ChangePolicy ClearMessages CreateRoom DeclareRoom DeclareWebhooks DeleteMessage DeleteRoom Disconnect Enter Exit Expire \
        IssueToken Join Kick LinkIdentity MarkRead Post PostDirect Prune Receive RefreshToken Register SetOwner SetPassword \
        SetRole SignIn SignOut UnlinkIdentity UpdateRoom UpdateUser";
    assert_eq!(often(done).join(" "), commands);
    let refusals = "Barred EmptyText HandleTaken IdentityTaken Internal InvalidHandle InvalidIdentity \
        InvalidRoomName KeyReused NotAllowed NotInRoom NotSignedIn OwnerStays QuotaExceeded \
        RoomFull RoomNameTaken RoomNotPublic SelfAddressed SlowDown TokenInvalid TooFewMembers TooLong UnknownMessage UnknownRoom UnknownUser";
    assert_eq!(often(refused).join(" "), refusals);
}

/// The name of a variant.
fn first_word(value: &impl std::fmt::Debug) -> String {
    let debug = format!("{value:?}");
    debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
