//! Handles as nicks, room names as channels, and back. A character that IRC cannot carry, or would
//! take for a separator or mark, is escaped as `\xx`: a backslash and two hexadecimal digits,
//! `\20` for a space.
//!
//! The mapping is a bijection: each name has exactly one escaped form, and any other spelling is
//! not a name.

use core_model::{MaskPart, Person, check_existing_handle, check_existing_name};

/// Characters escaped anywhere in a nick: separators, wildcards, the marks of masks, and the dot
/// that distinguishes servers from users.
const NOT_IN_NICKS: &str = " ,*?!@.\\";

/// The same without the backslash.
const NOT_IN_NICKS_BUT: &str = " ,*?!@.";

/// Characters escaped at the start of a nick: the marks of channels, modes, masks and trailing
/// parameters.
const NOT_FIRST_IN_NICKS: &str = "#&$:~%+=";

/// Characters escaped in a channel.
const NOT_IN_CHANNELS: &str = " ,\\";

/// The nick of an account or guest.
pub(crate) fn nick(person: &Person) -> String {
    nick_of(person.guest_name().unwrap_or(&person.handle))
}

/// The nick of a handle, or of a guest's name.
pub(crate) fn nick_of(name: &str) -> String {
    escape(name, NOT_IN_NICKS, NOT_FIRST_IN_NICKS)
}

/// The handle, or guest's name, that a nick stands for.
pub(crate) fn handle(nick: &str) -> Option<String> {
    let name = unescape(nick)?;
    let only_way = nick_of(&name) == nick;
    only_way.then(|| check_existing_handle(&name).ok()).flatten()
}

/// The handle, or guest's name, that a client requests as its nick. Nicks of IRC may have a
/// backslash; one that is no escape stands for itself.
pub(crate) fn requested(nick: &str) -> Option<String> {
    let is_escaped = unescape(nick).is_some_and(|name| nick_of(&name) == nick);
    let is_nick = escape(nick, NOT_IN_NICKS_BUT, NOT_FIRST_IN_NICKS) == nick;
    if is_escaped || !is_nick { handle(nick) } else { handle(&nick_of(nick)) }
}

/// Nicks and channels that differ only in the case of ASCII letters are the same to clients:
/// CASEMAPPING=ascii.
pub(crate) fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

pub(crate) fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// The channel of a room.
pub(crate) fn channel(room: &str) -> String {
    format!("#{}", escape(room, NOT_IN_CHANNELS, ""))
}

/// The room name that a channel stands for.
pub(crate) fn room(channel: &str) -> Option<String> {
    let escaped = channel.strip_prefix('#')?;
    let name = unescape(escaped)?;
    let only_way = escape(&name, NOT_IN_CHANNELS, "") == escaped;
    only_way.then(|| check_existing_name(&name).ok()).flatten()
}

fn escape(name: &str, anywhere: &str, first: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (at, char) in name.char_indices() {
        let special = anywhere.contains(char) || (at == 0 && first.contains(char));
        if special || char.is_ascii_control() {
            escaped.push_str(&format!("\\{:02x}", u32::from(char)));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

fn unescape(escaped: &str) -> Option<String> {
    let mut parts = escaped.split('\\');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        // `from_str_radix` takes a sign too.
        let digits = part.get(..2).filter(|digits| !digits.starts_with('+'))?;
        let code = u8::from_str_radix(digits, 16).ok()?;
        name.push(char::from(code));
        name.push_str(&part[2..]);
    }
    Some(name)
}

/// The parts of the mask of a nick. An escape stands for its character.
pub(crate) fn parts_of_mask(mask: &str) -> Vec<MaskPart> {
    let mut parts = Vec::new();
    let mut rest = mask;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        parts.push(match char {
            '*' => MaskPart::Any,
            '?' => MaskPart::One,
            '\\' => match escaped(rest) {
                Some(char) => {
                    rest = &rest[2..];
                    MaskPart::Literal(char)
                }
                None => MaskPart::Literal('\\'),
            },
            char => MaskPart::Literal(char),
        });
    }
    parts
}

/// The mask of a nick, or of a user, with these parts.
pub(crate) fn mask_of(parts: &[MaskPart]) -> String {
    let mut mask = String::new();
    for part in parts {
        match part {
            MaskPart::Any => mask.push('*'),
            MaskPart::One => mask.push('?'),
            MaskPart::Separator => mask.push('!'),
            MaskPart::Literal(char) => mask.push_str(&escape(&char.to_string(), NOT_IN_NICKS, "")),
        }
    }
    mask
}

/// The character of an escape, by the digits after its backslash.
fn escaped(rest: &str) -> Option<char> {
    let digits = rest.get(..2)?;
    let char = u8::from_str_radix(digits, 16).ok().map(char::from)?;
    // Only characters that have to be are escaped, in one way each.
    let form = escape(&char.to_string(), NOT_IN_NICKS, NOT_FIRST_IN_NICKS);
    (form.strip_prefix('\\') == Some(digits)).then_some(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_survives_the_way_to_a_nick_or_channel_and_back() {
        let names =
            ["ann", "Ann Lee", "a,b*c?d!e@f.g\\h", "#tea", "~op", "茶", "\\20", "a:b", "-1"];
        for name in names {
            assert_eq!(handle(&nick_of(name)).as_deref(), Some(name));
            assert_eq!(room(&channel(name)).as_deref(), Some(name));
        }
        assert_eq!(nick_of("Ann Lee"), "Ann\\20Lee");
        assert_eq!(channel("tea, please"), "#tea\\2c\\20please");
        assert_eq!(channel("#tea"), "##tea");
    }

    #[test]
    fn no_nick_looks_like_a_server_a_channel_a_mask_or_an_operator() {
        for first in "#&$:~%+=@.".chars() {
            assert!(nick_of(&format!("{first}x")).starts_with('\\'), "{first}");
        }
        assert_eq!(nick_of("irc.example.org"), "irc\\2eexample\\2eorg");
    }

    #[test]
    fn each_name_has_exactly_one_escaped_form() {
        for nick in ["Ann Lee", "Ann\\2", "Ann\\", "\\41nn", "Ann\\2E", "a\\zz", "a\\é", "a@b"] {
            assert_eq!(handle(nick), None, "{nick}");
        }
        for channel in ["tea", "#", "#a b", "#\\41", "#\\2C", "#a\\07"] {
            assert_eq!(room(channel), None, "{channel}");
        }
    }

    #[test]
    fn a_name_that_no_account_may_have_is_not_a_nick() {
        for nick in ["", "guest:zed", "\\40ann", &"x".repeat(65)] {
            assert_eq!(handle(nick), None, "{nick}");
        }
    }

    #[test]
    fn a_requested_nick_may_have_a_backslash_that_is_no_escape() {
        assert_eq!(requested("foo\\bar").as_deref(), Some("foo\\bar"));
        assert_eq!(requested("x\\").as_deref(), Some("x\\"));
        assert_eq!(requested("a\\20b").as_deref(), Some("a b"));
        assert_eq!(requested("a\\+9b").as_deref(), Some("a\\+9b"));
        assert_eq!(requested("[x]^{}|`-_").as_deref(), Some("[x]^{}|`-_"));
        for nick in ["\\40ann", "a b\\", "a@b", "#a", "a.b", "", ":a"] {
            assert_eq!(requested(nick), None, "{nick}");
        }
    }

    #[test]
    fn the_nick_of_a_guest_is_the_name_it_chose() {
        let guest = Person { handle: "guest:zed".into(), ..Person::default() };
        assert_eq!(nick(&guest), "zed");
        let uid = Some(core_model::Uid(10001));
        let account = Person { uid, handle: "Ann Lee".into(), ..Person::default() };
        assert_eq!(nick(&account), "Ann\\20Lee");
    }
}
