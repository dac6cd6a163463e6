use core_model::{EventPosition, Recipient, RoomId, Seq, Uid};

use super::*;

fn person() -> Arc<Person> {
    let person = Person { uid: Some(Uid(10_000)), handle: "ann".into(), ..Person::default() };
    Arc::new(Person { name: "Ann".into(), ..person })
}

fn room() -> RoomTag {
    RoomTag { id: RoomId(3), name: "tea".into(), closed: false }
}

fn message(to: Recipient) -> Logged {
    let (id, at) = (MessageId(7), Timestamp(1_767_225_600_123));
    let text = "<\u{1f375}>".into();
    Logged::Message(Arc::new(Message { id, at, author: person(), to, text, notice: false }))
}

fn happened(happened: Happened) -> Logged {
    Logged::Event { at: Timestamp(1_767_225_600_000), happened }
}

/// One of each kind.
fn every_kind() -> Vec<Logged> {
    let (room, user) = (room(), person());
    let by = Some(user.clone());
    let left = Event::Left {
        room: room.clone(),
        user: user.clone(),
        avatar: String::new(),
        durable: true,
        connection: None,
        elsewhere: false,
        quit: true,
        reason: "bye".into(),
        by: by.clone(),
    };
    let entered = Event::Entered {
        room: room.clone(),
        user: user.clone(),
        avatar: String::new(),
        durable: false,
        opened: false,
        connection: None,
        elsewhere: true,
    };
    let changes = RoomChanges { description: Some("green".into()), ..RoomChanges::default() };
    let role = Role::Operator;
    let changed =
        Event::RoleChanged { room: room.clone(), user: user.clone(), role, held: true, by };
    vec![
        message(Recipient::Room(room.clone())),
        message(Recipient::User(user.clone())),
        happened(Happened::Event(entered)),
        happened(Happened::Event(left)),
        happened(Happened::Event(changed)),
        happened(Happened::Event(Event::RoomChanged { room: room.clone(), changes, by: None })),
        happened(Happened::Event(Event::RoomDeleted { room: room.clone() })),
        happened(Happened::RoomCreated { room, owner: Some(user.clone()) }),
        happened(Happened::UserCreated { user }),
        Logged::MessagesGone { after: MessageId(3), before: MessageId(9) },
        Logged::EventsGone,
    ]
}

fn body(what: Logged) -> Body {
    let position = EventPosition { message: MessageId(7), seq: Seq(2) };
    body_of(&LoggedEvent { position, what }, Timestamp(1_000)).expect("it is sent")
}

#[test]
fn every_body_is_as_the_schema_says_and_every_type_of_the_schema_is_sent() {
    let schema: serde_json::Value = serde_json::from_str(&schema().text).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut bodies: Vec<Body> = every_kind().into_iter().map(body).collect();
    bodies.push(test_body("hook", Timestamp(1_000)));
    let mut kinds = Vec::new();
    for Body { json, .. } in &bodies {
        let value = serde_json::from_slice(json).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{value}: {errors:?}");
        kinds.push(value["type"].as_str().unwrap().to_owned());
    }
    let described = schema["oneOf"].as_array().unwrap();
    let described: Vec<&str> =
        described.iter().map(|one| one["properties"]["type"]["const"].as_str().unwrap()).collect();
    kinds.sort_by_key(|kind| described.iter().position(|known| known == kind));
    assert_eq!(kinds, described);
    let none = serde_json::json!({ "type": "message.deleted", "timestamp": "", "data": {} });
    assert!(!validator.is_valid(&none));
}

#[test]
fn a_message_is_said_with_its_time_and_its_room() {
    let Body { id, json } = body(message(Recipient::Room(room())));
    assert_eq!(id, "msg_7_1767225600123");
    let expected = r#"{"type":"message.created","timestamp":"2026-01-01T00:00:00.123Z","data":{"id":7,"at":1767225600123,"author":{"uid":10000,"handle":"ann","name":"Ann"},"to":{"room":{"id":3,"name":"tea"}},"text":"<🍵>"}}"#;
    assert_eq!(std::str::from_utf8(&json), Ok(expected));
}

#[test]
fn ids_differ_and_have_no_dot_which_ends_them_where_they_are_signed() {
    let position = |seq| EventPosition { message: MessageId(7), seq: Seq(seq) };
    let ids: std::collections::BTreeSet<String> = (0..)
        .zip(every_kind())
        .filter(|(_, what)| !matches!(what, Logged::Message(_)))
        .map(|(nth, what)| LoggedEvent { position: position(nth), what })
        .filter_map(|logged| body_of(&logged, Timestamp(1)).map(|body| body.id))
        .collect();
    assert_eq!(ids.len(), 9, "{ids:?}");
    assert!(ids.iter().all(|id| !id.contains('.')), "{ids:?}");
}
