//! The proofs that a client is the user that it names.

use std::borrow::Cow;
use std::fmt;

use core_model::{Claim, TokenHash, UserRef};
use frontend_api::Peer;
use frontend_api::http::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{COOKIE, Chatroom, Options, TOKEN_PURPOSE};

/// Whether a login counts for the client's address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignInByAddress {
    /// `false`
    Never,
    /// `"once"`: for one join under that very name. After it the connection is the proof.
    Once,
    /// `true`: for everyone at that address.
    Always,
}

impl Serialize for SignInByAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Never => serializer.serialize_bool(false),
            Self::Once => serializer.serialize_str("once"),
            Self::Always => serializer.serialize_bool(true),
        }
    }
}

impl<'de> Deserialize<'de> for SignInByAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = SignInByAddress;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or `once`")
            }
            fn visit_bool<E>(self, always: bool) -> Result<SignInByAddress, E> {
                Ok(if always { SignInByAddress::Always } else { SignInByAddress::Never })
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SignInByAddress, E> {
                let unexpected = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                (text == "once").then_some(SignInByAddress::Once).ok_or_else(unexpected)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for SignInByAddress {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SignInByAddress".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "enum": [true, false, "once"] })
    }
}

/// The proofs that a peer has for the names it uses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proof {
    pub(crate) token: Option<TokenHash>,
    address: Option<String>,
    /// How much must remain of the address's grant, in milliseconds; 0: anything.
    address_left_min_ms: u64,
}

impl Proof {
    /// Whether the address counts for one entrance.
    pub(crate) fn counts_once(&self) -> bool {
        self.address.is_some() && self.address_left_min_ms > 0
    }

    /// The same, where the address counts as long as the login does.
    pub(crate) fn however_old(self) -> Self {
        Self { address_left_min_ms: 0, ..self }
    }
}

impl Chatroom {
    pub(crate) fn proof(&self, peer: &Peer, request: &Request) -> Proof {
        let token = request.cookie(COOKIE).map(|token| TokenHash::of(TOKEN_PURPOSE, token));
        let address_left_min_ms = match self.sign_in_by_address(peer) {
            SignInByAddress::Once => {
                let Options { sign_in_ttl, sign_in_once_ttl, .. } = &self.options;
                sign_in_ttl.0.saturating_sub(sign_in_once_ttl.0).max(1)
            }
            SignInByAddress::Never | SignInByAddress::Always => 0,
        };
        Proof { token, address: self.sign_in_address(peer), address_left_min_ms }
    }

    /// The peer's address, if signing in by it counts.
    pub(crate) fn sign_in_address(&self, peer: &Peer) -> Option<String> {
        let counts = self.sign_in_by_address(peer) != SignInByAddress::Never;
        counts.then(|| peer.address.clone())
    }

    /// Behind a proxy every client may have the same address.
    fn sign_in_by_address(&self, peer: &Peer) -> SignInByAddress {
        match self.options.sign_in_by_address {
            _ if peer.proxied => SignInByAddress::Never,
            Some(configured) => configured,
            // A proxy on this machine that adds no header makes every client look local: a login is
            // then good for one join within a minute, not for every client.
            None if peer.private_listener => SignInByAddress::Once,
            None => SignInByAddress::Never,
        }
    }

    pub(crate) fn claim(&self, name: String, proof: Proof) -> UserRef {
        claim(name, proof, self.options.guests)
    }

    /// The account of this name, if the proof is for it.
    pub(crate) fn own_account(&self, name: String, proof: Proof) -> UserRef {
        claim(name, proof, false)
    }
}

fn claim(name: String, proof: Proof, guests: bool) -> UserRef {
    let Proof { token, address, address_left_min_ms } = proof;
    UserRef::Claim(Claim { name, token, address, address_left_min_ms, guests })
}
