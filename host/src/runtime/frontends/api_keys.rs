//! `api_keys`: who may use an HTTP front end.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use core_model::TokenHash;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use parking_lot::Mutex;
use subtle::ConstantTimeEq as _;

use crate::config::{ApiKey, ApiKeysFile, Guard};
use crate::runtime::metrics::Counter;
use crate::tls::Stamp;

const PURPOSE: &str = "api key";

/// The keys as hashes, each with its name.
pub(crate) struct ApiKeys {
    /// Those of gateway.toml.
    own: Vec<ApiKey>,
    file: Option<PathBuf>,
    known: ArcSwap<Known>,
    watch: Mutex<Watch>,
}

struct Known {
    entries: Vec<Entry>,
    /// How the file looked when these were read.
    stamp: Option<Stamp>,
}

struct Entry {
    name: String,
    hash: TokenHash,
    /// Requests that showed it.
    used: Counter,
}

/// What was seen of a file that is not as the one that was read.
#[derive(Default)]
struct Watch {
    seen: Option<Option<Stamp>>,
    is_faulty: bool,
}

/// What the keys say of a request.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum KeyCheck {
    /// No key is configured.
    Open,
    /// It shows one that is.
    Shown,
    Refused,
}

impl ApiKeys {
    pub(crate) fn new(guard: &Guard) -> Self {
        let known = Known::of(&guard.api_keys, guard.api_keys_file.as_ref());
        Self {
            own: guard.api_keys.clone(),
            file: guard.api_keys_file.as_ref().map(|file| file.path.clone()),
            known: ArcSwap::from_pointee(known),
            watch: Mutex::default(),
        }
    }

    /// Whether a request to this front end carries a key. The log names the key at its first use.
    pub(crate) fn check(&self, frontend: &str, headers: &HeaderMap) -> KeyCheck {
        let known = self.known.load();
        if known.entries.is_empty() {
            return KeyCheck::Open;
        }
        let Some(entry) = presented(headers).find_map(|key| known.find(key)) else {
            return KeyCheck::Refused;
        };
        let is_first = entry.used.count() == 0;
        entry.used.add(1);
        if is_first {
            tracing::info!(frontend, api_key = entry.name, "an API key is used");
        }
        KeyCheck::Shown
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.load().entries.is_empty()
    }

    pub(crate) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// The names, each with how many requests have shown a key of it.
    pub(crate) fn uses(&self) -> Vec<(String, u64)> {
        let mut uses: Vec<(String, u64)> = Vec::new();
        for entry in &self.known.load().entries {
            match uses.iter_mut().find(|(name, _)| *name == entry.name) {
                Some((_, count)) => *count += entry.used.count(),
                None => uses.push((entry.name.clone(), entry.used.count())),
            }
        }
        uses
    }

    /// Reads the file again if it has changed, and two looks find it the same. A wrong one changes
    /// nothing. Blocks.
    pub(crate) fn look_at_file(&self, frontend: &str) {
        let Some(path) = &self.file else { return };
        let stamp = Stamp::of(path);
        let mut watch = self.watch.lock();
        if stamp == self.known.load().stamp {
            *watch = Watch::default();
            return;
        }
        if watch.seen.as_ref() != Some(&stamp) {
            *watch = Watch { seen: Some(stamp), is_faulty: false };
            return;
        }
        if watch.is_faulty {
            return;
        }
        match ApiKeysFile::read(path.clone()) {
            Ok(file) => {
                let known = Known::of(&self.own, Some(&file));
                let names = known.names();
                self.known.store(Arc::new(known));
                tracing::info!(frontend, path = %path.display(), names, "API keys were read again");
            }
            Err(why) => {
                watch.is_faulty = true;
                tracing::error!(frontend, "keeping the API keys in use: {why}");
            }
        }
    }
}

impl Known {
    fn of(own: &[ApiKey], file: Option<&ApiKeysFile>) -> Self {
        let keys = own.iter().chain(file.iter().flat_map(|file| &file.keys));
        let entry = |key: &ApiKey| Entry {
            name: key.name.clone(),
            hash: TokenHash::of(PURPOSE, &key.key),
            used: Counter::default(),
        };
        Self { entries: keys.map(entry).collect(), stamp: file.and_then(|file| file.stamp.clone()) }
    }

    /// Compares with all keys, in the same time whether and where one is equal.
    fn find(&self, key: &str) -> Option<&Entry> {
        let hash = TokenHash::of(PURPOSE, key);
        self.entries.iter().fold(None, |found, entry| {
            if bool::from(entry.hash.0.ct_eq(&hash.0)) { Some(entry) } else { found }
        })
    }

    fn names(&self) -> String {
        let mut names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        names.dedup();
        names.join(", ")
    }
}

/// The token in `Authorization: Bearer`.
pub(crate) fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn presented(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let texts = |name: &str| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts("x-api-key").map(str::trim).chain(texts(AUTHORIZATION.as_str()).filter_map(bearer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str], file: Option<ApiKeysFile>) -> ApiKeys {
        let key = |key: &&str| ApiKey { name: (*key).to_owned(), key: (*key).to_owned() };
        ApiKeys::new(&Guard {
            api_keys: keys.iter().map(key).collect(),
            api_keys_file: file,
            ..Guard::default()
        })
    }

    fn checked(keys: &ApiKeys, name: &'static str, value: &str) -> KeyCheck {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        keys.check("it", &headers)
    }

    #[test]
    fn a_key_is_taken_from_either_header_and_counted_by_its_name() {
        let keys = keys(&["k1", "k2"], None);
        assert_eq!(checked(&keys, "x-api-key", "k2"), KeyCheck::Shown);
        assert_eq!(checked(&keys, "authorization", "Bearer k1"), KeyCheck::Shown);
        assert_eq!(checked(&keys, "authorization", "bearer  k1"), KeyCheck::Shown);
        assert_eq!(keys.uses(), [("k1".to_owned(), 2), ("k2".to_owned(), 1)]);
    }

    #[test]
    fn a_missing_or_wrong_key_is_refused_and_without_keys_all_are_admitted() {
        let one = keys(&["k1"], None);
        assert_eq!(checked(&one, "x-api-key", "k"), KeyCheck::Refused);
        assert_eq!(checked(&one, "authorization", "Basic k1"), KeyCheck::Refused);
        assert_eq!(checked(&one, "accept", "*/*"), KeyCheck::Refused);
        assert_eq!(checked(&keys(&[], None), "accept", "*/*"), KeyCheck::Open);
    }

    #[test]
    fn a_file_is_read_again_after_two_looks_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        // Replaced as a whole, so that the inode tells one content from another.
        let write = |content: &str| {
            let new = path.with_extension("new");
            std::fs::write(&new, content).unwrap();
            std::fs::rename(&new, &path).unwrap();
        };
        write("app = \"old\"");
        let keys = keys(&["own"], Some(ApiKeysFile::read(path.clone()).unwrap()));
        let are_valid = |wanted: &[&str]| {
            let shown = |key: &&str| checked(&keys, "x-api-key", key) == KeyCheck::Shown;
            ["own", "old", "new"].iter().filter(|key| shown(key)).eq(wanted)
        };
        assert!(are_valid(&["own", "old"]));
        write("app = [\"new\", \"old\"]");
        keys.look_at_file("it");
        assert!(are_valid(&["own", "old"]), "it may be half written");
        keys.look_at_file("it");
        assert!(are_valid(&["own", "old", "new"]));
        write("app = ");
        (0..3).for_each(|_| keys.look_at_file("it"));
        assert!(are_valid(&["own", "old", "new"]));
        write("app = \"new\"");
        (0..2).for_each(|_| keys.look_at_file("it"));
        assert!(are_valid(&["own", "new"]));
        std::fs::remove_file(&path).unwrap();
        (0..3).for_each(|_| keys.look_at_file("it"));
        assert!(are_valid(&["own", "new"]));
    }
}
