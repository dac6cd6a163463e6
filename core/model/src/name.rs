//! What may be a handle or a room name.

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The longest handle or room name, in Unicode scalar values.
pub const NAME_CHARS_MAX: usize = 64;

/// How the handle of a guest begins; no account's handle does.
pub const GUEST_PREFIX: &str = "guest:";

/// Why a text cannot be a handle or a room name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameFault {
    #[error("is empty")]
    Empty,
    #[error("has more than {NAME_CHARS_MAX} characters")]
    TooLong,
    #[error("contains a control character")]
    ControlCharacter,
    #[error("begins with a reserved prefix (`@` or `{GUEST_PREFIX}`)")]
    Reserved,
}

/// `name` in Unicode normalization form C, the form names are compared in.
pub fn normalize(name: &str) -> String {
    if is_nfc(name) { name.to_owned() } else { name.nfc().collect() }
}

/// Checks and normalizes a room name: 1 to 64 characters, no control characters.
pub fn check_room_name(name: &str) -> Result<String, NameFault> {
    let name = normalize(name);
    if name.is_empty() {
        return Err(NameFault::Empty);
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(NameFault::TooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(NameFault::ControlCharacter);
    }
    Ok(name)
}

/// Checks and normalizes a handle: a room name's rules, and no reserved prefix.
pub fn check_handle(name: &str) -> Result<String, NameFault> {
    let name = check_room_name(name)?;
    if name.starts_with('@') || name.starts_with(GUEST_PREFIX) {
        return Err(NameFault::Reserved);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_name_are_one_name() {
        assert_eq!(check_handle("e\u{301}ric").unwrap(), "\u{e9}ric");
    }

    #[test]
    fn what_cannot_be_a_handle_says_why() {
        for (name, fault) in [
            ("", NameFault::Empty),
            ("a\nb", NameFault::ControlCharacter),
            ("@ann", NameFault::Reserved),
            ("guest:ann", NameFault::Reserved),
        ] {
            assert_eq!(check_handle(name), Err(fault), "{name:?}");
        }
        assert!(check_handle(&"茶".repeat(64)).is_ok());
        assert_eq!(check_handle(&"茶".repeat(65)), Err(NameFault::TooLong));
    }
}
