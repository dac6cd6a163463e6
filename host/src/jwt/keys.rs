//! Sets of public keys: JWKS (RFC 7517, section 5).

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// A set: public servers have a few kilobytes.
pub(crate) const JWKS_BYTES_MAX: usize = 256 * 1024;

/// Keys of a set; each token without a `kid` may be tried with some of them.
const KEYS_MAX: usize = 100;

/// The public keys of an issuer.
#[derive(Clone, Debug)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    /// The algorithms that it may be used with.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a set. Keys for other purposes, and of kinds that are not known, are left out; so are
    /// symmetric ones (`oct`), with which tokens could be made as well. `Err`: a fragment such as
    /// "is not a JWKS".
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        let not_jwks = "is not a JWKS: expected a JSON object with a list \"keys\"";
        let mut set: Value = serde_json::from_slice(json).map_err(|_| not_jwks)?;
        let Some(Value::Array(keys)) = set.get_mut("keys").map(Value::take) else {
            return Err(not_jwks.into());
        };
        if keys.len() > KEYS_MAX {
            return Err(format!("has more than {KEYS_MAX} keys"));
        }
        let found = keys.len();
        let keys: Vec<Key> = keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(format!(
                "has no key that can be used among {found}: expected RSA, P-256, P-384 or Ed25519 \
                 keys that sign"
            ));
        }
        Ok(Self(keys))
    }

    /// The keys that may have signed a token: those of its `kid`; without one, all for the
    /// algorithm.
    pub(super) fn candidates<'a>(
        &'a self,
        id: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a DecodingKey> {
        let is_meant = move |key: &&Key| id.is_none_or(|id| key.id.as_deref() == Some(id));
        let fits = move |key: &&Key| key.algorithms.contains(&algorithm);
        self.0.iter().filter(is_meant).filter(fits).map(|key| &key.key)
    }

    /// Whether it has a key of this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }
}

impl Key {
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let signs = !matches!(
            jwk.common.public_key_use,
            Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_))
        );
        let mut algorithms = algorithms(&jwk.algorithm)?;
        if let Some(only) = jwk.common.key_algorithm {
            let only: Algorithm = only.to_string().parse().ok()?;
            algorithms.retain(|algorithm| *algorithm == only);
        }
        if !signs || algorithms.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithms, key })
    }
}

/// The algorithms that a kind of key is for: one never verifies with another kind's.
fn algorithms(parameters: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    Some(match parameters {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
            EllipticCurve::P256 => vec![ES256],
            EllipticCurve::P384 => vec![ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(parameters) => match parameters.curve {
            EllipticCurve::Ed25519 => vec![EdDSA],
            _ => return None,
        },
        _ => return None,
    })
}
