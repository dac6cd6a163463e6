//! Masks of the lists of a channel, `nick!user@host`, as those of the engine, `name!user`, and back.
//! Every user has the name of the server as its host.

use core_model::{MaskPart, mask_parts, push_literal};

use crate::mask::matches_mask;
use crate::names;

/// Why a mask is refused.
pub(crate) const NO_MASK: &str =
    "That is no mask of a nick and a user with the host of this server";

/// The engine's mask. `None` for one whose host no user has.
pub(crate) fn parse(mask: &str, server_name: &str) -> Option<String> {
    let (rest, host) = mask.split_once('@').unwrap_or((mask, "*"));
    let (nick, user) = match rest.split_once('!') {
        Some(parts) => parts,
        None if mask.contains('@') => ("*", rest),
        None => (rest, "*"),
    };
    let or_any = |part: &'_ str| if part.is_empty() { "*" } else { part }.to_owned();
    if !matches_mask(&or_any(host), server_name) {
        return None;
    }
    let mut parsed = String::new();
    for part in names::parts_of_mask(&or_any(nick)) {
        match part {
            MaskPart::Literal(char) => push_literal(&mut parsed, char),
            MaskPart::Any => parsed.push('*'),
            MaskPart::One => parsed.push('?'),
            MaskPart::Separator => parsed.push_str("\\!"),
        }
    }
    parsed.push('!');
    for char in or_any(user).chars() {
        match char {
            '*' | '?' => parsed.push(char),
            char => push_literal(&mut parsed, char),
        }
    }
    Some(parsed)
}

/// The mask as clients read it.
pub(crate) fn shown(mask: &str) -> String {
    let parts = mask_parts(mask);
    let mut halves = parts.splitn(2, |part| *part == MaskPart::Separator);
    let nick = halves.next().map(names::mask_of).unwrap_or_default();
    let user = halves.next().map_or_else(|| "*".into(), names::mask_of);
    format!("{nick}!{user}@*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_survives_the_way_to_the_engine_and_back() {
        let there = |mask: &str| parse(mask, "irc.localhost");
        for (mask, expected, back) in [
            ("bob", "bob!*", "bob!*@*"),
            ("bob!*@*", "bob!*", "bob!*@*"),
            ("*!10002@irc.localhost", "*!10002", "*!10002@*"),
            ("guest@*.localhost", "*!guest", "*!guest@*"),
            ("b?b*", "b?b*!*", "b?b*!*@*"),
            ("Ann\\20Lee!*@*", "Ann Lee!*", "Ann\\20Lee!*@*"),
            ("a\\2ab", "a\\*b!*", "a\\2ab!*@*"),
            ("!@", "*!*", "*!*@*"),
            ("foo\\bar", "foo\\\\bar!*", "foo\\5cbar!*@*"),
        ] {
            assert_eq!(there(mask).as_deref(), Some(expected), "{mask}");
            assert_eq!(shown(expected), back, "{mask}");
        }
        for mask in ["*!*@127.0.0.1", "bob@example.org", "*!*@*.example.org"] {
            assert_eq!(there(mask), None, "{mask}");
        }
    }
}
