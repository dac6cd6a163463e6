//! A command whose answer was lost is sent again, whatever has failed, and has one effect.

use core_engine::Envelope;
use core_model::{Command, NewUser, ProfileChanges, Refusal, Role, Secret, UserRef};

use crate::build::*;
use crate::failure::{does, envelope, open, outcomes};
use crate::memory::Memory;

/// What has happened before: ann's room tea has a message, bob as a member, a lease of ann's, and
/// bob's connection.
fn before() -> Vec<Command> {
    vec![
        register("ann"),
        register("bob"),
        create(titled("tea"), Some(user("ann"))),
        join(room("tea"), user("bob")),
        lease(room("tea"), user("ann")),
        enter(room("tea"), user("bob")),
        post(room("tea"), user("ann"), "first"),
    ]
}

/// Every kind of command that a key applies to, each with what another client does between the first
/// attempt and the second: a second effect would show.
fn repeatable() -> Vec<(Command, Command)> {
    let new = || UserRef::IdentityOrNew("openid:wechat/new".into());
    let new_identity = || UserRef::Identity("openid:wechat/newer".into());
    let named = |name: &str| ProfileChanges { name: Some(name.into()), ..Default::default() };
    let complete = |name: &str| Command::UpdateUser {
        user: new_identity(),
        create: true,
        changes: named(name),
    };
    let role = |held| Command::SetRole {
        room: room("tea"),
        user: user("bob"),
        role: Role::Voice,
        held,
        by: Some(user("ann")),
    };
    let tea = || room("tea");
    vec![
        (post(tea(), user("ann"), "hi"), post(tea(), user("bob"), "ho")),
        (direct(user("ann"), user("bob"), "hi"), direct(user("bob"), user("ann"), "ho")),
        (register("cyd"), register("dan")),
        (complete("Cyd"), complete("Dan")),
        (create(titled("hall"), Some(user("ann"))), create(titled("den"), Some(user("bob")))),
        (create(titled("attic"), Some(new())), post(tea(), user("bob"), "ho")),
        (rename(tea(), "coffee", Some(user("ann"))), rename(room_id(1), "tea", None)),
        (delete(tea(), Some(user("ann"))), create(titled("tea"), Some(user("ann")))),
        (clear(tea(), Some(user("ann"))), post(tea(), user("bob"), "ho")),
        (clear(tea(), None), post(tea(), user("bob"), "ho")),
        (join(tea(), user("bob")), kick(tea(), user("bob"))),
        (kick(tea(), user("bob")), join(tea(), user("bob"))),
        (lease(tea(), user("bob")), end_lease(tea(), user("bob"))),
        (end_lease(tea(), user("ann")), lease(tea(), user("ann"))),
        (role(true), role(false)),
    ]
}

#[test]
fn a_retry_with_the_same_key_is_the_same_command_whatever_failed() {
    for (command, between) in repeatable() {
        for failing_sync in [None, Some(0), Some(1)] {
            check(&command, &between, failing_sync);
        }
    }
}

/// Sends a command, of whose commit one sync fails, then again, and once more after a power failure.
fn check(command: &Command, between: &Command, failing_sync: Option<u32>) {
    let about = format!("{command:?}, failing {failing_sync:?}");
    let memory = Memory::that_may_lose_power();
    let (engine, published) = open(&memory);
    before().into_iter().for_each(|command| does(&engine, &published, command));
    let keyed = || Envelope { key: Some("t/a10.0.0.1/k".into()), ..envelope(command.clone()) };
    if let Some(sync) = failing_sync {
        memory.fail_after_sync(sync);
    }
    engine.submit(keyed(), 0).expect("the engine takes the command");
    // It may be refused, as failed or as unknown; the client cannot tell what is there.
    let first = outcomes(&published, 1).remove(0);
    engine.wait_for_recovery();
    engine.submit(keyed(), 0).expect("the engine takes the command");
    let again = outcomes(&published, 1).remove(0);
    assert!(again.is_ok(), "{about}: {again:?}");
    assert!(first.is_err() || first == again, "{about}: {first:?}");
    does(&engine, &published, between.clone());
    let then = engine.dump();
    engine.submit(keyed(), 0).expect("the engine takes the command");
    assert_eq!(outcomes(&published, 1), std::slice::from_ref(&again), "{about}");
    assert_eq!(engine.dump(), then, "{about}");
    // The power fails, and it is sent once more.
    drop((engine, published));
    let (engine, published) = open(&memory.without_power());
    engine.submit(keyed(), 0).expect("the engine takes the command");
    assert_eq!(outcomes(&published, 1), [again], "{about}");
    assert_eq!(engine.dump(), then, "{about}");
}

#[test]
fn a_registration_with_another_password_is_no_retry() {
    let memory = Memory::that_may_lose_power();
    let (engine, published) = open(&memory);
    let sent = |password: &str| {
        let password = Some(Secret::Hashed(format!("$argon2id${password}")));
        let handle = Some("ann".into());
        let user = NewUser { handle, insist: true, password, ..NewUser::default() };
        let key = Some("t/a10.0.0.1/k".into());
        let envelope = Envelope { key, ..envelope(Command::Register { user }) };
        engine.submit(envelope, 0).expect("the engine takes the command");
        outcomes(&published, 1).remove(0)
    };
    let first = sent("x");
    assert!(first.is_ok(), "{first:?}");
    assert_eq!(sent("x"), first);
    assert_eq!(sent("y"), Err(Refusal::KeyReused));
    assert_eq!(sent("x"), first);
}
