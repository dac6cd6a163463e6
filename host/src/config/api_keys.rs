//! `api_keys`, and the file of `api_keys_file`: names with keys.

use std::path::{Path, PathBuf};

use figment::value::Value;
use toml::Table;

use super::auth_settings::{ApiKey, ApiKeysFile};
use super::parse;
use super::secret_file::read_file;
use super::section::Section;
use crate::tls::Stamp;

/// A file of keys: some thousand.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Keys of a front end: every request is compared with each.
const KEYS_MAX: usize = 1_000;

/// A list of keys, which are called by their numbers, or a table of names with keys.
pub(super) fn api_keys(section: &Section<'_>) -> Vec<ApiKey> {
    const KEY: &str = "api_keys";
    if !matches!(section.value(KEY), Some(Value::Dict(..))) {
        let keys = section.list(KEY, "API keys", parse::api_key).into_iter().enumerate();
        return keys.map(|(nth, key)| ApiKey { name: format!("#{}", nth + 1), key }).collect();
    }
    let table = section.table(KEY);
    let mut keys = Vec::new();
    for name in table.keys() {
        if !is_name(name) {
            table.complain_of_absent(name, NAME);
            continue;
        }
        let found = match table.value(name) {
            Some(Value::Array(..)) => table.list(name, "API keys", parse::api_key),
            _ => table.read(name, parse::api_key).into_iter().collect(),
        };
        keys.extend(found.into_iter().map(|key| ApiKey { name: name.to_owned(), key }));
    }
    keys
}

pub(super) fn api_keys_file(section: &Section<'_>, folder: &Path) -> Option<ApiKeysFile> {
    const KEY: &str = "api_keys_file";
    let path = folder.join(section.path(KEY)?);
    match ApiKeysFile::read(path) {
        Ok(file) => Some(file),
        Err(why) => {
            section.complain(KEY, &why);
            None
        }
    }
}

impl ApiKeysFile {
    /// Refused: a file without a key, which would let all clients in. `Err`: with the path, and
    /// without any key.
    pub(crate) fn read(path: PathBuf) -> Result<Self, String> {
        // Before it is read: what changes meanwhile is seen as a change.
        let stamp = Stamp::of(&path);
        let content = read_file(&path, FILE_BYTES_MAX, "file of API keys")?;
        let keys = parse(&content).map_err(|why| format!("{} {why}", path.display()))?;
        Ok(Self { path, keys, stamp })
    }
}

const NAME: &str = "a name is 1 to 64 letters, digits, _ and -";

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

fn parse(content: &[u8]) -> Result<Vec<ApiKey>, String> {
    let text = std::str::from_utf8(content).map_err(|_| "is not text")?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        // The message may quote a key.
        format!("is not TOML at line {line}: expected lines such as backend = \"<key>\"")
    })?;
    let mut keys = Vec::new();
    for (name, value) in table {
        if !is_name(&name) {
            return Err(format!("has the name {name:?}: {NAME}"));
        }
        let found = match value {
            toml::Value::Array(several) => several,
            one => vec![one],
        };
        for value in found {
            let key = value.as_str().filter(|key| parse::is_api_key(key));
            let key = key.ok_or_else(|| format!("has for {name:?}: {}", parse::API_KEY))?;
            keys.push(ApiKey { name: name.clone(), key: key.to_owned() });
        }
    }
    if keys.is_empty() {
        return Err("has no key, so all clients would be let in".into());
    }
    if keys.len() > KEYS_MAX {
        return Err(format!("has more than {KEYS_MAX} keys"));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(content: &str) -> Result<Vec<(String, String)>, String> {
        let keys = parse(content.as_bytes())?.into_iter();
        Ok(keys.map(|ApiKey { name, key }| (name, key)).collect())
    }

    #[test]
    fn a_name_has_a_key_or_several() {
        let pair = |name: &str, key: &str| (name.to_owned(), key.to_owned());
        let read =
            names("# rotated in May\nbackend = [\"new\", \"old\"]\ncron-1 = \"k\"\n").unwrap();
        assert_eq!(read, [pair("backend", "new"), pair("backend", "old"), pair("cron-1", "k")]);
    }

    #[test]
    fn what_is_wrong_is_named_without_a_key() {
        for (content, why) in [
            ("", "has no key"),
            ("backend = []", "has no key"),
            ("a = \"k\"\nbackend = s3cret", "is not TOML at line 2"),
            ("backend = \"s3cret key\"", "has for \"backend\": an API key is"),
            ("backend = [\"k\", 3]", "has for \"backend\": an API key is"),
            ("\"a b\" = \"s3cret\"", "has the name \"a b\""),
            ("[backend]\nkey = \"s3cret\"", "has for \"backend\": an API key is"),
        ] {
            let refused = names(content).expect_err(content);
            assert!(refused.starts_with(why) && !refused.contains("s3cret"), "{refused}");
        }
    }
}
