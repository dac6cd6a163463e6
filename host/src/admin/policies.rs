//! Who may find, enter and post to a room.

use core_engine::RoomPolicy;
use core_model::{
    AdminCommand, Command, GUEST_PREFIX, MaskFault, MaskPart, PolicyChange, ROOM_KEY_BYTES_MAX,
    Refusal, UserRef, check_mask, mask_parts,
};

use super::endpoint::{AddMask, ChangePolicy, RemoveMask, SetRole, ShowPolicy};
use super::policy_types::{
    InvitationReport, ListedMask, MaskReport, PolicyPatch, PolicyReport, RoleChange, RoleReport,
    RoomRole,
};
use super::rooms::{about, check_seats, named};
use super::store::{OnStore, Store, check_running};
use super::types::Nothing;
use super::users::who;
use crate::users::{Failure, Who, rfc3339};

fn show<S: Store>(store: &S, room: &str) -> Result<PolicyReport, Failure> {
    let policy = store.engine().policy_of(store.now(), &named(room)).map(|mut policy| {
        // Those of a killed gateway's connections end with its next start.
        if !store.is_running() {
            policy.roles.clear();
        }
        policy
    });
    policy.map(report).map_err(|refusal| about(room, None, refusal))
}

fn report(policy: RoomPolicy) -> PolicyReport {
    let RoomPolicy { room, masks, invited, roles } = policy;
    PolicyReport {
        room: room.name,
        capacity: room.capacity,
        moderated: room.policy.moderated,
        secret: room.policy.secret,
        invite_only: room.policy.invite_only,
        open_topic: room.policy.open_topic,
        open_posts: room.policy.open_posts,
        keyed: room.policy.keyed,
        masks: masks
            .into_iter()
            .map(|one| MaskReport {
                list: one.list.into(),
                mask: one.mask,
                by: one.by,
                at: rfc3339(one.at),
            })
            .collect(),
        invited: invited
            .into_iter()
            .map(|one| InvitationReport {
                user: one.user.handle.clone(),
                by: one.by,
                at: rfc3339(one.at),
            })
            .collect(),
        roles: roles
            .into_iter()
            .map(|(user, roles)| RoleReport {
                user: user.handle.clone(),
                operator: roles.operator,
                voice: roles.voice,
            })
            .collect(),
    }
}

fn change<S: Store>(
    store: &S,
    room: &str,
    changes: Vec<PolicyChange>,
) -> Result<PolicyReport, Failure> {
    let command = AdminCommand::ChangePolicy { room: named(room), changes };
    let done = store.submit(Command::Admin(Box::new(command)));
    done.map_err(|refusal| about(room, None, refusal))?;
    show(store, room)
}

impl OnStore for ShowPolicy {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        _: Nothing,
    ) -> Result<PolicyReport, Failure> {
        show(store, &path[0])
    }
}

impl OnStore for ChangePolicy {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        patch: PolicyPatch,
    ) -> Result<PolicyReport, Failure> {
        let PolicyPatch { moderated, secret, invite_only, .. } = patch;
        let PolicyPatch { open_topic, open_posts, capacity, room_key, .. } = patch;
        check_seats(capacity)?;
        let key = room_key.map(key).transpose()?;
        let changes = [
            moderated.map(PolicyChange::Moderated),
            secret.map(PolicyChange::Secret),
            invite_only.map(PolicyChange::InviteOnly),
            open_topic.map(PolicyChange::OpenTopic),
            open_posts.map(PolicyChange::OpenPosts),
            capacity.map(|seats| PolicyChange::Capacity(Some(seats))),
            key.map(PolicyChange::Key),
        ];
        let changes: Vec<PolicyChange> = changes.into_iter().flatten().collect();
        if changes.is_empty() {
            let why = "nothing is to be changed; give at least one field";
            return Err(Failure::Invalid(why.into()).at(&[""]));
        }
        change(store, &path[0], changes)
    }
}

/// A key that every dialect with a word for it can say; `None` for "".
fn key(key: String) -> Result<Option<String>, Failure> {
    let is_sound = |char: char| !char.is_control() && !matches!(char, ' ' | ',');
    if key.len() > ROOM_KEY_BYTES_MAX || key.starts_with(':') || !key.chars().all(is_sound) {
        return Err(Failure::Invalid(format!(
            "room_key: a key has 1 to {ROOM_KEY_BYTES_MAX} bytes without spaces, commas and control \
             characters, and no colon in front"
        )));
    }
    Ok(Some(key).filter(|key| !key.is_empty()))
}

impl OnStore for AddMask {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        body: ListedMask,
    ) -> Result<PolicyReport, Failure> {
        let mask = mask(&body.mask)?;
        let add = PolicyChange::Mask { list: body.list.into(), mask, held: true };
        change(store, &path[0], vec![add])
    }
}

impl OnStore for RemoveMask {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        query: ListedMask,
        _: Nothing,
    ) -> Result<PolicyReport, Failure> {
        let (list, mask) = (query.list, mask(&query.mask)?);
        let policy = show(store, &path[0])?;
        let has =
            |mask: &str| policy.masks.iter().any(|one| (one.list, &*one.mask) == (list, mask));
        // An import may have brought a name alone.
        let mask = if has(&query.mask) { query.mask } else { mask };
        if !has(&mask) {
            let (room, list) = (&path[0], list.word());
            let why = format!("the room {room:?} has no mask {mask:?} in its list `{list}`");
            return Err(Failure::Missing(why).at(&["mask"]));
        }
        let remove = PolicyChange::Mask { list: list.into(), mask, held: false };
        change(store, &path[0], vec![remove])
    }
}

/// A mask with both halves, as IRC adds it.
fn mask(text: &str) -> Result<String, Failure> {
    let invalid = |why: &str| {
        Failure::Invalid(format!(
            "mask: {text:?} {why}; a mask is like bob!*, spam*!guest or *!10001"
        ))
    };
    let mask = match check_mask(text) {
        Ok(()) => text.to_owned(),
        Err(MaskFault::NoUser) => format!("{text}!*"),
        Err(fault) => return Err(invalid(&fault.to_string())),
    };
    let mut user = mask_parts(&mask).into_iter().skip_while(|part| *part != MaskPart::Separator);
    if user.any(|part| part == MaskPart::Literal('@')) {
        return Err(invalid(&MaskFault::TooManyParts.to_string()));
    }
    Ok(mask)
}

impl OnStore for SetRole {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        RoleChange { user, role, held }: RoleChange,
    ) -> Result<PolicyReport, Failure> {
        let room = &path[0];
        let who = if user.starts_with(GUEST_PREFIX) { None } else { Some(who(&user)?) };
        let uid = who.as_ref().map(|who| super::users::show(store, who)).transpose()?;
        let uid = uid.map(|account| account.uid);
        let found = store.engine().room(&named(room));
        let found = found.map_err(|refusal| about(room, None, refusal))?;
        let owner = found.owner.as_ref().and_then(|owner| owner.uid).map(|uid| uid.0);
        if role == RoomRole::Operator && uid.is_some() && uid == owner {
            let why = format!("the owner of {room:?} is always an operator");
            return Err(Failure::Conflict(why).at(&["user"]));
        }
        check_running(store, "a role is held by a connection that is in the room")?;
        let shown = user.clone();
        let user = who.as_ref().map_or(UserRef::Handle(user), Who::user_ref);
        let (room_ref, role) = (named(room), role.into());
        let set = Command::SetRole { room: room_ref, user, role, held, by: None };
        store.submit(set).map_err(|refusal| match refusal {
            Refusal::NotInRoom => Failure::Conflict(format!(
                "{shown} is not in {room:?} now; a role is held by a connection that is in the room"
            ))
            .at(&["user"]),
            // It is there, and closed.
            Refusal::UnknownRoom => {
                let why = format!("{room:?} is a group, which has no roles but its owner");
                Failure::Conflict(why).at(&["room"])
            }
            refusal => about(room, who.as_ref(), refusal),
        })?;
        show(store, room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_a_name_and_a_user() {
        for (text, expected) in [
            ("bob", "bob!*"),
            ("bob!10001", "bob!10001"),
            ("a\\!b", "a\\!b!*"),
            ("a@b", "a@b!*"),
            ("*!guest", "*!guest"),
        ] {
            assert_eq!(mask(text).expect(text), expected);
        }
        for text in ["", "bob!*@*", "a!b!c", "a\nb"] {
            assert!(mask(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_key_is_one_that_irc_can_say() {
        assert_eq!(key("tea".into()).expect("sound"), Some("tea".into()));
        assert_eq!(key(String::new()).expect("sound"), None);
        for text in ["a b", "a,b", ":a", "a\u{7}", &"x".repeat(65)] {
            assert!(key(text.into()).is_err(), "{text:?}");
        }
    }
}
