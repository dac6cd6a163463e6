//! Hooks for the fuzz targets, which see only the public items of a crate.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message_index;
use crate::rows::{
    Counters, Destination, KeyRow, LeaseRow, MessageRow, RoomRow, SeatRow, SessionRow, TokenRow,
    UserRow, Who, pack, unpack,
};

/// Decodes bytes as a row of every table. A row that decodes is read further, and encodes again.
pub fn store_rows(data: &[u8]) {
    again::<Counters>(data);
    again::<SeatRow>(data);
    again::<SessionRow>(data);
    again::<TokenRow>(data);
    again::<KeyRow>(data);
    if let Some(user) = again::<UserRow>(data) {
        user.person(1);
    }
    if let Some(room) = again::<RoomRow>(data) {
        room.view(1, 1);
    }
    if let Some(who) = again::<Who>(data) {
        who.key();
    }
    if let Ok(MessageRow { at, author, to, notice, text }) = MessageRow::unpack(data) {
        let mut bytes = Vec::new();
        MessageRow::pack(at, &author, to, notice, &text, &mut bytes);
        let row = MessageRow { at, author, to, notice, text };
        assert_eq!(MessageRow::unpack(&bytes).ok(), Some(row));
    }
    message_index::fuzz(data);
}

/// A row of each table, to begin from.
pub fn seeds() -> Vec<Vec<u8>> {
    let lease = LeaseRow { ttl_ms: 600_000, grace_ms: 30_000, ends: 1_700_000_600_000 };
    let seat = SeatRow {
        room: 7,
        who: Who::Guest("zed".into()),
        avatar: Some("https://example.org/a".into()),
        connection: Some(3),
        lease: Some(lease),
    };
    let user = UserRow {
        handle: "ann".into(),
        name: "Ann".into(),
        preferences: vec!["tea".into()],
        identities: vec!["email/ann@example.org".into()],
        created: 1_700_000_000_000,
        ..UserRow::default()
    };
    let room = RoomRow {
        name: "tea".into(),
        title: "Tea".into(),
        owner: Some(10_000),
        capacity: 500,
        app_code: Some(2),
        ..RoomRow::default()
    };
    let mut rows = vec![
        pack(&Counters::default()),
        pack(&seat),
        pack(&SessionRow { uid: 10_000, delivers: true }),
        pack(&TokenRow { uid: 10_000, expires: 1, ttl_ms: 1_000, sliding: true }),
        pack(&KeyRow { digest: [7; 32], outcome: r#"{"Ok":{"did":"done"}}"#.into() }),
        pack(&user),
        pack(&room),
        message_index::seed(),
    ];
    for author in [Who::User(10_000), Who::Guest("zed".into())] {
        for to in [Destination::Room(7), Destination::User(10_001)] {
            let mut row = Vec::new();
            MessageRow::pack(1_700_000_000_000, &author, to, false, "hello", &mut row);
            rows.push(row);
        }
    }
    rows
}

/// A row that decodes and its encoding have the same content.
fn again<T: Serialize + DeserializeOwned>(data: &[u8]) -> Option<T> {
    let row: T = unpack("fuzzed", data).ok()?;
    let bytes = pack(&row);
    let same: T = unpack("fuzzed", &bytes).expect("a row that was encoded decodes");
    assert_eq!(pack(&same), bytes);
    Some(row)
}
