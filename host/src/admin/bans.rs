//! Bans of users, identities and networks.

use core_model::{AdminCommand, Ban, BanTarget, Banned, Command, Uid};

use super::endpoint::{LiftBan, ListBans, PutBan};
use super::pages::{limit, no_cursor, until};
use super::store::{Ended, OnStore, Store, submit};
use super::target::Target;
use super::types::{BanReport, Done, NewBan, Nothing, Page, PageQuery, TargetQuery};
use super::users::{administer, show};
use crate::users::{Failure, Who, rfc3339};

fn report(ban: &Ban) -> BanReport {
    BanReport {
        target: Target::of_model(&ban.target).to_string(),
        reason: ban.reason.clone(),
        created: rfc3339(ban.created),
        until: ban.until.map(rfc3339),
        deleted: ban.deleted,
    }
}

/// The target as the store keeps it: a user by its number.
fn banned<S: Store>(store: &S, target: &Target) -> Result<Banned, Failure> {
    Ok(match target.to_model() {
        BanTarget::User(_) => {
            let Target::User(who) = target else { unreachable!("made of a user") };
            Banned::User(Uid(show(store, who)?.uid))
        }
        BanTarget::Identity(identity) => Banned::Identity(identity),
        BanTarget::Network(network) => Banned::Network(network),
    })
}

fn target(text: &str) -> Result<Target, Failure> {
    text.parse().map_err(|why| Failure::Invalid(format!("target: {why}")))
}

fn put<S: Store>(store: &S, target: &Target, command: AdminCommand) -> Result<(), Failure> {
    match target {
        Target::User(who) => administer(store, who, command)?,
        Target::Identity(_) | Target::Network(_) => {
            submit(store, Command::Admin(Box::new(command)))?
        }
    };
    Ok(())
}

impl OnStore for ListBans {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        query: PageQuery,
        _: Nothing,
    ) -> Result<Page<BanReport>, Failure> {
        let limit = limit(query.limit)?;
        let after = query.after.as_deref().map(|text| {
            match text.parse::<Target>().map(|target| target_of_cursor(&target)) {
                Ok(Some(banned)) => Ok(banned),
                _ => Err(no_cursor("after", text)),
            }
        });
        let after = after.transpose()?;
        let bans = store.engine().bans(store.now(), after.as_ref(), limit);
        let bans = bans.map_err(Failure::of)?;
        let items: Vec<BanReport> = bans.iter().map(report).collect();
        let next = items.last().filter(|_| items.len() == limit).map(|ban| ban.target.clone());
        Ok(Page { items, next })
    }
}

fn target_of_cursor(target: &Target) -> Option<Banned> {
    match target {
        Target::User(Who::Uid(uid)) => Some(Banned::User(*uid)),
        Target::User(_) => None,
        Target::Identity(identity) => Some(Banned::Identity(identity.to_string())),
        Target::Network(_) => match target.to_model() {
            BanTarget::Network(network) => Some(Banned::Network(network)),
            BanTarget::User(_) | BanTarget::Identity(_) => None,
        },
    }
}

impl OnStore for PutBan {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        _: Nothing,
        new: NewBan,
    ) -> Result<BanReport, Failure> {
        let target = target(&new.target)?;
        let now = store.now();
        let until = until(now, new.ttl_s)?;
        let who = banned(store, &target)?;
        let command =
            AdminCommand::Ban { target: target.to_model(), reason: new.reason.clone(), until };
        put(store, &target, command)?;
        let reason = new.reason;
        Ok(report(&Ban { target: who, reason, created: now, until, deleted: false }))
    }

    fn ends(ban: &BanReport) -> Option<Ended> {
        target_of_cursor(&ban.target.parse().ok()?).map(Ended::All)
    }
}

impl OnStore for LiftBan {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        query: TargetQuery,
        _: Nothing,
    ) -> Result<Done, Failure> {
        let target = target(&query.target)?;
        let banned = banned(store, &target)?;
        if store.engine().ban(store.now(), &banned).map_err(Failure::of)?.is_none() {
            let why = format!("there is no ban of {target}; list them with `ban list`");
            return Err(Failure::Missing(why).at(&["target"]));
        }
        put(store, &target, AdminCommand::LiftBan { target: target.to_model() })?;
        Ok(Done {})
    }
}
