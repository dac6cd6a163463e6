//! The pages of the admin listener, as a browser has them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use dragoman::dialects::DIALECTS;
use serde_json::Value;
use tempfile::TempDir;

use crate::browser::Browser;
use crate::program::{Running, folder};

/// Every dialect there is, each on a port that is free.
fn everything(admin: &str) -> String {
    let mut toml = format!("[admin]\nlisten = \"127.0.0.1:0\"\n{admin}\n");
    for dialect in DIALECTS {
        toml += &format!("[frontends.{}]\nlisten = \"127.0.0.1:0\"\n", dialect.name);
        if dialect.name == "chatroom" {
            toml += "websocket_listen = \"127.0.0.1:0\"\n";
        }
    }
    toml
}

struct Gateway {
    admin: SocketAddr,
    _running: Running,
    _folder: TempDir,
}

impl Gateway {
    fn start(toml: &str) -> Self {
        let folder = folder(toml);
        let mut running = Running::start(folder.path(), &["--set", "server.log.format=json"]);
        let admin = loop {
            let line = running.line();
            assert!(!line.is_empty(), "the gateway has ended");
            let line: Value = serde_json::from_str(&line).expect("it logs JSON");
            let fields = &line["fields"];
            if fields["frontend"] == "admin" && fields["message"] == "listening" {
                break fields["address"].as_str().unwrap().parse().expect("an address");
            }
        };
        let gateway = Self { admin, _running: running, _folder: folder };
        while gateway.get("/readyz").status != 200 {
            std::thread::yield_now();
        }
        gateway
    }

    fn get(&self, path: &str) -> Answer {
        let mut stream = TcpStream::connect(self.admin).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("it answers in UTF-8");
        let (head, body) = said.split_once("\r\n\r\n").expect("a whole head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
        let headers = lines.filter_map(|line| line.split_once(": "));
        Answer {
            status: status.parse().expect("a number"),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: body.to_owned(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// The names that a document's page must show.
fn names(document: &Value) -> Vec<String> {
    let keys = |pointer: &str| {
        let entries = document.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
        entries.map(|(key, _)| key.clone())
    };
    let commands = document.pointer("/enums/command").and_then(Value::as_object);
    let commands =
        commands.into_iter().flatten().map(|(_, row)| row["id"].as_str().unwrap().to_owned());
    let messages = keys("/components/messages");
    keys("/paths").chain(messages).chain(keys("/$defs")).chain(commands).collect()
}

#[test]
fn a_browser_shows_every_operation_of_every_dialect_without_other_hosts() {
    let Some(mut browser) = Browser::start() else { return };
    let gateway = Gateway::start(&everything(""));
    let root = gateway.url("/");
    let linked = DIALECTS.iter().map(|dialect| dialect.name.to_owned()).collect::<Vec<_>>();
    let front = browser.look(&gateway.url("/api/"), &linked);
    let mut looked = vec![("/api/".to_owned(), linked.clone(), front)];
    let index = gateway.get("/api/").body;
    let pages = index.split("href=\"").filter_map(|rest| rest.split('"').next());
    for page in pages.filter(|path| path.ends_with(".html")) {
        let document = gateway.get(page.strip_suffix(".html").unwrap());
        let names = names(&serde_json::from_str(&document.body).expect("it is JSON"));
        assert!(!names.is_empty(), "{page} is about nothing");
        looked.push((page.to_owned(), names.clone(), browser.look(&gateway.url(page), &names)));
    }
    let shown = |document: &str| looked.iter().filter(|(page, ..)| page.contains(document)).count();
    assert_eq!((shown("/openapi.json"), shown("/asyncapi.json"), shown("/token.ksy")), (3, 2, 1));
    for (page, names, seen) in &looked {
        let missing: Vec<_> = names.iter().filter(|name| !seen.text.contains(*name)).collect();
        assert!(missing.is_empty(), "{page} does not show {missing:?}: {}", seen.text);
        assert!(seen.complaints.is_empty(), "{page}: {:#?}", seen.complaints);
        let is_foreign = |url: &&String| !url.starts_with(&root) && !url.starts_with("data:");
        let foreign: Vec<_> = seen.requests.iter().filter(is_foreign).collect();
        assert!(foreign.is_empty(), "{page} asks for {foreign:?}");
        assert!(!seen.requests.is_empty(), "{page} was asked for");
    }
}

#[test]
fn every_page_forbids_what_it_is_not_made_of() {
    let gateway = Gateway::start(&everything(""));
    for path in ["/api/", "/api/token/token.ksy.html", "/api/channel/openapi.json.html"] {
        let page = gateway.get(path);
        assert_eq!(page.status, 200, "{path}");
        let policy = &page.headers["content-security-policy"];
        assert!(policy.starts_with("default-src 'none'; "), "{path}: {policy}");
        assert!(!policy.contains("unsafe-eval"), "{path}: {policy}");
        // What the admin listener has besides is not for scripts.
        let connect = policy.split("; ").find_map(|part| part.strip_prefix("connect-src "));
        assert!(connect.is_none_or(|to| to == "http://localhost/api/"), "{path}: {policy}");
        assert!(!policy.contains("script-src 'self' 'unsafe-inline'"), "{path}: {policy}");
        assert_eq!(page.headers["x-content-type-options"], "nosniff", "{path}");
        assert!(!page.body.contains("<script>"), "{path} has a script within");
    }
}

#[test]
fn the_documents_of_the_pages_are_those_of_the_front_ends() {
    let gateway = Gateway::start(&everything(""));
    let answer = gateway.get("/api/channel/openapi.json");
    let committed = include_str!("../../../schemas/channel/openapi.json");
    // All but the address.
    let [shown, committed] = [answer.body.as_str(), committed].map(|text| {
        let mut json: serde_json::Value = serde_json::from_str(text).expect("JSON");
        json["servers"].take();
        json
    });
    assert!(shown == committed, "it is another");
    assert_eq!(answer.headers["content-type"], "application/vnd.oai.openapi+json;version=3.1");
    for path in
        ["/api/unknown/schema.json", "/api/channel/asyncapi.json", "/api/channel/.html", "/apis"]
    {
        assert_eq!(gateway.get(path).status, 404, "{path}");
    }
    let root = gateway.get("/api");
    assert_eq!((root.status, root.headers["location"].as_str()), (302, "/api/"));
    // A client that does not accept gzip cannot run the script either.
    assert_eq!(gateway.get("/api/redoc-3.0.1.js").status, 406);
}

#[test]
fn the_pages_can_be_switched_off() {
    let gateway = Gateway::start(&everything("api_page = false\nconsole = false"));
    for path in ["/", "/api/", "/api/channel/openapi.json"] {
        assert_eq!(gateway.get(path).status, 404, "{path}");
    }
}
