//! Users and identities as an operator writes them.

use std::fmt;
use std::str::FromStr;

use core_model::bounds::{PROVEN_REALMS, PROVEN_SUBJECT_BYTES_MAX, SUBJECT_BYTES_MAX};
use core_model::{GUEST_PREFIX, Uid, UserRef};

/// The longest email address, in bytes (RFC 5321, 4.5.3.1.3), as in the ourchat dialect.
const EMAIL_BYTES_MAX: usize = 254;

/// The most digits of a telephone number, as in the chatroom dialect.
const TEL_DIGITS_MAX: usize = 20;

/// A reference to a user: `10000` is a uid, `bob` a handle, `@10000` a handle whatever it looks
/// like, and anything with a slash an identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Who {
    Uid(Uid),
    Handle(String),
    Identity(Identity),
}

impl Who {
    pub(crate) fn user_ref(&self) -> UserRef {
        match self {
            Self::Uid(uid) => UserRef::Id(*uid),
            Self::Handle(handle) => UserRef::Handle(handle.clone()),
            Self::Identity(identity) => identity.user_ref(),
        }
    }
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("expected a uid, a handle or an identity".into());
        }
        if let Some(handle) = text.strip_prefix('@') {
            return handle_of(handle);
        }
        if text.contains('/') {
            return text.parse().map(Self::Identity);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let uid = text.parse().map_err(|_| format!("{text} is too large for a uid"))?;
            return Ok(Self::Uid(Uid(uid)));
        }
        handle_of(text)
    }
}

fn handle_of(handle: &str) -> Result<Who, String> {
    if handle.is_empty() {
        return Err("a handle is missing after the @".into());
    }
    if handle.starts_with(GUEST_PREFIX) {
        return Err("a guest has no account".into());
    }
    Ok(Who::Handle(handle.to_owned()))
}

/// In a form that parses to the same value.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => uid.fmt(f),
            Self::Handle(handle) => write!(f, "@{handle}"),
            Self::Identity(identity) => identity.fmt(f),
        }
    }
}

/// An identity, `realm/subject`, in the normal form that the dialects use for lookups.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity(String);

impl Identity {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An identity as the store has it, which is in normal form.
    pub(crate) fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The part before the slash: `tel`, `email` or `openid:<type>`.
    pub fn realm(&self) -> &str {
        self.0.split_once('/').map_or("", |(realm, _)| realm)
    }

    pub(super) fn user_ref(&self) -> UserRef {
        UserRef::Identity(self.0.clone())
    }
}

impl FromStr for Identity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((realm, subject)) = text.split_once('/') else {
            return Err(format!("{text:?} is not of the form realm/subject; {FORMS}"));
        };
        let subject = match realm.split_once(':') {
            None if realm == "tel" => tel(subject)?,
            None if realm == "email" => email(subject)?,
            None if realm == "openid" => {
                return Err("an openid needs its type, as in openid:wechat/o1".into());
            }
            Some(("openid", kind)) => openid(kind, subject)?,
            None if PROVEN_REALMS.contains(&realm) => proven(subject)?,
            _ => return Err(format!("no dialect has the realm {realm:?}; {FORMS}")),
        };
        Ok(Self(format!("{realm}/{subject}")))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const FORMS: &str = "an identity is like tel/5551234, email/ann@example.org, openid:wechat/o1, \
                     http/ann, jwt/ann or cert/CN=ann";

/// The name that `auth.http` or `auth.jwt` knows a user by, or the subject of a certificate.
fn proven(subject: &str) -> Result<String, String> {
    let is_sound = !subject.is_empty() && !subject.chars().any(char::is_control);
    if !is_sound || subject.len() > PROVEN_SUBJECT_BYTES_MAX {
        return Err(format!(
            "{subject:?} cannot be a name there: expected 1 to {PROVEN_SUBJECT_BYTES_MAX} bytes \
             without control characters"
        ));
    }
    Ok(subject.to_owned())
}

/// Strips leading zeros.
fn tel(number: &str) -> Result<String, String> {
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    if number.is_empty() || !digits || number.len() > TEL_DIGITS_MAX {
        return Err(format!(
            "{number:?} is not a telephone number: expected 1 to {TEL_DIGITS_MAX} digits"
        ));
    }
    let significant = number.trim_start_matches('0');
    Ok(if significant.is_empty() { "0" } else { significant }.to_owned())
}

fn email(address: &str) -> Result<String, String> {
    let lower = address.to_lowercase();
    let sound = lower.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@')
    });
    let blank = |char: char| char.is_whitespace() || char.is_control();
    if !sound || lower.chars().any(blank) || lower.len() > EMAIL_BYTES_MAX {
        return Err(format!(
            "{address:?} is not an email address: expected one @ with text on both sides, no \
             space, and at most {EMAIL_BYTES_MAX} bytes"
        ));
    }
    Ok(lower)
}

fn openid(kind: &str, openid: &str) -> Result<String, String> {
    for (what, text) in [("type of an openid", kind), ("openid", openid)] {
        if text.is_empty() || text.len() > SUBJECT_BYTES_MAX {
            return Err(format!(
                "{text:?} is not a valid {what}: expected 1 to {SUBJECT_BYTES_MAX} bytes"
            ));
        }
    }
    Ok(openid.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Who, String> {
        text.parse()
    }

    fn identity(text: &str) -> Result<String, String> {
        text.parse().map(|Identity(text)| text)
    }

    #[test]
    fn a_user_is_a_uid_a_handle_or_an_identity() {
        let handle = |handle: &str| Ok(Who::Handle(handle.into()));
        assert_eq!(read("10000"), Ok(Who::Uid(Uid(10000))));
        assert_eq!(read("bob"), handle("bob"));
        assert_eq!(read("@bob"), handle("bob"));
        assert_eq!(read("@10000"), handle("10000"));
        assert_eq!(read("@tel/1"), handle("tel/1"));
        assert_eq!(read("茶"), handle("茶"));
        assert_eq!(read("tel/1"), Ok(Who::Identity(Identity("tel/1".into()))));
    }

    #[test]
    fn invalid_users_are_refused() {
        for text in ["", "@", "99999999999999999999", "guest:ann", "@guest:ann", "phone/1"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_user_parses_from_its_own_display() {
        for text in ["10000", "@bob", "@10000", "@tel/1", "email/ann@example.org"] {
            assert_eq!(read(text).map(|who| who.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn identities_are_normalized() {
        for (text, normal) in [
            ("tel/0155", "tel/155"),
            ("tel/000", "tel/0"),
            ("tel/99999999999999999999", "tel/99999999999999999999"),
            ("email/Ann@Example.ORG", "email/ann@example.org"),
            ("email/a/b@c", "email/a/b@c"),
            ("openid:wechat/O1", "openid:wechat/O1"),
            ("openid:a:b/c/d", "openid:a:b/c/d"),
        ] {
            assert_eq!(identity(text).as_deref(), Ok(normal));
        }
    }

    #[test]
    fn invalid_identities_are_refused_with_the_expected_form() {
        for (text, why) in [
            ("bob", "realm/subject"),
            ("tel/", "telephone number"),
            ("tel/+49155", "telephone number"),
            ("tel/１２", "telephone number"),
            ("tel/123456789012345678901", "telephone number"),
            ("email/ann", "email address"),
            ("email/a@b@c", "email address"),
            ("email/a b@c", "email address"),
            ("openid/o1", "needs its type"),
            ("openid:/o1", "type of an openid"),
            ("openid:wechat/", "not a valid openid"),
            ("phone/155", "realm \"phone\""),
            ("Tel/155", "realm \"Tel\""),
            ("/155", "realm \"\""),
        ] {
            let said = identity(text).expect_err(text);
            assert!(said.contains(why), "{text}: {said}");
        }
        let address = |bytes: usize| format!("email/{}@b", "a".repeat(bytes - 2));
        assert!(identity(&address(254)).is_ok() && identity(&address(255)).is_err());
        let openid = |bytes: usize| format!("openid:wechat/{}", "o".repeat(bytes));
        assert!(identity(&openid(255)).is_ok() && identity(&openid(256)).is_err());
    }
}
