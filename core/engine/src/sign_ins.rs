//! What operators read of the tokens and addresses that sign a user in.

use core_model::{Refusal, SignInKey, Timestamp, TokenHash, UserRef};
use redb::ReadableTable as _;

use crate::admin::request;
use crate::engine::Engine;
use crate::lookup;
use crate::rows::{TokenOrigin, TokenRow};
use crate::tables::Tables;

/// The most that are read of one user.
const READ_MAX: usize = 10_000;

/// A token or an address that signs a user in.
#[derive(Clone, Debug, PartialEq)]
pub struct SignIn {
    pub key: SignInKey,
    /// None: it was issued before that was noted, as is so of all addresses.
    pub created: Option<Timestamp>,
    /// When it was last extended, of a token that each use extends: the last use, or up to a sixteenth of
    /// its time before it.
    pub used: Option<Timestamp>,
    pub expires: Timestamp,
    /// The front end that issued it.
    pub frontend: Option<String>,
    /// The device that the client named then.
    pub device: Option<String>,
}

impl<T: Send + 'static> Engine<T> {
    /// The tokens and addresses of a user that have not expired, the newest first; those without a
    /// known time of issue come last.
    pub fn sign_ins(&self, at: Timestamp, user: &UserRef) -> Result<Vec<SignIn>, Refusal> {
        self.read(|tables| {
            let uid = lookup::user(tables, request(at), user)?;
            let mut found = Vec::new();
            let tokens = tables.tokens_by_user()?.range((uid, &[0; 32])..=(uid, &[u8::MAX; 32]))?;
            for row in tokens.take(READ_MAX) {
                let hash = TokenHash(*row?.0.value().1);
                let row = lookup::token(tables, &hash)?;
                found.extend(row.map(|row| of_token(hash, row)));
            }
            let addresses = tables.addresses_by_user()?.range((uid, "")..(uid + 1, ""))?;
            for row in addresses.take(READ_MAX) {
                let address = row?.0.value().1.to_owned();
                let until = tables.addresses()?.get((address.as_str(), uid))?;
                found.extend(until.map(|until| of_address(address, until.value())));
            }
            found.retain(|sign_in| sign_in.expires > at);
            found.sort_by_key(|sign_in| std::cmp::Reverse((sign_in.created, sign_in.expires)));
            Ok(found)
        })
    }
}

fn of_token(hash: TokenHash, row: TokenRow) -> SignIn {
    let used = row.sliding.then(|| Timestamp(row.expires.saturating_sub(row.ttl_ms)));
    let (created, frontend, device) = match row.origin {
        Some(TokenOrigin { created, frontend, device }) => (Some(created), frontend, device),
        None => (None, String::new(), String::new()),
    };
    let known = |text: String| (!text.is_empty()).then_some(text);
    SignIn {
        key: SignInKey::Token(hash),
        created: created.map(Timestamp),
        used,
        expires: Timestamp(row.expires),
        frontend: known(frontend),
        device: known(device),
    }
}

fn of_address(address: String, until: u64) -> SignIn {
    SignIn {
        key: SignInKey::Address(address),
        created: None,
        used: None,
        expires: Timestamp(until),
        frontend: None,
        device: None,
    }
}
