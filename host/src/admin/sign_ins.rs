//! The tokens and addresses that sign a user in: one implementation for the API and the command line.

use core_engine::SignIn;
use core_model::{AdminCommand, Refusal, SignInKey, Uid};
use data_encoding::HEXLOWER;

use super::endpoint::{ListSignIns, RevokeSignIn};
use super::pages::LIMIT_MAX;
use super::sign_in_types::{SignInKind, SignInReport};
use super::store::{Ended, OnStore, Store};
use super::types::{Nothing, Page};
use super::users::{administer, show, who};
use crate::users::{Failure, rfc3339};

/// Digits of the hash that tell the tokens of a user apart. They open nothing.
const ID_DIGITS: usize = 16;

/// What tells the sign-ins of a user apart.
pub fn sign_in_id(key: &SignInKey) -> String {
    match key {
        SignInKey::Token(hash) => HEXLOWER.encode(&hash.0)[..ID_DIGITS].to_owned(),
        SignInKey::Address(address) => address.clone(),
    }
}

fn report(uid: Uid, sign_in: &SignIn) -> SignInReport {
    SignInReport {
        id: sign_in_id(&sign_in.key),
        kind: match sign_in.key {
            SignInKey::Token(_) => SignInKind::Token,
            SignInKey::Address(_) => SignInKind::Address,
        },
        uid: uid.0,
        frontend: sign_in.frontend.clone(),
        device: sign_in.device.clone(),
        created: sign_in.created.map(rfc3339),
        used: sign_in.used.map(rfc3339),
        expires: rfc3339(sign_in.expires),
    }
}

impl OnStore for ListSignIns {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        _: Nothing,
    ) -> Result<Page<SignInReport>, Failure> {
        let who = who(&path[0])?;
        let uid = Uid(show(store, &who)?.uid);
        let found = store.engine().sign_ins(store.now(), &who.user_ref());
        let found = found.map_err(|refusal| Failure::about(&who, refusal))?;
        let items = found.iter().take(LIMIT_MAX as usize).map(|one| report(uid, one)).collect();
        Ok(Page { items, next: None })
    }
}

impl OnStore for RevokeSignIn {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        _: Nothing,
    ) -> Result<SignInReport, Failure> {
        let (who, id) = (who(&path[0])?, &path[1]);
        let account = show(store, &who)?;
        let missing = || {
            let handle = &account.handle;
            Failure::Missing(format!("{handle:?} has no sign-in {id:?}; list them first"))
        };
        let found = store.engine().sign_ins(store.now(), &who.user_ref());
        let found = found.map_err(|refusal| Failure::about(&who, refusal))?;
        let meant = found.iter().find(|one| sign_in_id(&one.key) == *id).ok_or_else(missing)?;
        let (user, sign_in) = (who.user_ref(), meant.key.clone());
        match administer(store, &who, AdminCommand::RevokeSignIn { user, sign_in }) {
            Err(Failure::Refused(Refusal::TokenInvalid)) => Err(missing()),
            done => done.map(|_| report(Uid(account.uid), meant)),
        }
    }

    fn ends(report: &SignInReport) -> Option<Ended> {
        Some(Ended::SignIn { uid: Uid(report.uid), id: report.id.clone() })
    }
}
