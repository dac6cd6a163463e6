//! Backups: one state, whatever is written meanwhile, and nothing else is ever restored.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use core_engine::{BackupError, check, inspect, restore, stats};

use crate::build::*;
use crate::check::furnished;
use crate::gateway::Gateway;

const CACHE_BYTES: usize = 1 << 20;

fn stream_of(gateway: &Gateway) -> Vec<u8> {
    let mut stream = Vec::new();
    let sink = |piece: Vec<u8>| {
        stream.extend(piece);
        Ok(())
    };
    gateway.engine().backup(sink).expect("the store can be read");
    stream
}

fn restored(stream: &[u8], path: &Path) -> Gateway {
    restore(stream, path, CACHE_BYTES).expect("the stream is whole");
    Gateway::on(path.into())
}

fn furnished_stream() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    furnished(&path);
    stream_of(&Gateway::on(path))
}

#[test]
fn a_backup_is_the_state_at_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    furnished(&path);
    let gateway = Gateway::on(path);
    let before = gateway.engine().dump().unwrap();
    let mut stream = Vec::new();
    let sink = |piece: Vec<u8>| {
        gateway.does(0, post(room("tea"), user("ann"), "while the backup is made"));
        stream.extend(piece);
        Ok(())
    };
    let summary = gateway.engine().backup(sink).unwrap();
    assert_ne!(gateway.engine().dump().unwrap(), before);
    let rows: usize = before.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!((summary.rows, summary.bytes), (rows as u64, stream.len() as u64));
    assert_eq!(inspect(&*stream).unwrap(), summary);

    let copy = folder.path().join("copy.redb");
    let restored = restored(&stream, &copy);
    assert_eq!(restored.engine().dump().unwrap(), before);
    drop(restored);
    assert_eq!(check(&copy, CACHE_BYTES).unwrap().faults, Vec::<String>::new());
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_restored_store_goes_on_where_the_backup_ended() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::new();
    gateway.does(0, register("ann"));
    gateway.does(0, create(titled("tea"), Some(user("ann"))));
    let stream = stream_of(&gateway);
    let first = gateway.does(0, post(room("tea"), user("ann"), "hi"));
    let restored = restored(&stream, &folder.path().join("copy.redb"));
    assert_eq!(restored.does(0, post(room("tea"), user("ann"), "hi")), first);
}

#[test]
fn a_stream_that_was_cut_restores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let stream = furnished_stream();
    for length in (0..stream.len()).step_by(997).chain([stream.len() - 1]) {
        let error = restore(&stream[..length], &path, CACHE_BYTES).unwrap_err();
        let is_told = matches!(error, BackupError::Damaged(_) | BackupError::NotABackup);
        assert!(is_told, "{length} bytes: {error}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{length} bytes");
    }
}

#[test]
fn a_stream_that_was_changed_restores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let stream = furnished_stream();
    for at in (0..stream.len()).step_by(991).chain([stream.len() - 33, stream.len() - 1]) {
        let mut changed = stream.clone();
        changed[at] ^= 0x41;
        restore(&*changed, &path, CACHE_BYTES).expect_err("its checksum is wrong");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "byte {at}");
    }
    // A name that is no text any more, at which redb would panic.
    let handle = stream.windows(7).position(|bytes| bytes == b"handles").expect("a table");
    let name = stream[handle..].windows(3).position(|bytes| bytes == b"ann").expect("a handle");
    let mut changed = stream.clone();
    changed[handle + name] |= 0x80;
    let error = restore(&*changed, &path, CACHE_BYTES).unwrap_err();
    assert!(matches!(error, BackupError::Damaged(_)), "{error}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    let longer = [&*stream, b"\n"].concat();
    let error = restore(&*longer, &path, CACHE_BYTES).unwrap_err().to_string();
    assert_eq!(error, "the backup is incomplete or damaged: bytes follow its end");
}

#[test]
fn what_is_no_backup_of_this_version_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let said = |stream: &[u8]| restore(stream, &path, CACHE_BYTES).unwrap_err().to_string();
    for stream in
        [&b""[..], b"\n", b"hello\n", b"{}\n", b"redb\x1a\n\xa9\r\n", b"{\"dragoman_backup\":1}"]
    {
        assert_eq!(said(stream), "this is no backup of a store", "{stream:?}");
    }
    let head = |layout: u32, format: u32| {
        format!(
            "{{\"dragoman_backup\":{layout},\"format\":{format},\"lookalikes\":0,\"newest_message\":0,\"at_ms\":0}}\n"
        )
    };
    let later = "the backup was made by a later version: its";
    assert_eq!(said(head(2, 4).as_bytes()), format!("{later} layout is 2, this version reads 1"));
    let format = said(head(1, 99).as_bytes());
    assert!(format.starts_with(&format!("{later} store format is 99, this version reads up to")));
    let unknown = [head(1, 4).as_bytes(), &[5, 0, 0, 0, 4], b"nope"].concat();
    assert_eq!(said(&unknown), "this version has no table \"nope\"");
    let long = [head(1, 4).as_bytes(), &[0xff; 4]].concat();
    assert!(said(&long).starts_with("the backup is incomplete or damaged: a block has"));
}

#[test]
fn an_existing_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    std::fs::write(&path, "precious").unwrap();
    let error = restore(&*furnished_stream(), &path, CACHE_BYTES).unwrap_err().to_string();
    assert_eq!(error, "there is such a file already");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_backup_ends_with_its_sink() {
    let gateway = Gateway::new();
    let mut pieces = 0;
    let sink = |_| {
        pieces += 1;
        Err(io::Error::other("the disk is full"))
    };
    let error = gateway.engine().backup(sink).unwrap_err().to_string();
    assert_eq!((error.as_str(), pieces), ("the disk is full", 1));
}

#[test]
fn the_tables_of_a_store_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    furnished(&path);
    let of_file = stats(&path, CACHE_BYTES).unwrap();
    let messages = of_file.iter().find(|stats| stats.table == "messages").unwrap();
    assert_eq!(messages.rows, 294);
    assert!(messages.stored_bytes > 294 * 8);
    let of_engine = Gateway::on(path).engine().table_stats().unwrap();
    let rows = |stats: &[core_engine::TableStats], table| {
        stats.iter().find(|stats| stats.table == table).map(|stats| stats.rows)
    };
    assert_eq!(rows(&of_engine, "messages"), Some(294));
}
