//! What a store says of itself beside its tables.

use core_engine::{Done, Engine, Import, ImportOptions, OpenError, Options};

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

#[test]
fn a_store_that_follows_a_log_is_changed_by_no_gateway_and_no_verb_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let open = |path: &std::path::Path| {
        Engine::open(path, Options::default(), |_: Vec<Done<()>>| ()).map(|_| ())
    };
    open(&path).expect("a new store");
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    {
        let database = redb::Database::open(&path).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(meta).unwrap().insert("log", 7).unwrap();
        write.commit().unwrap();
    }
    let refused = open(&path).expect_err("the store follows a log");
    assert!(matches!(&refused, OpenError::FollowsLog { path: named } if *named == path));
    let said = refused.to_string();
    assert!(said.contains(path.to_str().unwrap()) && said.contains("restore a backup"), "{said}");
    let options = ImportOptions::default();
    assert!(matches!(
        Import::open(&path, 1 << 20, options).err(),
        Some(OpenError::FollowsLog { .. })
    ));
    // What changes nothing, or where the rows are, is no one else's concern.
    assert!(core_engine::check(&path, 1 << 20).expect("it opens").is_whole());
    core_engine::compact(&path, 1 << 20).expect("it opens");
    // Nor does any of that make the store forget the log.
    assert!(matches!(open(&path), Err(OpenError::FollowsLog { .. })));
}
