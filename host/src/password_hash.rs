//! Hashes of passwords: argon2id, as PHC strings.
//!
//! A password is hashed in Unicode's normalization form C, as RFC 8265 has it: keyboards and
//! systems differ in how they write the same characters.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use core_model::Refusal;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

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

/// Whether a password matches what [`hash`] made, of its normalized form or, as earlier versions
/// stored it, of the password as it was sent. Where a digest is stored, a password is compared by
/// its digest.
///
/// How many hashes are computed depends on the password alone, unless it is right: else the time
/// would tell which accounts there are, and which of them have a digest. `decoy` is a PHC string
/// that matches no password.
pub(crate) fn verify(password: &str, stored: &str, decoy: &str) -> bool {
    let (phc, form) = match stored.strip_prefix(SHA256) {
        Some(phc) => (phc, Form::Sha256),
        None => (stored, Form::Plain),
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSED: &str = "caf\u{e9}";
    const DECOMPOSED: &str = "cafe\u{301}";

    fn hashed(password: &str) -> String {
        hash(password, Form::Plain).unwrap()
    }

    fn matches(password: &str, stored: &str) -> bool {
        verify(password, stored, "")
    }

    #[test]
    fn a_password_matches_however_its_characters_are_composed() {
        for (set, tried) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
            let phc = hashed(set);
            assert!(matches(tried, &phc) && matches(set, &phc));
            assert!(!matches("cafe", &phc));
        }
    }

    #[test]
    fn a_hash_of_the_raw_form_still_matches_the_raw_form() {
        let phc = Argon2::default().hash_password(DECOMPOSED.as_bytes()).unwrap().to_string();
        assert!(matches(DECOMPOSED, &phc));
        assert!(!matches(COMPOSED, &phc), "its raw form is unknown");
    }

    #[test]
    fn a_digest_matches_itself_and_the_password_it_is_of() {
        for password in ["tea", COMPOSED, &sha256("tea")] {
            let stored = hash(&sha256(password), Form::Sha256).unwrap();
            assert!(stored.starts_with("sha256:$argon2id$"));
            assert!(matches(password, &stored), "{password}");
            assert!(matches(&sha256(password), &stored), "{password}");
            assert!(!matches(&sha256(password).to_uppercase(), &stored));
            assert!(!matches("coffee", &stored) && !matches(&sha256("coffee"), &stored));
        }
        let stored = hash(&sha256(COMPOSED), Form::Sha256).unwrap();
        assert!(matches(DECOMPOSED, &stored));
        // A plain password that is a digest is no digest of a password.
        assert!(!matches("tea", &hashed(&sha256("tea"))));
        assert!(matches(&sha256("tea"), &hashed(&sha256("tea"))));
    }
}
