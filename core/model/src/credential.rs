//! Passwords to store, and what a sign-in proves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A password to store.
///
/// A front end passes on what the client sent; the host replaces it by its hash before the command
/// reaches the engine.
#[derive(Clone, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    Plain(String),
    /// What the client sent in place of the password: its SHA-256 in lower-case hexadecimal
    /// digits. The password itself then signs in too, from dialects that send it.
    Sha256(String),
    /// What the host stores: a PHC string, `$argon2id$…`, after `sha256:` if it is of the digest
    /// of a password.
    Hashed(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The proof that the caller is the user it names.
#[derive(Clone, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// The front end vouches: its dialect needs no proof, or it has checked one.
    Vouched,
    /// The account's password, as the client sent it. The host checks it before the command reaches
    /// the engine; refused with [`Refusal::UnknownUser`](crate::Refusal::UnknownUser) or
    /// [`Refusal::WrongPassword`](crate::Refusal::WrongPassword), both in the same time.
    Password(String),
    /// The host has checked a password against the one that was stored, which has this SHA-256 as it
    /// is stored. Refused with [`Refusal::WrongPassword`](crate::Refusal::WrongPassword) where
    /// another one has been stored since.
    #[serde(skip)]
    Verified([u8; 32]),
}

impl Credential {
    /// That a password was checked against this stored one.
    pub fn verified(stored: &str) -> Self {
        Self::Verified(Sha256::digest(stored).into())
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Vouched => "Vouched",
            Self::Password(_) => "Password(…)",
            Self::Verified(_) => "Verified(…)",
        })
    }
}
