//! Writes the stream of a backup.

use redb::{ReadableTable, Value};
use sha2::{Digest, Sha256};

use super::{BLOCK_BYTES, BackupError, FollowedHeader, Header, LAYOUT, Summary};
use crate::error::StoreError;
use crate::lookup;
use crate::marks;
use crate::migrate;
use crate::state::Snapshot;
use crate::tables::TableVisitor;

/// Gives the stream of a snapshot to `sink` in pieces of about a megabyte. An error of the sink ends
/// the backup.
pub(crate) fn write(
    snapshot: &Snapshot,
    sink: impl FnMut(Vec<u8>) -> std::io::Result<()>,
) -> Result<Summary, BackupError> {
    let counters = lookup::counters(snapshot)?;
    let header = Header {
        dragoman_backup: LAYOUT,
        format: migrate::FORMAT,
        lookalikes: crate::lookalike::revision(),
        newest_message: counters.next_message - 1,
        at_ms: counters.now,
        followed: followed(snapshot)?,
    };
    let mut head = serde_json::to_vec(&header).expect("a header has only numbers");
    head.push(b'\n');
    let mut stream = Stream { sink, digest: Sha256::new(), bytes: 0, rows: 0, result: Ok(()) };
    stream.send(head)?;
    snapshot.each_table(&mut stream);
    std::mem::replace(&mut stream.result, Ok(()))?;
    stream.send(0_u32.to_le_bytes().to_vec())?;
    let digest = stream.digest.finalize_reset();
    stream.send(digest.to_vec())?;
    Ok(Summary { header, rows: stream.rows, bytes: stream.bytes })
}

fn followed(snapshot: &Snapshot) -> Result<Option<FollowedHeader>, BackupError> {
    let found = marks::rows(&snapshot.open_other(migrate::META)?)?;
    let header = |(log, applied, marks)| FollowedHeader { log, applied, marks };
    Ok(found.map(header))
}

struct Stream<S> {
    sink: S,
    digest: Sha256,
    bytes: u64,
    rows: u64,
    /// The first failure; later tables are passed over.
    result: Result<(), BackupError>,
}

impl<S: FnMut(Vec<u8>) -> std::io::Result<()>> Stream<S> {
    fn send(&mut self, piece: Vec<u8>) -> Result<(), BackupError> {
        self.digest.update(&piece);
        self.bytes += piece.len() as u64;
        Ok((self.sink)(piece)?)
    }

    fn table<K: redb::Key + 'static, V: Value + 'static>(
        &mut self,
        name: &'static str,
        table: Result<&impl ReadableTable<K, V>, StoreError>,
    ) -> Result<(), BackupError> {
        let mut block = Vec::new();
        for row in table?.iter()? {
            let (key, value) = row?;
            if block.is_empty() {
                block.extend([0; 4]);
                block.push(u8::try_from(name.len()).expect("names of tables are short"));
                block.extend(name.as_bytes());
            }
            append(&mut block, K::as_bytes(&key.value()).as_ref());
            append(&mut block, V::as_bytes(&value.value()).as_ref());
            self.rows += 1;
            if block.len() >= BLOCK_BYTES {
                self.send_block(std::mem::take(&mut block))?;
            }
        }
        if block.is_empty() { Ok(()) } else { self.send_block(block) }
    }

    fn send_block(&mut self, mut block: Vec<u8>) -> Result<(), BackupError> {
        let length = u32::try_from(block.len() - 4);
        let length = length.map_err(|_| BackupError::Store("a row is too long".into()))?;
        block[..4].copy_from_slice(&length.to_le_bytes());
        self.send(block)
    }
}

fn append(block: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("redb's keys and values have less than 4 GiB");
    block.extend(length.to_le_bytes());
    block.extend(bytes);
}

impl<S: FnMut(Vec<u8>) -> std::io::Result<()>> TableVisitor for Stream<S> {
    fn visit<K: redb::Key + 'static, V: Value + 'static>(
        &mut self,
        name: &'static str,
        table: Result<&impl ReadableTable<K, V>, StoreError>,
    ) {
        if self.result.is_ok() {
            self.result = self.table(name, table);
        }
    }
}
