//! Signs that a name is decorated with: `○ann○`, `†a†n†n†`. They are no part of what is read.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{
    EmojiStatus, GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory,
};
use unicode_script::{Script, UnicodeScript};
use unicode_security::GeneralSecurityProfile;
use unicode_security::confusable_detection::skeleton;

use crate::letters::letter_of_symbol;

/// After a character that may be a picture or a sign, asks for the picture.
const EMOJI_PRESENTATION: char = '\u{FE0F}';

/// The name without what decorates it, pictures (emoji) aside: these are seen. With `letters_stay`
/// signs that are drawn like a letter stay, since `℮` can be an ornament and an `e`.
pub(crate) fn undecorated(name: &str, letters_stay: bool) -> String {
    let mut next = name.chars().skip(1);
    let stays = |character: &char| {
        let is_picture = next.next() == Some(EMOJI_PRESENTATION) || is_picture(*character);
        is_picture || !is_decoration(*character) || (letters_stay && is_drawn_as_letter(*character))
    };
    name.chars().filter(stays).collect()
}

/// Whether a character outside ASCII is a sign, and no letter or digit in disguise: punctuation and
/// symbols, what is drawn like punctuation of ASCII, and the caseless letters of phonetic alphabets
/// (`ǀ`, `ـ`) that UTS #39 does not allow in identifiers.
pub(crate) fn is_decoration(character: char) -> bool {
    if character.is_ascii() || shows_letter(character) {
        return false;
    }
    let is_sign = matches!(
        character.general_category_group(),
        GeneralCategoryGroup::Punctuation | GeneralCategoryGroup::Symbol
    );
    is_sign || is_phonetic_sign(character) || {
        let mut bytes = [0; 4];
        let mut drawn = skeleton(character.encode_utf8(&mut bytes));
        drawn.next().is_some_and(|it| it.is_ascii_punctuation()) && drawn.next().is_none()
    }
}

/// Whether a character is drawn in colours unless something asks for a sign.
pub(crate) fn is_picture(character: char) -> bool {
    matches!(
        character.emoji_status(),
        EmojiStatus::EmojiPresentation
            | EmojiStatus::EmojiPresentationAndModifierBase
            | EmojiStatus::EmojiPresentationAndEmojiComponent
            | EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent
    )
}

/// Whether a symbol stands for one letter or digit, as `ⓐ` and `🅰` do.
fn shows_letter(character: char) -> bool {
    let mut shown = std::iter::once(letter_of_symbol(character)).nfkc();
    match (shown.next(), shown.next()) {
        (Some(letter), None) => letter != character && letter.is_alphanumeric(),
        _ => false,
    }
}

fn is_drawn_as_letter(character: char) -> bool {
    skeleton(character.encode_utf8(&mut [0; 4])).all(char::is_alphanumeric)
}

fn is_phonetic_sign(character: char) -> bool {
    let category = character.general_category();
    matches!(category, GeneralCategory::ModifierLetter | GeneralCategory::OtherLetter)
        && matches!(character.script(), Script::Latin | Script::Common | Script::Inherited)
        && !character.identifier_allowed()
}
