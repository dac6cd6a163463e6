//! Chromium without a window, driven over its DevTools protocol.

use std::fmt;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket, stream::MaybeTlsStream};

use crate::{PATIENCE, foreign};

/// Without requests of its own.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "about:blank",
];

/// axe-core: tests/assets/axe-core/README.md.
const AXE: &[u8] = include_bytes!("../assets/axe-core/axe.min.js.gz");

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    /// What the browser prefers: `en` or `zh-CN`.
    pub language: &'static str,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: 1280, height: 800, dark: false, language: "en" }
    }
}

/// The browser. It ends when it and its pages are dropped.
#[derive(Clone, Debug)]
pub struct Browser {
    devtools: Arc<Mutex<DevTools>>,
}

impl Browser {
    /// None where there is no Chromium: the test is skipped then, and says so; in CI it must be
    /// there.
    pub fn start() -> Option<Self> {
        let mut command = foreign::command("chromium")?;
        let profile = TempDir::new().expect("there is room for a folder");
        command.args(ARGUMENTS).arg(format!("--user-data-dir={}", profile.path().display()));
        let started = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
        let mut child = started.expect("it has just been found");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned));
        // It goes on to complain of what a machine without a screen does not have.
        std::thread::spawn(move || lines.for_each(drop));
        let url = url.expect("chromium says where it listens");
        let (socket, _) = tungstenite::connect(url).expect("chromium answers");
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        }
        let devtools = DevTools { child, socket, asked: 0, pages: Vec::new(), _profile: profile };
        Some(Self { devtools: Arc::new(Mutex::new(devtools)) })
    }

    /// Opens a page as a visitor of its own, with cookies and storage of its own.
    #[track_caller]
    pub fn open(&self, url: &str, look: Look) -> Page {
        let context = self.ask(None, "Target.createBrowserContext", json!({}));
        self.open_in(context["browserContextId"].as_str().expect("an id"), url, look)
    }

    #[track_caller]
    fn open_in(&self, context: &str, url: &str, look: Look) -> Page {
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let target = self.ask(None, "Target.createTarget", target);
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.ask(None, "Target.attachToTarget", attach);
        let session = session["sessionId"].as_str().expect("an id").to_owned();
        self.lock().pages.push(Noted { session: session.clone(), ..Noted::default() });
        let target = target["targetId"].as_str().expect("an id").to_owned();
        let page = Page { browser: self.clone(), context: context.to_owned(), session, target };
        for domain in ["Runtime.enable", "Log.enable", "Network.enable", "Page.enable"] {
            page.ask(domain, json!({}));
        }
        page.look(look);
        page.go(url);
        page
    }

    #[track_caller]
    fn ask(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        match self.lock().ask(session, method, params) {
            Ok(result) => result,
            Err(error) => panic!("{method}: {error}"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, DevTools> {
        self.devtools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection to the browser, and what it has said of each page.
struct DevTools {
    child: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    asked: u64,
    pages: Vec<Noted>,
    _profile: TempDir,
}

impl fmt::Debug for DevTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevTools").field("pages", &self.pages).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default)]
struct Noted {
    session: String,
    /// Errors and warnings of the console, uncaught exceptions, and what the browser refused.
    complaints: Vec<String>,
    /// The addresses that it asked, those of WebSockets too.
    requests: Vec<String>,
}

impl DevTools {
    /// The result of a method; what else arrives before it is noted.
    fn ask(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let sent = self.socket.send(Message::text(message.to_string()));
        sent.map_err(|error| format!("chromium has ended: {error}"))?;
        loop {
            let text = match self.socket.read() {
                Ok(Message::Text(text)) => text,
                Ok(_) => continue,
                // The process was stopped and goes on.
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {
                    continue;
                }
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    return Err("chromium does not answer".into());
                }
                Err(error) => return Err(format!("chromium has ended: {error}")),
            };
            let mut said: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            if said["id"] != self.asked {
                self.note(&said);
            } else if said["error"].is_object() {
                return Err(said["error"].to_string());
            } else {
                return Ok(said["result"].take());
            }
        }
    }

    fn note(&mut self, said: &Value) {
        let session = said["sessionId"].as_str().unwrap_or_default();
        let Some(page) = self.pages.iter_mut().find(|page| page.session == session) else { return };
        let params = &said["params"];
        let url = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match said["method"].as_str().unwrap_or_default() {
            "Log.entryAdded" => page.complaints.push(params["entry"].to_string()),
            "Runtime.exceptionThrown" => page.complaints.push(params.to_string()),
            "Runtime.consoleAPICalled" => page.complaints.push(params.to_string()),
            "Network.requestWillBeSent" => page.requests.push(url(&params["request"]["url"])),
            "Network.webSocketCreated" => page.requests.push(url(&params["url"])),
            _ => (),
        }
    }
}

impl Drop for DevTools {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A page in a tab.
#[derive(Debug)]
pub struct Page {
    browser: Browser,
    context: String,
    session: String,
    target: String,
}

impl Page {
    /// Another tab of the same visitor.
    #[track_caller]
    pub fn open_another(&self, url: &str, look: Look) -> Self {
        self.browser.open_in(&self.context, url, look)
    }

    /// Goes to an address, and waits until the page is loaded.
    #[track_caller]
    pub fn go(&self, url: &str) {
        let gone = self.ask("Page.navigate", json!({ "url": url }));
        assert!(gone["errorText"].is_null(), "{url}: {}", gone["errorText"]);
        self.until("location.href !== 'about:blank' && document.readyState === 'complete'");
    }

    /// Loads it again.
    #[track_caller]
    pub fn reload(&self) {
        self.eval("window.isBeforeReload = true");
        self.ask("Page.reload", json!({}));
        self.until("!window.isBeforeReload && document.readyState === 'complete'");
    }

    #[track_caller]
    pub fn look(&self, look: Look) {
        let Look { width, height, dark, language } = look;
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.ask("Emulation.setEmulatedMedia", json!({ "features": features }));
        let agent = self.eval("navigator.userAgent");
        let agent = json!({ "userAgent": agent, "acceptLanguage": language });
        self.ask("Emulation.setUserAgentOverride", agent);
    }

    /// The value of an expression, of a promise that which it resolves with.
    #[track_caller]
    pub fn eval(&self, expression: &str) -> Value {
        self.try_eval(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    fn try_eval(&self, expression: &str) -> Result<Value, String> {
        let params = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let mut devtools = self.browser.lock();
        let mut result = devtools.ask(Some(&self.session), "Runtime.evaluate", params)?;
        match result["exceptionDetails"].is_object() {
            true => Err(result["exceptionDetails"].to_string()),
            false => Ok(result["result"]["value"].take()),
        }
    }

    /// Waits in the page until an expression is true. It may be replaced meanwhile.
    #[track_caller]
    pub fn until(&self, expression: &str) {
        let began = std::time::Instant::now();
        let script = format!(
            "new Promise((resolve) => {{
              const ends = performance.now() + 1000;
              const look = () => {{
                if ({expression}) resolve(true);
                else if (performance.now() > ends) resolve(false);
                else setTimeout(look, 10);
              }};
              look();
            }})"
        );
        // Rounds count as well: a test that was stopped and goes on has waited for nothing.
        let mut rounds = 0;
        while began.elapsed() < PATIENCE || rounds < PATIENCE.as_secs() {
            rounds += 1;
            // An error is that of a page that goes, or has no body yet.
            if self.try_eval(&script) == Ok(Value::Bool(true)) {
                return;
            }
        }
        let text = self.try_eval("document.body?.innerText");
        let complaints = self.complaints();
        panic!("never: {expression}\nthe page shows: {text:?}\nit complains: {complaints:#?}");
    }

    /// Waits until an element of this selector has this in its text.
    #[track_caller]
    pub fn until_shown(&self, selector: &str, text: &str) {
        let [selector, text] = [selector, text].map(|text| Value::from(text).to_string());
        self.until(&format!(
            "[...document.querySelectorAll({selector})].some((one) => one.innerText.includes({text}))"
        ));
    }

    /// The visible text of the elements of this selector.
    #[track_caller]
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let selector = Value::from(selector);
        let texts = self.eval(&format!(
            "[...document.querySelectorAll({selector})].map((one) => one.innerText)"
        ));
        texts
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// Clicks an element in the middle, as a mouse does; waits until there is one.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let selector = Value::from(selector);
        self.until(&format!("document.querySelector({selector})?.checkVisibility()"));
        let at = self.eval(&format!(
            "(() => {{
              const element = document.querySelector({selector});
              element.scrollIntoView({{ block: 'nearest' }});
              const {{ x, y, width, height }} = element.getBoundingClientRect();
              return {{ x: x + width / 2, y: y + height / 2 }};
            }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let mut event = json!({ "type": kind, "button": "left", "clickCount": 1 });
            event["x"] = at["x"].clone();
            event["y"] = at["y"].clone();
            self.ask("Input.dispatchMouseEvent", event);
        }
    }

    /// Types into what has the focus.
    #[track_caller]
    pub fn type_text(&self, text: &str) {
        self.ask("Input.insertText", json!({ "text": text }));
    }

    /// Presses and releases a key that types nothing, but for Enter.
    #[track_caller]
    pub fn press(&self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            "ArrowUp" => 38,
            "ArrowDown" => 40,
            _ => 0,
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
            });
            if key == "Enter" && kind == "keyDown" {
                event["text"] = "\r".into();
            }
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    /// Has the page lose its network, or get it back.
    #[track_caller]
    pub fn set_offline(&self, offline: bool) {
        let conditions = json!({
            "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        self.ask("Network.emulateNetworkConditions", conditions);
    }

    /// Writes a picture of it, a PNG.
    #[track_caller]
    pub fn screenshot(&self, path: &Path) {
        let picture = self.ask("Page.captureScreenshot", json!({ "format": "png" }));
        let data = picture["data"].as_str().expect("it is base64").as_bytes();
        let bytes = data_encoding::BASE64.decode(data).expect("it is base64");
        std::fs::write(path, bytes).expect("it is writable");
    }

    /// What the console says, uncaught exceptions, and what the browser refused.
    pub fn complaints(&self) -> Vec<String> {
        self.noted().complaints
    }

    /// The addresses that it asked, those of WebSockets too.
    pub fn requests(&self) -> Vec<String> {
        self.noted().requests
    }

    fn noted(&self) -> Noted {
        // The answer to this comes after all that is to be noted.
        drop(self.try_eval("0"));
        let devtools = self.browser.lock();
        let found = devtools.pages.iter().find(|page| page.session == self.session);
        found.expect("it was opened").clone()
    }

    /// What axe-core finds wrong with the page as it is: the rule, and the elements.
    #[track_caller]
    pub fn axe(&self) -> Vec<String> {
        if self.eval("typeof axe") == "undefined" {
            let packed = data_encoding::BASE64.encode(AXE);
            let unpack = "(packed) => {
              const bytes = Uint8Array.from(atob(packed), (one) => one.charCodeAt(0));
              const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
              return new Response(stream).text();
            }";
            // Its own policy does not let the page evaluate a text.
            let script = self.eval(&format!("({unpack})('{packed}')"));
            self.eval(&format!("{}; 0", script.as_str().expect("it is a text")));
        }
        let found = self.eval(
            "axe.run().then(({ violations }) => violations.map(({ id, help, nodes }) =>
              `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`))",
        );
        let found = found.as_array().expect("axe.run gives a list");
        found.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Pixels by which the page is wider than the window.
    #[track_caller]
    pub fn overflow(&self) -> i64 {
        let overflow =
            "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.eval(overflow).as_i64().expect("a number")
    }

    #[track_caller]
    fn ask(&self, method: &str, params: Value) -> Value {
        self.browser.ask(Some(&self.session), method, params)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let close = json!({ "targetId": self.target });
        drop(self.browser.lock().ask(None, "Target.closeTarget", close));
    }
}
