//! `api_keys`: who may use an HTTP front end.

use core_model::TokenHash;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

/// The keys as hashes: comparing hashes takes the same time wherever two keys differ.
pub(crate) struct ApiKeys {
    hashes: Vec<TokenHash>,
}

const PURPOSE: &str = "api key";

impl ApiKeys {
    pub(crate) fn new(keys: &[String]) -> Self {
        Self { hashes: keys.iter().map(|key| TokenHash::of(PURPOSE, key)).collect() }
    }

    /// Whether a request with these headers carries a key, or no key is configured.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        self.hashes.is_empty() || presented(headers).any(|key| self.knows(key))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    fn knows(&self, key: &str) -> bool {
        self.hashes.contains(&TokenHash::of(PURPOSE, key))
    }
}

fn presented(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let texts = |name: &str| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let bearer = texts(AUTHORIZATION.as_str()).filter_map(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    texts("x-api-key").map(str::trim).chain(bearer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(keys: &[&str], name: &'static str, value: &str) -> bool {
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        ApiKeys::new(&keys).admit(&headers)
    }

    #[test]
    fn a_key_is_taken_from_either_header() {
        assert!(admitted(&["k1", "k2"], "x-api-key", "k2"));
        assert!(admitted(&["k1", "k2"], "authorization", "Bearer k1"));
        assert!(admitted(&["k1", "k2"], "authorization", "bearer  k1"));
    }

    #[test]
    fn a_missing_or_wrong_key_is_refused_and_without_keys_all_are_admitted() {
        assert!(!admitted(&["k1"], "x-api-key", "k"));
        assert!(!admitted(&["k1"], "authorization", "Basic k1"));
        assert!(!admitted(&["k1"], "accept", "*/*"));
        assert!(admitted(&[], "accept", "*/*"));
    }
}
