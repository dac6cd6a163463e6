//! Front ends that are loaded: they serve like those that are linked, and what they do wrong harms
//! nobody else. With the program as it is shipped.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use plugin_testkit::plugin;
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::program::{Running, folder, run};

/// A section that loads a plugin, with these lines in it.
fn section(name: &str, lines: &str) -> String {
    let path = plugin(name).display().to_string();
    format!("[frontends.{name}]\nplugin = {path:?}\n{lines}\n")
}

/// The misbehaving one, listening for lines and HTTP.
fn faulty(lines: &str) -> String {
    let anywhere = "listen = \"127.0.0.1:0\"\nhttp_listen = \"127.0.0.1:0\"\n";
    section("faulty", &format!("{anywhere}{lines}"))
}

/// One that is linked in, beside it, and the operator's listener.
const BESIDE: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n\
    [frontends.channel]\nlisten = \"127.0.0.1:0\"\nrequests_per_s = 0\n";

/// A gateway that runs.
struct Gateway {
    running: Running,
    /// Where it listens, by `<front end>.<key>`.
    addresses: BTreeMap<String, SocketAddr>,
    folder: TempDir,
}

impl Gateway {
    /// Waits until so many listeners are open.
    fn start(toml: &str, listeners: usize) -> Self {
        let folder = folder(&with_json_log(toml));
        let running = Running::start(folder.path(), &[]);
        let mut gateway = Self { running, addresses: BTreeMap::new(), folder };
        while gateway.addresses.len() < listeners {
            let fields = gateway.logged();
            gateway.note(&fields);
        }
        gateway
    }

    /// Remembers who listens where, if that is what a line of the log says.
    fn note(&mut self, fields: &Value) {
        if fields["message"] == "listening" {
            let word = |key: &str| fields[key].as_str().expect(key).to_owned();
            let address = word("address").parse().expect("an address");
            self.addresses.insert(word("frontend") + "." + &word("listener"), address);
        }
    }

    /// Changes the configuration, and waits until it is applied or refused: what was said of it,
    /// as `<front end>: <message>` where it is about one.
    fn reload(&mut self, toml: &str) -> Vec<String> {
        let path = self.folder.path().join("gateway.toml");
        std::fs::write(path, with_json_log(toml)).expect("it is writable");
        self.running.hang_up();
        self.read_until(|said| {
            said.starts_with("the configuration was read")
                || said.starts_with("the configuration is wrong")
        })
    }

    /// Reads the log up to such a line.
    fn read_until(&mut self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let fields = self.logged();
            self.note(&fields);
            let message = fields["message"].as_str().expect("it has one");
            if last(message) {
                return said;
            }
            said.push(match fields["frontend"].as_str() {
                Some(frontend) => format!("{frontend}: {message}"),
                None => message.to_owned(),
            });
        }
    }

    /// Waits until the front end `line` is, if that was not said with all the rest.
    fn wait_until_drained(&mut self, said: &[String]) {
        if !said.iter().any(|said| said == "line: drained") {
            self.read_until(|said| said == "drained");
        }
    }

    /// Whether it has a file mapped.
    fn has_mapped(&self, path: &Path) -> bool {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.running.pid()));
        maps.expect("Linux tells").contains(&path.display().to_string())
    }

    /// The fields of the next line of the log. What a plugin says as it panics is none.
    fn logged(&mut self) -> Value {
        loop {
            let line = self.running.line();
            assert!(!line.is_empty(), "the gateway has ended");
            if let Ok(mut line) = serde_json::from_str::<Value>(&line) {
                return line["fields"].take();
            }
        }
    }

    /// The message of the next line of the log that is about this front end's faults.
    fn complaint(&mut self) -> String {
        loop {
            let fields = self.logged();
            let message = fields["message"].as_str().unwrap_or_default();
            if fields["frontend"] == "faulty" && !message.contains("try:") {
                return message.to_owned();
            }
        }
    }

    fn address(&self, listener: &str) -> SocketAddr {
        *self.addresses.get(listener).unwrap_or_else(|| panic!("no {listener}"))
    }

    fn lines(&self) -> Lines {
        Lines::connect(self.address("faulty.listen"))
    }

    /// Status and body of an answer.
    fn get(&self, listener: &str, path: &str) -> (u16, String) {
        http(self.address(listener), "GET", path, "").expect("it answers")
    }

    /// Whether the front end beside still answers.
    fn assert_others_are_served(&self) {
        let (status, body) =
            http(self.address("channel.listen"), "POST", "/login", "name=x&password=y").unwrap();
        assert_eq!((status, body.contains("\"code\":3")), (200, true), "{body}");
    }

    /// The value of a metric.
    fn metric(&self, name: &str) -> u64 {
        let (_, metrics) = self.get("admin.listen", "/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("dragoman_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().expect("a number")
    }
}

fn with_json_log(toml: &str) -> String {
    format!("[server.log]\nformat = \"json\"\n{toml}")
}

fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}

/// A connection of lines.
struct Lines(BufReader<TcpStream>);

impl Lines {
    fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).expect("it listens")))
    }

    fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("it is open");
    }

    /// The next line; empty at the end.
    fn receive(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it is readable");
        line
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.receive()
    }
}

#[test]
fn a_chatroom_and_a_channel_that_are_loaded_bridge_a_message() {
    let chatroom = "listen = \"127.0.0.1:0\"\nwebsocket_listen = \"127.0.0.1:0\"";
    let toml = format!(
        "[[rooms]]\nname = \"TEST\"\n{}{}",
        section("chatroom", chatroom),
        section("channel", "listen = \"127.0.0.1:0\"")
    );
    let gateway = Gateway::start(&toml, 3);
    let post = |path: &str, form: &str| -> Value {
        let (status, body) = http(gateway.address("channel.listen"), "POST", path, form).unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("it is JSON")
    };
    post("/register", "name=bob&password=hunter22&password_repete=hunter22");
    let token = post("/login", "name=bob&password=hunter22")["data"]["token"].clone();
    let token = token.as_str().expect("a token");

    let address = gateway.address("chatroom.websocket_listen");
    let stream = TcpStream::connect(address).unwrap();
    let (mut ann, _) = tungstenite::client(format!("ws://{address}/"), stream).unwrap();
    let user = json!({ "user_name": "ann", "user_avatar": "" });
    let mut say = |kind: &str, msg: &str, wanted: &str| {
        let data = json!({ "user": user, "room_name": "TEST", "msg": msg });
        if !kind.is_empty() {
            let packet = json!({ "type": kind, "data": data }).to_string();
            ann.send(Message::text(packet)).unwrap();
        }
        loop {
            let heard = ann.read().unwrap().into_text().unwrap();
            if heard.contains(wanted) {
                return heard.to_string();
            }
        }
    };
    say("join", "", "\"ann\"");
    say("msg", "hello bob", "hello bob");
    let form = format!("token={token}&name=TEST&message=hello+ann");
    let sent = post("/channel/send", &form);
    assert_eq!(sent["code"], 0, "{sent}");
    let heard = say("", "", "hello ann");
    assert!(heard.contains("bob"), "{heard}");
    let received = post("/channel/receive", &format!("token={token}&name=TEST"));
    assert!(received.to_string().contains("hello bob"), "{received}");
}

#[test]
fn every_way_of_being_faulty_costs_one_session() {
    let mut gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    let mut bystander = gateway.lines();
    assert_eq!(bystander.ask("hello"), "fine\n");
    let malformed = ["emit 99 x", "emit-bytes", "emit-nonsense", "return 7", "flood 8 70000 0"];
    for line in ["panic", "panic"].iter().chain(&malformed) {
        assert_eq!(gateway.lines().ask(line), "", "{line}");
        assert_eq!(bystander.ask("hello"), "fine\n", "after {line}");
    }
    assert_eq!(gateway.get("faulty.http_listen", "/fine"), (200, "fine".into()));
    assert_eq!(gateway.get("faulty.http_listen", "/panic").0, 503);
    assert_eq!(gateway.get("faulty.http_listen", "/silence").0, 503);
    gateway.assert_others_are_served();
    let faults = |kind| format!("plugin_faults_total{{frontend=\"faulty\",kind=\"{kind}\"}}");
    let counted = ["panicked", "malformed", "silent"].map(|kind| gateway.metric(&faults(kind)));
    assert_eq!(counted, [3, malformed.len() as u64, 1]);
    assert_eq!(gateway.metric("panics_total{frontend=\"faulty\"}"), 4 + malformed.len() as u64);
    assert_eq!(gateway.metric("listening{frontend=\"faulty\"}"), 1);
    // Each kind is spoken of once.
    let name = format!("plugin faulty ({})", plugin("faulty").display());
    for (first, last) in [
        (" failed in session_handle: panicked", "as asked"),
        (" broke the contract in session_handle: it emitted 99, ", ""),
        (": a request was left without a response", ""),
    ] {
        let complaint = gateway.complaint();
        assert!(complaint.starts_with(&format!("{name}{first}")), "{complaint}");
        assert!(complaint.ends_with(last), "{complaint}");
    }
}

#[test]
fn whichever_function_fails_the_others_are_served_and_it_ends_well() {
    for option in [
        "panic_in = \"session_open\"",
        "malformed_in = \"session_open\"",
        "panic_in = \"frontend_fault\"",
        "malformed_in = \"frontend_fault\"",
        "panic_in = \"session_free\"",
        "panic_in = \"frontend_free\"",
    ] {
        let gateway = Gateway::start(&format!("{BESIDE}{}", faulty(option)), 4);
        let said = gateway.lines().ask("hello");
        assert_eq!(said, if option.contains("session_open") { "" } else { "fine\n" }, "{option}");
        let status = gateway.get("faulty.http_listen", "/silence").0;
        assert_eq!(status, 503, "{option}");
        gateway.assert_others_are_served();
        assert_eq!(gateway.running.end().code(), Some(0), "{option}");
    }
}

/// Has the plugin ask for these commands, the last of which is an event for its own connection.
fn make_a_room(lines: &mut Lines) {
    for command in [
        json!({ "command": { "do": "register", "user": { "handle": "ann", "insist": true } } }),
        json!({
            "command": {
                "do": "sign_in",
                "user": { "handle": "ann" },
                "credential": "vouched",
                "session": true,
            },
            "follow": "user",
        }),
        json!({
            "command": {
                "do": "create_room",
                "room": { "name": "tea", "insist": true },
                "owner": "session",
            },
        }),
    ] {
        lines.send(&format!("emit 1 {command}"));
    }
}

#[test]
fn an_event_that_a_plugin_cannot_tell_is_lost_for_its_own_connections_only() {
    let gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    let mut ann = gateway.lines();
    make_a_room(&mut ann);
    assert_eq!(ann.receive(), "news\n");
    for option in ["panic_in", "malformed_in"] {
        let option = format!("{option} = \"frontend_broadcast\"");
        let mut gateway = Gateway::start(&format!("{BESIDE}{}", faulty(&option)), 4);
        let mut ann = gateway.lines();
        make_a_room(&mut ann);
        let complaint = gateway.complaint();
        assert!(complaint.contains(" in frontend_broadcast: "), "{complaint}");
        assert_eq!(ann.ask("hello"), "fine\n");
        gateway.assert_others_are_served();
    }
}

#[test]
fn a_plugin_that_fails_again_and_again_is_taken_down_and_nobody_else() {
    let mut gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    let mut bystander = gateway.lines();
    assert_eq!(bystander.ask("hello"), "fine\n");
    for _ in 0..31 {
        assert_eq!(gateway.lines().ask("panic"), "");
    }
    assert_eq!(bystander.receive(), "", "it is drained");
    assert_eq!(gateway.metric("listening{frontend=\"faulty\"}"), 0);
    assert_eq!(gateway.metric("listening{frontend=\"channel\"}"), 1);
    gateway.assert_others_are_served();
    let (status, ready) = gateway.get("admin.listen", "/readyz");
    let why = ready.strip_prefix("ready\nfaulty is down: ").expect(&ready).trim_end();
    let last = format!("the last: plugin faulty ({}) failed in", plugin("faulty").display());
    let expected = format!("more than 30 faults within 60 s, {last} session_handle: panicked");
    assert!(status == 200 && why.starts_with(&expected) && why.ends_with("as asked"), "{why}");
    let listed = dialects_of(&gateway);
    assert!(listed.contains("faulty    down  "), "{listed}");
    assert!(listed.contains(&format!("\nfaulty is down: {why}\n")), "{listed}");
    assert!(gateway.complaint().contains("failed in session_handle"));
    let until = "until its section or its plugin changes, or the gateway restarts";
    assert_eq!(gateway.complaint(), format!("taken down {until}: {why}"));
    for listener in ["faulty.listen", "faulty.http_listen"] {
        // Refused; or hung up on, by a listener that is about to close.
        let answer = http(gateway.address(listener), "GET", "/fine", "");
        assert!(!matches!(&answer, Ok((200, _))), "{listener}: {answer:?}");
    }
}

#[test]
fn a_websocket_whose_session_failed_is_told_that_it_was_not_its_doing() {
    for how in ["panic", "return 7", "emit 99 x"] {
        let toml = faulty("websocket_listen = \"127.0.0.1:0\"");
        let gateway = Gateway::start(&toml, 3);
        let address = gateway.address("faulty.websocket_listen");
        let stream = TcpStream::connect(address).unwrap();
        let (mut peer, _) = tungstenite::client(format!("ws://{address}/"), stream).unwrap();
        peer.send(Message::text("hello")).unwrap();
        assert_eq!(peer.read().unwrap(), Message::text("fine"));
        peer.send(Message::text(how)).unwrap();
        match peer.read().unwrap() {
            Message::Close(Some(close)) => assert_eq!(close.code, CloseCode::Error, "{how}"),
            other => panic!("{how}: {other:?}"),
        }
    }
}

#[test]
fn on_a_shared_address_one_that_was_taken_down_says_so_and_the_other_goes_on() {
    // A port that is free, on an address that no other test listens on.
    let free = TcpListener::bind("127.0.0.79:0").and_then(|free| free.local_addr()).unwrap();
    let toml = format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n[frontends.channel]\nlisten = \"{free}\"\n{}",
        section("faulty", &format!("http_listen = \"{free}\"\nlisten = \"127.0.0.1:0\""))
    );
    let gateway = Gateway::start(&toml, 4);
    assert_eq!(gateway.get("faulty.http_listen", "/fine"), (200, "fine".into()));
    for _ in 0..31 {
        assert_eq!(gateway.get("faulty.http_listen", "/panic").0, 503);
    }
    let down = (503, "faulty".into());
    assert_eq!(gateway.get("faulty.http_listen", "/fine"), down, "in the dialect's form");
    gateway.assert_others_are_served();
    let listed = dialects_of(&gateway);
    assert!(listed.contains("\nfaulty is down: more than 30 faults within 60 s, "), "{listed}");
    assert!(listed.contains("channel   on  "), "{listed}");
}

#[test]
fn a_plugin_that_blocks_keeps_nobody_else_waiting() {
    block_and_serve_others(2);
}

#[test]
fn a_plugin_that_blocks_keeps_nobody_else_waiting_even_on_one_thread() {
    block_and_serve_others(1);
}

/// With more sessions that block than there are threads.
fn block_and_serve_others(threads: usize) {
    let toml = format!("[server]\nthreads = {threads}\n{BESIDE}{}", faulty(""));
    let gateway = Gateway::start(&toml, 4);
    let mut blocked: Vec<Lines> = (0..=threads).map(|_| gateway.lines()).collect();
    for slow in &mut blocked {
        assert_eq!(slow.ask("hello"), "fine\n");
    }
    blocked.iter_mut().for_each(|slow| slow.send("block 4000"));
    gateway.assert_others_are_served();
    assert_eq!(gateway.lines().ask("hello"), "fine\n");
    for slow in &mut blocked {
        slow.0.get_ref().set_nonblocking(true).unwrap();
        let early = slow.0.fill_buf().map(<[u8]>::len).map_err(|error| error.kind());
        assert_eq!(early, Err(io::ErrorKind::WouldBlock), "it was no longer blocking");
        slow.0.get_ref().set_nonblocking(false).unwrap();
    }
    for slow in &mut blocked {
        assert_eq!(slow.receive(), "fine\n");
    }
}

/// What `dragoman dialects` says while the gateway runs.
fn dialects_of(gateway: &Gateway) -> String {
    let admin = format!("admin.listen={}", gateway.address("admin.listen"));
    run(gateway.folder.path(), &["dialects", "--set", &admin])
}

/// What the program says, without the folder that the plugins are in.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let plugins = plugin("faulty").parent().expect("a folder").display().to_string();
    run(folder, arguments).replace(&plugins, "<plugins>")
}

#[test]
fn wrong_options_are_named_with_their_lines() {
    let toml = faulty("refuse = 7\npanic_im = \"session_open\"\nmailbox_max = 0")
        + &section("channel", "history = \"all\"")
        + "[frontends.other]\nplugin = \"other.so\"\nwhatever = 1\n[frontends.third]\nplugin = 3\n";
    insta::assert_snapshot!(said(folder(&toml).path(), &["check"]), @r#"
    $ dragoman check
    stderr: gateway.toml:5: frontends.faulty.refuse = 7: expected a string
    stderr: gateway.toml:6: unknown key frontends.faulty.panic_im; did you mean panic_in?
    stderr: gateway.toml:7: frontends.faulty.mailbox_max = 0: expected a whole number from 1 to 4294967295
    stderr: gateway.toml:10: frontends.channel.history = "all": expected a whole number
    stderr: gateway.toml:12: frontends.other.plugin = "other.so": cannot open other.so: there is no such file
    stderr: gateway.toml:15: frontends.third.plugin = 3: expected a string
    exit 1
    "#);
    let refused = faulty("refuse = \"for a reason\"");
    insta::assert_snapshot!(said(folder(&refused).path(), &["check"]), @r#"
    $ dragoman check
    stderr: gateway.toml:5: frontends.faulty.refuse = "for a reason": for a reason
    exit 1
    "#);
    let place = "stderr: gateway.toml:2: frontends.faulty.plugin = ";
    for (option, why) in [
        ("panic_in = \"frontend_new\"", "would not start: panicked"),
        ("panic_in = \"frontend_manifest\"", "cannot read: panicked"),
        ("malformed_in = \"frontend_manifest\"", "cannot read: it emitted a manifest that"),
    ] {
        let said = said(folder(&faulty(option)).path(), &["check"]);
        assert!(said.contains(place) && said.contains(why), "{said}");
    }
}

#[test]
fn a_relative_path_is_taken_from_the_folder_of_the_configuration() {
    let folder = folder("[frontends.x]\nplugin = \"faulty.so\"\nlisten = \"127.0.0.1:0\"\n");
    std::fs::copy(plugin("faulty"), folder.path().join("faulty.so")).unwrap();
    std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
    let arguments = ["check", "--config", "../gateway.toml"];
    let said = run(&folder.path().join("elsewhere"), &arguments);
    assert!(said.contains("frontends.x.listen = \"127.0.0.1:0\""), "{said}");
}

#[test]
fn a_plugin_that_is_not_enabled_is_not_loaded() {
    let toml = "[frontends.other]\nplugin = \"other.so\"\nenabled = false\n\
                [frontends.channel]\nlisten = \"127.0.0.1:0\"\n";
    let said = run(folder(toml).path(), &["check"]);
    assert!(said.ends_with("exit 0"), "{said}");
}

#[test]
fn what_is_loaded_is_among_the_dialects() {
    let toml = faulty("") + &section("channel", "listen = \"127.0.0.1:0\"");
    let said = said(folder(&toml).path(), &["dialects"]);
    let wanted = [
        "faulty  ",
        "faulty is",
        "channel  ",
        "channel is",
        "               websocket_listen -",
        "               http_listen",
    ];
    let is_wanted = |line: &&str| wanted.iter().any(|wanted| line.starts_with(wanted));
    let about: Vec<&str> = said.lines().filter(is_wanted).collect();
    insta::assert_snapshot!(about.join("\n"), @r"
    channel   on   listen 127.0.0.1:0               HTTP
    faulty    on   listen 127.0.0.1:0               TCP, a line each
                   websocket_listen -               WebSocket
                   http_listen 127.0.0.1:0          HTTP
    channel is channel 0.1.0, loaded from <plugins>/libplugin_channel.so
    faulty is faulty 0.1.0, loaded from <plugins>/libplugin_faulty.so
    ");
}

#[test]
fn inspect_says_what_a_plugin_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = plugin("faulty").display().to_string();
    insta::assert_snapshot!(said(folder.path(), &["plugin", "inspect", &file]), @r#"
    $ dragoman plugin inspect <plugins>/libplugin_faulty.so
    name     faulty
    title    misbehaves on request
    version  0.1.0
    file     <plugins>/libplugin_faulty.so
    ABI      1, a table of 80 bytes

    listeners
    listen            -  TCP, a line each
    websocket_listen  -  WebSocket
    http_listen       -  HTTP
                         /fine             GET
                         /panic            GET
                         /silence          GET

    capabilities
    post                -
    receive by push     -
    receive by polling  -
    direct messages     -
    presence            -
    history             -
    search              -
    credentials         -

    documents
    words.txt  text/plain  18 bytes

    options, as JSON Schema
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "additionalProperties": false,
      "description": "The keys of its section of gateway.toml.",
      "properties": {
        "document": {
          "default": null,
          "description": "Describes itself in a document of this name.",
          "type": [
            "string",
            "null"
          ]
        },
        "malformed_in": {
          "default": null,
          "description": "The function of the ABI in which it says what makes no sense.",
          "type": [
            "string",
            "null"
          ]
        },
        "panic_in": {
          "default": null,
          "description": "The function of the ABI in which it panics.",
          "type": [
            "string",
            "null"
          ]
        },
        "refuse": {
          "default": null,
          "description": "Refuses to start, for this reason.",
          "type": [
            "string",
            "null"
          ]
        }
      },
      "title": "Options",
      "type": "object"
    }
    exit 0
    "#);
}

/// A library in C: the table that it exports, written in C after `gw_plugin *table =`.
fn library(folder: &Path, name: &str, source: &str) -> Option<()> {
    let from = folder.join("x.c");
    std::fs::write(&from, format!("#include \"gw_plugin.h\"\n{source}\n")).unwrap();
    plugin_testkit::c_plugin(&from, &["-I", "plugins/abi/include"], &folder.join(name))
}

#[test]
fn a_library_that_is_no_plugin_or_of_another_abi_gets_its_own_sentence() {
    let folder = folder("");
    let mut all = String::new();
    for (name, source) in [
        ("other.so", "int answer(void); int answer(void) { return 42; }"),
        (
            "newer.so",
            "static const gw_plugin table = { 2, sizeof table, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
             const gw_plugin *gw_plugin_v1(void) { return &table; }",
        ),
        (
            "empty.so",
            "static const gw_plugin table = { 1, sizeof table, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
             const gw_plugin *gw_plugin_v1(void) { return &table; }",
        ),
        ("null.so", "const gw_plugin *gw_plugin_v1(void) { return 0; }"),
        (
            "needy.so",
            "const gw_plugin *elsewhere(void);
             const gw_plugin *gw_plugin_v1(void) { return elsewhere(); }",
        ),
    ] {
        let Some(()) = library(folder.path(), name, source) else { return };
        let said = run(folder.path(), &["plugin", "inspect", name]);
        assert!(said.ends_with("exit 1"), "{said}");
        all += said.lines().find_map(|line| line.strip_prefix("stderr: ")).expect("a sentence");
        all += "\n";
    }
    // The folder is in the system's own words.
    let all = all.replace(&folder.path().canonicalize().unwrap().display().to_string(), "<folder>");
    insta::assert_snapshot!(all, @r"
    other.so is no plugin of this gateway: it exports no gw_plugin_v1
    newer.so speaks plugin ABI 2, this gateway speaks 1: use a plugin and a gateway that were released together
    empty.so lacks the function frontend_new
    null.so has no table of functions: gw_plugin_v1 returned null
    cannot load needy.so: <folder>/needy.so: undefined symbol: elsewhere
    ");
}

#[test]
fn a_plugin_that_is_newer_than_the_gateway_works_as_far_as_it_is_known() {
    let folder = folder("[frontends.line]\nplugin = \"line.so\"\nlisten = \"127.0.0.1:0\"\n");
    // The worked example, with a table of a gateway to come.
    let line = plugin_testkit::root().join("plugins/examples/line.c");
    let line = std::fs::read_to_string(line).unwrap();
    let source = line
        .replace("gw_plugin_v1(void)", "known(void)")
        .replace("const gw_plugin *known", "const gw_plugin *known(void);\nconst gw_plugin *known")
        + "
        static struct { gw_plugin known; void (*later)(void); } newer;
        const gw_plugin *gw_plugin_v1(void)
        {
            newer.known = *known();
            newer.known.size = sizeof newer;
            return &newer.known;
        }";
    let Some(()) = library(folder.path(), "line.so", &source) else { return };
    let said = run(folder.path(), &["plugin", "inspect", "line.so"]);
    let newer = "built for a later gateway: what that one has in addition is not used";
    assert!(said.contains("ABI           1, a table of 88 bytes\n"), "{said}");
    assert!(said.contains(&format!("\nnewer         {newer}\n")), "{said}");
    assert!(said.contains("\ndoes without  frontend_fault, frontend_schemas\n"), "{said}");
    let said = run(folder.path(), &["check"]);
    let warning = format!("stderr: warning: gateway.toml:2: the plugin of line is {newer}");
    assert!(said.contains(&warning) && said.ends_with("exit 0"), "{said}");
}

/// The documents of a front end, by name, as they are served.
fn documents(gateway: &Gateway, listener: &str, name: &str) -> BTreeMap<String, String> {
    let get =
        |document: &str| gateway.get(listener, &format!("/.well-known/dragoman/{name}/{document}"));
    let (status, list) = get("");
    assert_eq!(status, 200, "{list}");
    let list: Vec<Value> = serde_json::from_str(&list).expect("it is JSON");
    let names = list.iter().map(|one| one["name"].as_str().expect("it is a string").to_owned());
    names.map(|document| (document.clone(), get(&document).1)).collect()
}

#[test]
fn the_documents_of_a_loaded_dialect_are_those_that_are_committed() {
    let mut toml = String::new();
    for name in ["token", "usr_room", "chatroom", "ourchat", "channel"] {
        toml += &section(name, "listen = \"127.0.0.1:0\"");
    }
    let folder = folder(&toml);
    let said = run(folder.path(), &["schema", "export", "--out", "here"]);
    assert!(said.ends_with("exit 0") && said.contains("here/ourchat/asyncapi.json"), "{said}");
    let mut compared = 0;
    for line in said.lines().filter(|line| line.starts_with("here/")) {
        let committed = plugin_testkit::root().join("schemas").join(&line["here/".len()..]);
        let [written, committed] =
            [folder.path().join(line), committed].map(std::fs::read_to_string);
        assert!(written.unwrap() == committed.unwrap(), "{line} differs");
        compared += 1;
    }
    assert!(compared > 10, "{said}");
    let listed = run(folder.path(), &["schema", "list", "--dialect", "token"]);
    assert!(listed.contains("token/token.ksy  "), "{listed}");

    let gateway = Gateway::start(&section("channel", "listen = \"127.0.0.1:0\""), 1);
    let served = documents(&gateway, "channel.listen", "channel");
    assert!(served.contains_key("openapi.json") && served.contains_key("schema.json"));
    for (name, text) in served {
        let committed = plugin_testkit::root().join("schemas/channel").join(&name);
        assert!(text == std::fs::read_to_string(committed).unwrap(), "{name} differs");
    }
}

#[test]
fn a_plugin_that_cannot_describe_itself_is_heard_of() {
    let gateway_toml = |option: &str| format!("{BESIDE}{}", faulty(option));
    let gateway = Gateway::start(&gateway_toml(""), 4);
    let expected = BTreeMap::from([("words.txt".into(), "panic, block, emit".into())]);
    assert_eq!(documents(&gateway, "faulty.http_listen", "faulty"), expected);
    for option in [
        "panic_in = \"frontend_schemas\"",
        "malformed_in = \"frontend_schemas\"",
        "document = \"../../escaped\"",
    ] {
        let mut gateway = Gateway::start(&gateway_toml(option), 4);
        assert_eq!(documents(&gateway, "faulty.http_listen", "faulty"), BTreeMap::new());
        let complaint = gateway.complaint();
        assert!(complaint.contains(" in frontend_schemas: "), "{complaint}");
        gateway.assert_others_are_served();
        let folder = folder(&faulty(option));
        let said =
            run(folder.path(), &["schema", "export", "--dialect", "faulty", "--out", "here"]);
        assert!(
            said.contains("stderr: plugin faulty (") && said.contains(" in frontend_schemas: "),
            "{said}"
        );
        assert!(!folder.path().join("here").exists());
    }
}

#[test]
fn a_wrong_file_gets_a_sentence_that_says_what_it_is() {
    let folder = folder("");
    let whole = std::fs::read(plugin("faulty")).unwrap();
    let mut foreign = whole.clone();
    foreign[18..20].copy_from_slice(&243_u16.to_ne_bytes());
    let files: [(&str, &[u8]); 3] =
        [("text.so", b"hello"), ("foreign.so", &foreign), ("cut.so", &whole[..whole.len() / 2])];
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut all = String::new();
    for name in ["text.so", "foreign.so", "cut.so", "missing.so", "."] {
        let inspected = run(folder.path(), &["plugin", "inspect", name]);
        assert!(inspected.ends_with("exit 1"), "{inspected}");
        let sentence = inspected.lines().find_map(|line| line.strip_prefix("stderr: "));
        let sentence = sentence.expect("it says what is wrong");
        // The same, of a section of the configuration.
        let toml = format!("[frontends.x]\nplugin = \"{name}\"\n");
        std::fs::write(folder.path().join("gateway.toml"), toml).unwrap();
        let checked = run(folder.path(), &["check"]);
        let expected =
            format!("stderr: gateway.toml:2: frontends.x.plugin = \"{name}\": {sentence}");
        assert!(checked.contains(&expected), "{checked}\nlacks {expected}");
        all += &format!("{sentence}\n");
    }
    let all = all.replace(std::env::consts::ARCH, "<arch>");
    let bytes = |text: &str| text.chars().all(|char| char.is_ascii_digit()) && text.len() > 4;
    let words: Vec<&str> = all
        .split_inclusive([' ', ';'])
        .map(|w| if bytes(&w[..w.len() - 1]) { "<n> " } else { w })
        .collect();
    insta::assert_snapshot!(words.concat(), @r"
    text.so is not a shared library
    foreign.so is built for riscv, this gateway runs on <arch>
    cut.so is incomplete: it has <n> bytes, and should have at least <n>  copy it again
    cannot open missing.so: there is no such file
    cannot read .: Is a directory (os error 21)
    ");
}

/// A front end called `line`, loaded from a file.
fn line_from(path: &Path, lines: &str) -> String {
    format!(
        "{BESIDE}[frontends.line]\nplugin = {:?}\nlisten = \"127.0.0.1:0\"\n\
         http_listen = \"127.0.0.1:0\"\n{lines}\n",
        path.display().to_string()
    )
}

#[test]
fn another_path_is_loaded_beside_the_former_whose_connections_are_drained() {
    let folder = tempfile::tempdir().unwrap();
    let [former, other] = ["former.so", "other.so"].map(|name| folder.path().join(name));
    for path in [&former, &other] {
        std::fs::copy(plugin("faulty"), path).unwrap();
    }
    let mut gateway = Gateway::start(&line_from(&former, ""), 4);
    let mut beside = TcpStream::connect(gateway.address("channel.listen")).unwrap();
    let mut ask_beside = || {
        let request = "GET / HTTP/1.1\r\nhost: t\r\n\r\n";
        beside.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 16 * 1024];
        let len = beside.read(&mut answer).unwrap();
        assert!(answer[..len].starts_with(b"HTTP/1.1 404"), "the connection is there");
    };
    ask_beside();
    let mut lines = Lines::connect(gateway.address("line.listen"));
    assert_eq!(lines.ask("hello"), "fine\n");

    let said = gateway.reload(&line_from(&former, ""));
    assert_eq!(said, [""; 0], "nothing has changed");
    assert_eq!(lines.ask("hello"), "fine\n");

    let said = gateway.reload(&line_from(&other, ""));
    let expected = "line: changed; those who are connected are drained: plugin";
    assert_eq!(said[0], expected, "{said:?}");
    assert_eq!(lines.receive(), "", "it is drained");
    gateway.wait_until_drained(&said);
    let mut lines = Lines::connect(gateway.address("line.listen"));
    assert_eq!(lines.ask("hello"), "fine\n");
    ask_beside();
    assert!(gateway.has_mapped(&former) && gateway.has_mapped(&other));

    let said = gateway.reload(BESIDE);
    assert_eq!(said[0], "line: disabled; those who are connected are drained");
    assert_eq!(lines.receive(), "", "it is drained");
    gateway.wait_until_drained(&said);
    assert!(gateway.has_mapped(&other), "it is never unmapped");
    assert!(TcpStream::connect(gateway.address("line.listen")).is_err());
    ask_beside();
}

#[test]
fn a_file_that_has_replaced_another_is_loaded_and_one_that_was_written_over_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [path, next] = ["line.so", "next.so"].map(|name| folder.path().join(name));
    std::fs::copy(plugin("faulty"), &path).unwrap();
    let mut gateway = Gateway::start(&line_from(&path, ""), 4);
    let mut lines = Lines::connect(gateway.address("line.listen"));
    assert_eq!(lines.ask("hello"), "fine\n");
    std::fs::copy(plugin("faulty"), &next).unwrap();
    std::fs::rename(&next, &path).unwrap();
    let said = gateway.reload(&line_from(&path, ""));
    assert_eq!(said[0], "line: changed; those who are connected are drained: plugin", "{said:?}");
    assert_eq!(lines.receive(), "", "it is drained");
    gateway.wait_until_drained(&said);
    let mut lines = Lines::connect(gateway.address("line.listen"));
    assert_eq!(lines.ask("hello"), "fine\n");

    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"\0").unwrap();
    let said = gateway.reload(&line_from(&path, ""));
    assert!(said[0].contains("was overwritten while this gateway had it loaded"), "{said:?}");
    assert_eq!(lines.ask("hello"), "fine\n");
}

#[test]
fn one_that_cannot_be_loaded_or_refuses_its_options_changes_nothing() {
    let mut gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    let mut lines = gateway.lines();
    for (wrong, why) in [
        (line_from(Path::new("/nowhere/x.so"), ""), "there is no such file"),
        (format!("{BESIDE}{}", faulty("refuse = \"for a reason\"")), "for a reason"),
        (format!("{BESIDE}{}", faulty("panic_in = \"frontend_new\"")), "panicked"),
    ] {
        let said = gateway.reload(&wrong);
        assert!(said[0].contains(why), "{said:?}");
        assert_eq!(lines.ask("hello"), "fine\n");
    }
}

#[test]
fn one_that_was_taken_down_comes_back_when_its_section_changes() {
    let mut gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    for _ in 0..31 {
        assert_eq!(gateway.lines().ask("panic"), "");
    }
    let down = |said: &str| said.starts_with("taken down");
    gateway.read_until(down);
    gateway.reload(&format!("{BESIDE}{}", faulty("")));
    assert_eq!(gateway.metric("listening{frontend=\"faulty\"}"), 0, "nothing has changed");
    gateway.reload(&format!("{BESIDE}{}", faulty("room_capacity = 7")));
    assert_eq!(gateway.metric("listening{frontend=\"faulty\"}"), 1);
    assert_eq!(gateway.lines().ask("hello"), "fine\n");
    // Its faults are counted anew, and spoken of again.
    assert_eq!(gateway.lines().ask("panic"), "");
    let panicked = |said: &str| said.contains("failed in session_handle");
    gateway.read_until(panicked);
    assert_eq!(gateway.lines().ask("hello"), "fine\n");
    let faults = "plugin_faults_total{frontend=\"faulty\",kind=\"panicked\"}";
    assert_eq!(gateway.metric(faults), 32);
}
