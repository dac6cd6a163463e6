//! Password hashes of other servers. They verify until their user signs in; then a hash of our own
//! takes their place.

use std::num::NonZeroU32;

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use md5::{Digest as _, Md5};
use ring::{digest, pbkdf2};
use subtle::ConstantTimeEq as _;

/// The greatest cost of bcrypt: about a second.
const BCRYPT_COST_MAX: u32 = 14;

/// Smaller costs of bcrypt are weak.
const BCRYPT_COST_WEAK: u32 = 8;

/// The most iterations of PBKDF2: about a second.
const ITERATIONS_MAX: u32 = 2_000_000;

/// Fewer iterations of PBKDF2 are weak.
const ITERATIONS_WEAK: u32 = 10_000;

/// Bytes of a salt, and of what PBKDF2 derives.
const SALT_BYTES_MAX: usize = 256;
const DERIVED_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// The hash of a password as another server made it.
#[derive(Debug)]
pub(crate) enum ForeignHash {
    Bcrypt {
        cost: u32,
        text: String,
    },
    Pbkdf2 {
        digest: Pbkdf2Digest,
        iterations: NonZeroU32,
        salt: Vec<u8>,
        derived: Vec<u8>,
    },
    /// One digest of the password, with a salt before or after it.
    Digest {
        algorithm: Algorithm,
        before: Vec<u8>,
        after: Vec<u8>,
        digest: Vec<u8>,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pbkdf2Digest {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

const FORMS: &str = "expected argon2id or PBKDF2 ($pbkdf2-sha256$…) as PHC strings, bcrypt ($2b$…), \
    {MD5}, {SMD5}, {SHA}, {SSHA}, {SHA256}, {SSHA256}, {SHA512}, {SSHA512}, {PBKDF2-SHA256} or \
    md5$salt$digest; see docs/ops/moving.md";

impl ForeignHash {
    /// Reads a hash. `Err`: why it is none that can be verified.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix('{') {
            let (scheme, rest) = rest.split_once('}').ok_or(FORMS)?;
            return braced(&scheme.to_ascii_uppercase(), rest);
        }
        if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            return bcrypt(text);
        }
        let parts: Vec<&str> = text.split('$').collect();
        match *parts.as_slice() {
            ["", scheme, rounds, salt, derived] => {
                let digest = match scheme {
                    "pbkdf2" | "pbkdf2-sha1" => Pbkdf2Digest::Sha1,
                    "pbkdf2-sha256" => Pbkdf2Digest::Sha256,
                    "pbkdf2-sha512" => Pbkdf2Digest::Sha512,
                    _ => return Err(FORMS.into()),
                };
                pbkdf2(digest, rounds, base64(salt)?, derived)
            }
            // As Django has them: the salt is a text.
            ["pbkdf2_sha1", rounds, salt, derived] => {
                pbkdf2(Pbkdf2Digest::Sha1, rounds, salt.into(), derived)
            }
            ["pbkdf2_sha256", rounds, salt, derived] => {
                pbkdf2(Pbkdf2Digest::Sha256, rounds, salt.into(), derived)
            }
            ["pbkdf2_sha512", rounds, salt, derived] => {
                pbkdf2(Pbkdf2Digest::Sha512, rounds, salt.into(), derived)
            }
            [scheme, salt, digest] => {
                let algorithm = Algorithm::of(scheme).ok_or(FORMS)?;
                let bytes = HEXLOWER_PERMISSIVE.decode(digest.as_bytes());
                let digest = bytes.map_err(|_| "the digest is not hexadecimal")?;
                digested(algorithm, salt.into(), Vec::new(), digest)
            }
            _ => Err(FORMS.into()),
        }
    }

    /// What it is called.
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Bcrypt { .. } => "bcrypt",
            Self::Pbkdf2 { digest: Pbkdf2Digest::Sha1, .. } => "PBKDF2-SHA1",
            Self::Pbkdf2 { digest: Pbkdf2Digest::Sha256, .. } => "PBKDF2-SHA256",
            Self::Pbkdf2 { digest: Pbkdf2Digest::Sha512, .. } => "PBKDF2-SHA512",
            Self::Digest { algorithm: Algorithm::Md5, .. } => "MD5",
            Self::Digest { algorithm: Algorithm::Sha1, .. } => "SHA-1",
            Self::Digest { algorithm: Algorithm::Sha256, .. } => "SHA-256",
            Self::Digest { algorithm: Algorithm::Sha512, .. } => "SHA-512",
        }
    }

    /// Whether the passwords of a stolen store would be found soon.
    pub(crate) fn is_weak(&self) -> bool {
        match self {
            Self::Bcrypt { cost, .. } => *cost < BCRYPT_COST_WEAK,
            Self::Pbkdf2 { iterations, .. } => iterations.get() < ITERATIONS_WEAK,
            Self::Digest { .. } => true,
        }
    }

    pub(crate) fn matches(&self, password: &str) -> bool {
        let password = password.as_bytes();
        match self {
            Self::Bcrypt { text, .. } => ::bcrypt::verify(password, text).unwrap_or(false),
            Self::Pbkdf2 { digest, iterations, salt, derived } => {
                let mut found = vec![0; derived.len()];
                pbkdf2::derive(digest.of_ring(), *iterations, salt, password, &mut found);
                found.ct_eq(derived).into()
            }
            Self::Digest { algorithm, before, after, digest } => {
                let found = algorithm.digest(&[before.as_slice(), password, after].concat());
                found.ct_eq(digest).into()
            }
        }
    }
}

impl Pbkdf2Digest {
    fn of_ring(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

impl Algorithm {
    fn of(name: &str) -> Option<Self> {
        match name {
            "md5" => Some(Self::Md5),
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let of_ring = |algorithm| digest::digest(algorithm, bytes).as_ref().to_vec();
        match self {
            Self::Md5 => Md5::digest(bytes).to_vec(),
            Self::Sha1 => of_ring(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            Self::Sha256 => of_ring(&digest::SHA256),
            Self::Sha512 => of_ring(&digest::SHA512),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A hash as LDAP servers have them: the scheme in braces, then base64.
fn braced(scheme: &str, rest: &str) -> Result<ForeignHash, String> {
    let of_pbkdf2 = |digest| match *rest.split('$').collect::<Vec<_>>().as_slice() {
        [rounds, salt, derived] => pbkdf2(digest, rounds, base64(salt)?, derived),
        _ => Err("expected iterations$salt$hash after the braces".to_owned()),
    };
    let (algorithm, salted) = match scheme {
        "CRYPT" | "BLF-CRYPT" | "BCRYPT" => return bcrypt(rest),
        "PBKDF2" | "PBKDF2-SHA1" => return of_pbkdf2(Pbkdf2Digest::Sha1),
        "PBKDF2-SHA256" => return of_pbkdf2(Pbkdf2Digest::Sha256),
        "PBKDF2-SHA512" => return of_pbkdf2(Pbkdf2Digest::Sha512),
        "MD5" => (Algorithm::Md5, false),
        "SMD5" => (Algorithm::Md5, true),
        "SHA" | "SHA1" => (Algorithm::Sha1, false),
        "SSHA" | "SSHA1" => (Algorithm::Sha1, true),
        "SHA256" => (Algorithm::Sha256, false),
        "SSHA256" => (Algorithm::Sha256, true),
        "SHA512" => (Algorithm::Sha512, false),
        "SSHA512" => (Algorithm::Sha512, true),
        _ => return Err(FORMS.into()),
    };
    let length = algorithm.bytes();
    let digits = HEXLOWER_PERMISSIVE.decode(rest.as_bytes());
    let mut digest = match digits {
        Ok(bytes) if !salted && bytes.len() == length => bytes,
        _ => base64(rest)?,
    };
    if digest.len() < length || salted == (digest.len() == length) {
        let salt = if salted { " and a salt" } else { "" };
        return Err(format!("{{{scheme}}} is followed by base64 of {length} bytes{salt}"));
    }
    let salt = digest.split_off(length);
    digested(algorithm, Vec::new(), salt, digest)
}

fn bcrypt(text: &str) -> Result<ForeignHash, String> {
    let parts: ::bcrypt::HashParts =
        text.parse().map_err(|why| format!("it is no hash of bcrypt: {why}"))?;
    let cost = parts.get_cost();
    if text.starts_with("$2x$") || !(4..=BCRYPT_COST_MAX).contains(&cost) {
        return Err(format!(
            "bcrypt is taken as $2a$, $2b$ and $2y$ of cost 4 to {BCRYPT_COST_MAX}"
        ));
    }
    Ok(ForeignHash::Bcrypt { cost, text: text.to_owned() })
}

/// `rounds` is a number, or the parameters of a PHC string.
fn pbkdf2(
    digest: Pbkdf2Digest,
    rounds: &str,
    salt: Vec<u8>,
    derived: &str,
) -> Result<ForeignHash, String> {
    let mut number = rounds;
    for parameter in rounds.split(',') {
        match parameter.split_once('=') {
            Some(("i", rounds)) => number = rounds,
            Some(("l", _)) | None => (),
            Some((other, _)) => return Err(format!("the parameter {other} of PBKDF2 is unknown")),
        }
    }
    let iterations =
        number.parse().ok().filter(|rounds: &NonZeroU32| rounds.get() <= ITERATIONS_MAX);
    let iterations =
        iterations.ok_or_else(|| format!("PBKDF2 takes 1 to {ITERATIONS_MAX} iterations"))?;
    let derived = base64(derived)?;
    if !DERIVED_BYTES.contains(&derived.len()) {
        let (least, most) = (DERIVED_BYTES.start(), DERIVED_BYTES.end());
        return Err(format!("a hash of PBKDF2 has {least} to {most} bytes"));
    }
    check_salt(&salt)?;
    Ok(ForeignHash::Pbkdf2 { digest, iterations, salt, derived })
}

fn digested(
    algorithm: Algorithm,
    before: Vec<u8>,
    after: Vec<u8>,
    digest: Vec<u8>,
) -> Result<ForeignHash, String> {
    if digest.len() != algorithm.bytes() {
        return Err(format!("the digest has {} bytes, not {}", digest.len(), algorithm.bytes()));
    }
    check_salt(&before)?;
    check_salt(&after)?;
    Ok(ForeignHash::Digest { algorithm, before, after, digest })
}

fn check_salt(salt: &[u8]) -> Result<(), String> {
    if salt.len() <= SALT_BYTES_MAX {
        return Ok(());
    }
    Err(format!("a salt has at most {SALT_BYTES_MAX} bytes"))
}

/// Base64, with or without padding; PHC strings of passlib have dots for plus signs.
fn base64(text: &str) -> Result<Vec<u8>, String> {
    let text = text.replace('.', "+");
    let encoding = if text.ends_with('=') { BASE64 } else { BASE64_NOPAD };
    encoding.decode(text.as_bytes()).map_err(|_| "it has a part that is not base64".into())
}
