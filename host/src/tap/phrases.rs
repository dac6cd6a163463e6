//! Texts with secrets in them that no field tells of: one rule for every carrier, be it a text of JSON, a
//! field of a form, a parameter of a line, a path or a header.
//!
//! It masks too much rather than too little; but a sentence that only has the word stays.

use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization as _;

use super::MASK;
use super::credentials::{has_userinfo, is_bouncer_login, looks_random};
use super::names::{SecretNames, is_name_of_secret};

/// Services of other networks, to which clients send passwords by habit.
pub(super) const SERVICES: [&str; 13] = [
    "authserv", "botserv", "chanserv", "hostserv", "memoserv", "nickserv", "ns", "operserv", "q",
    "saslserv", "userserv", "x", "x3",
];

/// The longest name of a service that is also anything else.
const SHORT_SERVICE_BYTES: usize = 2;

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

/// Schemes of `Authorization`, before what they prove.
const SCHEMES: [&str; 4] = ["basic", "bearer", "digest", "negotiate"];

/// Words for a secret in other languages, in lower case. Some are written without a space behind them.
const FOREIGN_NAMES: [&str; 20] = [
    "clave",
    "contrasena",
    "contraseña",
    "hasło",
    "heslo",
    "kennwort",
    "parola",
    "salasana",
    "senha",
    "wachtwoord",
    "пароль",
    "口令",
    "密码",
    "密碼",
    "密钥",
    "密鑰",
    "令牌",
    "暗号",
    "パスワード",
    "비밀번호",
];

/// Between the name of a secret and its value.
const SEPARATORS: [char; 3] = [':', '=', '>'];

/// What may stand before such a separator, and is no part of the name.
const QUOTES: [char; 9] = ['"', '\'', '`', '\\', '“', '”', '*', '-', '?'];

/// Words between the name of a secret and its value.
const COPULAS: [&str; 9] = ["be", "is", "was", "to", "ist", "est", "es", "是", "为"];

/// Words that follow the name of a secret in a sentence that does not show it.
const REMARKS: [&str; 27] = [
    "a",
    "an",
    "changed",
    "empty",
    "error",
    "expired",
    "failed",
    "for",
    "in",
    "incorrect",
    "invalid",
    "missing",
    "needed",
    "no",
    "not",
    "on",
    "required",
    "reset",
    "safe",
    "set",
    "successful",
    "successfully",
    "the",
    "too",
    "weak",
    "what",
    "wrong",
];

/// The most words of a text that is a command rather than a sentence.
const COMMAND_WORDS_MAX: usize = 3;

/// What ends a line, or what a client takes for its end.
const LINE_ENDS: [char; 3] = ['\n', '\r', '\0'];

/// Marks that make a word a command.
const COMMAND_MARKS: [char; 5] = ['/', ':', '.', '!', '\\'];

/// What else stands before a word.
const OTHER_MARKS: [char; 7] = ['-', '(', '"', '\'', '`', '<', '*'];

/// What is percent-encoded more often than this is read so far.
const ENCODINGS_MAX: usize = 3;

/// A path, without what belongs into a query: parameters of a segment, a question mark that came
/// percent-encoded, and what was encoded twice or has a line end; and without what follows the name of a
/// secret.
pub(super) fn mask_path(path: &str, masked: &mut bool) -> String {
    let ends_path = |char: char| matches!(char, ';' | '?' | '&' | '=' | '%') || char.is_control();
    let (shown, rest) = path.split_at(path.find(ends_path).unwrap_or(path.len()));
    let named = behind_name(shown);
    if has_secret(&shown[..named.unwrap_or(shown.len())]) {
        *masked = true;
        return format!("/{MASK}");
    }
    if let Some(end) = named {
        *masked = true;
        return format!("{}{MASK}", &shown[..end]);
    }
    if rest.is_empty() {
        return path.to_owned();
    }
    *masked = true;
    let mark = rest.chars().next().filter(|char| !char.is_control());
    format!("{shown}{}{MASK}", mark.map(String::from).unwrap_or_default())
}

/// Where the value of a secret begins in a path: behind a segment with its name.
fn behind_name(path: &str) -> Option<usize> {
    let mut begin = 0;
    for segment in path.split('/') {
        let end = begin + segment.len() + 1;
        let is_word = !segment.contains(|char: char| char.is_ascii_punctuation() && char != '_');
        // `/auth/login` is a path of a dialect, and proves nothing.
        if end < path.len() && is_word && segment != "auth" && is_name(segment) {
            return Some(end);
        }
        begin = end;
    }
    None
}

/// Whether a text has a secret: a command with one, of a client or for a service; a pair of its name and
/// value; a header or a URL with one. Each was typed where others read it, or sent along with something
/// else.
pub(super) fn has_secret(text: &str) -> bool {
    is_true_of_a_decoding(text, |text| {
        text.split(LINE_ENDS).any(has_secret_line) || has_secret_pair(text)
    })
}

/// The same with what one front end calls its secrets.
pub(super) fn has_secret_of(names: &SecretNames, text: &str) -> bool {
    let is_secret = |part: &str| {
        let pair = part.split_once(['=', ':']);
        pair.is_some_and(|(name, value)| names.secrecy(name.trim()).hides(value.trim()))
    };
    has_secret(text)
        || is_true_of_a_decoding(text, |text| {
            text.split(LINE_ENDS).flat_map(|line| line.split(['&', ';', '?'])).any(is_secret)
        })
}

/// Whether it is true of the text, or of what it is percent-encoded.
fn is_true_of_a_decoding(text: &str, is_true: impl Fn(&str) -> bool) -> bool {
    let mut text = plain(text);
    for _ in 0..ENCODINGS_MAX {
        if is_true(&text) {
            return true;
        }
        let decoded = percent_decode_str(&text).decode_utf8_lossy();
        if decoded == text {
            return false;
        }
        text = plain(&decoded);
    }
    true
}

/// The text in the letters that names are compared in: full-width ones as the others, and without those
/// that are not seen.
fn plain(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let is_unseen = |char: &char| {
        matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(char, '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.nfkc().filter(|char| !is_unseen(char)).collect()
}

fn is_name(word: &str) -> bool {
    is_name_of_secret(word) || FOREIGN_NAMES.contains(&word.to_lowercase().as_str())
}

fn has_secret_line(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    begins_with_command(&words)
        || words.iter().any(|word| has_userinfo(word) || has_path(word))
        || (0..words.len()).any(|at| is_command_within(&words[at..]))
}

/// Whether a line is a command with a secret behind it.
fn begins_with_command(words: &[&str]) -> bool {
    let [first, rest @ ..] = words else { return false };
    // `NickServ:identify x`, and `:PASS x`.
    let (marks, bare) = split_marks(first);
    let is_path = bare.contains('/');
    let bare = bare.trim_end_matches(|char: char| !char.is_alphanumeric());
    let (bare, behind) = bare.split_once(':').unwrap_or((bare, ""));
    let behind = (!behind.is_empty()).then_some(behind);
    let rest: Vec<&str> = behind.into_iter().chain(rest.iter().copied()).collect();
    let [second, ..] = rest[..] else { return false };
    let word = bare.to_ascii_lowercase();
    let is_marked = marks.contains(COMMAND_MARKS) && !is_path;
    let is_slashed = is_marked && marks.starts_with('/') && !word.is_empty();
    let is_capital = bare.len() > 1 && !bare.contains(char::is_lowercase);
    let is_remark = rest.len() == 1 && REMARKS.contains(&second);
    let is_everyday = EVERYDAY_COMMANDS.contains(&word.as_str())
        && (is_marked || is_capital || rest.len() < COMMAND_WORDS_MAX)
        && !is_remark;
    let sets = ["set", "change"].contains(&word.as_str()) && is_name(second);
    is_slashed
        || is_everyday
        || (sets && rest.len() > 1)
        || COMMANDS.contains(&word.as_str())
        || (SERVICES.contains(&word.as_str()) && word.len() > SHORT_SERVICE_BYTES)
        || (is_service_call(&word, &rest) && !REMARKS.contains(&rest[1]))
        || (word == "user" && is_bouncer_login(second))
}

/// Whether a service gets a command with something behind it.
fn is_service_call(service: &str, rest: &[&str]) -> bool {
    let [command, _, ..] = rest else { return false };
    let command = split_marks(command).1.to_ascii_lowercase();
    SERVICES.contains(&service) && is_command(&command)
}

fn is_command(word: &str) -> bool {
    COMMANDS.contains(&word) || EVERYDAY_COMMANDS.contains(&word)
}

/// Whether these words of a sentence begin with a command that is meant as one, or with the name of a
/// secret and what looks like one.
fn is_command_within(words: &[&str]) -> bool {
    let [first, second, ..] = words else { return false };
    let (marks, bare) = split_marks(first);
    let bare = bare.trim_end_matches(|char: char| !char.is_alphanumeric());
    let word = bare.to_lowercase();
    let (service, behind) = word.split_once(':').unwrap_or((&word, ""));
    let is_long = service.len() > SHORT_SERVICE_BYTES || !marks.is_empty();
    let is_call = match behind {
        "" => is_service_call(service, &words[1..]),
        behind => SERVICES.contains(&service) && is_command(behind),
    };
    let is_long = is_long || COMMANDS.contains(&second.to_ascii_lowercase().as_str());
    let is_capital = bare.len() > 2 && !bare.contains(char::is_lowercase);
    let is_typed = is_command(&word) && (is_capital || marks.contains('/'));
    let is_option = marks.starts_with('-') && is_name(bare);
    let is_login = ["u", "user"].contains(&bare) && marks.starts_with('-');
    let proves = SCHEMES.contains(&word.as_str()) && looks_random(second);
    let is_bearer = word == "bearer" && *second != "of";
    (is_call && is_long)
        || is_typed
        || is_option
        || (is_login && second.contains(':'))
        || (word == "user" && is_bouncer_login(second))
        || proves
        || is_bearer
        || ((is_command(&word) || is_name(&word)) && looks_random(second))
        || tells(&word, &words[1..])
}

/// Whether words behind the name of a secret tell it: `is s3cret`.
fn tells(name: &str, rest: &[&str]) -> bool {
    let [copula, value, ..] = rest else { return false };
    let value = value.trim_matches(|char: char| !char.is_alphanumeric()).to_lowercase();
    is_name(name)
        && COPULAS.contains(&copula.to_lowercase().as_str())
        && !REMARKS.contains(&value.as_str())
}

/// Whether a word is a path or URL with the value of a secret behind its name.
fn has_path(word: &str) -> bool {
    word.split(|char: char| !char.is_alphanumeric() && !"/-_.~%".contains(char))
        .filter(|part| part.starts_with('/'))
        .any(|path| behind_name(path).is_some())
}

/// The marks that make a word a command or an option, and the word.
fn split_marks(word: &str) -> (&str, &str) {
    let is_mark = |char| COMMAND_MARKS.contains(&char) || OTHER_MARKS.contains(&char);
    word.split_at(word.len() - word.trim_start_matches(is_mark).len())
}

/// Whether the name of a secret and its value are anywhere in it, as in `my password: s3cret`,
/// `"token":"s3cret"` or `PASS=s3cret`.
fn has_secret_pair(text: &str) -> bool {
    let has_value = |rest: &str| rest.contains(char::is_alphanumeric) || has_symbols(rest);
    let mut pairs = text.match_indices(SEPARATORS);
    pairs.any(|(at, separator)| {
        let (before, rest) = (&text[..at], &text[at + separator.len()..]);
        is_secret_name_at_end(before) && has_value(rest)
    }) || FOREIGN_NAMES.iter().any(|name| {
        // Where no spaces are written: `密码是abc`.
        let is_value = |char: char| char.is_ascii_alphanumeric();
        let spaced = |char: char| char.is_whitespace() || matches!(char, '是' | '为' | '為' | 'は');
        !name.is_ascii()
            && text.match_indices(name).any(|(at, name)| {
                text[at + name.len()..].trim_start_matches(spaced).starts_with(is_value)
            })
    })
}

/// A value may be of signs alone.
fn has_symbols(rest: &str) -> bool {
    rest.chars().filter(|char| !char.is_whitespace()).count() > 3
}

fn is_secret_name_at_end(before: &str) -> bool {
    let before = before.trim_end_matches(|char: char| {
        char.is_whitespace() || QUOTES.contains(&char) || SEPARATORS.contains(&char)
    });
    // `password[0]=x`, `user[pwd]=x`.
    let before = before.trim_end_matches([']', ')']);
    let is_part = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.' | '[');
    let begin = before.char_indices().rev().take_while(|(_, char)| is_part(*char)).last();
    let name = begin.map_or("", |(at, _)| &before[at..]);
    name.split(['[', '.']).any(is_name) || FOREIGN_NAMES.iter().any(|it| name.ends_with(it))
}
