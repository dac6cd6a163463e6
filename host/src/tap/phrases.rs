//! Texts with secrets in them that no field tells of.

use super::MASK;

/// Services of other networks, to which clients send passwords by habit.
pub(super) const SERVICES: [&str; 13] = [
    "authserv", "botserv", "chanserv", "hostserv", "memoserv", "nickserv", "ns", "operserv", "q",
    "saslserv", "userserv", "x", "x3",
];

/// What clients send to such a service with a password; also typed into a channel by mistake.
const SERVICE_WORDS: [&str; 4] = ["ghost", "identify", "recover", "regain"];

/// A path, without what belongs into a query: parameters of a segment, and a question mark that came
/// percent-encoded.
pub(super) fn mask_path(path: &str, masked: &mut bool) -> String {
    match path.find([';', '?', '&', '=']) {
        Some(at) => {
            *masked = true;
            format!("{}{MASK}", &path[..=at])
        }
        None => path.to_owned(),
    }
}

/// Whether a text is what clients send to services with a password, or a command of a client, which was typed
/// into a room by mistake.
pub(super) fn is_told_to_services(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    let word = first.trim_start_matches(|char: char| !char.is_alphanumeric()).to_ascii_lowercase();
    let is_command = first.starts_with('/') && !word.is_empty() && !first[1..].contains('/');
    is_command
        || SERVICE_WORDS.contains(&word.as_str())
        || (SERVICES.contains(&word.as_str()) && word.len() > 2)
}
