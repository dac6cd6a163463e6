//! Secrets and signatures.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use ring::hmac;

/// Secrets of a webhook at one time: the present one, and former ones while receivers change over.
pub const SECRETS_MAX: usize = 4;

/// What secrets begin with. It is not part of the key.
const PREFIX: &str = "whsec_";

/// The least and the most bytes of a key: "between 24 bytes (192 bits) and 64 bytes (512 bits)".
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that requests are signed with.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Messages do not show the secret.
impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let encoded = text.strip_prefix(PREFIX).unwrap_or(text);
        let advice = "make one with: echo whsec_$(openssl rand -base64 32)";
        let key = BASE64
            .decode(encoded.as_bytes())
            .map_err(|_| format!("is not whsec_ and base64; {advice}"))?;
        if KEY_BYTES.contains(&key.len()) {
            return Ok(Self(key));
        }
        let (least, most) = (KEY_BYTES.start(), KEY_BYTES.end());
        Err(format!("has {} bytes instead of {least} to {most}; {advice}", key.len()))
    }
}

/// The value of the header `webhook-signature`: one signature of `{id}.{timestamp}.{body}` for each
/// secret, with blanks between them.
pub fn signatures(secrets: &[Secret], id: &str, timestamp: u64, body: &[u8]) -> String {
    let sign = |secret: &Secret| {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &secret.0));
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64.encode(context.sign().as_ref()))
    };
    secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of the specification's own libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signed = signatures(
            &[secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_short_long_or_not_base64_is_refused_without_being_shown() {
        let wrong = |text: &str| text.parse::<Secret>().expect_err(text);
        assert!(wrong("whsec_c2hvcnQ=").starts_with("has 5 bytes instead of 24 to 64"));
        assert!(wrong("").starts_with("has 0 bytes"));
        assert!(wrong("whsec_").starts_with("has 0 bytes"));
        let long = format!("whsec_{}", BASE64.encode(&[7; 65]));
        assert!(wrong(&long).starts_with("has 65 bytes"));
        assert!(wrong("whsec_not base64!").starts_with("is not whsec_ and base64"));
        assert!(!wrong("whsec_not base64!").contains("not base64!"));
        let plain = BASE64.encode(&[7; 24]);
        assert_eq!(plain.parse::<Secret>(), format!("whsec_{plain}").parse());
    }
}
