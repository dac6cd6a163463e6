//! Words that are credentials by their form.

/// A word with fewer letters and digits is not taken for a random one.
const RANDOM_CHARS_MIN: usize = 4;

/// Addresses that have a user before the `@` and no password.
const MAIL_SCHEMES: [&str; 6] = ["acct", "mailto", "sip", "sips", "xmpp", "im"];

/// Whether a word has a user and a password before a host: `http://ann:s3cret@host/`, `ann:s3cret@host`.
pub(super) fn has_userinfo(word: &str) -> bool {
    // A path may have a URL in it, and a password a slash.
    let mut urls = word.split("://");
    let is_address = urls.next().is_some_and(has_password);
    is_address
        || urls.any(|behind| {
            let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
            authority.contains('@') || has_password(behind)
        })
}

/// Whether it is `user:password@host`.
fn has_password(word: &str) -> bool {
    let Some((user, rest)) = word.split_once(':') else { return false };
    let Some((password, host)) = rest.rsplit_once('@') else { return false };
    let user = user.trim_start_matches(|char: char| !char.is_alphanumeric());
    !user.is_empty()
        && !password.is_empty()
        && host.starts_with(|char: char| char.is_alphanumeric() || char == '[')
        && !MAIL_SCHEMES.iter().any(|scheme| user.eq_ignore_ascii_case(scheme))
}

/// Whether it is the user of a bouncer with a password: `ann/net:s3cret`, `ann:s3cret`.
pub(super) fn is_bouncer_login(word: &str) -> bool {
    word.split_once(':').is_some_and(|(user, password)| !user.is_empty() && !password.is_empty())
}

/// Whether a word is hardly of a language: letters with digits or signs among them, or capitals.
pub(super) fn looks_random(word: &str) -> bool {
    let word = word.trim_matches(|char: char| !char.is_alphanumeric());
    let count = |is: fn(&char) -> bool| word.chars().filter(is).count();
    let (letters, digits) = (count(|char| char.is_alphabetic()), count(|char| char.is_numeric()));
    let has_capital = word.chars().skip(1).any(char::is_uppercase);
    let signs = count(|char| !char.is_alphanumeric() && !matches!(char, '\'' | '’' | '-' | '/'));
    letters + digits >= RANDOM_CHARS_MIN
        && ((letters > 0 && digits > 0)
            || (has_capital && letters != count(|char| char.is_uppercase()))
            || signs > 1)
}
