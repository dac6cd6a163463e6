//! Handles as nicks, room names as channels, and back. What IRC could not carry, or would take for
//! something else, is written `\xx`: a backslash and two hexadecimal digits, `\20` for a space.
//!
//! Both ways lose nothing, and there is one way to write each name: what is not written so is
//! not a name.

use core_model::{Person, check_existing_handle, check_existing_name};

/// What no nick has in it: separators, wildcards, the marks of masks, and the dot that tells a
/// server from a user.
const NOT_IN_NICKS: &str = " ,*?!@.\\";

/// What no nick begins with: the marks of channels, modes, masks and trailing parameters.
const NOT_FIRST_IN_NICKS: &str = "#&$:~%+=";

/// What no channel has in it.
const NOT_IN_CHANNELS: &str = " ,\\";

/// The nick of an account, or of a guest, who is called as it chose.
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
        let code = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        name.push(char::from(code));
        name.push_str(&part[2..]);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_becomes_a_nick_and_a_channel_and_itself_again() {
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
    fn no_nick_is_taken_for_a_server_a_channel_a_mask_or_an_operator() {
        for first in "#&$:~%+=@.".chars() {
            assert!(nick_of(&format!("{first}x")).starts_with('\\'), "{first}");
        }
        assert_eq!(nick_of("irc.example.org"), "irc\\2eexample\\2eorg");
    }

    #[test]
    fn what_can_be_written_in_two_ways_is_right_in_one() {
        for nick in ["Ann Lee", "Ann\\2", "Ann\\", "\\41nn", "Ann\\2E", "a\\zz", "a\\é", "a@b"] {
            assert_eq!(handle(nick), None, "{nick}");
        }
        for channel in ["tea", "#", "#a b", "#\\41", "#\\2C", "#a\\07"] {
            assert_eq!(room(channel), None, "{channel}");
        }
    }

    #[test]
    fn a_name_that_no_account_may_have_is_no_nick() {
        for nick in ["", "guest:zed", "\\40ann", &"x".repeat(65)] {
            assert_eq!(handle(nick), None, "{nick}");
        }
    }

    #[test]
    fn guests_are_called_as_they_chose() {
        let guest = Person { handle: "guest:zed".into(), ..Person::default() };
        assert_eq!(nick(&guest), "zed");
        let uid = Some(core_model::Uid(10001));
        let account = Person { uid, handle: "Ann Lee".into(), ..Person::default() };
        assert_eq!(nick(&account), "Ann\\20Lee");
    }
}
