//! Reloads that change the addresses of listeners.

use super::*;

#[test]
fn a_front_end_that_changes_its_address_keeps_its_connections() {
    let [from, to] = ["127.0.91.1", "127.0.91.2"].map(free_address);
    let toml = |address| {
        format!("{ROOM}[frontends.chatroom]\nwebsocket_listen = \"{address}\"\n[frontends.channel]")
    };
    let mut gateway = Gateway::start(&toml(from));
    let mut ann = Talk::connect(from);
    ann.join("TEST", "ann");
    gateway.reload(&toml(to));
    assert_eq!(gateway.wait_for_listener("chatroom", "websocket_listen"), to);
    assert!(try_connect(from).is_err(), "the old address is closed");
    let mut eve = Talk::connect(to);
    eve.join("TEST", "eve");
    eve.say("TEST", "eve", "hello ann");
    assert_eq!(receive_until(&mut ann, "hello ann").len(), 1);
    ann.say("TEST", "ann", "hello eve");
}

#[test]
fn front_ends_may_exchange_their_addresses() {
    let [one, other] = ["127.0.91.3", "127.0.91.4"].map(free_address);
    let toml = |channel, usr_room| {
        format!(
            "{ROOM}[frontends.channel]\nlisten = \"{channel}\"\n[frontends.usr_room]\n\
             listen = \"{usr_room}\""
        )
    };
    let mut gateway = Gateway::start(&toml(one, other));
    let mut bob = Channel::enroll(one, "bob");
    let mut kept = UsrRoom::connect(other);
    kept.done("/time", &json!({}));
    gateway.reload(&toml(other, one));
    bob.reconnect(other).send("TEST", "over here");
    UsrRoom::connect(one).done("/time", &json!({}));
    // The address is whose it is now, for those who are connected already as well.
    assert_eq!(bob.try_call("/channel/send", &json!({}), &[]).expect("answered").status, 404);
    assert_eq!(kept.http.post_json("/time", &json!({})).status, 404);
    assert_eq!(readiness(&gateway), "200 ready\n");
}

#[test]
fn an_address_may_be_replaced_by_one_that_includes_it() {
    let port = port_free_everywhere();
    let toml = |ip: &str| format!("[frontends.ourchat]\nlisten = \"{ip}:{port}\"");
    let mut gateway = Gateway::start(&toml("127.0.91.5"));
    let mut dan = Ourchat::websocket(gateway.address("ourchat", "listen"));
    gateway.reload(&toml("0.0.0.0"));
    let narrow = SocketAddr::from(([127, 0, 91, 5], port));
    let wide = SocketAddr::from(([127, 0, 91, 6], port));
    Ourchat::websocket(wide).call(&json!({"code": 12}));
    gateway.reload(&toml("127.0.91.5"));
    assert!(try_connect(wide).is_err(), "it is not listened on any more");
    Ourchat::websocket(narrow).call(&json!({"code": 12}));
    dan.call(&json!({"code": 12}));
}

/// One socket of IPv6 takes IPv4 too, until there is one for that.
#[test]
fn an_ipv4_address_may_come_beside_all_of_ipv6_and_go_again() {
    if TcpListener::bind("[::1]:0").is_err() {
        return eprintln!("skipped: this machine has no IPv6");
    }
    let port = port_free_everywhere();
    let toml = |listen: &str| format!("[frontends.ourchat]\nlisten = {listen}");
    let both = toml(&format!("\"[::]:{port}\""));
    let each = toml(&format!("[\"[::]:{port}\", \"0.0.0.0:{port}\"]"));
    let mut gateway = Gateway::start(&both);
    let v4 = SocketAddr::from(([127, 0, 91, 12], port));
    let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port));
    let mut kept = [Ourchat::websocket(v4), Ourchat::websocket(v6)];
    for config in [&each, &both] {
        gateway.reload(config);
        for address in [v4, v6] {
            Ourchat::websocket(address).call(&json!({"code": 12}));
        }
        for client in &mut kept {
            client.call(&json!({"code": 12}));
        }
        assert_eq!(readiness(&gateway), "200 ready\n");
    }
    gateway.log().wait_for_line(&["\"listening\"", &format!("0.0.0.0:{port}")]);
}

#[test]
fn a_front_end_whose_new_address_is_in_use_keeps_the_old_one() {
    let taken = TcpListener::bind(("127.0.91.7", 0)).expect("a port is free");
    let address = taken.local_addr().expect("it is bound");
    let free = free_address("127.0.91.8");
    let toml = |channel, usr_room: &str| {
        format!(
            "{ROOM}[frontends.channel]\nlisten = \"{channel}\"\n[frontends.chatroom]\n{usr_room}"
        )
    };
    let mut gateway = Gateway::start(&toml(free, ""));
    let mut bob = Channel::enroll(free, "bob");
    gateway.reload(&toml(address, "[frontends.usr_room]"));
    gateway.log().wait_for_line(&[
        "ERROR",
        "keeping the previous configuration: cannot listen on",
        "\"channel\"",
    ]);
    bob.send("TEST", "still here");
    bob.reconnect(free).send("TEST", "and new ones come");
    UsrRoom::connect(gateway.wait_for_listener("usr_room", "listen")).done("/time", &json!({}));
    let ready = readiness(&gateway);
    let says = format!(
        "200 ready\nchannel keeps its previous configuration: cannot listen on {address}: "
    );
    assert!(ready.starts_with(&says), "{ready}");
    let incomplete = "dragoman_reloads_total{result=\"incomplete\"}";
    assert_eq!(metric(&gateway, incomplete), Some("1".into()));

    drop(taken);
    gateway.reload(&toml(address, "[frontends.usr_room]"));
    gateway.log().wait_for_line(&["\"listening\"", "\"channel\"", &address.to_string()]);
    bob.reconnect(address).send("TEST", "at last");
    assert!(try_connect(free).is_err(), "the former one is closed");
}

#[test]
fn a_new_front_end_whose_address_is_in_use_is_retried() {
    let taken = TcpListener::bind(("127.0.91.9", 0)).expect("a port is free");
    let address = taken.local_addr().expect("it is bound");
    let mut gateway = Gateway::start(&format!("{ROOM}[frontends.chatroom]\n"));
    gateway.reload(&format!(
        "{ROOM}[frontends.chatroom]\n[frontends.channel]\nrequired = true\nlisten = \"{address}\""
    ));
    gateway.log().wait_for_line(&["ERROR", "cannot listen", "\"channel\""]);
    assert_eq!(readiness(&gateway), "503 not listening yet: channel\n");
    drop(taken);
    assert_eq!(gateway.wait_for_listener("channel", "listen"), address);
    assert_eq!(readiness(&gateway), "200 ready\n");
}

#[test]
fn the_admin_listener_moves_or_stays() {
    let [from, to] = ["127.0.91.10", "127.0.91.11"].map(free_address);
    let toml = |admin| format!("[admin]\nlisten = \"{admin}\"\n[frontends.channel]\n");
    let mut gateway = Gateway::start(&toml(from));
    gateway.reload(&toml(to));
    assert_eq!(gateway.wait_for_listener("admin", "listen"), to);
    assert_eq!(readiness(&gateway), "200 ready\n");
    assert!(try_connect(from).is_err(), "the former one is closed");
    let taken = TcpListener::bind(from).expect("it is free");
    gateway.reload(&toml(from));
    gateway.log().wait_for_line(&["ERROR", "the admin listener cannot listen"]);
    assert_eq!(readiness(&gateway), "200 ready\n");
    drop(taken);
}
