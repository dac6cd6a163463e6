//! An issuer of tokens: P-256 keys, and what is signed with them.

use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

pub(super) const ISSUER: &str = "https://id.example";
pub(super) const AUDIENCE: &str = "dragoman";

/// In the year 2100.
const FAR: u64 = 4_102_444_800;

pub(super) struct Key {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    pub(super) fn new(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
        Self { id, pair }
    }

    /// A token for this subject, with further claims in place of the usual ones.
    pub(super) fn token(&self, subject: &str, more: Value) -> String {
        self.signed(&json!({ "alg": "ES256", "kid": self.id }), subject, more)
    }

    pub(super) fn signed(&self, header: &Value, subject: &str, more: Value) -> String {
        let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": FAR });
        let Value::Object(more) = more else { panic!("claims are an object") };
        claims.as_object_mut().expect("it is one").extend(more);
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let message = format!("{}.{}", part(header), part(&claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("it signs");
        format!("{message}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

pub(super) fn jwks(keys: &[&Key]) -> Value {
    let jwk = |key: &&Key| {
        let point = key.pair.public_key().as_ref();
        let coordinate = |range| BASE64URL_NOPAD.encode(&point[range]);
        json!({
            "kty": "EC", "crv": "P-256", "kid": key.id,
            "x": coordinate(1..33), "y": coordinate(33..65),
        })
    };
    json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() })
}
