//! `dragoman user`: on a store that nobody has open, and on a gateway that runs.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

use super::program::{Running, folder, names_in, run, run_typing};

const TOML: &str = "\
    [server.log]\nformat = \"json\"\n\
    [admin]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.usr_room]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.chatroom]\nlisten = \"127.0.0.1:0\"\nwebsocket_listen = \"127.0.0.1:0\"\n\
    [frontends.ourchat]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.channel]\nlisten = \"127.0.0.1:0\"\n";

/// A gateway that runs, and where it listens.
struct Gateway {
    running: Running,
    addresses: BTreeMap<(String, String), SocketAddr>,
}

impl Gateway {
    fn start(folder: &Path) -> Self {
        let mut running = Running::start(folder, &[]);
        let mut addresses = BTreeMap::new();
        while addresses.len() < 6 {
            let line: Value = serde_json::from_str(&running.line()).expect("a line of JSON");
            let field = |name: &str| line["fields"][name].as_str().map(str::to_owned);
            if field("message").as_deref() == Some("listening") {
                let name = |key| field(key).expect("it says who listens");
                let address = name("address").parse().expect("an address");
                addresses.insert((name("frontend"), name("listener")), address);
            }
        }
        Self { running, addresses }
    }

    fn address(&self, frontend: &str) -> SocketAddr {
        self.addresses[&(frontend.to_owned(), "listen".to_owned())]
    }

    fn admin(&self) -> String {
        format!("admin.listen={}", self.address("admin"))
    }

    /// `dragoman user arguments…`, of somebody who knows where the admin listener is.
    fn user(&self, folder: &Path, arguments: &[&str]) -> String {
        let admin = self.admin();
        run(folder, &[&["--set", &admin, "user"], arguments].concat())
            .replace(&self.address("admin").to_string(), "<admin>")
    }

    /// `dragoman user password who`, of somebody who types this.
    fn set_password(&self, folder: &Path, who: &str, typed: &str) -> String {
        run_typing(folder, &["--set", &self.admin(), "user", "password", who], typed)
    }

    fn end(self) {
        assert_eq!(self.running.end().code(), Some(0));
    }
}

/// Status, head and body of the answer to one request.
fn http(address: SocketAddr, head: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let request = format!("{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), head.to_owned(), body.to_owned())
}

fn json_of(address: SocketAddr, head: &str, body: &Value) -> Value {
    let head = format!("{head} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json");
    let (_, _, body) = http(address, &head, &body.to_string());
    serde_json::from_str(&body).expect("JSON")
}

fn register(gateway: &Gateway, name: &str, password: &str) {
    let account = json!({ "name": name, "password": password, "password_repete": password });
    let said = json_of(gateway.address("channel"), "POST /register", &account);
    assert_eq!(said["code"], 0, "{said}");
}

/// What the chatroom says to somebody who signs in by telephone.
fn sign_in_by_tel(gateway: &Gateway, tel: &str, password: &str) -> Value {
    let login = json!({ "user_tel": tel, "user_password": password });
    json_of(gateway.address("chatroom"), "POST /auth/login", &login)
}

/// What ourchat says to somebody who signs in by email, and the connection.
fn sign_in_by_email(
    gateway: &Gateway,
    email: &str,
    password: &str,
) -> (Value, WebSocket<TcpStream>) {
    let address = gateway.address("ourchat");
    let stream = TcpStream::connect(address).expect("it listens");
    let (mut socket, _) =
        tungstenite::client(format!("ws://{address}/"), stream).expect("a handshake");
    let login = json!({ "code": 6, "login_type": 0, "account": email, "password": password });
    socket.send(Message::text(login.to_string())).expect("it reads");
    let said = socket.read().expect("it answers");
    (serde_json::from_str(said.to_text().expect("a text")).expect("JSON"), socket)
}

/// A folder with a store in which bob (uid 10000) and ann (uid 10001) have an account.
fn populated() -> TempDir {
    let folder = folder(TOML);
    let gateway = Gateway::start(folder.path());
    register(&gateway, "bob", "tea");
    register(&gateway, "ann", "cocoa");
    gateway.end();
    folder
}

/// The transcript without when accounts were made, which must be a time of RFC 3339.
fn without_times(said: &str) -> String {
    let line = |line: &str| match line.strip_prefix("created ") {
        Some(time) => {
            let of_the_form = |(char, form): (char, char)| match form {
                '0' => char.is_ascii_digit(),
                form => char == form,
            };
            assert!(time.chars().zip("0000-00-00T00:00:00".chars()).all(of_the_form), "{time}");
            assert!(time.ends_with('Z'), "{time}");
            "created <time>".to_owned()
        }
        None => line.to_owned(),
    };
    said.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn without_a_gateway_it_works_on_the_store() {
    let folder = populated();
    let said =
        |arguments: &[&str]| without_times(&run(folder.path(), &[&["user"], arguments].concat()));
    let transcript = [
        said(&["show", "bob"]),
        said(&["link", "bob", "tel/0155"]),
        said(&["link", "@bob", "email/Bob@Example.org"]),
        said(&["unlink", "tel/155", "tel/155"]),
        said(&["show", "10001"]),
    ];
    insta::assert_snapshot!(transcript.join("\n\n"), @"
    $ dragoman user show bob
    uid 10000
    handle bob
    name bob
    created <time>
    online no
    password yes
    exit 0

    $ dragoman user link bob tel/0155
    uid 10000
    handle bob
    name bob
    identity tel/155
    created <time>
    online no
    password yes
    exit 0

    $ dragoman user link @bob email/Bob@Example.org
    uid 10000
    handle bob
    name bob
    identity tel/155
    identity email/bob@example.org
    created <time>
    online no
    password yes
    exit 0

    $ dragoman user unlink tel/155 tel/155
    uid 10000
    handle bob
    name bob
    identity email/bob@example.org
    created <time>
    online no
    password yes
    exit 0

    $ dragoman user show 10001
    uid 10001
    handle ann
    name ann
    created <time>
    online no
    password yes
    exit 0
    ");
}

#[test]
fn while_a_gateway_runs_it_asks_the_gateway() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    let said = |arguments: &[&str]| without_times(&gateway.user(folder.path(), arguments));
    let transcript = [
        said(&["show", "bob"]),
        said(&["link", "bob", "tel/0155"]),
        said(&["link", "10000", "email/Bob@Example.org"]),
        said(&["link", "bob", "tel/155"]),
        said(&["unlink", "email/bob@example.org", "tel/155"]),
        said(&["show", "ann"]),
    ];
    insta::assert_snapshot!(transcript.join("\n\n"), @"
    $ dragoman --set admin.listen=<admin> user show bob
    uid 10000
    handle bob
    name bob
    created <time>
    online no
    password yes
    exit 0

    $ dragoman --set admin.listen=<admin> user link bob tel/0155
    uid 10000
    handle bob
    name bob
    identity tel/155
    created <time>
    online no
    password yes
    exit 0

    $ dragoman --set admin.listen=<admin> user link 10000 email/Bob@Example.org
    uid 10000
    handle bob
    name bob
    identity tel/155
    identity email/bob@example.org
    created <time>
    online no
    password yes
    exit 0

    $ dragoman --set admin.listen=<admin> user link bob tel/155
    uid 10000
    handle bob
    name bob
    identity tel/155
    identity email/bob@example.org
    created <time>
    online no
    password yes
    exit 0

    $ dragoman --set admin.listen=<admin> user unlink email/bob@example.org tel/155
    uid 10000
    handle bob
    name bob
    identity email/bob@example.org
    created <time>
    online no
    password yes
    exit 0

    $ dragoman --set admin.listen=<admin> user show ann
    uid 10001
    handle ann
    name ann
    created <time>
    online no
    password yes
    exit 0
    ");
    gateway.end();
}

#[test]
fn what_is_linked_signs_in_and_what_is_unlinked_does_not() {
    let folder = populated();
    let linked = run(folder.path(), &["user", "link", "bob", "tel/5551234"]);
    assert!(linked.ends_with("exit 0"), "{linked}");
    let gateway = Gateway::start(folder.path());
    let said = sign_in_by_tel(&gateway, "05551234", "tea");
    assert_eq!(
        (&said["res"], &said["data"]["user_name"]),
        (&json!("login successfully"), &json!("bob"))
    );
    assert_eq!(sign_in_by_tel(&gateway, "5551234", "cocoa")["res"], "password wrong");

    let (said, _) = sign_in_by_email(&gateway, "Bob@Example.org", "tea");
    assert_eq!(said["state"], 1);
    let linked = gateway.user(folder.path(), &["link", "bob", "email/bob@EXAMPLE.org"]);
    assert!(linked.ends_with("exit 0"), "{linked}");
    let (said, _) = sign_in_by_email(&gateway, "Bob@Example.org", "tea");
    assert_eq!((&said["state"], &said["ocid"]), (&json!(0), &json!(10000)));

    let unlinked = gateway.user(folder.path(), &["unlink", "bob", "tel/5551234"]);
    assert!(unlinked.ends_with("exit 0"), "{unlinked}");
    assert_eq!(sign_in_by_tel(&gateway, "5551234", "tea")["res"], "user not exist");
    gateway.end();
    let said = run(folder.path(), &["user", "show", "bob", "--json"]);
    assert!(said.contains(r#""identities":["email/bob@example.org"]"#), "{said}");
}

#[test]
fn json_is_the_same_of_the_store_and_of_the_gateway() {
    let folder = populated();
    let account = |said: String| -> Value {
        let line = said.lines().nth(1).expect("a line after the command");
        serde_json::from_str(line).expect("JSON")
    };
    let of_the_store = account(run(folder.path(), &["user", "show", "--json", "ann"]));
    let gateway = Gateway::start(folder.path());
    let of_the_gateway = account(gateway.user(folder.path(), &["show", "--json", "ann"]));
    assert_eq!(of_the_store, of_the_gateway);
    let created = &of_the_store["created"];
    let expected = json!({
        "uid": 10001, "handle": "ann", "name": "ann", "identities": [], "created": created,
        "online": false, "password": true,
    });
    assert_eq!(of_the_store, expected);
    gateway.end();
}

#[test]
fn an_account_made_by_openid_has_no_password_and_goes_by_each_openid_that_is_linked() {
    let folder = folder(TOML);
    let gateway = Gateway::start(folder.path());
    let usr_room = gateway.address("usr_room");
    let made = json_of(usr_room, "POST /usr/complete", &json!({ "openid": "o1" }));
    assert_eq!(made["response_code"], 1, "{made}");
    let joined = |openid: &str| {
        json_of(usr_room, "POST /usr/roomlist2", &json!({ "openid": openid }))["response_code"]
            .clone()
    };
    assert_eq!(joined("o2"), 0, "nobody knows o2 yet");
    let said = gateway.user(folder.path(), &["link", "openid:wechat/o1", "openid:wechat/o2"]);
    assert!(said.contains("\nidentity openid:wechat/o1\nidentity openid:wechat/o2\n"), "{said}");
    assert!(said.contains("\npassword no\n"), "{said}");
    assert_eq!(joined("o2"), 1);
    gateway.end();
}

#[test]
fn who_is_connected_is_online_until_the_gateway_is_gone() {
    let folder = populated();
    run(folder.path(), &["user", "link", "bob", "email/b@c"]);
    let gateway = Gateway::start(folder.path());
    let (said, _connected) = sign_in_by_email(&gateway, "b@c", "tea");
    assert_eq!(said["state"], 0);
    let said = gateway.user(folder.path(), &["show", "bob"]);
    assert!(said.contains("\nonline yes\n"), "{said}");
    // Killed: nobody takes the session out of the store.
    drop(gateway);
    let said = run(folder.path(), &["user", "show", "bob"]);
    assert!(said.contains("\nonline no\n"), "{said}");
}

#[test]
fn what_cannot_be_done_is_said_in_a_sentence_with_and_without_a_gateway() {
    let folder = populated();
    run(folder.path(), &["user", "link", "ann", "tel/155"]);
    let requests: [&[&str]; 6] = [
        &["link", "bob", "tel/0155"],
        &["unlink", "bob", "tel/155"],
        &["show", "155"],
        &["show", "carol"],
        &["link", "email/carol@example.org", "tel/1"],
        &["unlink", "10007", "tel/155"],
    ];
    let said = |run: &dyn Fn(&[&str]) -> String| {
        let errors = requests.iter().map(|arguments| {
            let said = run(arguments);
            assert!(said.ends_with("\nexit 1"), "{said}");
            said.lines().skip(1).collect::<Vec<_>>().join("\n")
        });
        errors.collect::<Vec<_>>().join("\n")
    };
    let of_the_store = said(&|arguments| run(folder.path(), &[&["user"], arguments].concat()));
    insta::assert_snapshot!(of_the_store, @r#"
    stderr: tel/155 belongs to another user, uid 10001 (handle "ann"); to move it, unlink it there first
    exit 1
    stderr: tel/155 is not linked to uid 10000 (handle "bob")
    exit 1
    stderr: there is no user with the uid 155; a handle of digits is written @155, a telephone number tel/155
    exit 1
    stderr: there is no user with the handle "carol"
    exit 1
    stderr: there is no user with the identity email/carol@example.org
    exit 1
    stderr: there is no user with the uid 10007; a handle of digits is written @10007, a telephone number tel/10007
    exit 1
    "#);
    let gateway = Gateway::start(folder.path());
    assert_eq!(said(&|arguments| gateway.user(folder.path(), arguments)), of_the_store);
    gateway.end();
}

#[test]
fn what_is_no_user_or_identity_is_a_mistake_on_the_command_line() {
    let folder = folder(TOML);
    for (arguments, why) in [
        (&["show", "phone/155"][..], "no dialect has the realm \"phone\""),
        (&["link", "bob", "155"], "not of the form realm/subject"),
        (&["link", "bob", "tel/+155"], "no telephone number"),
        (&["unlink", "bob", "openid/o1"], "needs its type"),
        (&["link", "bob"], "<IDENTITY>"),
        (&[], "Usage"),
    ] {
        let said = run(folder.path(), &[&["user"], arguments].concat());
        assert!(said.contains(why), "{said}");
        assert!(said.ends_with("exit 2"), "{said}");
    }
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let folder = folder(TOML);
    let said = run(folder.path(), &["user", "show", "bob"]);
    assert!(said.contains("stderr: there is no store data/dragoman.redb yet; "), "{said}");
    assert!(said.ends_with("exit 1"), "{said}");
    assert_eq!(names_in(folder.path()), ["gateway.toml"]);
}

#[test]
fn a_gateway_that_cannot_be_asked_is_an_error_that_says_what_to_do() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    for (listen, why) in [
        ("127.0.0.1:0".to_owned(), "[admin] listen leaves the port open"),
        ("192.0.2.1:5090".to_owned(), "over a loopback address only"),
        ("127.0.0.1:1".to_owned(), "no gateway to ask at 127.0.0.1:1 "),
        (gateway.address("channel").to_string(), "is no gateway of this version"),
    ] {
        let listen = format!("admin.listen={listen}");
        let said = run(folder.path(), &["--set", &listen, "user", "link", "bob", "tel/1"]);
        assert!(said.contains(why), "{said}");
        assert!(said.ends_with("exit 1"), "{said}");
    }
    std::fs::write(
        folder.path().join("without.toml"),
        TOML.replace("[admin]\nlisten = \"127.0.0.1:0\"\n", ""),
    )
    .expect("it is writable");
    let said = run(folder.path(), &["--config", "without.toml", "user", "link", "bob", "tel/1"]);
    insta::assert_snapshot!(said, @r#"
    $ dragoman --config without.toml user link bob tel/1
    stderr: another process has the store data/dragoman.redb open, and [admin] listen is not set, so that it cannot be asked; set it, to "127.0.0.1:5090" for one, and restart the gateway; or stop the gateway first
    exit 1
    "#);
    let said = gateway.user(folder.path(), &["show", "bob"]);
    assert!(!said.contains("identity"), "{said}");
    gateway.end();
}

#[test]
fn a_gateway_with_another_store_is_not_taken_for_the_one_that_is_meant() {
    let (mine, other) = (populated(), populated());
    let (running, gateway) = (Gateway::start(mine.path()), Gateway::start(other.path()));
    let said = gateway.user(mine.path(), &["link", "bob", "tel/1"]);
    assert!(said.contains("the gateway that listens here has another store open: "), "{said}");
    assert!(said.ends_with("exit 1"), "{said}");
    let said = gateway.user(other.path(), &["show", "bob"]);
    assert!(!said.contains("identity"), "{said}");
    gateway.end();
    running.end();
}

#[test]
fn the_admin_listener_does_it_for_no_web_page() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let change = r#"{"who":"bob","identity":"tel/1"}"#;
    let link = "POST /users/link HTTP/1.1";
    let (own, header) = (format!("host: {admin}"), "x-dragoman-admin: 1");
    for (lines, status, body, says) in [
        // A form of another origin.
        (
            &[link, &own, "content-type: text/plain", "origin: https://example.org"][..],
            403,
            change,
            "X-Dragoman-Admin",
        ),
        // The preflight of a script of another origin.
        (
            &[
                "OPTIONS /users/link HTTP/1.1",
                &own,
                "origin: https://example.org",
                "access-control-request-headers: x-dragoman-admin",
            ],
            403,
            "",
            "X-Dragoman-Admin",
        ),
        // A page whose own name was made to point here.
        (
            &[link, "host: example.org:5090", header],
            403,
            change,
            "neither an IP address nor localhost",
        ),
        (&["GET /users?who=bob HTTP/1.1", "host: example.org", header], 403, "", "neither"),
        (&["GET /users?who=bob HTTP/1.1", &own], 403, "", "X-Dragoman-Admin"),
        (&[link, &own, header, "x-dragoman-store: 0-0"], 421, change, "another store"),
        (&["GET /users/link?who=bob&identity=tel/1 HTTP/1.1", &own, header], 405, "", "POST it"),
        (&["POST /users HTTP/1.1", &own, header], 405, change, "GET it"),
        (&["GET /users HTTP/1.1", &own, header], 400, "", "who is missing"),
        (&[link, &own, header], 400, "{}", "missing field `who`"),
        (&[link, &own, header], 400, r#"{"who":"bob","identity":"phone/1"}"#, "realm"),
        (&[link, &own, header], 400, &"x".repeat(20_000), "length limit"),
    ] {
        let (got, head, said) = http(admin, &lines.join("\r\n"), body);
        assert_eq!(got, status, "{lines:?}: {said}");
        assert!(said.contains(says), "{lines:?}: {said}");
        assert!(!head.to_lowercase().contains("access-control-allow"), "{head}");
    }
    let shown = gateway.user(folder.path(), &["show", "bob"]);
    assert!(!shown.contains("identity"), "{shown}");

    let (status, _, said) = http(admin, &[link, &own, header].join("\r\n"), change);
    assert_eq!(status, 200);
    assert!(said.contains(r#""identities":["tel/1"]"#), "{said}");
    let (status, head, _) =
        http(admin, &format!("GET /users/link HTTP/1.1\r\n{own}\r\n{header}"), "");
    assert_eq!(status, 405);
    assert!(head.to_lowercase().contains("\r\nallow: post"), "{head}");
    gateway.end();
}

/// What the channel dialect says to somebody who signs in by handle.
fn sign_in_by_handle(gateway: &Gateway, name: &str, password: &str) -> Value {
    let login = json!({ "name": name, "password": password });
    json_of(gateway.address("channel"), "POST /login", &login)
}

#[test]
fn whoever_was_made_by_openid_signs_in_elsewhere_once_there_is_a_password() {
    let folder = folder(TOML);
    let gateway = Gateway::start(folder.path());
    let made = json!({ "openid": "o1", "name": "uma" });
    json_of(gateway.address("usr_room"), "POST /usr/complete", &made);
    let shown = gateway.user(folder.path(), &["show", "openid:wechat/o1"]);
    assert!(shown.contains("password no"), "{shown}");
    let handle = shown.lines().find_map(|line| line.strip_prefix("handle ")).expect("it has one");

    let said = gateway.set_password(folder.path(), "openid:wechat/o1", "tea for two\n");
    assert!(said.contains("password yes") && said.ends_with("exit 0"), "{said}");
    assert!(!said.contains("tea for two"), "{said}");
    let said = sign_in_by_handle(&gateway, handle, "tea for two");
    let token = said["data"]["token"].as_str().expect("it is signed in").to_owned();
    assert_eq!(sign_in_by_handle(&gateway, handle, "tea")["code"], 3);
    let info = |gateway: &Gateway| {
        let body = json!({ "token": token, "name": handle });
        json_of(gateway.address("channel"), "POST /user/info", &body)["code"].clone()
    };
    assert_eq!(info(&gateway), 0);
    gateway.end();

    // On the store itself, and another in place of the former.
    let typed = "coffee\r\n";
    let said = run_typing(folder.path(), &["user", "password", &format!("@{handle}")], typed);
    assert!(said.contains("password yes") && said.ends_with("exit 0"), "{said}");
    let gateway = Gateway::start(folder.path());
    assert_eq!(info(&gateway), 2, "who was signed in by the former is no more");
    assert_eq!(sign_in_by_handle(&gateway, handle, "tea for two")["code"], 3);
    assert_eq!(sign_in_by_handle(&gateway, handle, "coffee")["code"], 0);
    gateway.end();
}

#[test]
fn a_password_that_is_none_or_nobodys_changes_nothing() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    for (who, typed, why) in [
        ("bob", "\n", "at least one character"),
        ("bob", "", "at least one character"),
        ("bob", "te\ta\n", "no control characters"),
        ("cyd", "tea\n", "there is no user with the handle \"cyd\""),
    ] {
        let said = gateway.set_password(folder.path(), who, typed);
        assert!(said.contains(why) && said.ends_with("exit 1"), "{said}");
    }
    assert_eq!(sign_in_by_handle(&gateway, "bob", "tea")["code"], 0);
    let head = "POST /users/password HTTP/1.1\r\nhost: localhost\r\nx-dragoman-admin: 1";
    let body = json!({ "who": "bob", "hash": "tea" }).to_string();
    let (status, _, said) = http(gateway.address("admin"), head, &body);
    assert_eq!((status, said.contains("no argon2id hash")), (400, true), "{said}");
    gateway.end();
}
