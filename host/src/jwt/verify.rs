//! What a token says, once it is verified.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};

use super::keys::KeySet;
use super::provider;

/// What tokens must be like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Verifier {
    pub(crate) issuer: String,
    /// One of them must be among the audience of a token.
    pub(crate) audience: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    /// How far the clocks of issuer and gateway may differ, in seconds.
    pub(crate) leeway_s: u64,
}

/// Why a token is not accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum TokenFault {
    /// The set has no key of its `kid`: it may be newer than the set.
    UnknownKey,
    /// For the operator, without the token: "the token has expired".
    Refused(String),
}

/// The claims of a verified token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// A claim that is a text and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// When the token expires, in milliseconds of Unix time. Every verified token has the claim.
    pub(crate) fn expires_ms(&self) -> u64 {
        let seconds = self.0.get("exp").and_then(Value::as_f64).unwrap_or_default();
        (seconds * 1_000.0) as u64
    }
}

/// What tells which key a token is signed with. Nothing of it is verified.
pub(crate) struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
}

/// Whether a credential is meant as a token: three parts of base64url, with a JSON object as the
/// first.
pub(crate) fn looks_like_token(credential: &str) -> bool {
    let mut parts = credential.split('.');
    let header = parts.next().unwrap_or_default();
    let is_base64 = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    parts.clone().count() == 2 && parts.all(is_base64) && header_fields(header).is_some()
}

fn header_fields(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?).ok()
}

impl Verifier {
    /// Reads what names a token's key. Refused: an algorithm that is not among `algorithms`, `none`
    /// among them.
    pub(crate) fn header(&self, token: &str) -> Result<Header, TokenFault> {
        let part = token.split('.').next().unwrap_or_default();
        let fields = header_fields(part).ok_or_else(|| refused("the token has no header"))?;
        let named = fields.get("alg").and_then(Value::as_str).unwrap_or_default();
        let algorithm = named.parse().ok().filter(|alg| self.algorithms.contains(alg));
        let algorithm = algorithm.ok_or_else(|| {
            let named: String = named.chars().take(16).collect();
            refused(&format!("the token's algorithm {named:?} is not among algorithms"))
        })?;
        let key_id = fields.get("kid").and_then(Value::as_str).map(str::to_owned);
        Ok(Header { algorithm, key_id })
    }

    /// The claims of a token, if one of the keys has signed it and it is for here and now.
    pub(crate) fn verify(
        &self,
        token: &str,
        header: &Header,
        keys: &KeySet,
    ) -> Result<Claims, TokenFault> {
        provider::install();
        let key_id = header.key_id.as_deref();
        if key_id.is_some_and(|id| !keys.has(id)) {
            return Err(TokenFault::UnknownKey);
        }
        let validation = self.validation(header.algorithm);
        let mut fault = match key_id {
            Some(_) => refused("the token's key is for other algorithms"),
            // A new key may be one of a kind that the set did not have.
            None => TokenFault::UnknownKey,
        };
        for key in keys.candidates(key_id, header.algorithm) {
            match jsonwebtoken::decode::<Map<String, Value>>(token, key, &validation) {
                // The library takes a list of issuers, too.
                Ok(token) if !token.claims.get("iss").is_some_and(Value::is_string) => {
                    return Err(refused("the token's issuer (iss) is not one text"));
                }
                Ok(token) => return Ok(Claims(token.claims)),
                Err(error) => {
                    let is_signed = !matches!(error.kind(), ErrorKind::InvalidSignature);
                    fault = refused(words(error.kind()));
                    if is_signed {
                        break;
                    }
                }
            }
        }
        Err(fault)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&self.audience);
        validation.validate_nbf = true;
        validation.leeway = self.leeway_s;
        validation
    }
}

fn refused(why: &str) -> TokenFault {
    TokenFault::Refused(why.into())
}

/// Why jsonwebtoken refused a token, in words that have nothing of it.
fn words(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "the token's signature is not one of its key",
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet (nbf)",
        ErrorKind::InvalidIssuer => "the token has another issuer (iss)",
        ErrorKind::InvalidAudience => "the token is for another audience (aud)",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks one of exp, iss and aud",
        _ => "the token is malformed",
    }
}
