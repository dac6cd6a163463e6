//! Tokens of the API.

use core_model::{AdminCommand, AdminToken, Command, TokenHash};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

use super::endpoint::{AddToken, ListTokens, RemoveToken};
use super::pages;
use super::store::{OnStore, Store, submit};
use super::types::{CreatedToken, NewToken, Nothing, Page, TokenReport};
use crate::users::{Failure, rfc3339};

/// What each token begins with, so that a scanner finds one that leaked.
pub const TOKEN_PREFIX: &str = "dgm_";

/// What the hash covers beside the token.
const PURPOSE: &str = "admin";

/// 256 bits.
const RANDOM_BYTES: usize = 32;

/// Digits of the hash that tell tokens apart.
const ID_DIGITS: usize = 12;

/// The hash of a token, if it has the form of one.
pub fn hash_of(token: &str) -> Option<TokenHash> {
    let secret = token.strip_prefix(TOKEN_PREFIX)?;
    let bytes = BASE64URL_NOPAD.decode(secret.as_bytes()).ok()?;
    (bytes.len() == RANDOM_BYTES).then(|| TokenHash::of(PURPOSE, token))
}

fn report(token: &AdminToken) -> TokenReport {
    TokenReport {
        id: id(&token.hash),
        label: token.label.clone(),
        role: token.role.into(),
        created: rfc3339(token.created),
        expires: token.expires.map(rfc3339),
    }
}

/// What tells a token apart.
pub fn id(hash: &TokenHash) -> String {
    HEXLOWER.encode(&hash.0)[..ID_DIGITS].to_owned()
}

impl OnStore for ListTokens {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        _: Nothing,
        _: Nothing,
    ) -> Result<Page<TokenReport>, Failure> {
        let tokens = store.engine().admin_tokens().map_err(Failure::of)?;
        Ok(Page { items: tokens.iter().map(report).collect(), next: None })
    }
}

impl OnStore for AddToken {
    fn run<S: Store>(
        store: &S,
        _: &[String],
        _: Nothing,
        new: NewToken,
    ) -> Result<CreatedToken, Failure> {
        let now = store.now();
        let mut secret = [0; RANDOM_BYTES];
        getrandom::fill(&mut secret)
            .map_err(|error| Failure::Store(format!("no random numbers: {error}")))?;
        let token = format!("{TOKEN_PREFIX}{}", BASE64URL_NOPAD.encode(&secret));
        let row = AdminToken {
            hash: TokenHash::of(PURPOSE, &token),
            label: new.label,
            role: new.role.into(),
            created: now,
            expires: pages::until(now, new.ttl_s)?,
        };
        submit(store, Command::Admin(Box::new(AdminCommand::AddToken(row.clone()))))?;
        Ok(CreatedToken { token, report: report(&row) })
    }
}

impl OnStore for RemoveToken {
    fn run<S: Store>(
        store: &S,
        path: &[String],
        _: Nothing,
        _: Nothing,
    ) -> Result<TokenReport, Failure> {
        let tokens = store.engine().admin_tokens().map_err(Failure::of)?;
        let wanted = &path[0];
        let Some(token) = tokens.iter().find(|token| id(&token.hash) == *wanted) else {
            let what = format!("there is no token {wanted:?}; list them with `admin token list`");
            return Err(Failure::Missing(what).at(&["token"]));
        };
        let remove = AdminCommand::RemoveToken { hash: token.hash };
        submit(store, Command::Admin(Box::new(remove)))?;
        Ok(report(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_form_of_a_token_is_looked_up() {
        let token = format!("{TOKEN_PREFIX}{}", BASE64URL_NOPAD.encode(&[7; RANDOM_BYTES]));
        assert!(hash_of(&token).is_some());
        assert!(hash_of(&token[1..]).is_none());
        assert!(hash_of(&token[..token.len() - 1]).is_none());
        assert!(hash_of("").is_none());
    }
}
