//! Masks: patterns for users.

use crate::view::Person;

/// The longest mask, in bytes: a name of 64 characters with each escaped, and a user.
pub const MASK_BYTES_MAX: usize = 600;

/// Whether a mask covers a user.
///
/// A mask is `name!user`. The name is compared with the handle, of a guest with the name it chose,
/// the user with the uid, or `guest`. `*` stands for any characters, `?` for one, and a backslash
/// takes the meaning of the character after it. The case of ASCII letters makes no difference.
pub fn matches_mask(mask: &str, person: &Person) -> bool {
    let name = person.guest_name().unwrap_or(&person.handle);
    let user = person.uid.map_or_else(|| "guest".into(), |uid| uid.to_string());
    let parts = mask_parts(mask);
    let mut halves = parts.splitn(2, |part| *part == MaskPart::Separator);
    let covers = |half: Option<&[MaskPart]>, text: &str| half.is_none_or(|half| covers(half, text));
    covers(halves.next(), name) && covers(halves.next(), &user)
}

/// Why a text is no mask, or a mask of one half only; the words follow the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MaskFault {
    #[error("is empty")]
    Empty,
    #[error("has control characters")]
    ControlCharacter,
    #[error("ends in a backslash that takes the meaning of nothing")]
    OpenEscape,
    #[error("has more than a name and a user")]
    TooManyParts,
    #[error("has no `!` between a name and a user")]
    NoUser,
}

/// Checks the form of a mask that a list may have: a name and a user, of printable characters.
pub fn check_mask(mask: &str) -> Result<(), MaskFault> {
    if mask.is_empty() {
        return Err(MaskFault::Empty);
    }
    if mask.chars().any(char::is_control) {
        return Err(MaskFault::ControlCharacter);
    }
    let backslashes = mask.len() - mask.trim_end_matches('\\').len();
    if backslashes % 2 == 1 {
        return Err(MaskFault::OpenEscape);
    }
    let parts = mask_parts(mask);
    match parts.iter().filter(|part| **part == MaskPart::Separator).count() {
        0 => Err(MaskFault::NoUser),
        1 => Ok(()),
        _ => Err(MaskFault::TooManyParts),
    }
}

/// A part of a mask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MaskPart {
    /// Any characters.
    Any,
    /// One character.
    One,
    /// Between the name and the user.
    Separator,
    Literal(char),
}

/// The parts of a mask, in order.
pub fn mask_parts(mask: &str) -> Vec<MaskPart> {
    let mut parts = Vec::new();
    let mut chars = mask.chars();
    while let Some(char) = chars.next() {
        parts.push(match char {
            '*' => MaskPart::Any,
            '?' => MaskPart::One,
            '!' => MaskPart::Separator,
            '\\' => MaskPart::Literal(chars.next().unwrap_or('\\')),
            char => MaskPart::Literal(char),
        });
    }
    parts
}

/// Adds a character to a mask that stands for itself.
pub fn push_literal(mask: &mut String, char: char) {
    if matches!(char, '*' | '?' | '!' | '\\') {
        mask.push('\\');
    }
    mask.push(char);
}

fn covers(parts: &[MaskPart], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut in_parts) = (0, 0);
    // Where the last `Any` is, and how much of the text it covers.
    let mut any: Option<(usize, usize)> = None;
    while at < text.len() {
        let fits = match parts.get(in_parts) {
            Some(MaskPart::Any) => {
                any = Some((in_parts, at));
                in_parts += 1;
                continue;
            }
            Some(MaskPart::One) => true,
            Some(MaskPart::Literal(char)) => char.eq_ignore_ascii_case(&text[at]),
            Some(MaskPart::Separator) => text[at] == '!',
            None => false,
        };
        if fits {
            (at, in_parts) = (at + 1, in_parts + 1);
        } else if let Some((place, covered)) = any {
            (at, in_parts) = (covered + 1, place + 1);
            any = Some((place, covered + 1));
        } else {
            return false;
        }
    }
    parts[in_parts..].iter().all(|part| *part == MaskPart::Any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Uid;

    #[test]
    fn a_mask_of_a_list_has_a_name_and_a_user() {
        for mask in ["bob!*", "spam*!guest", "*!10001", "a\\!b!*", "bo\\\\!*"] {
            assert_eq!(check_mask(mask), Ok(()), "{mask}");
        }
        for (mask, fault) in [
            ("", MaskFault::Empty),
            ("bob", MaskFault::NoUser),
            ("bob\\!guest", MaskFault::NoUser),
            ("a!b!c", MaskFault::TooManyParts),
            ("bo\\", MaskFault::OpenEscape),
            ("bob!\\", MaskFault::OpenEscape),
            ("nul\0x!*", MaskFault::ControlCharacter),
            ("x\r\n!*", MaskFault::ControlCharacter),
        ] {
            assert_eq!(check_mask(mask), Err(fault), "{mask:?}");
        }
    }

    #[test]
    fn a_mask_covers_names_in_any_case_and_users_by_number() {
        let ann = Person { uid: Some(Uid(10_000)), handle: "Ann*Lee".into(), ..Person::default() };
        let zed = Person { handle: "guest:zed".into(), ..Person::default() };
        let covered = |person| {
            let masks = ["*", "ann*!*", "ANN\\*LEE", "*!1000?", "z?d!guest", "*!guest", "zed!1*"];
            masks.map(|mask| matches_mask(mask, person))
        };
        assert_eq!(covered(&ann), [true, true, true, true, false, false, false]);
        assert_eq!(covered(&zed), [true, false, false, false, true, true, false]);
        let plain = Person { handle: "guest:AnnXLee".into(), ..Person::default() };
        assert!(!matches_mask("ann\\*lee!*", &plain), "an escaped star is a star");
    }

    #[test]
    fn many_stars_cost_no_more_than_the_product_of_both_lengths() {
        let long = Person { handle: format!("guest:{}", "a".repeat(64)), ..Person::default() };
        assert!(!matches_mask(&format!("{}b", "*a".repeat(200)), &long));
    }
}
