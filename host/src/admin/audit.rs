//! The audit log: a line of JSON for each change that an operator made or tried.
//!
//! It is beside the store: `dragoman.redb` has `dragoman.audit.jsonl`. At 8 MiB the file becomes
//! `dragoman.audit.jsonl.1`, in place of the one before, and a new one begins.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde_json::Value;

use super::pages::{cursor, limit};
use super::types::{AuditEntry, BeforeQuery, Page};
use crate::users::Failure;

/// The size at which a file is full.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// The longest text that is logged, of a path, a parameter, a body or a problem, in characters.
const TEXT_CHARS_MAX: usize = 500;

/// The longest line: a longer one is logged without its query and body. Twice as much is read of the
/// end of a file to find the last.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Fields that are never logged.
const SECRETS: [&str; 3] = ["password", "password_hash", "room_key"];

/// The log beside a store.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    store: PathBuf,
    /// The id of the next entry, once it is known.
    next: Mutex<Option<u64>>,
}

impl AuditLog {
    pub fn beside(store: &Path) -> Self {
        let path = store.with_extension("audit.jsonl");
        Self { path, store: store.into(), next: Mutex::new(None) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends an entry and gives it its id. The process must have the store open, so that no other
    /// appends.
    pub fn append(&self, mut entry: AuditEntry) -> io::Result<()> {
        let mut next = self.next.lock();
        let id = match *next {
            Some(id) => id,
            None => self.last_id()? + 1,
        };
        entry.id = id;
        let mut line = line_of(&mut entry)?;
        line.push(b'\n');
        let mut options = File::options();
        let mut file = options.append(true).create(true).mode(0o600).open(&self.path)?;
        if file.metadata()?.len() + line.len() as u64 > FILE_BYTES_MAX {
            fs::rename(&self.path, self.former())?;
            file = options.open(&self.path)?;
        }
        self.give_to_owner_of_store(&file);
        file.write_all(&line)?;
        *next = Some(id + 1);
        Ok(())
    }

    /// Root may run the command line before the gateway, which has another user, has made the file.
    fn give_to_owner_of_store(&self, file: &File) {
        if let (Ok(own), Ok(store)) = (file.metadata(), self.store.metadata())
            && own.uid() != store.uid()
        {
            // Only root can; others write to a file that is theirs or not at all.
            let _ = fchown(file, Some(store.uid()), Some(store.gid()));
        }
    }

    /// Entries before one, the newest first.
    pub fn page(&self, query: &BeforeQuery) -> Result<Page<AuditEntry>, Failure> {
        let limit = limit(query.limit)?;
        let before: u64 = cursor("before", query.before.as_deref(), u64::MAX)?;
        let failed = |error: io::Error| {
            Failure::Store(format!("cannot read {}: {error}", self.path.display()))
        };
        let mut items = Vec::new();
        for path in [&self.path, &self.former()] {
            let text = match fs::read(path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            // A line that was cut short by a crash is passed over.
            let lines = text.split(|byte| *byte == b'\n').rev();
            let entries = lines.filter_map(|line| serde_json::from_slice::<AuditEntry>(line).ok());
            items.extend(entries.filter(|entry| entry.id < before).take(limit + 1 - items.len()));
            if items.len() > limit {
                break;
            }
        }
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(|entry| entry.id.to_string());
        Ok(Page { items, next })
    }

    fn former(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".1");
        path.into()
    }

    fn last_id(&self) -> io::Result<u64> {
        for path in [&self.path, &self.former()] {
            let mut file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let start = file.metadata()?.len().saturating_sub(2 * LINE_BYTES_MAX);
            file.seek(SeekFrom::Start(start))?;
            let mut end = Vec::new();
            file.read_to_end(&mut end)?;
            let lines = end.split(|byte| *byte == b'\n').rev();
            let mut entries =
                lines.filter_map(|line| serde_json::from_slice::<AuditEntry>(line).ok());
            if let Some(entry) = entries.next() {
                return Ok(entry.id);
            }
        }
        Ok(0)
    }
}

/// The line of an entry, whose texts are cut.
fn line_of(entry: &mut AuditEntry) -> io::Result<Vec<u8>> {
    let AuditEntry { path, problem, .. } = entry;
    for text in path.iter_mut().chain(problem) {
        text.truncate(core_model::bounds::cut(text, TEXT_CHARS_MAX).len());
    }
    let line = serde_json::to_vec(entry)?;
    if line.len() as u64 <= LINE_BYTES_MAX {
        return Ok(line);
    }
    entry.with = Value::Null;
    Ok(serde_json::to_vec(entry)?)
}

/// What an entry says of a query and a body: without secrets, and not longer than it should be.
pub fn shown(query: Value, body: Value) -> Value {
    let mut shown = serde_json::Map::new();
    for part in [query, body] {
        if let Value::Object(fields) = cut(part) {
            shown.extend(fields);
        }
    }
    if shown.is_empty() { Value::Null } else { Value::Object(shown) }
}

fn cut(value: Value) -> Value {
    match value {
        Value::String(text) => core_model::bounds::cut(&text, TEXT_CHARS_MAX).into(),
        Value::Array(items) => {
            Value::Array(items.into_iter().take(TEXT_CHARS_MAX / 16).map(cut).collect())
        }
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(name, _)| !SECRETS.contains(&name.as_str()));
            Value::Object(fields.map(|(name, value)| (name, cut(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(operation: &str) -> AuditEntry {
        AuditEntry {
            id: 0,
            at: "2026-01-01T00:00:00Z".into(),
            who: "local".into(),
            from: "127.0.0.1".into(),
            operation: operation.into(),
            path: vec![],
            with: Value::Null,
            status: 200,
            problem: None,
        }
    }

    fn ids(log: &AuditLog, before: Option<&str>, limit: u32) -> (Vec<u64>, Option<String>) {
        let query = BeforeQuery { before: before.map(str::to_owned), limit: Some(limit) };
        let page = log.page(&query).expect("it is readable");
        (page.items.iter().map(|entry| entry.id).collect(), page.next)
    }

    #[test]
    fn a_log_that_root_begins_belongs_to_the_owner_of_the_store() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("dragoman.redb");
        fs::write(&store, "").expect("it is writable");
        std::os::unix::fs::chown(&store, Some(65_534), Some(65_533)).expect("root may");
        let log = AuditLog::beside(&store);
        log.append(entry("ban")).expect("it is writable");
        let metadata = log.path().metadata().expect("it is there");
        assert_eq!((metadata.uid(), metadata.gid()), (65_534, 65_533));
    }

    #[test]
    fn entries_are_read_newest_first_across_the_files_and_their_number_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("dragoman.redb");
        let log = AuditLog::beside(&store);
        assert_eq!(ids(&log, None, 10), (vec![], None));
        for _ in 0..3 {
            log.append(entry("ban")).expect("it is writable");
        }
        assert_eq!(ids(&log, None, 2), (vec![3, 2], Some("2".into())));
        assert_eq!(ids(&log, Some("2"), 2), (vec![1], None));
        assert!(log.page(&BeforeQuery { before: Some("x".into()), limit: None }).is_err());
        // Another process goes on with the ids, also after a line that a crash has cut.
        let mut file = File::options().append(true).open(log.path()).expect("it exists");
        file.write_all(b"{\"id\":4,").expect("it is writable");
        drop(file);
        let log = AuditLog::beside(&store);
        log.append(entry(&"x".repeat(FILE_BYTES_MAX as usize))).expect("it is writable");
        log.append(entry("kick")).expect("it is writable");
        assert_eq!(ids(&log, None, 1).0, [5]);
        let files = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files, 2);
    }

    #[test]
    fn long_texts_are_cut_and_the_ids_go_on_after_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("dragoman.redb");
        for id in 1..4 {
            let log = AuditLog::beside(&store);
            let mut entry = entry("ban");
            entry.path = vec!["\u{1}".repeat(100_000)];
            entry.problem = Some("茶".repeat(100_000));
            entry.with = vec!["\u{1}".repeat(TEXT_CHARS_MAX); 40].into();
            log.append(entry).expect("it is writable");
            let page = log.page(&BeforeQuery::default()).expect("it is readable");
            assert_eq!(page.items[0].id, id);
            assert_eq!(page.items[0].path, ["\u{1}".repeat(TEXT_CHARS_MAX)]);
            assert_eq!(page.items[0].problem, Some("茶".repeat(TEXT_CHARS_MAX)));
            assert_eq!(page.items[0].with, Value::Null);
        }
    }

    #[test]
    fn no_secret_is_logged() {
        let body = serde_json::json!({ "handle": "bob", "password": "tea", "password_hash": "x", "room_key": "k" });
        let said = shown(Value::Null, body.clone()).to_string();
        assert_eq!(said, r#"{"handle":"bob"}"#);
        let said = shown(Value::Null, serde_json::json!({ "users": [body] })).to_string();
        assert_eq!(said, r#"{"users":[{"handle":"bob"}]}"#);
    }
}
