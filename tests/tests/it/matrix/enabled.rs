//! What is not enabled is not there, and what cannot start does not keep the others from serving.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use gateway_tests::dialect::{Client, ROWS, Room, Row};
use gateway_tests::{Gateway, Http, Talk, Token};
use serde_json::json;

use super::site::{launch, row_of};

/// The dialects, each with the keys of its listeners.
const LISTENERS: [(&str, &[&str]); 6] = [
    ("token", &["listen"]),
    ("usr_room", &["listen"]),
    ("chatroom", &["listen", "websocket_listen"]),
    ("ourchat", &["listen"]),
    ("channel", &["listen"]),
    ("irc", &["listen"]),
];

/// The ports on which a process listens, as its system sees it.
fn ports_of(pid: u32) -> BTreeSet<u16> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    let open = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let open: BTreeSet<String> = open.map(|link| link.display().to_string()).collect();
    let sockets = ["tcp", "tcp6"].map(|table| {
        std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default()
    });
    sockets.concat().lines().filter_map(|line| listening(line, &open)).collect()
}

/// The port of a line of /proc/net/tcp, if it is listened on by one of these.
fn listening(line: &str, open: &BTreeSet<String>) -> Option<u16> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let local = fields.get(1)?;
    let state = fields.get(3)?;
    let inode = fields.get(9)?;
    let is_listening = *state == "0A" && open.contains(&format!("socket:[{inode}]"));
    let (_, port) = local.split_once(':')?;
    is_listening.then(|| u16::from_str_radix(port, 16).ok())?
}

/// The ports on which it says that it listens, with the operator's.
fn said(gateway: &Gateway, dialects: &[&str]) -> BTreeSet<u16> {
    let listeners = LISTENERS.iter().filter(|(dialect, _)| dialects.contains(dialect));
    let listeners =
        listeners.flat_map(|(dialect, keys)| keys.iter().map(move |key| (*dialect, *key)));
    let listeners = listeners.chain([("admin", "listen")]);
    listeners.map(|(dialect, key)| gateway.address(dialect, key).port()).collect()
}

#[test]
fn with_one_dialect_only_its_ports_are_open_and_it_works() {
    for (dialect, _) in LISTENERS {
        let rooms = "[[rooms]]\nname = \"TEST\"";
        let keys = if dialect == "ourchat" { "auto_join = [\"TEST\"]" } else { "" };
        let gateway = launch(&format!("{rooms}\n[frontends.{dialect}]\n{keys}")).start();
        assert_eq!(ports_of(gateway.pid()), said(&gateway, &[dialect]), "{dialect}");

        let room = Room { id: 1, name: "TEST".into() };
        let mut client = (row_alone(dialect).enroll)(&gateway, "alone");
        client.enter(&room);
        client.post(&room, "hello?");
        assert_eq!(client.receive(&room).text, "hello?", "{dialect}");
    }
}

/// The row of a dialect that needs no other dialect: accounts of irc are made elsewhere.
fn row_alone(dialect: &str) -> &'static Row {
    let guests = ROWS.iter().find(|row| row.dialect.name == dialect && !row.has_account());
    guests.unwrap_or_else(|| row_of(dialect))
}

#[test]
fn a_disabled_front_end_is_as_if_it_had_no_section() {
    let off = LISTENERS.iter().filter(|(dialect, _)| *dialect != "channel");
    let off: String =
        off.map(|(dialect, _)| format!("[frontends.{dialect}]\nenabled = false\n")).collect();
    let gateway = launch(&format!("{off}[frontends.channel]")).start();
    assert_eq!(ports_of(gateway.pid()), said(&gateway, &["channel"]));
}

/// A port in use, on a loopback address that no other test uses.
fn taken() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 77), 0)).expect("it is free");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

fn readiness(gateway: &Gateway) -> u16 {
    Http::connect(gateway.address("admin", "listen")).get("/readyz").status
}

#[test]
fn a_dialect_whose_port_is_in_use_is_reported_and_served_once_it_is_free() {
    let (holder, address) = taken();
    let prepared = launch(&format!(
        "[[rooms]]
        name = \"TEST\"
        [frontends.token]
        [frontends.chatroom]
        [frontends.channel]
        listen = \"{address}\""
    ));
    let mut gateway = prepared.spawn();
    for (dialect, key) in [
        ("admin", "listen"),
        ("token", "listen"),
        ("chatroom", "listen"),
        ("chatroom", "websocket_listen"),
    ] {
        gateway.wait_for_listener(dialect, key);
    }
    let complaint = gateway.log().wait_for_line(&["cannot listen", &address.to_string()]);
    assert!(complaint.contains("channel") && complaint.contains("ERROR"), "{complaint}");
    assert_eq!(readiness(&gateway), 503);
    let mut alone = serve(&gateway, row_of("token"), "tom");
    serve(&gateway, ROWS.iter().find(|row| !row.has_account()).expect("guests"), "gus");

    drop(holder);
    assert_eq!(gateway.wait_for_listener("channel", "listen"), address);
    assert_eq!(readiness(&gateway), 200);
    serve(&gateway, row_of("channel"), "carl");
    // Those who were there have not noticed.
    alone.post(&Room { id: 1, name: "TEST".into() }, "still here");
}

/// A client enters TEST and posts.
fn serve(gateway: &Gateway, row: &Row, name: &str) -> Box<dyn Client> {
    let room = Room { id: 1, name: "TEST".into() };
    let mut client = (row.enroll)(gateway, name);
    client.enter(&room);
    client.post(&room, "hello");
    client
}

#[test]
fn one_listener_of_a_dialect_serves_while_the_other_cannot_bind() {
    let (_holder, address) = taken();
    let prepared = launch(&format!("[frontends.chatroom]\nwebsocket_listen = \"{address}\""));
    let mut gateway = prepared.spawn();
    gateway.wait_for_listener("chatroom", "listen");
    gateway.wait_for_listener("admin", "listen");
    gateway.log().wait_for_line(&["cannot listen", "websocket_listen"]);
    let mut http = Http::connect(gateway.address("chatroom", "listen"));
    assert_eq!(http.get("/chatroom/list").json(), json!({"room_list": [], "rooms": []}));
    assert_eq!(readiness(&gateway), 503);
}

#[test]
fn a_required_dialect_whose_port_is_in_use_ends_the_gateway() {
    let (_holder, address) = taken();
    let prepared = launch(&format!(
        "[frontends.token]
        [frontends.channel]
        required = true
        listen = \"{address}\""
    ));
    let mut gateway = prepared.spawn();
    assert_eq!(gateway.wait_for_exit(), 1);
    let log = gateway.log().text();
    assert!(log.contains("channel") && log.contains(&address.to_string()), "{log}");
}

#[test]
fn a_gateway_that_can_listen_nowhere_ends() {
    let (_holder, address) = taken();
    let mut gateway = launch(&format!("[frontends.token]\nlisten = \"{address}\"")).spawn();
    assert_eq!(gateway.wait_for_exit(), 1);
}

#[test]
fn people_and_rooms_stay_when_their_dialect_is_turned_off() {
    let rooms = "[[rooms]]\nname = \"TEST\"\n";
    let mut gateway = launch(&format!("{rooms}[frontends.token]\n[frontends.chatroom]")).start();
    Token::connect(gateway.address("token", "listen")).login("tom");
    gateway.terminate();
    let launch = gateway.launch().clone().with_config(&format!("{rooms}[frontends.chatroom]"));
    let gateway = launch.start();
    // His name is still his.
    let mut talk = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    talk.send("join", "TEST", "tom", "");
    assert_eq!(talk.receive()["data"]["msg"], "not signed in");
}
