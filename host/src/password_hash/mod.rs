//! Hashes of passwords: argon2id, as PHC strings.
//!
//! A password is hashed in Unicode's normalization form C, as RFC 8265 has it: keyboards and
//! systems differ in how they write the same characters.
//!
//! An import may bring hashes of other servers (`foreign`); they are replaced at the first sign-in.

mod foreign;
#[cfg(test)]
mod tests;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use core_model::Refusal;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use foreign::ForeignHash;

/// What was hashed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Plain,
    /// The SHA-256 of a password in lower-case hexadecimal digits, which the client sent in its
    /// place.
    Sha256,
}

/// Before the PHC string of a digest.
const SHA256: &str = "sha256:";

/// Hexadecimal digits of a SHA-256.
const DIGEST_CHARS: usize = 64;

/// What to store for a password or digest: a PHC string, marked if it is of a digest. Made on this
/// thread.
pub(crate) fn hash(password: &str, form: Form) -> Result<String, Refusal> {
    hash_with(password, form, None)
}

/// Bytes of a salt, as many as are drawn.
pub(crate) const SALT_BYTES: usize = 16;

/// The same with a salt that the caller has made; without it one is drawn.
pub(crate) fn hash_with(
    password: &str,
    form: Form,
    salt: Option<[u8; SALT_BYTES]>,
) -> Result<String, Refusal> {
    let password: String = password.nfc().collect();
    let password = password.as_bytes();
    let hashed = match salt {
        Some(salt) => Argon2::default().hash_password_with_salt(password, &salt),
        None => Argon2::default().hash_password(password),
    };
    let mark = match form {
        Form::Plain => "",
        Form::Sha256 => SHA256,
    };
    hashed.map(|hash| format!("{mark}{hash}")).map_err(|error| Refusal::Internal {
        why: format!("the password could not be hashed: {error}"),
    })
}

/// Whether this is a PHC string of [`hash`].
pub(crate) fn is_hash(text: &str) -> bool {
    PasswordHash::new(text)
        .is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.hash.is_some())
}

/// What an importer may give as the hash of a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Importable {
    /// `argon2id`, or the scheme of another server.
    pub(crate) scheme: &'static str,
    /// Whether the passwords of a stolen store would be found soon.
    pub(crate) is_weak: bool,
}

/// The greatest parameters of argon2id that an importer may give: some ten times our own.
const ARGON2_MEMORY_KIB_MAX: u32 = 128 << 10;
const ARGON2_PASSES_MAX: u32 = 10;
const ARGON2_LANES_MAX: u32 = 16;

/// Whether a text is the hash of a password that can be verified; else why not.
pub(crate) fn importable(text: &str) -> Result<Importable, String> {
    let phc = text.strip_prefix(SHA256).unwrap_or(text);
    if !phc.starts_with("$argon2") {
        let hash = ForeignHash::parse(phc)?;
        return Ok(Importable { scheme: hash.scheme(), is_weak: hash.is_weak() });
    }
    let hash = PasswordHash::new(phc).ok().filter(|_| is_hash(phc));
    let hash = hash.ok_or("it is no hash of argon2id, the one of the argon2 that is taken")?;
    let limits = [("m", ARGON2_MEMORY_KIB_MAX), ("t", ARGON2_PASSES_MAX), ("p", ARGON2_LANES_MAX)];
    for (name, most) in limits {
        if hash.params.get_decimal(name).is_some_and(|given| given > most) {
            return Err(format!("the parameter {name} of argon2id is {most} at most"));
        }
    }
    Ok(Importable { scheme: "argon2id", is_weak: false })
}

/// What a password is to a stored hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Wrong,
    Right,
    /// Right, and this hash is to take the place of the one that is stored.
    Renew(String),
}

/// Compares a password with what [`hash`] made, of its normalized form or, as earlier versions
/// stored it, of the password as it was sent; or with a hash of another server. Where a digest is
/// stored, a password is compared by its digest.
///
/// How many hashes of argon2id are computed depends on the password alone, unless it is right: else
/// the time would tell which accounts there are, and which of them have a digest. `decoy` is a PHC
/// string that matches no password.
pub(crate) fn verify(password: &str, stored: &str, decoy: &str) -> Verdict {
    let (phc, form) = match stored.strip_prefix(SHA256) {
        Some(phc) => (phc, Form::Sha256),
        None => (stored, Form::Plain),
    };
    if let Ok(foreign) = ForeignHash::parse(phc) {
        return verify_foreign(password, &foreign, form, decoy);
    }
    if verify_own(password, phc, form, decoy) { Verdict::Right } else { Verdict::Wrong }
}

/// Takes as long as for a hash of our own, and what the other scheme takes.
fn verify_foreign(password: &str, foreign: &ForeignHash, form: Form, decoy: &str) -> Verdict {
    let normalized: String = password.nfc().collect();
    let texts = [normalized.as_str(), password];
    let texts = if is_nfc(password) { &texts[..1] } else { &texts };
    let is_right = match form {
        Form::Plain => texts.iter().any(|text| foreign.matches(text)),
        Form::Sha256 => {
            is_digest(password) && foreign.matches(password)
                || texts.iter().any(|text| foreign.matches(&sha256(text)))
        }
    };
    if !is_right {
        verify_own(password, decoy, Form::Plain, decoy);
        return Verdict::Wrong;
    }
    // Of the digest, which clients of every dialect can give.
    let is_given = form == Form::Sha256 && is_digest(password) && foreign.matches(password);
    let digest = if is_given { password.to_owned() } else { sha256(&normalized) };
    match hash(&digest, Form::Sha256) {
        Ok(renewed) => Verdict::Renew(renewed),
        Err(refusal) => {
            tracing::error!("a password hash is not renewed: {refusal}");
            Verdict::Right
        }
    }
}

fn verify_own(password: &str, phc: &str, form: Form, decoy: &str) -> bool {
    let Ok(hash) = PasswordHash::new(phc) else {
        tracing::error!("a stored password hash cannot be read");
        return false;
    };
    let matches =
        |password: &str| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    if is_digest(password) {
        // A client's digest, or a password that looks like one.
        return matches(password)
            || match form {
                Form::Sha256 => matches(&sha256(password)),
                Form::Plain => PasswordHash::new(decoy).is_ok_and(|decoy| {
                    Argon2::default().verify_password(password.as_bytes(), &decoy).is_ok()
                }),
            };
    }
    let matches = |password: &str| match form {
        Form::Plain => matches(password),
        Form::Sha256 => matches(&sha256(password)),
    };
    if is_nfc(password) {
        return matches(password);
    }
    let normalized: String = password.nfc().collect();
    matches(&normalized) || matches(password)
}

/// Whether a text has the form of a SHA-256 in lower-case hexadecimal digits.
fn is_digest(text: &str) -> bool {
    text.len() == DIGEST_CHARS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn sha256(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}
