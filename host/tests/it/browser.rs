//! Chromium, without a window, told what to do over its DevTools protocol.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

/// Without background requests of its own.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
    "--remote-debugging-port=0",
];

pub(crate) struct Browser {
    child: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    asked: u64,
    _profile: TempDir,
}

/// A page that was looked at.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// What stood on it, all of it that was seen.
    pub(crate) text: String,
    /// What the browser complained of.
    pub(crate) complaints: Vec<String>,
    /// What it asked for.
    pub(crate) requests: Vec<String>,
}

impl Browser {
    /// None where there is no Chromium: the test is skipped then, and says so; in CI it must be
    /// there.
    pub(crate) fn start() -> Option<Self> {
        let profile = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("chromium");
        command.args(ARGUMENTS).arg(format!("--user-data-dir={}", profile.path().display()));
        let started = command.arg("about:blank").stderr(Stdio::piped()).stdout(Stdio::null());
        let Ok(mut child) = started.spawn() else {
            assert!(std::env::var_os("CI").is_none(), "in CI chromium must be installed");
            eprintln!("skipped: chromium is not installed");
            return None;
        };
        let said = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut lines = said.lines().map(|line| line.expect("it says where it listens"));
        let found =
            lines.find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned));
        // It goes on to complain of what a machine without a screen has not.
        std::thread::spawn(move || lines.for_each(drop));
        let (socket, _) = tungstenite::connect(found.expect("it listens")).expect("it answers");
        Some(Self { child, socket, asked: 0, _profile: profile })
    }

    /// Opens a page and reads on, to its end, until it has shown all of these words.
    pub(crate) fn look(&mut self, url: &str, wanted: &[String]) -> Looked {
        let mut looked = Looked::default();
        let target =
            self.ask(None, "Target.createTarget", json!({ "url": "about:blank" }), &mut looked);
        let id = &target["targetId"];
        let attach = json!({ "targetId": id, "flatten": true });
        let session = self.ask(None, "Target.attachToTarget", attach, &mut looked);
        let session = session["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Runtime.enable", "Log.enable", "Network.enable", "Page.enable"] {
            self.ask(Some(&session), domain, json!({}), &mut looked);
        }
        self.ask(Some(&session), "Page.navigate", json!({ "url": url }), &mut looked);
        let read = json!({
            "expression": format!("({READ})({})", json!(wanted)),
            "awaitPromise": true,
            "returnByValue": true,
        });
        // Asked of the page that was there before, it ends with that one.
        let read = loop {
            let read = self.ask(Some(&session), "Runtime.evaluate", read.clone(), &mut looked);
            if read["result"]["value"].is_string() {
                break read;
            }
        };
        looked.text = read["result"]["value"].as_str().expect("a text").to_owned();
        self.ask(None, "Target.closeTarget", json!({ "targetId": id }), &mut looked);
        looked
    }

    /// The result of a method, and on the way to it what the page did.
    fn ask(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
        looked: &mut Looked,
    ) -> Value {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        self.socket.send(Message::text(message.to_string())).expect("it listens");
        loop {
            let Message::Text(text) = self.socket.read().expect("it answers") else { continue };
            let mut said: Value = serde_json::from_str(&text).expect("it speaks JSON");
            if said["id"] == self.asked {
                return said["result"].take();
            }
            looked.note(&said["method"], &said["params"]);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Looked {
    fn note(&mut self, method: &Value, params: &Value) {
        match method.as_str().unwrap_or_default() {
            "Log.entryAdded" => self.complaints.push(params["entry"].to_string()),
            "Runtime.exceptionThrown" => self.complaints.push(params.to_string()),
            "Runtime.consoleAPICalled" if params["type"] != "log" && params["type"] != "info" => {
                self.complaints.push(params.to_string());
            }
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().expect("it asks for something");
                self.requests.push(url.to_owned());
            }
            _ => (),
        }
    }
}

/// Scrolls, and opens what is folded, until every word was seen or a minute has passed: pages show
/// their lower parts only when they are looked at.
const READ: &str = r#"
wanted => new Promise((resolve, reject) => {
  if (location.href === "about:blank") return reject("nothing yet");
  let text = "", turns = 0;
  const turn = () => {
    text += document.body ? document.body.innerText + "\n" : "";
    if (++turns > 1200 || document.readyState === "complete" && wanted.every(word => text.includes(word))) {
      return resolve(text);
    }
    for (const more of document.querySelectorAll("button, a, span, div")) {
      if (!more.children.length && /^Show \d+ more/.test(more.textContent)) more.click();
    }
    const end = window.scrollY + window.innerHeight >= document.documentElement.scrollHeight - 1;
    window.scrollTo(0, end ? 0 : window.scrollY + window.innerHeight / 2);
    setTimeout(turn, 50);
  };
  turn();
})
"#;
