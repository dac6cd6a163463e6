//! What may be a handle or a room name.
//!
//! The profile is the FreeformClass of PRECIS (RFC 8264, section 4.3) made stricter, so that two
//! names that differ always look different: no control, format, private-use or unassigned code
//! points, no white space but single spaces between other characters, nothing that is drawn as
//! nothing. Invisible characters that a script or an emoji needs are allowed where it needs them.
//! Whether a name resembles an account's handle is for the engine to decide: it knows the handles.

use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{EmojiStatus, GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

/// The longest handle or room name, in Unicode scalar values.
pub const NAME_CHARS_MAX: usize = 64;

/// The prefix of every guest's handle; no account's handle has it.
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
    #[error("has white space other than single spaces between other characters")]
    Space,
    #[error("contains U+{:04X}, which is invisible, unassigned or reserved", *.0 as u32)]
    Disallowed(char),
    #[error("begins with a combining mark")]
    LeadingMark,
    #[error("has letters of several alphabets that are drawn alike")]
    MixedAlphabets,
    #[error(
        "ends with `#` and a number, or what is drawn like them, which tell groups and rooms of one name apart"
    )]
    Numbered,
}

/// `name` in Unicode normalization form C, the form names are compared in.
pub fn normalize(name: &str) -> String {
    if is_nfc(name) { name.to_owned() } else { name.nfc().collect() }
}

/// Checks and normalizes a room name: 1 to 64 characters that the profile allows. Several spaces
/// may follow each other, and ideographic ones stand between characters, as in titles that clients of
/// other servers wrote.
pub fn check_room_name(name: &str) -> Result<String, NameFault> {
    let name = check_length(name)?;
    check_profile(&name)?;
    Ok(name)
}

/// Checks and normalizes a handle: the rules of a room name, single spaces and no reserved prefix.
pub fn check_handle(name: &str) -> Result<String, NameFault> {
    let name = check_room_name(name)?;
    if name.contains("  ") || name.contains(IDEOGRAPHIC_SPACE) {
        return Err(NameFault::Space);
    }
    if begins_like_reserved(&name) {
        return Err(NameFault::Reserved);
    }
    check_prefix(name)
}

/// Checks and normalizes a name that may belong to an existing account or room, which may be older
/// than the profile: 1 to 64 characters without control characters.
pub fn check_existing_name(name: &str) -> Result<String, NameFault> {
    let name = check_length(name)?;
    if name.chars().any(char::is_control) {
        return Err(NameFault::ControlCharacter);
    }
    Ok(name)
}

/// The same for a handle: no reserved prefix either.
pub fn check_existing_handle(name: &str) -> Result<String, NameFault> {
    check_prefix(check_existing_name(name)?)
}

fn check_length(name: &str) -> Result<String, NameFault> {
    // Normalizing never makes a name more than three times shorter.
    if name.len() > 4 * 3 * NAME_CHARS_MAX {
        return Err(NameFault::TooLong);
    }
    let name = normalize(name);
    if name.is_empty() {
        return Err(NameFault::Empty);
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(NameFault::TooLong);
    }
    Ok(name)
}

fn check_prefix(name: String) -> Result<String, NameFault> {
    if name.starts_with('@') || name.starts_with(GUEST_PREFIX) {
        return Err(NameFault::Reserved);
    }
    Ok(name)
}

/// Whether a name could be taken for one with a reserved prefix: in another case or width, or with
/// another colon.
fn begins_like_reserved(name: &str) -> bool {
    let folded = name.nfkc().flat_map(char::to_lowercase);
    let folded = folded.map(|character| if is_like_colon(character) { ':' } else { character });
    let begin: String = folded.take(GUEST_PREFIX.len()).collect();
    begin.starts_with('@') || begin == GUEST_PREFIX
}

/// Characters that are drawn as a colon (confusables.txt of UTS #39), of those that a name may have.
fn is_like_colon(character: char) -> bool {
    matches!(
        character,
        '\u{2D0}'
            | '\u{2F8}'
            | '\u{589}'
            | '\u{5C3}'
            | '\u{703}'
            | '\u{704}'
            | '\u{903}'
            | '\u{A83}'
            | '\u{16EC}'
            | '\u{1803}'
            | '\u{1809}'
            | '\u{205A}'
            | '\u{2236}'
            | '\u{A4FD}'
            | '\u{A789}'
    )
}

fn check_profile(name: &str) -> Result<(), NameFault> {
    if name.starts_with(is_space) || name.ends_with(is_space) {
        return Err(NameFault::Space);
    }
    if name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    if name.starts_with(is_combining_mark) {
        return Err(NameFault::LeadingMark);
    }
    let characters: Vec<char> = name.chars().collect();
    for (at, character) in characters.iter().enumerate() {
        let before = &characters[..at];
        let after = &characters[at + 1..];
        check_character(before, *character, after)?;
    }
    Ok(())
}

/// As wide as the characters of Chinese and Japanese, so that it is seen.
const IDEOGRAPHIC_SPACE: char = '\u{3000}';

fn is_space(character: char) -> bool {
    matches!(character, ' ' | IDEOGRAPHIC_SPACE)
}

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';
const EMOJI_PRESENTATION: char = '\u{FE0F}';
const ENCLOSING_KEYCAP: char = '\u{20E3}';

fn check_character(before: &[char], character: char, after: &[char]) -> Result<(), NameFault> {
    use GeneralCategory as G;
    let allowed = match character {
        ' '..='~' | IDEOGRAPHIC_SPACE => true,
        ZERO_WIDTH_JOINER => joins_script(before) || joins_emoji(before, after),
        ZERO_WIDTH_NON_JOINER => joins_script(before) || joins_arabic(before, after),
        EMOJI_PRESENTATION => ends_in_emoji(before) || makes_key(before, after),
        _ if is_skin_tone(character) => colours_skin(before),
        _ => match character.general_category() {
            G::Control => return Err(NameFault::ControlCharacter),
            G::SpaceSeparator | G::LineSeparator | G::ParagraphSeparator => {
                return Err(NameFault::Space);
            }
            G::Format | G::PrivateUse | G::Surrogate | G::Unassigned => false,
            _ => !is_blank(character),
        },
    };
    if allowed { Ok(()) } else { Err(NameFault::Disallowed(character)) }
}

/// Whether a character is drawn as nothing, in texts that may have such.
pub fn is_invisible(character: char) -> bool {
    use GeneralCategory::{Control, Format};
    is_blank(character) || matches!(character.general_category(), Control | Format)
}

/// Code points outside of the refused categories that are drawn as nothing
/// (`Default_Ignorable_Code_Point` of Unicode's DerivedCoreProperties, and those that only their names
/// call blank or filling), or that stand for text which was lost.
fn is_blank(character: char) -> bool {
    matches!(character,
        '\u{034F}'
        | '\u{115F}'..='\u{1160}'
        | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{1107F}'
        | '\u{13441}'..='\u{13442}'
        | '\u{16FE4}'
        | '\u{1D159}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FFA0}'
        | '\u{FFFC}'..='\u{FFFD}'
        | '\u{E0100}'..='\u{E01EF}')
}

/// After a virama a joiner changes how Indic letters are drawn (RFC 5892, appendix A.1).
fn joins_script(before: &[char]) -> bool {
    const VIRAMA: u8 = 9;
    before.last().is_some_and(|last| canonical_combining_class(*last) == VIRAMA)
}

/// Between Arabic letters a non-joiner keeps them apart, as Persian needs it.
fn joins_arabic(before: &[char], after: &[char]) -> bool {
    let is_arabic = |character: &char| {
        matches!(character, '\u{0620}'..='\u{06FF}' | '\u{0750}'..='\u{077F}' | '\u{08A0}'..='\u{08FF}')
            && character.general_category() == GeneralCategory::OtherLetter
    };
    before.last().is_some_and(is_arabic) && after.first().is_some_and(is_arabic)
}

/// Between emoji a joiner makes one picture of several.
fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let before = before.strip_suffix(&[EMOJI_PRESENTATION]).unwrap_or(before);
    ends_in_emoji(before) && after.first().is_some_and(is_emoji)
}

/// Alone a skin tone is a pale square, or nothing.
fn is_skin_tone(character: char) -> bool {
    character.emoji_status() == EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent
}

/// After a picture of people, or of parts of them, a modifier is the tone of their skin (UTS #51, ED-13).
fn colours_skin(before: &[char]) -> bool {
    use EmojiStatus::{EmojiModifierBase, EmojiPresentationAndModifierBase};
    let before = before.strip_suffix(&[EMOJI_PRESENTATION]).unwrap_or(before);
    let has_skin = |picture: &char| {
        matches!(picture.emoji_status(), EmojiModifierBase | EmojiPresentationAndModifierBase)
    };
    before.last().is_some_and(has_skin)
}

/// A digit, `#` or `*` in the picture of a key (UTS #51, ED-14c).
fn makes_key(before: &[char], after: &[char]) -> bool {
    let is_base = |last: &char| matches!(last, '0'..='9' | '#' | '*');
    before.last().is_some_and(is_base) && after.first() == Some(&ENCLOSING_KEYCAP)
}

fn ends_in_emoji(before: &[char]) -> bool {
    before.last().is_some_and(is_emoji)
}

fn is_emoji(character: &char) -> bool {
    !character.is_ascii() && character.is_emoji_char()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_name_are_one_name() {
        assert_eq!(check_handle("e\u{301}ric").unwrap(), "\u{e9}ric");
    }

    #[test]
    fn a_name_that_cannot_be_a_handle_is_refused_with_the_reason() {
        for (name, fault) in [
            ("", NameFault::Empty),
            ("a\nb", NameFault::ControlCharacter),
            ("a\u{85}b", NameFault::ControlCharacter),
            ("@ann", NameFault::Reserved),
            ("\u{FF20}ann", NameFault::Reserved),
            ("\u{FE6B}ann", NameFault::Reserved),
            ("GUEST:ann", NameFault::Reserved),
            ("guest\u{FF1A}ann", NameFault::Reserved),
            ("guest\u{2236}ann", NameFault::Reserved),
            ("\u{FF47}uest:ann", NameFault::Reserved),
            ("guest:ann", NameFault::Reserved),
        ] {
            assert_eq!(check_handle(name), Err(fault), "{name:?}");
        }
        assert!(check_handle(&"茶".repeat(64)).is_ok());
        assert_eq!(check_handle(&"茶".repeat(65)), Err(NameFault::TooLong));
        assert_eq!(check_handle(&"a".repeat(1_000_000)), Err(NameFault::TooLong));
    }

    #[test]
    fn white_space_is_allowed_between_characters_only_and_once() {
        for name in [" ", "   ", "ann ", " ann", "a  b", "\u{a0}ann", "a\u{3000}b", "a\u{2028}b"] {
            assert_eq!(check_handle(name), Err(NameFault::Space), "{name:?}");
        }
        for name in ["\u{3000}", "\u{3000}a", "a\u{3000}", "a\u{a0}b", "a\u{2003}b", "a\u{2028}b"] {
            assert_eq!(check_room_name(name), Err(NameFault::Space), "{name:?}");
        }
        assert_eq!(check_room_name("茶\u{3000}馆").as_deref(), Ok("茶\u{3000}馆"));
        assert!(check_handle("Ann Lee").is_ok());
        assert!(check_room_name("Coffee  Room").is_ok());
    }

    #[test]
    fn invisible_unassigned_and_private_characters_are_refused() {
        let disallowed = [
            '\u{200B}',
            '\u{FEFF}',
            '\u{AD}',
            '\u{202E}',
            '\u{2066}',
            '\u{E0041}',
            '\u{FE0F}',
            '\u{FE00}',
            '\u{E0100}',
            '\u{3164}',
            '\u{115F}',
            '\u{FFA0}',
            '\u{2800}',
            '\u{FFFD}',
            '\u{FFFF}',
            '\u{FDD0}',
            '\u{378}',
            '\u{E000}',
            '\u{34F}',
            '\u{180E}',
            '\u{2060}',
            '\u{200D}',
            '\u{200C}',
            '\u{13441}',
            '\u{13442}',
            '\u{16FE4}',
            '\u{1D159}',
            '\u{1F3FB}',
            '\u{1F3FF}',
        ];
        for character in disallowed {
            let name = format!("ann{character}");
            let fault = Err(NameFault::Disallowed(character));
            assert_eq!(check_handle(&name), fault, "U+{:04X}", character as u32);
            assert_eq!(check_room_name(&format!("{character}")), fault.or_else(leading_mark));
        }
    }

    /// A mark that stands alone is refused as such.
    fn leading_mark(fault: NameFault) -> Result<String, NameFault> {
        match fault {
            NameFault::Disallowed(mark) if is_combining_mark(mark) => Err(NameFault::LeadingMark),
            fault => Err(fault),
        }
    }

    #[test]
    fn joiners_are_allowed_where_a_script_or_an_emoji_needs_them() {
        for name in [
            "क्\u{200D}ष",
            "می\u{200C}خواهم",
            "👩\u{200D}🚀",
            "❤\u{FE0F}",
            "👩\u{200D}❤\u{FE0F}\u{200D}👨",
            "1\u{FE0F}\u{20E3}",
            "tea #\u{FE0F}\u{20E3}",
            "👍\u{1F3FD}",
            "Ann 👩\u{1F3FF}\u{200D}🚀",
            "✌\u{1F3FB}",
        ] {
            assert_eq!(check_handle(name).as_deref(), Ok(name), "{name:?}");
        }
        for name in [
            "a\u{200D}b",
            "茶\u{200C}茶",
            "1\u{FE0F}",
            "a\u{FE0F}\u{20E3}",
            "❤\u{FE0F}\u{FE0F}",
            "🚀\u{200D}",
            "🚀\u{1F3FD}",
            "👍\u{1F3FD}\u{1F3FD}",
        ] {
            assert!(check_handle(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_name_older_than_the_profile_can_still_be_named() {
        assert_eq!(check_existing_handle("ann ").as_deref(), Ok("ann "));
        assert_eq!(check_existing_handle("@ann"), Err(NameFault::Reserved));
        assert_eq!(check_existing_handle("a\u{0}"), Err(NameFault::ControlCharacter));
    }
}
