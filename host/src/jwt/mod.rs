//! JSON Web Tokens (RFC 7519) of another server: its keys, and what its tokens say. No I/O here.

mod keys;
mod provider;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use jsonwebtoken::Algorithm;

pub(crate) use keys::{JWKS_BYTES_MAX, KeySet};
pub(crate) use verify::{Claims, Header, TokenFault, Verifier, looks_like_token};
