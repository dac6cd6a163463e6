//! Signs that a name is decorated with: `○ann○`, `†a†n†n†`, `ღannღ`. They are no part of what is read.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_properties::{
    EmojiStatus, GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory,
};
use unicode_script::{Script, ScriptExtension, UnicodeScript};
use unicode_security::GeneralSecurityProfile;
use unicode_security::confusable_detection::skeleton;
use unicode_security::general_security_profile::IdentifierType;

use crate::letters::letter_of_symbol;

/// After a character that may be a picture or a sign, asks for the picture.
const EMOJI_PRESENTATION: char = '\u{FE0F}';

/// The name without what decorates it, pictures (emoji) aside: these are seen. With `letters_stay`
/// signs that are drawn like a letter stay, since `℮` can be an ornament and an `e`.
pub(crate) fn undecorated(name: &str, letters_stay: bool) -> String {
    let mut next = name.chars().skip(1);
    let mut before = None;
    let is_modern = name.chars().any(|it| is_letter(it) && !is_historic(it));
    let is_sign = |it: char| is_decoration(it) || is_modern && is_historic(it);
    let stays = |character: &char| {
        let next = next.next();
        let is_picture = next == Some(EMOJI_PRESENTATION) || is_picture(*character);
        let is_read = !is_sign(*character) && !is_circle(before, *character, next);
        before = Some(*character);
        is_picture || is_read || (letters_stay && is_drawn_as_letter(*character))
    };
    name.chars().filter(stays).collect()
}

/// The name without the letters that stand around what is read as it is: the same one at both ends, or
/// one alone at an end, of a script that no other letter of the name has.
pub(crate) fn unframed(name: &str) -> &str {
    let mut inner = name;
    while let Some(read) = without_pair(inner).or_else(|| without_lone(inner)) {
        inner = read;
    }
    inner
}

/// Letters that are looked at as a frame: compatibility forms can have some.
const FRAME_LETTERS_MAX: usize = 4;

/// `ღannღ`, `xx小明xx`, `乂小明乂`. Within a word of an alphabet such letters are read, as in `Анна`.
fn without_pair(name: &str) -> Option<&str> {
    let ends = name.char_indices().skip(1).take(FRAME_LETTERS_MAX);
    ends.map(|(at, _)| name.split_at(at)).find_map(|(frame, rest)| {
        let inner = rest.strip_suffix(frame)?;
        let is_sign = || {
            let mut letters = inner.chars();
            frame.chars().chain(inner.chars()).all(|it| it.script() == Script::Han)
                && !inner.contains(frame)
                && letters.nth(1).is_some()
        };
        let is_foreign = |letter: char| {
            let is_common = is_letter(letter) && letter.script_extension().is_common();
            let is_read = is_letter(letter) || is_foreign_digit(letter);
            // A frame begins with no mark: those in it are on its letters.
            is_combining_mark(letter) || is_common || is_read && is_foreign(letter, inner)
        };
        (frame.chars().all(is_foreign) || is_sign()).then_some(inner)
    })
}

/// `annღ`, `ღღ小明`. Letters of East Asia stand beside those of other scripts as words of their own,
/// and those of alphabets as initials.
fn without_lone(name: &str) -> Option<&str> {
    let is_sign = |letter: &char| is_letter(*letter) && !stands_alone(letter.script());
    let first = name.chars().next().filter(is_sign).map(|it| (it, name.trim_start_matches(it)));
    let last = || name.chars().next_back().map(|it| (it, name.trim_end_matches(it)));
    let is_alone = |(letter, inner): &(char, &str)| is_sign(letter) && is_foreign(*letter, inner);
    first.filter(is_alone).or_else(|| last().filter(is_alone)).map(|(_, inner)| inner)
}

/// Whether one letter of a script is commonly read as a word, or as an initial.
fn stands_alone(script: Script) -> bool {
    use Script::{
        Bopomofo, Common, Cyrillic, Greek, Han, Hangul, Hiragana, Inherited, Katakana, Latin,
    };
    matches!(
        script,
        Bopomofo
            | Common
            | Cyrillic
            | Greek
            | Han
            | Hangul
            | Hiragana
            | Inherited
            | Katakana
            | Latin
    )
}

/// Whether a letter has a script that nothing of a name has, which has letters or digits.
fn is_foreign(letter: char, name: &str) -> bool {
    let scripts = letter.script_extension();
    let is_apart = |of: ScriptExtension| scripts.intersection(of).is_empty();
    name.chars().any(char::is_alphanumeric)
        && name.chars().filter(|it| is_letter(*it)).all(|it| is_apart(it.script_extension()))
}

/// A letter by the tables that the profile of names goes by, which may be newer than the compiler's.
pub(crate) fn is_letter(character: char) -> bool {
    character.general_category_group() == GeneralCategoryGroup::Letter
        || character.general_category() == GeneralCategory::LetterNumber
}

/// A digit that is written in one script only.
fn is_foreign_digit(character: char) -> bool {
    character.is_numeric() && !matches!(character.script(), Script::Common | Script::Inherited)
}

/// Whether the ideographic zero is a circle here: it is a digit beside other numbers.
fn is_circle(before: Option<char>, character: char, after: Option<char>) -> bool {
    let is_read = |beside: Option<char>| beside.is_some_and(|it| it != ZERO && is_number(it));
    character == ZERO && !is_read(before) && !is_read(after)
}

/// `〇`, drawn like `○`.
pub(crate) const ZERO: char = '\u{3007}';

/// Whether a character is a number of any script, with the ideographs for numbers: those that the
/// parenthesized numbers of Unicode show, and the next powers of ten.
pub(crate) fn is_number(character: char) -> bool {
    let shows = |number: char| std::iter::once(number).nfkc().nth(1) == Some(character);
    character.is_numeric()
        || matches!(character, '百' | '千' | '万' | '萬' | '億' | '亿')
        || (character.script() == Script::Han && ('\u{3220}'..='\u{3229}').any(shows))
}

/// Whether a character outside ASCII is a sign, and no letter or digit in disguise: punctuation and
/// symbols, what is drawn like punctuation of ASCII or is one stroke, and the caseless letters of
/// phonetic alphabets (`ǀ`, `ـ`) that UTS #39 does not allow in identifiers.
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
        drawn.next().is_some_and(|it| it.is_ascii_punctuation() || is_stroke(it))
            && drawn.next().is_none()
    }
}

/// Whether an ideograph is one stroke and no word: the radicals of one stroke (U+2F01 to U+2F05) but `乙`,
/// and the numeral that is drawn like the first of them. `一` is a word as well.
fn is_stroke(character: char) -> bool {
    matches!(character, '\u{3021}' | '\u{4E28}' | '\u{4E36}' | '\u{4E3F}' | '\u{4E85}')
}

/// Whether a letter is of a script that is in no modern use (`𓆩`): beside others it is a picture.
pub(crate) fn is_historic(character: char) -> bool {
    is_letter(character) && character.identifier_type() == Some(IdentifierType::Exclusion)
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
