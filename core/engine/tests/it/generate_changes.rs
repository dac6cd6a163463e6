//! Commands about policies of rooms and about webhooks, for the sequences of `generate`.

use core_model::{
    Command, DeadLetter, EventPosition, MaskList, MessageId, PolicyChange, Seq, UserRef,
    WebhookNeed, WebhookProgress,
};
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;

/// What they do to the order of events shows in the tables alone.
pub(crate) fn of_webhooks() -> BoxedStrategy<Command> {
    let need = (select(&["one", "two"][..]), any::<bool>())
        .prop_map(|(name, events)| WebhookNeed { name: name.into(), events });
    let positions = || {
        (0u64..20, 0u64..40)
            .prop_map(|(message, seq)| EventPosition { message: MessageId(message), seq: Seq(seq) })
    };
    let dead = positions().prop_map(|position| DeadLetter {
        position,
        attempts: 3,
        why: "no answer".into(),
    });
    let gone = of(select(&[true, false][..]));
    let progress = (of(positions()), vec(dead, 0..2), vec(positions(), 0..2), gone)
        .prop_map(|(up_to, dead, settled, gone)| WebhookProgress { up_to, dead, settled, gone });
    prop_oneof![
        vec(need, 0..3).prop_map(|mut webhooks| {
            webhooks.dedup_by(|one, other| one.name == other.name);
            Command::DeclareWebhooks { webhooks }
        }),
        (select(&["one", "two"][..]), progress).prop_map(|(webhook, progress)| {
            Command::AdvanceWebhook { webhook: webhook.into(), progress }
        }),
    ]
    .boxed()
}

pub(crate) fn policy_changes(users: BoxedStrategy<UserRef>) -> BoxedStrategy<PolicyChange> {
    let list =
        select(&[MaskList::Ban, MaskList::Ban, MaskList::Exception, MaskList::Invitation][..]);
    let mask = select(&["*", "B?B!*", "*!guest", "ann!10000", "cyd"][..]);
    prop_oneof![
        2 => any::<bool>().prop_map(PolicyChange::Moderated),
        2 => any::<bool>().prop_map(PolicyChange::Secret),
        2 => any::<bool>().prop_map(PolicyChange::InviteOnly),
        2 => any::<bool>().prop_map(PolicyChange::OpenTopic),
        2 => any::<bool>().prop_map(PolicyChange::OpenPosts),
        1 => of(0u32..7).prop_map(PolicyChange::Capacity),
        2 => of(select(&["k1", "k2"][..]).prop_map(String::from)).prop_map(PolicyChange::Key),
        6 => (list, mask, weighted(0.6, Just(()))).prop_map(|(list, mask, held)| {
            PolicyChange::Mask { list, mask: mask.into(), held: held.is_some() }
        }),
        3 => users.prop_map(PolicyChange::Invited),
    ]
    .boxed()
}
