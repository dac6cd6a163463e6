//! Rooms, their members, and who may post there.

use core_model::{AdminCommand, Command, NewRoom, Refusal, Reply, RoomId, RoomRef, Uid, UserRef};

use super::endpoint::{
    ChangeRoom, CreateRoom, DeleteRoom, Kick, ListMembers, ListRooms, Mute, SetOwner, ShowRoom,
    Unmute,
};
use super::pages::{check_reason, cursor, limit, until};
use super::store::{OnStore, Store, check_running, submit};
use super::types::{
    CreatedRoom, Done, Member, Members, MutedUser, NewMute, Nothing, Page, PageQuery, Removal,
    RoomChange, RoomOwner, SearchQuery, Unmuted,
};
use super::users::who;
use crate::rooms::{RoomAction, RoomActionKind, RoomReport, report};
use crate::users::{Failure, Who, rfc3339};

pub(super) fn named(name: &str) -> RoomRef {
    RoomRef::Name(name.to_owned())
}

/// A failure of a command about a room and, where one is named, a user.
pub(super) fn about(room: &str, who: Option<&Who>, refusal: Refusal) -> Failure {
    match (refusal, who) {
        (Refusal::UnknownRoom, _) => Failure::UnknownRoom(room.to_owned()),
        (refusal, Some(who)) => Failure::about(who, refusal),
        (refusal, None) => Failure::of(refusal),
    }
}

fn show<S: Store>(store: &S, name: &str) -> Result<RoomReport, Failure> {
    let room = store.engine().room(&named(name));
    room.map(|room| report(&room)).map_err(|refusal| about(name, None, refusal))
}

impl OnStore for ListRooms {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        query: SearchQuery,
        _: Nothing,
    ) -> Result<Page<RoomReport>, Failure> {
        let after = RoomId(cursor("after", query.after.as_deref(), 0)?);
        let page = store.engine().all_rooms(after, query.search.as_deref(), limit(query.limit)?);
        let page = page.map_err(Failure::of)?;
        let items = page.items.iter().map(report).collect();
        Ok(Page { items, next: page.next.map(|id| id.to_string()) })
    }
}

impl OnStore for ShowRoom {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        _: Nothing,
    ) -> Result<RoomReport, Failure> {
        show(store, &path[0])
    }
}

impl OnStore for CreateRoom {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        _: Nothing,
        new: CreatedRoom,
    ) -> Result<RoomReport, Failure> {
        let owner = new.owner.as_deref().map(who).transpose()?;
        check_seats(new.capacity)?;
        let name = new.name.clone();
        let room = NewRoom {
            name: Some(new.name),
            insist: true,
            section: new.section,
            description: new.description,
            capacity: Some(new.capacity.unwrap_or(core_engine::ROOM_CAPACITY_DEFAULT)),
            ..NewRoom::default()
        };
        let is_taken =
            || Failure::Conflict(format!("there is a room {name:?} already")).at(&["name"]);
        let command = match &owner {
            Some(owner) => {
                Command::CreateRoom { room, owner: Some(owner.user_ref()), members: None }
            }
            // Not a client's room without an owner, which ends when it is not used.
            None if store.engine().room(&named(&name)).is_ok() => return Err(is_taken()),
            None => Command::DeclareRoom { room },
        };
        match store.submit(command) {
            Ok(Reply::RoomCreated { room }) => Ok(report(&room)),
            Ok(_) => Err(Failure::Store("unexpected answer to a new room".into())),
            Err(Refusal::RoomNameTaken) => Err(is_taken()),
            Err(refusal) => Err(about(&name, owner.as_ref(), refusal)),
        }
    }
}

/// Refuses a room in which no user could ever be.
pub(super) fn check_seats(capacity: Option<u32>) -> Result<(), Failure> {
    if capacity == Some(0) {
        return Err(Failure::Invalid("capacity: is 0; a room has at least one seat".into()));
    }
    Ok(())
}

impl OnStore for ChangeRoom {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        change: RoomChange,
    ) -> Result<RoomReport, Failure> {
        let RoomChange { title, section, description } = change;
        if title.is_none() && section.is_none() && description.is_none() {
            let why = "nothing is to be changed; give a title, a section or a description";
            return Err(Failure::Invalid(why.into()).at(&[""]));
        }
        let room = named(&path[0]);
        let change = AdminCommand::ChangeRoom { room, title, section, description };
        administer(store, &path[0], None, change)?;
        show(store, &path[0])
    }
}

impl OnStore for DeleteRoom {
    fn run<S: Store>(store: &S, path: &[String], _: Nothing, _: Nothing) -> Result<Done, Failure> {
        let delete = AdminCommand::DeleteRoom { room: named(&path[0]) };
        administer(store, &path[0], None, delete)
    }
}

impl OnStore for SetOwner {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        body: RoomOwner,
    ) -> Result<RoomReport, Failure> {
        let owner = body.owner.as_deref().map(who).transpose()?;
        let action = RoomAction { room: path[0].clone(), kind: RoomActionKind::SetOwner(owner) };
        let done = action.command().map(|command| store.submit(command));
        action.report(store.engine(), done)
    }
}

impl OnStore for ListMembers {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        query: PageQuery,
        _: Nothing,
    ) -> Result<Members, Failure> {
        let room = named(&path[0]);
        let limit = limit(query.limit)?;
        let after: usize = cursor("after", query.after.as_deref(), 0)?;
        let engine = store.engine();
        let failed = |refusal| about(&path[0], None, refusal);
        let all = engine.members_of(&room).map_err(failed)?;
        let muted = engine.muted(store.now(), &room).map_err(failed)?;
        let member = |person: &std::sync::Arc<core_model::Person>| Member {
            uid: person.uid.unwrap_or_default().0,
            handle: person.handle.clone(),
            name: person.name.clone(),
        };
        let end = after.saturating_add(limit);
        Ok(Members {
            items: all.iter().skip(after).take(limit).map(member).collect(),
            next: (end < all.len()).then(|| end.to_string()),
            muted: muted
                .iter()
                .map(|muted| MutedUser {
                    uid: muted.user.uid.unwrap_or_default().0,
                    handle: muted.user.handle.clone(),
                    until: muted.until.map(rfc3339),
                })
                .collect(),
        })
    }
}

impl OnStore for Kick {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        Removal { user, reason }: Removal,
    ) -> Result<Done, Failure> {
        check_reason(&reason)?;
        let who = if user.starts_with(core_model::GUEST_PREFIX) { None } else { Some(who(&user)?) };
        match &who {
            Some(who) => drop(super::users::show(store, who)?),
            None => check_running(store, "a guest is in a room only as long as it is connected")?,
        }
        let shown = user.clone();
        let user = who.as_ref().map_or(UserRef::Handle(user), Who::user_ref);
        let room = named(&path[0]);
        let kick = AdminCommand::Kick { room, user, reason };
        let conflict = |why: String| Failure::Conflict(why).at(&["user"]);
        store.submit(Command::Admin(Box::new(kick))).map_err(|refusal| match refusal {
            Refusal::OwnerStays => conflict(format!(
                "the owner of {:?} cannot be removed; give the room to another user first",
                path[0]
            )),
            Refusal::NotInRoom => conflict(format!("{shown} is not in {:?}", path[0])),
            refusal => about(&path[0], who.as_ref(), refusal),
        })?;
        Ok(Done {})
    }
}

impl OnStore for Mute {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        new: NewMute,
    ) -> Result<Done, Failure> {
        let who = who(&new.user)?;
        let until = until(store.now(), new.ttl_s)?;
        let (room, user) = (named(&path[0]), who.user_ref());
        administer(store, &path[0], Some(&who), AdminCommand::Mute { room, user, until })
    }
}

impl OnStore for Unmute {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        body: Unmuted,
    ) -> Result<Done, Failure> {
        let who = who(&body.user)?;
        let account = super::users::show(store, &who)?;
        let (room, user) = (named(&path[0]), who.user_ref());
        let muted = store.engine().muted(store.now(), &room);
        let muted = muted.map_err(|refusal| about(&path[0], Some(&who), refusal))?;
        if !muted.iter().any(|muted| muted.user.uid == Some(Uid(account.uid))) {
            let why = format!("{:?} is not muted in {:?}", account.handle, path[0]);
            return Err(Failure::Conflict(why).at(&["user"]));
        }
        administer(store, &path[0], Some(&who), AdminCommand::Unmute { room, user })
    }
}

fn administer<S: Store>(
    store: &S,
    room: &str,
    who: Option<&Who>,
    command: AdminCommand,
) -> Result<Done, Failure> {
    let done = store.submit(Command::Admin(Box::new(command)));
    done.map_err(|refusal| about(room, who, refusal))?;
    Ok(Done {})
}

/// Posts a notice to a room.
pub(super) fn announce<S: Store>(
    store: &S,
    room: RoomRef,
    shown: &str,
    name: &str,
    text: &str,
) -> Result<(), Failure> {
    let (name, text) = (name.to_owned(), text.to_owned());
    let command = AdminCommand::Announce { room, name: name.clone(), text };
    match submit(store, Command::Admin(Box::new(command))) {
        Ok(_) => Ok(()),
        Err(Failure::Refused(Refusal::UnknownRoom)) => Err(Failure::UnknownRoom(shown.to_owned())),
        Err(failure) => Err(about_announcer(&name, failure)),
    }
}

/// A failure to post under a name.
pub(super) fn about_announcer(name: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Refused(Refusal::HandleTaken) => {
            let why =
                format!("the name {name:?} is or resembles that of an account; choose another");
            Failure::Conflict(why).at(&["name"])
        }
        failure => failure,
    }
}
