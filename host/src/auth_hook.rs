//! What `[auth.http]` sends and reads: JSON, version 1. See docs/authentication.md.

use core_model::{GUEST_PREFIX, UserRef};
use frontend_api::schema::{self, Document, JSON_SCHEMA};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

/// A question: is this credential one of this user?
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct HookRequest<'a> {
    /// The version of this format: 1.
    pub(crate) version: u8,
    /// The front end that the client uses, by its name in gateway.toml.
    pub(crate) frontend: &'a str,
    /// Who the client says to be, as it wrote it.
    pub(crate) user: &'a str,
    pub(crate) user_kind: UserKind,
    /// The identity that the account of this name is linked to, without `http/`; absent if there is
    /// no such account, or it is linked to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<&'a str>,
    pub(crate) credential_kind: CredentialKind,
    pub(crate) credential: &'a str,
    /// The client's IP address; absent if it has none, or a proxy does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer_address: Option<String>,
}

/// What `user` is.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UserKind {
    /// A name: channel, irc.
    Handle,
    /// Digits, without leading zeros: chatroom.
    Tel,
    /// In lower case: ourchat.
    Email,
    /// An identity of the answering server's own: an ourchat client that gave the number of a linked
    /// account.
    Identity,
}

/// What `credential` is.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CredentialKind {
    Password,
    /// 64 lower-case hexadecimal digits: the SHA-256 that clients of ourchat send in place of a
    /// password, or a password of this form.
    Sha256,
}

/// An answer, with status 200. Further fields are ignored.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct HookReply {
    pub(crate) result: HookVerdict,
    /// With `allow`: who the user is, 1 to 255 bytes, always the same for one user. By default the
    /// `user` of a handle or identity, or `<user_kind>:<user>`.
    pub(crate) identity: Option<String>,
    /// With `allow`: the handle that a new account wants.
    pub(crate) handle: Option<String>,
    /// With `allow`: the display name of a new account.
    pub(crate) name: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HookVerdict {
    Allow,
    Deny,
}

impl HookRequest<'_> {
    /// Whether the question may be asked: with a handle that looks like the default identity of a
    /// number or address, its user would get the account of another. No server has a use for control
    /// characters, and some end a text at the first NUL.
    pub(crate) fn is_sound(&self) -> bool {
        let begins_with = |scheme: &str| {
            let start = self.user.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        let is_foreign = self.user_kind == UserKind::Handle && SCHEMES.into_iter().any(begins_with);
        let mut characters = self.user.chars().chain(self.credential.chars());
        !self.user.is_empty() && !is_foreign && !characters.any(char::is_control)
    }

    /// The identity of a user whose answer names none.
    pub(crate) fn default_identity(&self) -> String {
        match self.user_kind {
            UserKind::Handle | UserKind::Identity => self.user.to_owned(),
            UserKind::Tel => format!("tel:{}", self.user),
            UserKind::Email => format!("email:{}", self.user),
        }
    }
}

/// What the default identities of numbers and addresses begin with.
const SCHEMES: [&str; 2] = ["tel:", "email:"];

/// The schemas of question and answer.
pub(crate) fn schemas() -> [Document; 2] {
    let document = |name: &str, schema: schemars::Schema| Document {
        name: name.into(),
        media_type: JSON_SCHEMA.into(),
        text: schema::text_of(&schema.to_value()),
    };
    [
        document("request.json", schema_for!(HookRequest<'_>)),
        document("reply.json", schema_for!(HookReply)),
    ]
}

/// What a sign-in names its user by, for the question. `linked` is the identity that the named
/// account is linked to. `None`: no server can know it.
pub(crate) fn named<'a>(user: &'a UserRef, linked: Option<&'a str>) -> Option<(&'a str, UserKind)> {
    match user {
        UserRef::Handle(handle) if !handle.starts_with(GUEST_PREFIX) => {
            Some((handle, UserKind::Handle))
        }
        UserRef::Identity(identity) => match identity.split_once('/')? {
            ("tel", number) => Some((number, UserKind::Tel)),
            ("email", address) => Some((address, UserKind::Email)),
            _ => None,
        },
        UserRef::Id(_) => linked.map(|linked| (linked, UserKind::Identity)),
        UserRef::Handle(_)
        | UserRef::IdentityOrNew(_)
        | UserRef::Token(_)
        | UserRef::Session
        | UserRef::Claim(_) => None,
    }
}

/// What a credential is, by its form.
pub(crate) fn kind_of(credential: &str) -> CredentialKind {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if credential.len() == 64 && credential.bytes().all(is_digit) {
        CredentialKind::Sha256
    } else {
        CredentialKind::Password
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_with_control_characters_or_the_handle_of_another_kind_is_not_sound() {
        let is_sound = |user, user_kind, credential| {
            let request = HookRequest {
                version: 1,
                frontend: "irc",
                user,
                user_kind,
                account: None,
                credential_kind: kind_of(credential),
                credential,
                peer_address: None,
            };
            request.is_sound()
        };
        assert!(is_sound("ann", UserKind::Handle, "tea for two"));
        assert!(is_sound("tel", UserKind::Handle, "tea") && is_sound("茶", UserKind::Handle, ""));
        assert!(is_sound("tel:5551234", UserKind::Identity, "tea"));
        for user in ["", "tel:5551234", "Tel:1", "email:ann@example.org", "ann\0", "a\nb"] {
            assert!(!is_sound(user, UserKind::Handle, "tea"), "{user:?}");
        }
        for credential in ["tea\0", "\n", "\u{85}"] {
            assert!(!is_sound("ann", UserKind::Handle, credential), "{credential:?}");
        }
    }
}
