//! Names that look alike.
//!
//! Two names resemble each other when one can be read as the other: they differ in case, in
//! compatibility forms (`ａｎｎ`), in invisible characters, or in letters of another script that are
//! drawn alike (UTS #39, section 4). The engine keeps the keys of every account's handle in a table,
//! so that one look-up finds the accounts that a name resembles.

use core_model::NAME_CHARS_MAX;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};
use unicode_security::confusable_detection::skeleton;

use crate::decoration::{undecorated, unframed};
use crate::letters::{letter_of_small_capital, letter_of_symbol};

/// Keys are cut off here: the skeleton of 64 characters can be many times longer.
const KEY_CHARS_MAX: usize = 2 * NAME_CHARS_MAX;

/// What the keys of a store were made with; a store with other keys gets new ones when it is opened.
pub(crate) fn revision() -> u64 {
    /// Raised when [`keys`] changes.
    const RULES: u64 = 4;
    let (major, minor, _) = unicode_security::UNICODE_VERSION;
    RULES << 32 | major << 16 | minor
}

/// The keys of a name, with and without what decorates it. Two names that resemble each other have one
/// in common; the reverse needs [`is_confusable`], because `1`, `I` and `l` are one in a skeleton.
pub(crate) fn keys(name: &str) -> Vec<String> {
    let mut keys = keys_as_is(name);
    if !name.is_ascii() {
        for letters_stay in [true, false] {
            let bare = undecorated(name, letters_stay);
            let bare = without_marks(compatible(bare.trim()));
            // A name of signs alone is read as these.
            for read in [bare.as_str(), unframed(&bare).trim()] {
                if !read.is_empty() && read != name {
                    keys.append(&mut keys_as_is(read));
                }
            }
        }
    }
    keys.iter_mut().for_each(|key| *key = key.chars().take(KEY_CHARS_MAX).collect());
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn keys_as_is(name: &str) -> Vec<String> {
    let compatible = without_marks(compatible(name));
    let folded = fold(&compatible);
    let drawn = fold(&drawn(&compatible));
    let drawn_folded = self::drawn(&folded);
    vec![folded, drawn, drawn_folded]
}

/// A name in compatibility forms, with the letters that symbols show.
fn compatible(name: &str) -> String {
    let letters = name.chars().map(letter_of_symbol).nfkc();
    letters.filter(|character| !is_ignorable(*character)).collect()
}

/// A composed name without the marks that are no part of how its script is written: all that are left on
/// letters of alphabets, on ideographs and on digits (`e\u{301}` is another letter, a struck-out `n` is not),
/// those of other scripts, and a second one of a kind. In other scripts marks are vowels and more.
fn without_marks(name: String) -> String {
    if name.is_ascii() {
        return name;
    }
    let mut base = None;
    let mut last = None;
    let stays = |character: &char| {
        let before = last.replace(*character);
        if !is_combining_mark(*character) {
            base = Some(*character);
            return true;
        }
        before != Some(*character) && base.is_some_and(|base| takes_mark(base, *character))
    };
    name.chars().filter(stays).collect()
}

/// Whether a mark on this letter is part of the writing of its script.
fn takes_mark(letter: char, mark: char) -> bool {
    use Script::{Common, Cyrillic, Greek, Han, Hangul, Latin};
    let script = letter.script();
    let scripts = mark.script_extension();
    !matches!(script, Common | Cyrillic | Greek | Han | Hangul | Latin)
        && !scripts.is_common()
        && !scripts.is_inherited()
        && scripts.contains_script(script)
}

/// What a name is drawn as.
fn drawn(name: &str) -> String {
    skeleton(name).map(letter_of_small_capital).collect()
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
    caseless::default_case_fold_str(name).nfkc().map(letter_of_small_capital).collect()
}

/// Code points that a name may have and that are not drawn (`core_model::check_handle` says where).
pub(crate) fn is_ignorable(character: char) -> bool {
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
            ("ann", "\u{1D00}\u{274}\u{274}"),
            ("ann", "ann\u{338}"),
            ("ann", "a\u{332}n\u{332}n\u{332}"),
            ("ann", "\u{1F170}\u{1F17D}\u{1F17D}"),
            ("ann", "\u{1F150}\u{1F15D}\u{1F15D}"),
            ("ann", "\u{1F1E6}\u{1F1F3}\u{1F1F3}"),
            ("ann1", "ann\u{2776}"),
            ("ann1", "ann1\u{20E3}"),
            ("Tom", "\u{422}\u{43E}\u{43C}"),
            ("caf\u{E9}", "caf\u{E9}\u{332}"),
            ("x", "○x○"),
            ("v", "❘v❘"),
            ("a", "†a†"),
            ("ann", "†a†n†n†"),
            ("ann", "｜ann｜"),
            ("ann", "ǀannǀ"),
            ("ann", "ـannـ"),
            ("ann", "«ann»"),
            ("ann", "『ann』"),
            ("ann", "★ann★"),
            ("ann", "ʻannʼ"),
            ("ann", "❤ann❤"),
            ("ann", "┃ann┃"),
            ("ann", "ann™"),
            ("ann", "・ann・"),
            ("ann", "꧁ann꧂"),
            ("ann", "༺ann༻"),
            ("ann", "† ann †"),
            ("ann", "†\u{430}nn†"),
            ("ann", "○ⓐⓝⓝ○"),
            ("eve", "†℮v℮†"),
            ("○ann○", "ann"),
            ("○ann○", "†ann†"),
            ("王小明", "「王小明」"),
        ] {
            assert!(resemble(handle, name) && resemble(name, handle), "{handle:?} {name:?}");
        }
    }

    #[test]
    fn frames_of_letters_and_strange_marks_make_no_other_name() {
        for (handle, name) in [
            ("ann", "〇ann〇"),
            ("ann", "〇ann"),
            ("小明", "〇小明〇"),
            ("小明", "丨小明丨"),
            ("小明", "小明丶"),
            ("ann", "丨ann丨"),
            ("ann", "ㅣannㅣ"),
            ("ann", "ღannღ"),
            ("ann", "ღღann"),
            ("ann", "annღ"),
            ("ann", "ღ\u{332}ann\u{332}ღ\u{332}"),
            ("ann", "ღ ann ღ"),
            ("ann", "ツannツ"),
            ("ann", "★ღ〇ann〇ღ★"),
            ("ann", "王ann王"),
            ("小明", "x小明x"),
            ("小明", "ミ小明ミ"),
            ("小明", "乂小明乂"),
            ("小明", "𓆩小明𓆪"),
            ("小明", "小\u{332}明\u{332}"),
            ("小明", "小明\u{302A}"),
            ("小明", "小明\u{3099}"),
            ("김철수", "김\u{338}철수"),
            ("김철수", "김철수\u{302E}"),
            ("राम", "राम\u{332}"),
            ("राम", "राम\u{E49}"),
            ("ราม", "ราม\u{20E3}"),
            ("น้ำ", "น้\u{E49}ำ"),
            ("სანდრო", "სანდრო\u{336}"),
            ("ᐃᓄᒃ", "ᐃᓄᒃ\u{332}"),
            ("µTorrent", "uTorrent"),
            ("小明", "Ⅱ小明Ⅱ"),
            ("ann", "๐ann๐"),
            ("ann", "〆ann〆"),
            ("ann", "〡ann"),
        ] {
            assert!(resemble(handle, name) && resemble(name, handle), "{handle:?} {name:?}");
        }
    }

    #[test]
    fn names_that_are_drawn_apart_do_not_resemble_each_other() {
        for (one, other) in [
            ("ann", "anna"),
            ("barn", "bam"),
            ("user1", "userl"),
            ("cafe", "café"),
            ("茶", "荼"),
            ("مد", "مَد"),
            ("กา", "กา\u{E49}"),
            ("דן", "דָן"),
            ("か", "が"),
            ("Nguyen", "Nguyễn"),
            ("Ann", "Ann 🎉"),
            ("Ann", "❤\u{FE0F}Ann"),
            ("○○", "††"),
            ("x", "_x_"),
            ("ヒロ", "ヒーロー"),
            ("佐木", "佐々木"),
            ("二四", "二〇二四"),
            ("二〇四", "二〇〇四"),
            ("一", "一〇"),
            ("ann", "王ann"),
            ("ann", "ann君"),
            ("ann", "annの"),
            ("Kim", "Kim씨"),
            ("小明", "A小明"),
            ("上", "人上人"),
            ("哈哈", "哈哈哈哈"),
            ("ნინ", "ანინა"),
            ("нн", "анна"),
            ("ნა", "ღნა"),
            ("राम", "रामा"),
            ("क", "कि"),
            ("தமிழ", "தமிழ்"),
            ("かた", "がた"),
            ("フ", "プ"),
            ("ㇷ", "ㇷ\u{309A}"),
            ("علي", "عليّ"),
            ("ខ្មែ", "ខ្មែរ"),
            ("👍\u{1F3FB}", "👍\u{1F3FF}"),
        ] {
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
