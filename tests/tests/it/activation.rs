//! Sockets that systemd opens and passes on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use gateway_tests::{Gateway, Http, Irc, Launch, PATIENCE, connect, program};

/// A socket that listens, as systemd opens it.
fn listener() -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}

const THREE: &str = "[admin]\nlisten = \"systemd:admin\"\n\
                     [frontends.irc]\nlisten = \"systemd:irc\"\n\
                     [frontends.channel]\nlisten = [\"systemd:chat.api\", \"127.0.0.1:0\"]\n";

/// What an HTTP request on a unix socket is answered.
fn ask(mut stream: UnixStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).expect("it is open");
    let request = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered");
    answer
}

fn ready(admin: SocketAddr) -> String {
    Http::connect(admin).get("/readyz").text().to_owned()
}

#[test]
fn clients_that_come_before_the_gateway_and_while_it_restarts_are_served() {
    let (irc, irc_address) = listener();
    let (admin, admin_address) = listener();
    let launch = Launch::of(THREE);
    let path = launch.folder().join("chat.sock");
    let chat = UnixListener::bind(&path).expect("the folder is writable");
    let launch = launch.with_socket("irc", irc).with_socket("chat.api", chat);
    let launch = launch.with_socket("admin", admin);
    let early = connect(irc_address);
    let early_chat = UnixStream::connect(&path).expect("it listens");

    let mut gateway = launch.spawn();
    assert_eq!(gateway.wait_for_listener("irc", "listen"), irc_address);
    assert_eq!(gateway.wait_for_listener("admin", "listen"), admin_address);
    let mut first = Irc::over(early);
    first.send("NICK ann\r\nUSER ann 0 * :ann");
    first.receive_until(" 422 ");
    assert!(ask(early_chat).starts_with("HTTP/1.1 404"));
    assert_eq!(ready(admin_address), "ready\n");
    assert_eq!(gateway.terminate(), 0);
    assert!(path.exists(), "the file is not the gateway's");

    // Between two runs connections wait.
    let between = connect(irc_address);
    let between_chat = UnixStream::connect(&path).expect("it listens still");
    let mut gateway = gateway.launch().clone().spawn();
    assert_eq!(gateway.wait_for_listener("irc", "listen"), irc_address);
    let mut second = Irc::over(between);
    second.send("NICK ann\r\nUSER ann 0 * :ann");
    second.receive_until(" 422 ");
    assert!(ask(between_chat).starts_with("HTTP/1.1 404"));
}

/// A socket is not closed with the listener that used it.
#[test]
fn a_reload_gives_a_socket_to_another_front_end_and_back() {
    let (one, one_address) = listener();
    let (two, two_address) = listener();
    let toml = |channel: &str, usr_room: &str| {
        format!(
            "[frontends.irc]\nlisten = \"127.0.0.1:0\"\n[frontends.channel]\n{channel}\n\
             [frontends.usr_room]\n{usr_room}\n"
        )
    };
    let listen = |name: &str| format!("listen = \"systemd:{name}\"");
    let launch = Launch::of(&toml(&listen("one"), &listen("two")));
    let mut gateway = launch.with_socket("one", one).with_socket("two", two).spawn();
    gateway.wait_for_listener("usr_room", "listen");
    assert_eq!(gateway.wait_for_listener("channel", "listen"), one_address);
    let time = |address| Http::connect(address).get("/time").status;
    assert_eq!((time(one_address), time(two_address)), (404, 200));
    let mut irc = Irc::sign_on(gateway.wait_for_listener("irc", "listen"), "ann", None);

    gateway.reload(&toml(&listen("two"), &listen("one")));
    assert_eq!((time(one_address), time(two_address)), (200, 404));
    gateway.reload(&toml("enabled = false", &listen("one")));
    let unused = "systemd:two\\\" where it belongs";
    gateway.log().wait_for_line(&["WARN", &two_address.to_string(), unused]);
    // Nothing accepts, and nothing is refused.
    let waiting = connect(two_address);
    gateway.reload(&toml(&listen("two"), &listen("one")));
    assert_eq!(Http::over(waiting, two_address).get("/time").status, 404);
    irc.send("PING here");
    irc.receive_until(" PONG ");
}

#[test]
fn several_sockets_of_one_name_are_one_listener() {
    let (one, one_address) = listener();
    let (two, two_address) = listener();
    let toml =
        "[frontends.chatroom]\nlisten = \"systemd:web\"\nwebsocket_listen = \"systemd:web\"\n";
    let gateway = Launch::of(toml).with_socket("web", one).with_socket("web", two).spawn();
    gateway.log().wait_for_line(&["listening", "\"websocket_listen\"", &one_address.to_string()]);
    gateway.log().wait_for_line(&["try: "]);
    for address in [one_address, two_address] {
        assert_eq!(Http::connect(address).get("/chatroom/list").status, 200);
        gateway_tests::Talk::connect(address);
    }
}

/// What a gateway says that does not start.
fn refused(mut gateway: Gateway) -> String {
    assert_eq!(gateway.wait_for_exit(), 78);
    gateway.log().text()
}

#[test]
fn mistakes_have_a_sentence_each() {
    let toml = "[frontends.channel]\nlisten = \"systemd:web\"\n";
    let said = refused(Launch::of(toml).spawn());
    assert!(said.contains("frontends.channel.listen = \"systemd:web\": no socket with this name"));
    assert!(said.contains("none was passed at all"), "{said}");
    let said = refused(Launch::of(toml).with_socket("wep", listener().0).spawn());
    assert!(said.contains("passed are wep: see FileDescriptorName="), "{said}");

    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let said = refused(Launch::of(toml).with_socket("web", datagrams).spawn());
    assert!(said.contains("the socket unit needs ListenStream="), "{said}");
    let (_listening, address) = listener();
    let connection: TcpStream = connect(address);
    let said = refused(Launch::of(toml).with_socket("web", connection).spawn());
    assert!(said.contains("the socket unit needs Accept=no"), "{said}");

    let launch = Launch::of(THREE);
    let unix = UnixListener::bind(launch.folder().join("admin.sock")).expect("it is writable");
    let launch = launch.with_socket("admin", unix).with_socket("irc", listener().0);
    let said = refused(launch.with_socket("chat.api", listener().0).spawn());
    assert!(said.contains("the admin listener takes TCP only"), "{said}");
}

#[test]
fn an_address_beside_the_same_socket_is_a_mistake() {
    let (socket, address) = listener();
    let toml = format!(
        "[frontends.channel]\nlisten = \"systemd:web\"\n[frontends.usr_room]\nlisten = \"{address}\"\n"
    );
    let said = refused(Launch::of(&toml).with_socket("web", socket).spawn());
    assert!(said.contains("which is the same port on overlapping addresses"), "{said}");
}

/// The sockets are those of the service; from a shell their names can only be believed.
#[test]
fn check_says_what_it_cannot_check() {
    let launch = Launch::of("[frontends.channel]\nlisten = \"systemd:web\"\n");
    let mut check = Command::new(program::path());
    check.arg("check").current_dir(launch.folder());
    let output = check.output().expect("the program was built");
    let said = String::from_utf8(output.stderr).expect("it is UTF-8");
    assert!(output.status.success(), "{said}");
    let warning = "frontends.channel.listen = \"systemd:web\": not checked";
    assert!(said.contains(warning), "{said}");
}
