//! Tokens: granting, extending and revoking them.

use core_model::{Grant, Refusal, Reply, SignInKey, TokenHash, UserRef};
use redb::ReadableTable;

use super::context::{BatchContext, CommandContext};
use super::expiry;
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::rows::{TokenOrigin, TokenRow};
use crate::rules_version::RULES_OF_SIGN_INS;
use crate::tables::Tables;

impl BatchContext<'_> {
    /// Revokes every token and address of a user. Their rows in `expiries` stay and will find
    /// nothing to remove.
    pub(super) fn revoke(&mut self, uid: u64) -> Result<(), StoreError> {
        let mut tokens = Vec::new();
        for row in self.batch.tokens_by_user()?.range((uid, &[0; 32])..=(uid, &[u8::MAX; 32]))? {
            tokens.push(*row?.0.value().1);
        }
        for hash in tokens {
            self.batch.tokens_mut()?.remove(&hash)?;
            self.batch.tokens_by_user_mut()?.remove((uid, &hash))?;
        }
        let mut addresses = Vec::new();
        for row in self.batch.addresses_by_user()?.range((uid, "")..(uid + 1, ""))? {
            addresses.push(row?.0.value().1.to_owned());
        }
        for address in addresses {
            self.batch.addresses_mut()?.remove((address.as_str(), uid))?;
            self.batch.addresses_by_user_mut()?.remove((uid, address.as_str()))?;
        }
        Ok(())
    }

    /// Revokes one of them, or all.
    pub(super) fn revoke_sign_ins(
        &mut self,
        cx: &CommandContext<'_>,
        user: &UserRef,
        sign_in: Option<&SignInKey>,
    ) -> Result<Reply, Error> {
        let uid = self.user(cx, user)?;
        match sign_in {
            Some(sign_in) => self.revoke_one(uid, sign_in),
            None => {
                self.revoke(uid)?;
                Ok(Reply::Done)
            }
        }
    }

    fn revoke_one(&mut self, uid: u64, sign_in: &SignInKey) -> Result<Reply, Error> {
        let was_there = match sign_in {
            SignInKey::Token(TokenHash(hash)) => {
                self.batch.tokens_by_user()?.get((uid, hash))?.is_some()
            }
            SignInKey::Address(address) => {
                self.batch.addresses_by_user()?.get((uid, address.as_str()))?.is_some()
            }
        };
        if !was_there {
            return Err(Refusal::TokenInvalid.into());
        }
        match sign_in {
            SignInKey::Token(TokenHash(hash)) => {
                self.batch.tokens_mut()?.remove(hash)?;
                self.batch.tokens_by_user_mut()?.remove((uid, hash))?;
            }
            SignInKey::Address(address) => {
                self.batch.addresses_mut()?.remove((address.as_str(), uid))?;
                self.batch.addresses_by_user_mut()?.remove((uid, address.as_str()))?;
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn issue_token(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &UserRef,
        grant: &Grant,
    ) -> Result<Reply, Error> {
        let uid = self.user(cx, user)?;
        self.store_token(cx, uid, grant, "")?;
        Ok(Reply::TokenIssued { token: String::new() })
    }

    pub(super) fn store_token(
        &mut self,
        cx: &CommandContext<'_>,
        uid: u64,
        grant: &Grant,
        device: &str,
    ) -> Result<(), Error> {
        let hash = drawn(grant)?;
        let expires = cx.request.now.saturating_add(grant.ttl_ms);
        let origin = (self.rules() >= RULES_OF_SIGN_INS).then(|| TokenOrigin {
            created: cx.request.now,
            frontend: cx.frontend.frontend.clone(),
            device: device.to_owned(),
        });
        let row = TokenRow { uid, expires, ttl_ms: grant.ttl_ms, sliding: grant.sliding, origin };
        let former = self.batch.tokens_mut()?.insert(&hash.0, row.pack().as_slice())?;
        let former = former.map(|row| TokenRow::unpack(row.value())).transpose()?;
        // A hash that is granted again belongs to the new user only.
        if let Some(TokenRow { uid, .. }) = former {
            self.batch.tokens_by_user_mut()?.remove((uid, &hash.0))?;
        }
        self.batch.tokens_by_user_mut()?.insert((uid, &hash.0), ())?;
        expiry::note_token(&mut self.batch, expires, &hash)?;
        self.trim_tokens(cx, uid, &hash.0)?;
        Ok(())
    }

    pub(super) fn refresh_token(
        &mut self,
        cx: &mut CommandContext<'_>,
        hash: &TokenHash,
    ) -> Result<Reply, Error> {
        self.slide(cx.request.now, hash)?;
        Ok(Reply::Done)
    }

    /// Extends a sliding token that is due for it.
    pub(super) fn slide(&mut self, now: u64, hash: &TokenHash) -> Result<(), StoreError> {
        let Some(row) = lookup::token(&self.batch, hash)? else { return Ok(()) };
        if !is_due(&row, now) {
            return Ok(());
        }
        let expires = now.saturating_add(row.ttl_ms);
        let former = (row.expires, expiry::TOKEN, hash.0.as_slice());
        self.batch.expiries_mut()?.remove(former)?;
        expiry::note_token(&mut self.batch, expires, hash)?;
        let row = TokenRow { expires, ..row };
        self.batch.tokens_mut()?.insert(&hash.0, row.pack().as_slice())?;
        Ok(())
    }
}

/// The token's hash; the host has drawn the token.
pub(super) fn drawn(grant: &Grant) -> Result<TokenHash, Refusal> {
    grant.hash.ok_or_else(|| {
        let why = "a token reached the engine before it was drawn".into();
        Refusal::Internal { why }
    })
}

/// Whether a sixteenth of a sliding token's time has passed: it expires at most that much early,
/// and most uses are not a write.
pub(crate) fn is_due(row: &TokenRow, now: u64) -> bool {
    row.sliding && row.expires > now && row.expires - now < row.ttl_ms - row.ttl_ms / 16
}
