//! Accounts: one implementation for the API and the command line.

use core_engine::is_reserved_display_name;
use core_model::{
    AdminCommand, BanTarget, Banned, Command, DELETED_MESSAGES_MAX, MessageId, NewUser,
    ProfileChanges, Refusal, Reply, Secret, Uid,
};

use super::endpoint::{
    ChangeUser, CreateUser, DeleteUser, DisableUser, EnableUser, ExportUser, LinkIdentity,
    ListUsers, RevokeSignIns, SetPassword, ShowUser, UnlinkIdentity,
};
use super::message_report::report as message_report;
use super::pages::{cursor, limit};
use super::store::{Ended, OnStore, Store, submit};
use super::types::{
    CreatedUser, DeletionQuery, IdentityChange, MessageFate, NewPassword, Nothing, Page, PageQuery,
    PersonalData, Reason, SearchQuery, UserChange,
};
use crate::users::{Account, ActionKind, Failure, Identity, Phc, UserAction, Who, account};

/// The user in the path.
pub(super) fn who(text: &str) -> Result<Who, Failure> {
    let invalid = |why| Failure::Invalid(format!("user {text:?}: {why}"));
    text.parse().map_err(|why| invalid(why).at(&["user", "owner", "target", "author"]))
}

/// The account of a user as it is now.
pub(super) fn show<S: Store>(store: &S, who: &Who) -> Result<Account, Failure> {
    let record = store.engine().user_record(store.now(), &who.user_ref());
    let record = record.map_err(|refusal| Failure::about(who, refusal))?;
    Ok(shown(store, account(&record)))
}

/// A user who was online when a gateway was killed is not online without one.
fn shown<S: Store>(store: &S, account: Account) -> Account {
    let online = account.online && store.is_running();
    Account { online, ..account }
}

/// Carries out one of the actions that the command line had before this API.
fn act<S: Store>(store: &S, who: Who, kind: ActionKind) -> Result<Account, Failure> {
    // Unlinking may take away the identity that names the user.
    let uid = Who::Uid(Uid(show(store, &who)?.uid));
    let action = UserAction { who, kind };
    let done = action.command().map(|command| store.submit(command));
    action.report(store.engine(), store.now(), done)?;
    show(store, &uid)
}

fn identity(text: &str) -> Result<Identity, Failure> {
    let invalid = |why| Failure::Invalid(format!("identity: {why}"));
    text.parse().map_err(|why| invalid(why).at(&["identity", "identities"]))
}

/// Refuses a display name that the engine would leave out, as it leaves out those of clients.
fn check_display_name(name: &str) -> Result<(), Failure> {
    if !is_reserved_display_name(name) {
        return Ok(());
    }
    let why = "could be taken for a guest, or for the handle of another user";
    Err(Failure::Invalid(format!("name: {name:?} {why}; choose another")))
}

/// The hash of a password that is given in one of two ways.
fn hashed(password: Option<&str>, hash: Option<&str>) -> Result<Option<Phc>, Failure> {
    match (password, hash) {
        (None, None) => Ok(None),
        (Some(password), None) => {
            Phc::of(password).map(Some).map_err(|why| Failure::Invalid(format!("password: {why}")))
        }
        (None, Some(hash)) => {
            hash.parse().map(Some).map_err(|why| Failure::Invalid(format!("password_hash: {why}")))
        }
        (Some(_), Some(_)) => {
            let why = "password and password_hash: give one of them, not both";
            Err(Failure::Invalid(why.into()).at(&["password_hash"]))
        }
    }
}

impl OnStore for ListUsers {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        query: SearchQuery,
        _: Nothing,
    ) -> Result<Page<Account>, Failure> {
        let after = Uid(cursor("after", query.after.as_deref(), 0)?);
        let (text, limit) = (query.search.as_deref(), limit(query.limit)?);
        let page = store.engine().users(store.now(), after, text, limit).map_err(Failure::of)?;
        let items = page.items.iter().map(|record| shown(store, account(record))).collect();
        Ok(Page { items, next: page.next.map(|uid| uid.to_string()) })
    }
}

impl OnStore for ShowUser {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        _: Nothing,
    ) -> Result<Account, Failure> {
        show(store, &who(&path[0])?)
    }
}

impl OnStore for CreateUser {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        _: Nothing,
        new: CreatedUser,
    ) -> Result<Account, Failure> {
        let phc = hashed(new.password.as_deref(), new.password_hash.as_deref())?;
        let identities = new.identities.iter().map(|text| identity(text));
        let identities = identities.collect::<Result<Vec<_>, _>>()?;
        new.name.as_deref().map_or(Ok(()), check_display_name)?;
        let user = NewUser {
            handle: Some(new.handle),
            insist: true,
            identities: identities.iter().map(Identity::to_string).collect(),
            password: phc.map(|phc| Secret::Hashed(phc.as_str().to_owned())),
            profile: ProfileChanges { name: new.name, ..ProfileChanges::default() },
        };
        match submit(store, Command::Register { user })? {
            Reply::Registered { user, .. } => {
                show(store, &Who::Uid(user.person.uid.unwrap_or_default()))
            }
            _ => Err(Failure::Store("unexpected answer to a registration".into())),
        }
    }
}

impl OnStore for ChangeUser {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        change: UserChange,
    ) -> Result<Account, Failure> {
        let who = who(&path[0])?;
        check_display_name(&change.name)?;
        let changes = ProfileChanges { name: Some(change.name), ..ProfileChanges::default() };
        let command = Command::UpdateUser { user: who.user_ref(), create: false, changes };
        store.submit(command).map_err(|refusal| Failure::about(&who, refusal))?;
        show(store, &who)
    }
}

impl OnStore for DisableUser {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        Reason { reason }: Reason,
    ) -> Result<Account, Failure> {
        let who = who(&path[0])?;
        let target = BanTarget::User(who.user_ref());
        let ban = AdminCommand::Ban { target, reason, until: None };
        administer(store, &who, ban)?;
        show(store, &who)
    }

    fn ends(account: &Account) -> Option<Ended> {
        Some(Ended::All(Banned::User(Uid(account.uid))))
    }
}

impl OnStore for EnableUser {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        _: Nothing,
    ) -> Result<Account, Failure> {
        let who = who(&path[0])?;
        let account = show(store, &who)?;
        if account.disabled.is_none() && !account.deleted {
            let why = "is not disabled; `dragoman ban lift` lifts bans of identities and networks";
            return Err(Failure::Conflict(format!("{:?} {why}", account.handle)).at(&["user"]));
        }
        let target = BanTarget::User(who.user_ref());
        administer(store, &who, AdminCommand::LiftBan { target })?;
        show(store, &who)
    }
}

impl OnStore for RevokeSignIns {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        _: Nothing,
    ) -> Result<Account, Failure> {
        let who = who(&path[0])?;
        administer(store, &who, AdminCommand::RevokeSignIns { user: who.user_ref() })?;
        show(store, &who)
    }

    fn ends(account: &Account) -> Option<Ended> {
        Some(Ended::All(Banned::User(Uid(account.uid))))
    }
}

/// Submits a command about a user.
pub(super) fn administer<S: Store>(
    store: &S,
    who: &Who,
    command: AdminCommand,
) -> Result<Reply, Failure> {
    let done = store.submit(Command::Admin(Box::new(command)));
    done.map_err(|refusal| Failure::about(who, refusal))
}

impl OnStore for DeleteUser {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        query: DeletionQuery,
        _: Nothing,
    ) -> Result<Account, Failure> {
        let who = who(&path[0])?;
        let uid = Uid(show(store, &who)?.uid);
        let anonymize = query.messages != MessageFate::Keep;
        begin_deletion(store, &who, uid)?;
        let user = Who::Uid(uid).user_ref();
        administer(store, &who, AdminCommand::DeleteUser { user, anonymize })?;
        if query.messages == MessageFate::Remove {
            remove_messages_of(store, uid)?;
        }
        show(store, &Who::Uid(uid))
    }

    fn ends(account: &Account) -> Option<Ended> {
        Some(Ended::All(Banned::User(Uid(account.uid))))
    }
}

/// Bans a user, who could otherwise join rooms meanwhile, and has it leave rooms in steps of some
/// milliseconds. After a kill the user is banned, and may be deleted again.
fn begin_deletion<S: Store>(store: &S, who: &Who, uid: Uid) -> Result<(), Failure> {
    let target = BanTarget::User(Who::Uid(uid).user_ref());
    let reason = "the account is being deleted".to_owned();
    let ban = AdminCommand::Ban { target, reason, until: None };
    match administer(store, who, ban) {
        // There are as many bans as there may be; the deletion makes one more.
        Ok(_) | Err(Failure::Refused(Refusal::QuotaExceeded { .. })) => (),
        Err(failure) => return Err(failure),
    }
    loop {
        let shed = administer(store, who, AdminCommand::Shed { user: uid })?;
        if matches!(shed, Reply::Pruned { messages: 0, .. }) {
            return Ok(());
        }
    }
}

/// Removes every message that a user wrote. Those that it was sent are others'.
fn remove_messages_of<S: Store>(store: &S, uid: Uid) -> Result<(), Failure> {
    let mut after = MessageId(0);
    loop {
        let page = store.engine().messages_of_user(uid, after, DELETED_MESSAGES_MAX);
        let page = page.map_err(Failure::of)?;
        let own = page.items.iter().filter(|message| message.author.uid == Some(uid));
        let messages: Vec<MessageId> = own.map(|message| message.id).collect();
        if !messages.is_empty() {
            let delete = AdminCommand::DeleteMessages { messages };
            submit(store, Command::Admin(Box::new(delete)))?;
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(()),
        }
    }
}

impl OnStore for LinkIdentity {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        change: IdentityChange,
    ) -> Result<Account, Failure> {
        act(store, who(&path[0])?, ActionKind::Link(identity(&change.identity)?))
    }
}

impl OnStore for UnlinkIdentity {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        change: IdentityChange,
        _: Nothing,
    ) -> Result<Account, Failure> {
        act(store, who(&path[0])?, ActionKind::Unlink(identity(&change.identity)?))
    }
}

impl OnStore for SetPassword {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        new: NewPassword,
    ) -> Result<Account, Failure> {
        let phc = hashed(new.password.as_deref(), new.password_hash.as_deref())?;
        let missing = || Failure::Invalid("give a password, or its password_hash".into());
        let missing = || missing().at(&["password"]);
        act(store, who(&path[0])?, ActionKind::SetPassword(phc.ok_or_else(missing)?))
    }
}

impl OnStore for ExportUser {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        query: PageQuery,
        _: Nothing,
    ) -> Result<PersonalData, Failure> {
        let who = who(&path[0])?;
        let (engine, limit) = (store.engine(), limit(query.limit)?);
        let after = MessageId(cursor("after", query.after.as_deref(), 0)?);
        let record = engine.user_record(store.now(), &who.user_ref());
        let record = record.map_err(|refusal| Failure::about(&who, refusal))?;
        let uid = record.user.person.uid.unwrap_or_default();
        let (member, owned) = engine.rooms_of_user(uid).map_err(Failure::of)?;
        let names = |rooms: Vec<core_model::RoomTag>| {
            rooms.iter().map(|room| room.name.to_string()).collect()
        };
        let page = engine.messages_of_user(uid, after, limit).map_err(Failure::of)?;
        Ok(PersonalData {
            account: shown(store, account(&record)),
            avatar: record.user.person.avatar.clone(),
            sex: record.user.sex.clone(),
            preferences: record.user.preferences.clone(),
            info: record.user.info.clone(),
            member_of: names(member),
            owner_of: names(owned),
            messages: Page {
                items: page.items.iter().map(|message| message_report(message)).collect(),
                next: page.next.map(|id| id.to_string()),
            },
        })
    }
}
