use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use super::*;

/// The public key of an RSA pair, and tokens that it has signed: ring makes no such pairs.
const RSA: &str = include_str!("rsa.json");

const FAR: u64 = 4_102_444_800;

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    fn p256() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap())
    }

    fn ed25519() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn jwk(&self, id: &str) -> Value {
        match self {
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                let x = encoded(&point[1..33]);
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": encoded(&point[33..]) })
            }
            Self::Ed25519(pair) => {
                let x = encoded(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": x })
            }
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| encoded(value.to_string().as_bytes());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = match self {
            Self::P256(pair) => {
                pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", encoded(&signature))
    }
}

fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn verifier() -> Verifier {
    Verifier {
        issuer: "https://id.example".into(),
        audience: vec!["dragoman".into(), "chat".into()],
        algorithms: vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA],
        leeway_s: 30,
    }
}

fn claims() -> Value {
    json!({ "iss": "https://id.example", "aud": "dragoman", "sub": "ann", "exp": FAR })
}

fn verify(verifier: &Verifier, token: &str, keys: &KeySet) -> Result<Claims, TokenFault> {
    let header = verifier.header(token)?;
    verifier.verify(token, &header, keys)
}

fn why(result: Result<Claims, TokenFault>) -> String {
    match result.expect_err("it is refused") {
        TokenFault::UnknownKey => "unknown key".into(),
        TokenFault::Refused(why) => why,
    }
}

#[test]
fn a_token_is_verified_by_each_kind_of_key() {
    let rsa: Value = serde_json::from_str(RSA).unwrap();
    let p256 = Pair::p256();
    let ed25519 = Pair::ed25519();
    let keys = set(&[rsa["jwk"].clone(), p256.jwk("ec"), ed25519.jwk("ed")]);
    let mut verifier = verifier();
    verifier.algorithms.push(Algorithm::PS256);
    let es256 = p256.sign(&json!({ "alg": "ES256", "kid": "ec" }), &claims());
    let eddsa = ed25519.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims());
    let text = |name: &str| rsa[name].as_str().unwrap().to_owned();
    for token in [text("RS256"), text("PS256"), es256, eddsa] {
        assert!(looks_like_token(&token));
        let claims = verify(&verifier, &token, &keys).unwrap();
        assert_eq!(claims.text("sub"), Some("ann"));
        assert_eq!(claims.text("exp"), None, "it is no text");
        let mut parts: Vec<&str> = token.split('.').collect();
        let other = encoded(json!({ "sub": "bob" }).to_string().as_bytes());
        parts[1] = &other;
        let changed = why(verify(&verifier, &parts.join("."), &keys));
        assert!(changed.contains("signature"), "{changed}");
    }
    // Without a kid, the keys of the kind are tried.
    let nameless = p256.sign(&json!({ "alg": "ES256" }), &claims());
    let several = set(&[Pair::p256().jwk("a"), p256.jwk("b")]);
    assert!(verify(&verifier, &nameless, &several).is_ok());
}

#[test]
fn a_token_is_for_here_and_now() {
    let pair = Pair::p256();
    let keys = set(&[pair.jwk("k")]);
    let with = |change: Value| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let token = pair.sign(&json!({ "alg": "ES256", "kid": "k" }), &claims);
        verify(&verifier(), &token, &keys)
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(with(json!({ "exp": now - 10 })).is_ok(), "clocks may differ");
    assert!(with(json!({ "nbf": now + 10 })).is_ok());
    assert!(with(json!({ "aud": ["other", "chat"] })).is_ok());
    for (change, said) in [
        (json!({ "exp": now - 60 }), "the token has expired"),
        (json!({ "exp": null }), "the token lacks one of"),
        (json!({ "exp": "never" }), "the token"),
        (json!({ "nbf": now + 60 }), "the token is not valid yet"),
        (json!({ "nbf": "soon" }), "the token"),
        (json!({ "iss": "https://other.example" }), "the token has another issuer"),
        (json!({ "iss": null }), "the token lacks one of"),
        (json!({ "iss": ["https://id.example"] }), "the token's issuer (iss) is not one text"),
        (json!({ "iss": ["https://other.example", "https://id.example"] }), "the token's issuer"),
        (json!({ "aud": "other" }), "the token is for another audience"),
        (json!({ "aud": [] }), "the token"),
        (json!({ "aud": null }), "the token lacks one of"),
    ] {
        let refused = why(with(change.clone()));
        assert!(refused.starts_with(said), "{change}: {refused}");
    }
}

#[test]
fn an_algorithm_that_is_not_allowed_or_not_the_keys_is_refused() {
    let pair = Pair::p256();
    let jwk = pair.jwk("k");
    let keys = set(std::slice::from_ref(&jwk));
    // No signature at all.
    for alg in ["none", "None", "NONE", ""] {
        let head = encoded(json!({ "alg": alg, "kid": "k" }).to_string().as_bytes());
        let token = format!("{head}.{}.", encoded(claims().to_string().as_bytes()));
        let refused = why(verify(&verifier(), &token, &keys));
        assert!(refused.contains("is not among algorithms"), "{refused}");
    }
    // A public key as the secret of an HMAC, even where an operator had allowed HMAC.
    for alg in ["HS256", "HS384", "HS512"] {
        let token = pair.sign(&json!({ "alg": alg, "kid": "k" }), &claims());
        assert!(why(verify(&verifier(), &token, &keys)).contains("is not among algorithms"));
        let mut lax = verifier();
        lax.algorithms.extend([Algorithm::HS256, Algorithm::HS384, Algorithm::HS512]);
        assert!(why(verify(&lax, &token, &keys)).contains("for other algorithms"));
    }
    // Of the set's key, but by the algorithm of another kind.
    let token = pair.sign(&json!({ "alg": "RS256", "kid": "k" }), &claims());
    assert!(why(verify(&verifier(), &token, &keys)).contains("for other algorithms"));
    let mut only = jwk;
    only["alg"] = "ES384".into();
    let refused = KeySet::parse(json!({ "keys": [only] }).to_string().as_bytes());
    assert!(refused.unwrap_err().starts_with("has no key that can be used"));
}

#[test]
fn an_unknown_key_is_told_from_a_wrong_signature() {
    let pair = Pair::p256();
    let token = pair.sign(&json!({ "alg": "ES256", "kid": "new" }), &claims());
    let others = set(&[Pair::p256().jwk("old"), Pair::p256().jwk("older")]);
    assert_eq!(verify(&verifier(), &token, &others), Err(TokenFault::UnknownKey));
    let namesake = set(&[Pair::p256().jwk("new")]);
    assert!(why(verify(&verifier(), &token, &namesake)).contains("signature"));
}

#[test]
fn a_set_without_a_key_that_can_be_used_is_refused() {
    for (json, why) in [
        ("", "is not a JWKS"),
        ("[]", "is not a JWKS"),
        ("{\"keys\":{}}", "is not a JWKS"),
        ("{\"keys\":[]}", "has no key that can be used among 0"),
        (
            "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}",
            "has no key that can be used among 1",
        ),
        ("{\"keys\":[{\"kty\":\"XYZ\"},7]}", "has no key that can be used among 2"),
    ] {
        let refused = KeySet::parse(json.as_bytes()).expect_err(json);
        assert!(refused.starts_with(why), "{json}: {refused}");
    }
    let mut encrypts = Pair::p256().jwk("k");
    encrypts["use"] = "enc".into();
    assert!(KeySet::parse(json!({ "keys": [encrypts] }).to_string().as_bytes()).is_err());
    // What cannot be used does not matter beside what can.
    set(&[
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
        json!({ "kty": "new" }),
        Pair::p256().jwk("k"),
    ]);
}

#[test]
fn a_password_is_not_taken_for_a_token() {
    for password in ["", "tea", "a.b.c", "eyJ9.x.y", "..", "one.two.three.four", "é.é.é"] {
        assert!(!looks_like_token(password), "{password:?}");
    }
    assert!(looks_like_token("e30.e30."), "an unsigned one is meant as a token");
}
