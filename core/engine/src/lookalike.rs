//! Names that look alike.
//!
//! Two names resemble each other when one can be read as the other: they differ in case, in
//! compatibility forms (`ａｎｎ`), in invisible characters, or in letters of another script that are
//! drawn alike (UTS #39, section 4). The engine keeps the keys of every account's handle in a table,
//! so that one look-up finds the accounts that a name resembles.

use core_model::{GUEST_PREFIX, NAME_CHARS_MAX, NameFault};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::confusable_detection::skeleton;

/// Keys are cut off here: the skeleton of 64 characters can be many times longer.
const KEY_CHARS_MAX: usize = 2 * NAME_CHARS_MAX;

/// The characters of a name in which a reserved prefix is looked for: invisible ones are among them.
const BEGIN_MAX: usize = 16;

/// What the keys of a store were made with; a store with other keys gets new ones when it is opened.
pub(crate) fn revision() -> u64 {
    /// Raised when [`keys`] changes.
    const RULES: u64 = 1;
    let (major, minor, _) = unicode_security::UNICODE_VERSION;
    RULES << 32 | major << 16 | minor
}

/// The keys of a name. Two names that resemble each other have one in common; the reverse needs
/// [`is_confusable`], because `1`, `I` and `l` are one in a skeleton.
pub(crate) fn keys(name: &str) -> Vec<String> {
    let compatible: String = name.nfkc().filter(|character| !is_ignorable(*character)).collect();
    let folded = fold(&compatible);
    let drawn = fold(&skeleton(&compatible).collect::<String>());
    let drawn_folded: String = skeleton(&folded).collect();
    let mut keys = vec![folded, drawn, drawn_folded];
    keys.iter_mut().for_each(|key| *key = key.chars().take(KEY_CHARS_MAX).collect());
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Checks and normalizes a name that a user or an account is to get: the profile of
/// [`core_model::check_handle`], and nothing that is drawn like a reserved prefix.
pub(crate) fn check_handle(name: &str) -> Result<String, NameFault> {
    let name = core_model::check_handle(name)?;
    if is_plain(&name) || !begins_like_reserved(&name) {
        return Ok(name);
    }
    Err(NameFault::Reserved)
}

/// Whether only the profile matters: a name in ASCII without spaces.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a name begins with what is drawn like the word of the prefix of guests, whatever the spaces
/// in it, and then with what is drawn like its colon.
fn begins_like_reserved(name: &str) -> bool {
    let word = keys(GUEST_PREFIX.trim_end_matches(':'));
    let mut begin = String::new();
    for character in name.chars().filter(|character| !character.is_whitespace()).take(BEGIN_MAX) {
        if is_like_colon(character) && keys(&begin).iter().any(|key| word.contains(key)) {
            return true;
        }
        begin.push(character);
    }
    false
}

/// Whether a character may be taken for a colon: besides those that have it as their skeleton, every
/// mark outside ASCII that is no letter. Several scripts have such marks that UTS #39 does not list.
fn is_like_colon(character: char) -> bool {
    let is_letter = character.is_alphanumeric() || is_combining_mark(character);
    !(character.is_ascii() || is_letter || is_ignorable(character))
        || keys(character.encode_utf8(&mut [0; 4])).iter().any(|key| key == ":")
}

/// Whether two names with a key in common can be taken for each other. Names in ASCII cannot,
/// unless they differ in case only: `bam` is not `barn`.
pub(crate) fn is_confusable(one: &str, other: &str) -> bool {
    !(one.is_ascii() && other.is_ascii()) || one.eq_ignore_ascii_case(other)
}

/// Whether two names differ in case and in nothing else. Handles are case-sensitive, so that two
/// accounts may.
pub(crate) fn differ_in_case_only(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn fold(name: &str) -> String {
    caseless::default_case_fold_str(name).nfkc().collect()
}

/// Code points that a name may have and that are not drawn (`core_model::check_handle` says where).
fn is_ignorable(character: char) -> bool {
    matches!(character, '\u{200C}' | '\u{200D}' | '\u{FE0F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resemble(one: &str, other: &str) -> bool {
        let others = keys(other);
        keys(one).iter().any(|key| others.contains(key)) && is_confusable(one, other)
    }

    #[test]
    fn names_that_are_drawn_alike_have_a_key_in_common() {
        for (handle, name) in [
            ("ann", "Ann"),
            ("Boss", "boss"),
            ("IVAN", "ivan"),
            ("ann", "ａｎｎ"),
            ("ann", "\u{430}nn"),
            ("Ivan", "\u{406}van"),
            ("ivan", "\u{456}van"),
            ("BOB", "\u{412}\u{41E}\u{412}"),
            ("paypal", "p\u{430}yp\u{430}l"),
            ("Straße", "STRASSE"),
            ("❤\u{FE0F}", "❤"),
            ("茶", "茶\u{FE0F}"),
        ] {
            assert!(resemble(handle, name) && resemble(name, handle), "{handle:?} {name:?}");
        }
    }

    #[test]
    fn what_is_drawn_like_a_reserved_prefix_begins_no_name() {
        for name in [
            "gu\u{435}st:ann",
            "\u{261}uest:ann",
            "g\u{3C5}est:ann",
            "GU\u{415}ST:ann",
            "\u{FF47}u\u{435}st\u{FF1A}ann",
            "guest\u{702}ann",
            "guest\u{5C0}ann",
            "guest :ann",
            "g uest\u{A789}ann",
            "guest\u{10A50}ann",
            "guest\u{FE30}ann",
            "guest\u{2E35}ann",
            "gu\u{435}st\u{2D0}ann",
            "\u{FF20}ann",
        ] {
            assert_eq!(check_handle(name), Err(NameFault::Reserved), "{name:?}");
        }
        for name in [
            "guest",
            "guests of ann",
            "guest ann",
            "gu\u{435}st",
            "ann@home",
            "guest-\u{433}",
            "guest\u{301} a",
            "\u{433}ость",
        ] {
            assert!(check_handle(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn names_that_are_drawn_apart_do_not_resemble_each_other() {
        for (one, other) in
            [("ann", "anna"), ("barn", "bam"), ("user1", "userl"), ("cafe", "café"), ("茶", "荼")]
        {
            assert!(!resemble(one, other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn keys_are_bounded_whatever_the_name() {
        for name in ["\u{FDFA}".repeat(64), "\u{1D160}".repeat(64), "W\u{308}".repeat(64)] {
            for key in keys(&name) {
                assert!(key.chars().count() <= KEY_CHARS_MAX);
            }
        }
    }
}
