//! Reads the stream of a backup, into a new store or only to see whether it is whole.

use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Database, Durability, WriteTransaction};
use sha2::{Digest, Sha256};

use super::{BLOCK_BYTES_MAX, BackupError, HEADER_BYTES_MAX, Header, LAYOUT, Summary};
use crate::error::{StoreError, panic_message};
use crate::marks;
use crate::migrate;
use crate::open::{close, create_whole};
use crate::tables::{create_tables, insert_rows};

/// Reads a whole stream and restores nothing.
pub fn inspect(stream: impl BufRead) -> Result<Summary, BackupError> {
    read(stream, |_, _| Ok(()))
}

/// Makes the store `path` from a stream. The file must not exist; it appears when all of the stream
/// is in it and on the disk, readable and writable by its owner only.
///
/// The store follows no log, whatever the one did that was backed up: so it may leave its cluster.
pub fn restore(
    stream: impl BufRead,
    path: &Path,
    cache_bytes: usize,
) -> Result<Summary, BackupError> {
    restore_as(stream, path, cache_bytes, false)
}

/// As [`restore`]; the store follows the log of the one that was backed up, from where that stood.
pub fn restore_following(
    stream: impl BufRead,
    path: &Path,
    cache_bytes: usize,
) -> Result<Summary, BackupError> {
    restore_as(stream, path, cache_bytes, true)
}

fn restore_as(
    stream: impl BufRead,
    path: &Path,
    cache_bytes: usize,
    follows: bool,
) -> Result<Summary, BackupError> {
    create_whole(path, |file| {
        let database = Database::builder()
            .set_cache_size(cache_bytes)
            .create_file(file)
            .map_err(|error| BackupError::Store(error.to_string()))?;
        // redb panics at rows whose bytes cannot be of their types, as damage leaves them.
        let filled = catch_unwind(AssertUnwindSafe(|| fill(&database, stream, follows)));
        close(database);
        filled.unwrap_or_else(|panic| Err(BackupError::Damaged(panic_message(&*panic))))
    })
}

fn fill(database: &Database, stream: impl BufRead, follows: bool) -> Result<Summary, BackupError> {
    let transaction = begin(database)?;
    create_tables(&transaction)?;
    transaction.commit()?;
    let summary = read(stream, |table, rows| {
        let transaction = begin(database)?;
        insert_rows(&transaction, table, rows)?;
        Ok(transaction.commit()?)
    })?;
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    migrate::stamp(&transaction, summary.header.format, summary.header.lookalikes)?;
    if follows {
        let followed = summary.header.followed.as_ref().ok_or(BackupError::FollowsNoLog)?;
        marks::insert(&transaction, followed.log, &followed.marks)?;
    }
    transaction.commit()?;
    Ok(summary)
}

/// Durable only with the last one: until then the file has another name.
fn begin(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::None)?;
    Ok(transaction)
}

type Row<'a> = (&'a [u8], &'a [u8]);

fn read(
    stream: impl BufRead,
    mut store: impl FnMut(&str, &[Row<'_>]) -> Result<(), BackupError>,
) -> Result<Summary, BackupError> {
    let mut stream = Hashing { stream, digest: Sha256::new(), bytes: 0 };
    let header = read_header(&mut stream)?;
    let mut rows = 0;
    let mut block = Vec::new();
    loop {
        let length = u32::from_le_bytes(stream.array()?) as usize;
        if length == 0 {
            break;
        }
        if length > BLOCK_BYTES_MAX {
            return Err(BackupError::Damaged(format!("a block has {length} bytes")));
        }
        block.clear();
        stream.by_ref().take(length as u64).read_to_end(&mut block)?;
        if block.len() < length {
            return Err(cut_off());
        }
        let (table, parsed) = parse(&block)
            .ok_or_else(|| BackupError::Damaged("a block's rows do not fill it".into()))?;
        store(table, &parsed)?;
        rows += parsed.len() as u64;
    }
    let expected: [u8; 32] = stream.digest.clone().finalize().into();
    if stream.array::<32>()? != expected {
        return Err(BackupError::Damaged("its checksum is of other bytes".into()));
    }
    if !stream.stream.fill_buf()?.is_empty() {
        return Err(BackupError::Damaged("bytes follow its end".into()));
    }
    Ok(Summary { header, rows, bytes: stream.bytes })
}

fn read_header<R: BufRead>(stream: &mut Hashing<R>) -> Result<Header, BackupError> {
    let mut line = Vec::new();
    let found = stream.stream.by_ref().take(HEADER_BYTES_MAX).read_until(b'\n', &mut line)?;
    stream.note(&line);
    if found == 0 || line.last() != Some(&b'\n') {
        return Err(BackupError::NotABackup);
    }
    let value: serde_json::Value =
        serde_json::from_slice(&line).map_err(|_| BackupError::NotABackup)?;
    let layout = value.get("dragoman_backup").and_then(serde_json::Value::as_u64);
    let layout = layout.ok_or(BackupError::NotABackup)?;
    if layout > u64::from(LAYOUT) {
        return Err(BackupError::TooNew(format!(
            "its layout is {layout}, this version reads {LAYOUT}"
        )));
    }
    let header: Header =
        serde_json::from_value(value).map_err(|error| BackupError::Damaged(error.to_string()))?;
    if header.format > migrate::FORMAT {
        let (found, known) = (header.format, migrate::FORMAT);
        let why = format!("its store format is {found}, this version reads up to {known}");
        return Err(BackupError::TooNew(why));
    }
    Ok(header)
}

/// The table of a block and its rows; none if the lengths do not add up.
fn parse(block: &[u8]) -> Option<(&str, Vec<Row<'_>>)> {
    let (length, rest) = block.split_first()?;
    let (name, mut rest) = rest.split_at_checked(usize::from(*length))?;
    let name = str::from_utf8(name).ok()?;
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let key = field(&mut rest)?;
        rows.push((key, field(&mut rest)?));
    }
    Some((name, rows))
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (field, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(field)
}

fn cut_off() -> BackupError {
    BackupError::Damaged("it ends too early".into())
}

/// Counts and hashes what is read.
struct Hashing<R> {
    stream: R,
    digest: Sha256,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn note(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<R: Read> Hashing<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut array = [0; N];
        match self.read_exact(&mut array) {
            Ok(()) => Ok(array),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(cut_off()),
            Err(error) => Err(error.into()),
        }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.note(&buffer[..read]);
        Ok(read)
    }
}
