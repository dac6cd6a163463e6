//! Sequences of commands: of few people, rooms and connections, so that they meet; many are
//! refused, most are not.

use std::sync::Arc;

use core_engine::{Envelope, FrontendSettings, Quotas};
use core_model::{
    AddressGrant, Claim, Command, ConnectionId, ConversationRef, Grant, MessageId, NewRoom,
    NewUser, PostRight, ProfileChanges, Role, RoomChanges, RoomId, RoomRef, SeatKind, Secret,
    Timestamp, Uid, UserRef,
};
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use crate::build::*;
use crate::generate_changes::{of_webhooks, policy_changes};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Call(Box<Call>),
    /// The gateway ends and starts again.
    Restart,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// How long after the step before, ms.
    pause: u64,
    connection: u64,
    key: Option<&'static str>,
    /// Whether the front end has `auto_join` rooms.
    auto_join: bool,
    /// Whether the front end has tight quotas.
    quotas: bool,
    address: Option<u128>,
    command: Command,
}

/// A sequence, which begins with the same people and rooms.
pub(crate) fn steps(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), length).prop_map(|steps| prelude().into_iter().chain(steps).collect())
}

/// The steps as the engine is given them; None is a restart.
pub(crate) fn envelopes(steps: &[Step]) -> Vec<Option<Envelope>> {
    let mut now = 1_000;
    let envelopes = steps.iter().map(|step| {
        let Step::Call(call) = step else { return None };
        now += call.pause;
        let auto_join = if call.auto_join {
            vec!["hall".into(), "tea".into(), "nowhere".into(), "secret#2".into()]
        } else {
            Vec::new()
        };
        let quotas = if call.quotas { tight() } else { Quotas::default() };
        let frontend = "test".into();
        let frontend = FrontendSettings { frontend, room_capacity: 4, auto_join, quotas };
        Some(Envelope {
            at: Timestamp(now),
            steady_ms: now,
            connection: ConnectionId(call.connection),
            address: call.address,
            frontend: Arc::new(frontend),
            key: call.key.map(Into::into),
            command: call.command.clone(),
        })
    });
    envelopes.collect()
}

/// Quotas that a sequence reaches.
fn tight() -> Quotas {
    Quotas {
        accounts_per_address_per_hour_max: 1,
        rooms_per_address_per_day_max: 1,
        unowned_rooms_max: 2,
        rooms_per_owner_max: 2,
        memberships_per_user_max: 2,
        groups_per_user_max: 2,
        tokens_per_user_max: 1,
        keys_per_address_max: 1,
        leases_per_address_max: 1,
        names_per_connection_max: 1,
        guests_per_address_max: 1,
    }
}

fn prelude() -> Vec<Step> {
    let commands = [
        register("ann"),
        Command::Register { user: NewUser { identities: vec!["tel/1".into()], ..named("bob") } },
        register("cyd"),
        create(titled("tea"), Some(user("ann"))),
        create_for(closed("secret"), user("ann"), &["bob"]),
        issue(user("ann"), sliding("t1", 5_000)),
        sign_in_for_messages(user("bob"), 3),
    ];
    let call = |command| Call {
        pause: 0,
        connection: 3,
        key: None,
        auto_join: false,
        quotas: false,
        address: None,
        command,
    };
    commands.map(|command| Step::Call(Box::new(call(command)))).into()
}

fn step() -> BoxedStrategy<Step> {
    let pause = prop_oneof![
        60 => 0u64..50,
        30 => 50u64..2_000,
        1 => Just(24 * 60 * 60 * 1000),
        1 => Just(8 * 24 * 60 * 60 * 1000),
    ];
    let key = weighted(0.15, select(&["k1", "k2"][..]));
    let auto_join = weighted(0.2, Just(()));
    let as_usual = weighted(0.75, Just(()));
    let quotas = weighted(0.5, Just(()));
    let address = select(&[None, Some(1u128), Some(1), Some(1), Some(1), Some(2)][..]);
    let peer = (1u64..4, address);
    let call = (pause, peer, key, auto_join, quotas, as_usual, command()).prop_map(
        |(pause, (connection, address), key, auto_join, quotas, as_usual, mut command)| {
            if as_usual.is_some() {
                act_as_usual(connection, &mut command);
            }
            Step::Call(Box::new(Call {
                pause,
                connection,
                key,
                auto_join: auto_join.is_some(),
                quotas: quotas.is_some(),
                address,
                command,
            }))
        },
    );
    prop_oneof![40 => call, 1 => Just(Step::Restart)].boxed()
}

/// Makes a command one of the person who usually uses the connection, so that what it begins is
/// also gone on with: ann on the first, the guest gus on the second, the signed-in user on the
/// third.
fn act_as_usual(connection: u64, command: &mut Command) {
    let usual = match connection {
        1 => user("ann"),
        2 => guest("gus"),
        _ => UserRef::Session,
    };
    match command {
        Command::SignIn { user: who, .. } => *who = user("bob"),
        Command::Enter { user, .. } | Command::Exit { user, .. } => *user = usual,
        Command::Post { author, standing: PostRight::Seated, .. } => *author = usual,
        Command::Join { user, .. }
        | Command::UpdateUser { user, .. }
        | Command::LinkIdentity { user, .. }
        | Command::UnlinkIdentity { user, .. }
        | Command::SetPassword { user, .. }
        | Command::IssueToken { user, .. }
        | Command::Post { author: user, .. }
        | Command::PostDirect { author: user, .. }
        | Command::Receive { user, .. }
        | Command::MarkRead { user, .. }
            if connection != 2 =>
        {
            *user = usual;
        }
        Command::SetRole { by, .. }
        | Command::ChangePolicy { by, .. }
        | Command::DeleteMessage { by, .. }
        | Command::Kick { by, .. }
            if by.is_some() =>
        {
            *by = Some(usual)
        }
        Command::UpdateRoom { by, .. }
        | Command::DeleteRoom { by, .. }
        | Command::ClearMessages { by, .. } => *by = Some(user("ann")),
        _ => (),
    }
}

fn anybody() -> BoxedStrategy<UserRef> {
    prop_oneof![
        5 => (10_000u64..10_004).prop_map(uid),
        6 => select(&["ann", "bob", "cyd"][..]).prop_map(user),
        1 => select(&["zed", "guest:gus", "user-10003"][..]).prop_map(user),
        2 => select(&["tel/1", "tel/2", "nonsense"][..]).prop_map(identity),
        2 => Just(UserRef::Session),
        2 => select(&["t1", "t2"][..]).prop_map(by_token),
        5 => claims().prop_map(UserRef::Claim),
    ]
    .boxed()
}

fn claims() -> BoxedStrategy<Claim> {
    let name = select(&["gus", "gus", "ann", "bob", "zoe", ""][..]);
    let token_text = of(select(&["t1", "t2"][..]));
    let address = of(select(&["10.0.0.1", "10.0.0.2"][..]));
    let left_min = select(&[0, 0, 0, 1000][..]);
    (name, token_text, address, left_min, weighted(0.9, Just(())))
        .prop_map(|(name, token_text, address, address_left_min_ms, guests)| Claim {
            name: name.into(),
            token: token_text.map(token),
            address: address.map(Into::into),
            address_left_min_ms,
            guests: guests.is_some(),
        })
        .boxed()
}

fn rooms() -> BoxedStrategy<RoomRef> {
    prop_oneof![
        8 => Just(room("tea")),
        3 => (1u32..5).prop_map(room_id),
        2 => select(&["hall", "secret#2", "tea#3", "none"][..]).prop_map(room),
        2 => select(&["k1", "k2"][..]).prop_map(|key| {
            RoomRef::Keyed { name: "tea".into(), key: key.into() }
        }),
    ]
    .boxed()
}

fn texts() -> BoxedStrategy<String> {
    select(&["hi", "ho", "茶", "hi", ""][..]).prop_map(Into::into).boxed()
}

fn command() -> BoxedStrategy<Command> {
    prop_oneof![
        9 => of_accounts(),
        5 => of_rooms(),
        20 => of_seats(),
        16 => of_messages(),
        3 => Just(Command::Expire),
        2 => prunes(),
        3 => of_webhooks(),
    ]
    .boxed()
}

/// Whole passes.
fn prunes() -> BoxedStrategy<Command> {
    let before = of((1_000u64..20_000).prop_map(Timestamp));
    let keep_per_room = of(select(&[0, 1, 2, 5][..]));
    (before, keep_per_room)
        .prop_map(|(before, keep_per_room)| Command::Prune {
            before,
            keep_per_room,
            from: RoomId(0),
            limit: u32::MAX,
        })
        .boxed()
}

fn new_users() -> BoxedStrategy<NewUser> {
    let handle = of(select(&["ann", "dan", "gus", "zoe", "user-10005", "@x", ""][..]));
    let identities = vec(select(&["tel/1", "tel/2", "nonsense"][..]), 0..2);
    let password = weighted(0.1, Just(Secret::Plain("secret".into())));
    (handle, any::<bool>(), identities, password, profiles())
        .prop_map(|(handle, insist, identities, password, profile)| NewUser {
            handle: handle.map(Into::into),
            insist,
            identities: identities.into_iter().map(Into::into).collect(),
            password,
            profile,
        })
        .boxed()
}

fn profiles() -> BoxedStrategy<ProfileChanges> {
    let text = || weighted(0.3, select(&["", "Ann", "x.png"][..]).prop_map(String::from));
    let avatar = prop_oneof![12 => text(), 1 => Just(Some("x".repeat(2_049)))];
    let preferences = weighted(0.2, Just(vec!["music".to_owned()]));
    (text(), avatar, text(), preferences, text())
        .prop_map(|(name, avatar, sex, preferences, info)| ProfileChanges {
            name,
            avatar,
            sex,
            preferences,
            info,
        })
        .boxed()
}

fn grants() -> BoxedStrategy<Grant> {
    (select(&["t1", "t2"][..]), 1u64..5_000, any::<bool>())
        .prop_map(|(text, ttl_ms, sliding)| Grant { sliding, ..grant(text, ttl_ms) })
        .boxed()
}

fn of_accounts() -> BoxedStrategy<Command> {
    let identities = || select(&["tel/1", "tel/2", "nonsense"][..]).prop_map(String::from);
    prop_oneof![
        9 => new_users().prop_map(|user| Command::Register { user }),
        9 => sign_ins(),
        1 => Just(Command::SignOut { reason: String::new() }),
        2 => select(&[None, Some(1), Some(3), Some(9)][..]).prop_map(|delivered| {
            Command::Disconnect { delivered: delivered.map(MessageId) }
        }),
        2 => (10_000u64..10_004, 1u64..9, select(&[None, Some(""), Some("phone")][..])).prop_map(
            |(user, message, device)| {
                let (user, message) = (Uid(user), MessageId(message));
                Command::Acknowledge { user, message, device: device.map(Into::into) }
            }
        ),
        2 => (anybody(), any::<bool>(), profiles())
            .prop_map(|(user, create, changes)| Command::UpdateUser { user, create, changes }),
        1 => (anybody(), identities())
            .prop_map(|(user, identity)| Command::LinkIdentity { user, identity }),
        1 => (anybody(), identities())
            .prop_map(|(user, identity)| Command::UnlinkIdentity { user, identity }),
        1 => anybody().prop_map(|user| {
            Command::SetPassword { user, password: Secret::Hashed("$argon2id$".into()) }
        }),
        2 => (anybody(), grants()).prop_map(|(user, grant)| Command::IssueToken { user, grant }),
        1 => select(&["t1", "t2"][..])
            .prop_map(|text| Command::RefreshToken { token: token(text) }),
    ]
    .boxed()
}

fn sign_ins() -> BoxedStrategy<Command> {
    let device = select(&["", "", "phone", "desk"][..]);
    let delivery = of((0u32..4, device, any::<bool>()).prop_map(deliver));
    let address = weighted(0.2, (select(&["10.0.0.1", "10.0.0.2"][..]), 1u64..5_000));
    let create = weighted(0.2, new_users());
    let session = weighted(0.8, Just(()));
    (anybody(), create, profiles(), session, delivery, weighted(0.2, grants()), address)
        .prop_map(|(user, create_as, profile, has_session, delivered, granted, from)| {
            let mut command = vouch(user);
            let Command::SignIn { create, changes, session, delivery, token, address, .. } =
                &mut command
            else {
                unreachable!()
            };
            (*create, *changes, *session) = (create_as, profile, has_session.is_some());
            (*delivery, *token) = (delivered, granted);
            *address =
                from.map(|(address, ttl_ms)| AddressGrant { address: address.into(), ttl_ms });
            command
        })
        .boxed()
}

fn new_rooms() -> BoxedStrategy<NewRoom> {
    let name = of(select(&["tea", "tea", "hall", "room-4", "tea#5", ""][..]));
    let section = select(&["", "music"][..]);
    let description = prop_oneof![4 => Just(String::new()), 1 => long_texts()];
    let capacity = of(0u32..5);
    let rare = || weighted(0.3, Just(()));
    (name, any::<bool>(), section, description, capacity, rare(), rare())
        .prop_map(|(name, insist, section, description, capacity, closed, owner_absent)| NewRoom {
            description,
            name: name.map(Into::into),
            insist,
            section: section.into(),
            capacity,
            closed: closed.is_some(),
            owner_absent: owner_absent.is_some(),
            ..NewRoom::default()
        })
        .boxed()
}

/// As long as a description may be, and longer.
fn long_texts() -> BoxedStrategy<String> {
    select(&[500, 501][..]).prop_map(|count| "茶".repeat(count)).boxed()
}

fn of_rooms() -> BoxedStrategy<Command> {
    let by = || of(anybody());
    let names = select(
        &["Tee", "", "a name of seventy characters, which is longer than a title may ever be"][..],
    );
    let sections = select(&["music", "art"][..]);
    let changes = (of(names), of(sections), weighted(0.2, long_texts())).prop_map(
        |(name, section, description)| RoomChanges {
            name: name.map(Into::into),
            section: section.map(Into::into),
            description,
        },
    );
    prop_oneof![
        3 => (new_rooms(), of(anybody()), of(vec(anybody(), 0..3)))
            .prop_map(|(room, owner, members)| Command::CreateRoom { room, owner, members }),
        1 => new_rooms().prop_map(|room| Command::DeclareRoom { room }),
        1 => (rooms(), changes, by())
            .prop_map(|(room, changes, by)| Command::UpdateRoom { room, changes, by }),
        1 => (rooms(), of(anybody()))
            .prop_map(|(room, owner)| Command::SetOwner { room, owner }),
        1 => (rooms(), by()).prop_map(|(room, by)| delete(room, by)),
        1 => (rooms(), by()).prop_map(|(room, by)| clear(room, by)),
    ]
    .boxed()
}

fn of_seats() -> BoxedStrategy<Command> {
    let seat = || {
        prop_oneof![
            3 => Just(SeatKind::Connection),
            2 => (1u64..3_000, 1u64..1_000)
                .prop_map(|(ttl_ms, grace_ms)| SeatKind::Lease { ttl_ms, grace_ms }),
        ]
    };
    let avatar = weighted(0.3, Just("own.png".to_owned()));
    prop_oneof![
        5 => (rooms(), anybody()).prop_map(|(room, user)| join(room, user)),
        2 => (rooms(), anybody(), of(anybody())).prop_map(|(room, user, by)| {
            Command::Kick { room, user, by, reason: String::new() }
        }),
        5 => (rooms(), anybody(), select(&[Role::Operator, Role::Voice][..]), any::<bool>(), of(anybody()))
            .prop_map(|(room, user, role, held, by)| Command::SetRole { room, user, role, held, by }),
        6 => (rooms(), policy_changes(anybody()), weighted(0.8, anybody()))
            .prop_map(|(room, change, by)| Command::ChangePolicy { room, change, by }),
        9 => (rooms(), anybody(), seat(), any::<bool>(), avatar, weighted(0.4, Just(()))).prop_map(
            |(room, user, seat, opens, avatar, create)| {
                let create = create.is_some();
                Command::Enter { room, user, seat, opens, avatar, create }
            }
        ),
        9 => (rooms(), anybody(), seat())
            .prop_map(|(room, user, seat)| Command::Exit { room, user, seat, reason: String::new() }),
    ]
    .boxed()
}

fn of_messages() -> BoxedStrategy<Command> {
    let standing = prop_oneof![
        2 => Just(PostRight::Seated),
        2 => Just(PostRight::Member),
        3 => any::<bool>().prop_map(|create| PostRight::Joining { create }),
    ];
    let expect = weighted(0.2, select(&["ann", "bob"][..]).prop_map(String::from));
    let limit = || select(&[0, 1, 2, 100, u32::MAX][..]);
    let after = weighted(0.3, select(&[0, 1, 4, 1 << 40][..]).prop_map(MessageId));
    let newest = weighted(0.2, Just(()));
    prop_oneof![
        9 => (rooms(), anybody(), texts(), standing).prop_map(|(room, author, text, standing)| {
            Command::Post { room, author, text, standing, notice: false }
        }),
        3 => (rooms(), 1u64..9, weighted(0.8, anybody())).prop_map(|(room, id, by)| {
            let message = MessageId(id);
            Command::DeleteMessage { room, message, by, reason: "spam".into() }
        }),
        5 => (anybody(), anybody(), texts(), any::<bool>()).prop_map(
            |(author, to, text, allow_self)| {
                Command::PostDirect { author, to, text, notice: false, allow_self }
            },
        ),
        5 => (anybody(), expect, of(rooms()), after, limit(), limit(), newest).prop_map(
            |(user, expect, room, after, limit, first_limit, newest)| {
                let newest = newest.is_some();
                Command::Receive { user, expect, room, after, limit, first_limit, newest }
            }
        ),
        2 => (anybody(), rooms().prop_map(ConversationRef::Room), 0u64..20_000).prop_map(mark_read),
        2 => (anybody(), anybody().prop_map(ConversationRef::User), 0u64..20_000)
            .prop_map(mark_read),
    ]
    .boxed()
}
