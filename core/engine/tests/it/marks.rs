//! What a store says of itself beside its tables.

use core_engine::{Done, Engine, Options};

#[test]
fn a_store_says_by_which_rules_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    // Of a new store, of one of an earlier version, and of a later one.
    for found in [None, Some(0), Some(u64::MAX)] {
        if let Some(found) = found {
            let database = redb::Database::open(&path).unwrap();
            let write = database.begin_write().unwrap();
            write.open_table(meta).unwrap().insert("rules", found).unwrap();
            write.commit().unwrap();
        }
        let engine = Engine::open(&path, Options::default(), |_: Vec<Done<()>>| ());
        drop(engine.expect("the store opens"));
        let database = redb::Database::open(&path).unwrap();
        let read = redb::ReadableDatabase::begin_read(&database).unwrap();
        let rules = read.open_table(meta).unwrap().get("rules").unwrap().unwrap().value();
        assert_eq!(rules, u64::from(core_engine::RULES));
    }
}
