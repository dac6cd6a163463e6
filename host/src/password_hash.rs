//! Hashes of passwords: argon2id, as PHC strings.
//!
//! A password is hashed in Unicode's normalization form C, as RFC 8265 has it: keyboards and
//! systems differ in how they write the same characters.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use core_model::Refusal;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The PHC string to store for a password, made on this thread.
pub(crate) fn hash(password: &str) -> Result<String, Refusal> {
    let password: String = password.nfc().collect();
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|error| Refusal::Internal {
        why: format!("the password could not be hashed: {error}"),
    })
}

/// Whether this is a PHC string of [`hash`].
pub(crate) fn is_hash(text: &str) -> bool {
    PasswordHash::new(text)
        .is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.hash.is_some())
}

/// Whether a password matches a PHC string, of its normalized form or, as earlier versions stored
/// it, of the password as it was sent.
pub(crate) fn verify(password: &str, phc: &str) -> bool {
    let matches = |password: &str, hash: &PasswordHash| {
        Argon2::default().verify_password(password.as_bytes(), hash).is_ok()
    };
    match PasswordHash::new(phc) {
        Ok(hash) if is_nfc(password) => matches(password, &hash),
        Ok(hash) => {
            let normalized: String = password.nfc().collect();
            matches(&normalized, &hash) || matches(password, &hash)
        }
        Err(error) => {
            tracing::error!("a stored password hash cannot be read: {error}");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSED: &str = "caf\u{e9}";
    const DECOMPOSED: &str = "cafe\u{301}";

    #[test]
    fn a_password_matches_however_its_characters_are_composed() {
        for (set, tried) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
            let phc = hash(set).unwrap();
            assert!(verify(tried, &phc) && verify(set, &phc));
            assert!(!verify("cafe", &phc));
        }
    }

    #[test]
    fn a_hash_of_the_raw_form_still_matches_the_raw_form() {
        let phc = Argon2::default().hash_password(DECOMPOSED.as_bytes()).unwrap().to_string();
        assert!(verify(DECOMPOSED, &phc));
        assert!(!verify(COMPOSED, &phc), "its raw form is unknown");
    }
}
