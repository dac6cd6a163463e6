//! What a name that a client chooses may be: the profile of `core_model`, no form that the engine keeps
//! for guests, handles and groups, and letters of one alphabet.

use core_model::{GUEST_PREFIX, NAME_CHARS_MAX, NameFault, is_invisible};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};
use unicode_security::GeneralSecurityProfile;
use unicode_security::confusable_detection::skeleton;

use crate::decoration::{
    ZERO, is_decoration, is_historic, is_letter, is_number, is_picture, unframed,
};
use crate::letters::letter_of_symbol;
use crate::lookalike::{is_ignorable, keys};

/// Checks and normalizes a name that a user or an account is to get: the profile of
/// [`core_model::check_handle`], nothing that is drawn like a reserved prefix, and letters of one
/// alphabet.
pub(crate) fn check_handle(name: &str) -> Result<String, NameFault> {
    let name = core_model::check_handle(name)?;
    if is_plain(&name) {
        return Ok(name);
    }
    if begins_like_reserved(&name) {
        return Err(NameFault::Reserved);
    }
    if mixes_alphabets(&name) { Err(NameFault::MixedAlphabets) } else { Ok(name) }
}

/// Checks and normalizes a name that a room is to get: the profile of
/// [`core_model::check_room_name`], and none of the forms that are reserved for users and groups.
pub fn check_room_name(name: &str) -> Result<String, NameFault> {
    let name = core_model::check_room_name(name)?;
    if begins_like_reserved(&name) {
        return Err(NameFault::Reserved);
    }
    if is_numbered(&name) { Err(NameFault::Numbered) } else { Ok(name) }
}

/// Whether a display name could be taken for a guest, or for a handle as others write it.
pub fn is_reserved(display_name: &str) -> bool {
    let visible: String = display_name.chars().filter(|it| !is_invisible(*it)).collect();
    begins_like_reserved(visible.trim_start())
}

/// Whether a room name ends with what can be read as `#` and a number, and so like `tea#7`, which the
/// engine gives groups and the second room of a name. Spaces, marks, punctuation and ornaments change
/// nothing, but for the point of a version (`C# 7.0`).
fn is_numbered(name: &str) -> bool {
    let mut has_digits = false;
    let mut characters = name.chars().rev().filter(|it| !is_passed_over(*it)).peekable();
    let mut after = None;
    while let Some(character) = characters.next() {
        let is_inner = |beside: Option<char>| beside.is_some_and(is_like_digit);
        if is_like_digit(character) {
            has_digits = true;
        } else if has_digits && is_like_number_sign(character) {
            return true;
        } else if !is_ornament(character)
            || character == '.' && is_inner(after) && is_inner(characters.peek().copied())
        {
            return false;
        }
        after = Some(character);
    }
    false
}

/// Whether a sign adds nothing to what is read: punctuation, or what a name is decorated with.
fn is_ornament(character: char) -> bool {
    character.is_ascii_punctuation() || is_decoration(character) && !is_picture(character)
}

/// What stands between the signs of a form without changing how it is read.
fn is_passed_over(character: char) -> bool {
    character.is_whitespace() || is_combining_mark(character) || is_ignorable(character)
}

/// Whether a character is a number of any script, or a letter that is drawn like a digit.
fn is_like_digit(character: char) -> bool {
    let shown = letter_of_symbol(character);
    is_number(shown) || shown == KEYCAP_TEN || {
        let drawn: String = skeleton(shown.encode_utf8(&mut [0; 4])).collect();
        ('0'..='9').any(|digit| skeleton(digit.encode_utf8(&mut [0; 4])).eq(drawn.chars()))
    }
}

/// The one picture of a number that is a character of its own.
const KEYCAP_TEN: char = '\u{1F51F}';

/// Whether a character may be taken for `#`: one of its compatibility forms, or a symbol of two lines that
/// cross two others. UTS #39 lists none of these.
fn is_like_number_sign(character: char) -> bool {
    let crossing = ['♯', '⌗', '⋕', '⧣', '⧤', '⧥', '⩨', '⩩', '\u{1D130}', '\u{1D131}'];
    crossing.contains(&character) || std::iter::once(character).nfkc().next() == Some('#')
}

/// Whether only the profile matters: a name in ASCII without spaces.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a name has letters of two alphabets that are drawn alike: of Latin, Greek, Cyrillic, and
/// the scripts in limited or no modern use. UTS #39 (section 5.2, "moderately restrictive") keeps these
/// apart; all other scripts may stand beside each of them.
fn mixes_alphabets(name: &str) -> bool {
    let is_alphabet = |script: &Script| match script {
        Script::Common | Script::Inherited | Script::Unknown => false,
        Script::Latin | Script::Greek | Script::Cyrillic => true,
        script => !script.is_recommended(),
    };
    let letters = name.chars().map(letter_of_symbol).filter(|it| is_letter(*it) && *it != MICRO);
    let mut alphabets = letters.nfkc().map(|letter| letter.script()).filter(is_alphabet);
    let first = alphabets.next();
    alphabets.any(|other| Some(other) != first)
}

/// The sign of a unit, which keyboards have for words in Latin letters. NFKC makes it a Greek letter.
const MICRO: char = '\u{B5}';

/// Whether a name begins with what is drawn like `@`, or like the word of the prefix of guests,
/// whatever the spaces and ornaments in it, and then with what is drawn like its colon.
fn begins_like_reserved(name: &str) -> bool {
    has_reserved_prefix(name) || has_reserved_prefix(unframed(name.trim_matches(is_edge)))
}

/// What may stand around the letters that frame a name.
fn is_edge(character: char) -> bool {
    let is_sign = is_decoration(character) || is_historic(character) || character == ZERO;
    is_passed_over(character) || is_sign && !is_like_at(character)
}

fn has_reserved_prefix(name: &str) -> bool {
    let is_ornament = |character: char| is_decoration(character) && !is_like_at(character);
    let read = name.trim_start_matches(|it| is_ornament(it) || is_passed_over(it));
    if read.starts_with(is_like_at) {
        return true;
    }
    let mut begin = String::new();
    let mut letters = 0;
    for character in name.chars().filter(|it| !it.is_whitespace()).take(NAME_CHARS_MAX) {
        if is_like_colon(character) && is_like_guest(&begin) {
            return true;
        }
        begin.push(character);
        let is_read = !is_passed_over(character) && !is_decoration(character);
        letters += usize::from(is_read);
        if letters >= GUEST_PREFIX.len() {
            return false;
        }
    }
    false
}

/// Whether a character is drawn like `@`, which is an `a` in a circle.
fn is_like_at(character: char) -> bool {
    matches!(character, '\u{24D0}' | '\u{24B6}' | '\u{1F150}')
        || std::iter::once(character).nfkc().eq(['@'])
}

/// Whether a word is drawn like that of the prefix of guests, whatever marks its letters have. One with
/// at least three of its letters is, too, if the others are letters that UTS #39 does not allow in
/// identifiers: many of these are drawn like others, and new ones come with each version of Unicode.
fn is_like_guest(word: &str) -> bool {
    let guest = GUEST_PREFIX.trim_end_matches(':');
    let is_letter = |letter: &char| !is_combining_mark(*letter) && !is_ignorable(*letter);
    let bare: String = word.chars().map(letter_of_symbol).nfkd().filter(is_letter).nfc().collect();
    if have_common_key(&bare, guest) {
        return true;
    }
    let mut equal = 0;
    let are_alike = bare.chars().count() == guest.len()
        && bare.chars().zip(guest.chars()).all(|(letter, of_guest)| {
            let mut buffers = [[0; 4]; 2];
            let [first, second] = &mut buffers;
            let is_equal = have_common_key(letter.encode_utf8(first), of_guest.encode_utf8(second));
            equal += usize::from(is_equal);
            is_equal || letter.is_alphabetic() && !letter.identifier_allowed()
        });
    are_alike && equal >= 3
}

fn have_common_key(a: &str, b: &str) -> bool {
    let keys_of_b = keys(b);
    keys(a).iter().any(|key| keys_of_b.contains(key))
}

/// Whether a character may be taken for a colon: besides those that have it as their skeleton, every
/// mark outside ASCII that is no letter, and every letter or spacing mark that UTS #39 does not allow
/// in identifiers of modern use. Several scripts have such signs that it does not list as alike.
fn is_like_colon(character: char) -> bool {
    if character.is_ascii() {
        return character == ':';
    }
    if is_ignorable(character) {
        return false;
    }
    match character.general_category() {
        GeneralCategory::SpacingMark => true,
        GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark => {
            is_drawn(character, ':')
        }
        GeneralCategory::ModifierLetter | GeneralCategory::OtherLetter => {
            !character.identifier_allowed() || is_drawn(character, ':')
        }
        _ => !character.is_alphanumeric() || is_drawn(character, ':'),
    }
}

/// Whether a character has another one as its skeleton.
fn is_drawn(character: char, like: char) -> bool {
    skeleton(character.encode_utf8(&mut [0; 4])).eq([like])
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "\u{24D0}ann",
            "\u{1F156}\u{1F164}\u{1F154}\u{1F162}\u{1F163}:x",
            "\u{1F176}\u{1F184}\u{1F174}\u{1F182}\u{1F183}:x",
            "\u{1F1EC}\u{1F1FA}\u{1F1EA}\u{1F1F8}\u{1F1F9}:x",
            "gues\u{442}:x",
            "\u{13E9}UEST:x",
            "\u{13C0}\u{13CC}\u{13AC}\u{13DA}\u{13A2}:x",
            "\u{A4D6}\u{A4F4}\u{A4F0}\u{A4E2}\u{A4D4}:x",
            "\u{262}\u{1D1C}\u{1D07}\u{A731}\u{1D1B}:x",
            "g\u{332}u\u{332}e\u{332}s\u{332}t\u{332}:x",
            "g\u{332}\u{333}\u{338}u\u{332}\u{333}\u{338}e\u{332}\u{333}\u{338}st\u{338}:x",
            "g\u{FC}est:x",
        ] {
            assert_eq!(check_handle(name), Err(NameFault::Reserved), "{name:?}");
        }
        for name in
            ["guest", "guests of ann", "guest ann", "ann@home", "guest\u{301} a", "\u{433}ость"]
        {
            assert!(check_handle(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn forms_of_users_and_groups_are_no_names_of_rooms() {
        for name in ["@tea", "\u{FF20}tea", "guest:tea", "GUEST:tea", "gu\u{435}st\u{FF1A}tea"] {
            assert_eq!(check_room_name(name), Err(NameFault::Reserved), "{name:?}");
        }
        for name in
            ["ღguest:annღ", "〇guest:ann", "丨guest丨:ann", "★ღ guest:ann", "𓆩guest:x", "ツ@annツ"]
        {
            assert_eq!(check_room_name(name), Err(NameFault::Reserved), "{name:?}");
        }
        for name in
            ["\u{24D0}tea", "†@tea", "· ＠tea", "○guest○:tea", "guest\u{1C7A}x", "guest\u{983}x"]
        {
            assert_eq!(check_room_name(name), Err(NameFault::Reserved), "{name:?}");
        }
        let free = ["C#", "Team 1", "tea#7a", "#7 tea", "guest", "a@b", "чай tea", "公告：今天"];
        let with_pictures =
            ["Ann 🎉 2024", "🎉7", "1\u{FE0F}\u{20E3} tea", "#\u{FE0F}\u{20E3}", "tea ❤\u{FE0F}"];
        let with_numbers =
            ["2024–25", "tea – 7", "Room № 7", "第7室", "7", "F#m7 jam", "guests", "guestʼs"];
        let with_signs =
            ["5 × 5", "3×3", "Temp ≥ 30", "Windows® 11", "★ 2024", "G♭7", "♠A ♥7", "Top★10"];
        let with_points =
            ["C# 7.0", "tea 7.", "(7)", "一二三", "二〇二四", "三年二班", "十#", "茶\u{3000}馆"];
        for name in with_signs.into_iter().chain(with_points) {
            assert_eq!(check_room_name(name).as_deref(), Ok(name), "{name:?}");
        }
        for name in free.into_iter().chain(with_pictures).chain(with_numbers) {
            assert_eq!(check_room_name(name).as_deref(), Ok(name), "{name:?}");
        }
    }

    #[test]
    fn what_can_be_read_as_the_name_of_a_group_is_no_name_of_a_room() {
        for name in [
            "tea#7",
            "a b#4294967295",
            "tea#1#2",
            "tea＃7",
            "tea﹟7",
            "tea#07",
            "tea#0",
            "tea #7",
            "tea # 7",
            "#7",
            "# 7",
            "＃７",
            "tea#4294967296",
            "tea#٧",
            "tea#۷",
            "tea#７",
            "tea#⁷",
            "tea#₇",
            "tea#⑦",
            "tea#❼",
            "tea#७",
            "tea#𝟕",
            "tea#7\u{FE0F}\u{20E3}",
            "tea#7\u{332}",
            "tea#\u{332}7",
            "tea#\u{FE0F}\u{20E3}7",
            "tea♯7",
            "tea⌗7",
            "tea⋕7",
            "tea⧣ 7",
            "tea\u{1D130}7",
            "tea#†7†",
            "tea「#7」",
            "tea#l",
            "tea#1O",
            "tea#1 2",
            "tea#Ⅶ",
            "tea#З",
            "茶#7",
            "茶＃７",
            "tea#七",
            "tea#十二",
            "tea#二〇",
            "tea#㈦",
            "tea#7.",
            "tea#7!",
            "tea#(7)",
            "tea(#7)",
            "tea #-7-",
            "tea#1,000",
            "tea[#7]★",
            "tea#\u{3000}7",
            "tea#🔟",
        ] {
            assert_eq!(check_room_name(name), Err(NameFault::Numbered), "{name:?}");
        }
    }

    #[test]
    fn every_sign_of_a_kind_is_read_like_that_of_the_form() {
        for character in '\u{80}'..='\u{3FFFF}' {
            let named = |name: String| check_room_name(&name).unwrap_err();
            if character.general_category() == GeneralCategory::DecimalNumber {
                assert_eq!(named(format!("tea#{character}")), NameFault::Numbered, "{character:?}");
            }
            let is_sound = core_model::check_room_name(&format!("a{character}")).is_ok();
            if is_sound && is_drawn(character, ':') {
                let name = format!("guest{character}x");
                assert_eq!(named(name), NameFault::Reserved, "{character:?}");
            }
        }
    }

    /// By the kinds of Unicode, not by a list: a name of signs around a handle is that handle.
    #[test]
    fn no_mark_and_no_foreign_letter_makes_another_name_of_a_handle() {
        let alike = |handle: &str, name: String| {
            let taken = |name: String| have_common_key(&name, handle);
            assert!(check_handle(&name).map_or(true, taken), "{handle:?} {name:?}");
        };
        for character in '\u{80}'..='\u{2FFF}' {
            let script = character.script();
            if is_combining_mark(character) && script != Script::Inherited {
                alike("小明", format!("小{character}明"));
                alike("김철수", format!("김철수{character}"));
            }
            let is_read =
                |it: char| matches!(it.script(), Script::Latin | Script::Greek | Script::Cyrillic);
            if is_letter(character) && !std::iter::once(character).nfkc().any(is_read) {
                alike("ann", format!("{character}ann{character}"));
                alike("小明", format!("{character}小明{character}"));
            }
        }
        for mark in
            ('\u{300}'..='\u{36F}').chain('\u{1AB0}'..='\u{1AFF}').chain('\u{20D0}'..='\u{20FF}')
        {
            alike("小明", format!("小{mark}明"));
            alike("김철수", format!("김{mark}철수"));
        }
    }

    /// As people and rooms are called.
    const ORDINARY: &str = "王小明 欧阳娜娜 李〇〇 二〇二四 一二三 诸葛亮 阿依古丽·买买提 陳大文 佐々木希 高橋みなみ \
        ヒロ さくら ゆうき☆ 田中ジョン ㇷ゚ たけしぃ 東京タワー 김철수 이영희 박Kim राम हिन्दी क्षत्रिय श्रीमान् \
        தமிழ் கார்த்திக் ராம் สมชาย น้ำฝน กาญจนา ខ្មែរ សុខា ကျော်ဇော ສົມສັກ བསྟན་འཛིན محمد مُحَمَّد \
        میلاد می\u{200C}خواهم דוד דָּוִד שָׂרָה Nguyễn Đặng Phương Thùy José Zoë Søren Łukasz Ḥusayn Ọlá \
        Σωκράτης Μιχάλης Иван Ёжик Ольга Հայկ სანდრო ღამე თამარი ნინო ᐃᓄᒃᑎᑐᑦ ᏣᎳᎩ ⴰⵎⴰⵣⵉⵖ አበበ µTorrent \
        O'Neil Jean-Luc ann_99 x.y 👩🏽‍🚀 👍🏿 👨‍👩‍👧‍👦 🏳️‍🌈 ❤️ Ann🎉 🇨🇳李雷 1️⃣ ☝🏻 ツ ღ 乂 丶 ᠮᠣᠩᠭᠣᠯ";

    #[test]
    fn ordinary_names_are_names_and_none_is_taken_for_another() {
        let names: Vec<&str> = ORDINARY.split_whitespace().collect();
        for (at, name) in names.iter().enumerate() {
            let normal = core_model::normalize(name);
            assert_eq!(check_handle(name).as_deref(), Ok(&*normal), "{name:?}");
            assert_eq!(check_room_name(name).as_deref(), Ok(&*normal), "{name:?}");
            for other in &names[..at] {
                assert!(!have_common_key(name, other), "{name:?} {other:?}");
            }
        }
    }

    #[test]
    fn letters_of_alphabets_that_are_drawn_alike_stand_in_no_name_together() {
        for name in [
            "\u{430}nn",
            "Iv\u{430}n",
            "gu\u{435}st",
            "\u{3B1}nn",
            "\u{441}\u{3BF}\u{441}",
            "\u{13A0}nn",
            "\u{A4D0}nn",
            "\u{1D41A}\u{442}",
            "\u{1F170}\u{442}",
        ] {
            assert_eq!(check_handle(name), Err(NameFault::MixedAlphabets), "{name:?}");
        }
        for name in [
            "Nguyễn Thị Ánh",
            "مُحَمَّد",
            "محمد Ali",
            "हिन्दी",
            "क्षत्रिय Raj",
            "สวัสดี",
            "น้ำ Tea",
            "דָּוִד",
            "שלום Dan",
            "茶ann",
            "王小明Ming",
            "日本語テストですTest",
            "かなカナ漢字",
            "김철수Kim",
            "ㄅㄆㄇ注音abc",
            "Иван Петров",
            "Αλέξανδρος",
            "Иван伊万",
            "Ann 🎉",
            "🚀👩\u{200D}🚀",
            "Ёжик™",
            "🎉Anna🎉",
            "♥Anna♥",
            "Kim😀😀😀",
            "周杰伦♥♥♥",
            "“Ann”…",
            "ᐃᓄᒃᑎᑐᑦ",
            "ⴰⵎⴰⵣⵉⵖ",
            "Łukasz Żółć",
            "Ḥusayn",
            "Ọlá",
            "Հայաստան",
            "ქართული",
            "ᏣᎳᎩ",
            "C++ №1",
            "ｔｅｓｔ茶",
        ] {
            assert_eq!(check_handle(name).as_deref(), Ok(name), "{name:?}");
        }
    }
}
