//! Texts with secrets in them that no field tells of.

use super::MASK;
use super::names::is_name_of_secret;

/// Services of other networks, to which clients send passwords by habit.
pub(super) const SERVICES: [&str; 13] = [
    "authserv", "botserv", "chanserv", "hostserv", "memoserv", "nickserv", "ns", "operserv", "q",
    "saslserv", "userserv", "x", "x3",
];

/// Commands with a secret behind them, of clients and services; also typed into a room by mistake.
const COMMANDS: [&str; 12] = [
    "auth",
    "authenticate",
    "ghost",
    "identify",
    "newpass",
    "oper",
    "passwd",
    "recover",
    "regain",
    "resetpass",
    "setpass",
    "sidentify",
];

/// The same, which are words of sentences as well.
const EVERYDAY_COMMANDS: [&str; 10] = [
    "drop", "login", "logon", "pass", "password", "pwd", "register", "release", "signin", "signup",
];

/// Ends of names before the value of a secret.
const PAIR_NAMES: [&str; 7] = ["api_key", "apikey", "passwd", "password", "pwd", "secret", "token"];

/// The most words of a text that is a command rather than a sentence.
const COMMAND_WORDS_MAX: usize = 3;

/// What servers say behind such a word.
const RESULTS: [&str; 8] =
    ["error", "expired", "failed", "incorrect", "required", "successful", "successfully", "wrong"];

/// A path, without what belongs into a query: parameters of a segment, a question mark that came
/// percent-encoded, and what was encoded twice or has a line end.
pub(super) fn mask_path(path: &str, masked: &mut bool) -> String {
    let ends_path = |char: char| matches!(char, ';' | '?' | '&' | '=' | '%') || char.is_control();
    match path.find(ends_path) {
        Some(at) => {
            *masked = true;
            let end = if path[at..].starts_with(char::is_control) { at } else { at + 1 };
            format!("{}{MASK}", &path[..end])
        }
        None => path.to_owned(),
    }
}

/// Whether a text has a command with a secret, of a client or for a service, which was typed where others
/// read it: a first word that is one, and something behind it.
pub(super) fn has_secret(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().take(COMMAND_WORDS_MAX + 1).collect();
    let [first, second, ..] = words[..] else { return has_secret_pair(text) };
    let word = first.trim_matches(|char: char| !char.is_alphanumeric()).to_ascii_lowercase();
    let is_marked = first.starts_with(['/', ':', '.', '!', '\\']) && !first[1..].contains('/');
    let is_slashed = is_marked && first.starts_with('/') && !word.is_empty();
    let is_capital = first.len() > 1 && !first.contains(char::is_lowercase);
    let is_everyday = EVERYDAY_COMMANDS.contains(&word.as_str())
        && (is_marked || is_capital || words.len() <= COMMAND_WORDS_MAX)
        && !(words.len() == 2 && RESULTS.contains(&second));
    let sets = ["set", "change"].contains(&word.as_str()) && is_name_of_secret(second);
    is_slashed
        || is_everyday
        || (sets && words.len() > 2)
        || COMMANDS.contains(&word.as_str())
        || (SERVICES.contains(&word.as_str()) && word.len() > 2)
        || has_secret_pair(text)
}

/// Whether it begins with the name of a secret and its value, as in `password: s3cret`.
fn has_secret_pair(text: &str) -> bool {
    text.trim_start().split_once([':', '=']).is_some_and(|(name, value)| {
        let name = name.trim_end().to_ascii_lowercase();
        let is_word = name.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '-'));
        let is_secret = PAIR_NAMES.iter().any(|end| name.ends_with(end));
        is_word && is_secret && !value.trim().is_empty()
    })
}
