//! docs/deploy/proxies.md, run as written with the real proxies.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use gateway_tests::{Chatroom, Gateway, Http, Irc, Launch, Talk, WebSocket};
use gateway_tests::{connect_from, foreign, program};
use rustix::process::{Pid, Signal, kill_process};

/// Where the page has the proxy and the front ends listen.
const PROXY: &str = ":8080";
const LISTENERS: [(&str, &str, &str); 3] = [
    ("chatroom", "listen", "127.0.0.1:5000"),
    ("chatroom", "websocket_listen", "127.0.0.1:2333"),
    ("channel", "listen", "127.0.0.1:5004"),
];

/// A proxy that runs. Dropping it stops the process.
struct Proxy {
    address: SocketAddr,
    pid_file: PathBuf,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let pid = fs::read_to_string(&self.pid_file).ok().and_then(|pid| pid.trim().parse().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).unwrap_or_else(|error| eprintln!("{error}"));
        }
    }
}

/// The first block of this language on the page.
fn block(language: &str) -> String {
    nth_block(language, 0)
}

fn nth_block(language: &str, nth: usize) -> String {
    let page =
        fs::read_to_string(program::workspace().join("docs/deploy/proxies.md")).expect("the page");
    let rest = page.split(&format!("```{language}\n")).nth(nth + 1).expect(language);
    rest.split_once("```").expect("the end of the block").0.to_owned()
}

/// The gateway of the page; the channel API only for one address.
fn gateway() -> Gateway {
    let mut toml = block("toml");
    for (_, _, address) in LISTENERS {
        toml = toml.replace(address, "127.0.0.1:0");
    }
    let room = "[[rooms]]\nname = \"TEST\"\n";
    Launch::of(&format!("{toml}allow = [\"127.0.0.2/32\"]\n{room}")).start()
}

/// The configuration of the page for this gateway, and the address of the proxy.
fn configuration(language: &str, gateway: &Gateway) -> (String, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let port = format!("{}", address.port());
    let mut text = block(language).replace(PROXY, &format!(":{port}"));
    text = text.replace("listen 8080;", &format!("listen {port};"));
    for (frontend, key, default) in LISTENERS {
        text = text.replace(default, &gateway.address(frontend, key).to_string());
    }
    (text, address)
}

#[test]
fn nginx_runs_as_the_page_says() {
    let Some(mut nginx) = foreign::command("nginx") else { return };
    let gateway = gateway();
    let (site, address) = configuration("nginx", &gateway);
    let folder = gateway.launch().folder().to_owned();
    let pid_file = folder.join("nginx.pid");
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", folder.display()))
        .concat();
    let main = format!(
        "user root;\npid {};\nerror_log {}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{site}}}\n",
        pid_file.display(),
        folder.display()
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, main).expect("a new file");
    // nginx listens before it goes into the background.
    foreign::run(nginx.arg("-e").arg(folder.join("error.log")).arg("-c").arg(file));
    check(&Proxy { address, pid_file });
}

#[test]
fn caddy_runs_as_the_page_says() {
    let Some(mut caddy) = foreign::command("caddy") else { return };
    let gateway = gateway();
    let (site, address) = configuration("caddyfile", &gateway);
    let folder = gateway.launch().folder().to_owned();
    let pid_file = folder.join("caddy.pid");
    let file = folder.join("Caddyfile");
    fs::write(&file, format!("{{\n\tadmin off\n}}\n{site}")).expect("a new file");
    caddy.args(["start", "--adapter", "caddyfile", "--config"]).arg(file);
    caddy.arg("--pidfile").arg(&pid_file).env("HOME", &folder);
    // The program stays, and would keep a pipe open.
    caddy.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    assert!(caddy.status().expect("caddy starts").success());
    check(&Proxy { address, pid_file });
}

#[test]
fn haproxy_runs_as_the_page_says() {
    let Some(mut haproxy) = foreign::command("haproxy") else { return };
    let gateway = gateway();
    let (site, address) = configuration("haproxy", &gateway);
    let folder = gateway.launch().folder().to_owned();
    let pid_file = folder.join("haproxy.pid");
    let file = folder.join("haproxy.cfg");
    fs::write(&file, site).expect("a new file");
    foreign::run(haproxy.arg("-D").arg("-f").arg(file).arg("-p").arg(&pid_file));
    check(&Proxy { address, pid_file });
}

/// Of the page, for IRC: only clients of one address may connect.
fn irc_gateway() -> Gateway {
    let toml = nth_block("toml", 1).replace("127.0.0.1:6667", "127.0.0.1:0");
    Launch::of(&format!("{toml}allow = [\"127.0.0.2/32\"]\n")).start()
}

/// The configuration of the page that passes IRC on, and the address of the proxy.
fn irc_configuration(language: &str, gateway: &Gateway) -> (String, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let text = nth_block(language, 1).replace("6697", &address.port().to_string());
    let gateway = gateway.address("irc", "listen").to_string();
    (text.replace("127.0.0.1:6667", &gateway), address)
}

#[test]
fn haproxy_names_the_clients_of_irc() {
    let Some(mut haproxy) = foreign::command("haproxy") else { return };
    let gateway = irc_gateway();
    let (text, address) = irc_configuration("haproxy", &gateway);
    let folder = gateway.launch().folder().to_owned();
    let pid_file = folder.join("haproxy.pid");
    let file = folder.join("haproxy.cfg");
    fs::write(&file, format!("defaults\ntimeout connect 5s\ntimeout server 10m\n{text}"))
        .expect("a new file");
    foreign::run(haproxy.arg("-D").arg("-f").arg(file).arg("-p").arg(&pid_file));
    check_irc(&Proxy { address, pid_file });
}

#[test]
fn nginx_names_the_clients_of_irc() {
    let Some(mut nginx) = foreign::command("nginx") else { return };
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    if !std::path::Path::new(module).exists() {
        let why = "nginx has no stream module";
        assert!(std::env::var_os("CI").is_none(), "{why}, and in CI it must have it");
        return eprintln!("skipped: {why}");
    }
    let gateway = irc_gateway();
    let (text, address) = irc_configuration("nginx", &gateway);
    let folder = gateway.launch().folder().to_owned();
    let pid_file = folder.join("nginx.pid");
    let main = format!(
        "load_module {module};\nuser root;\npid {};\nerror_log {}/error.log;\nevents {{}}\n{text}",
        pid_file.display(),
        folder.display()
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, main).expect("a new file");
    foreign::run(nginx.arg("-e").arg(folder.join("error.log")).arg("-c").arg(file));
    check_irc(&Proxy { address, pid_file });
}

/// The gateway goes by the address of the proxy's client.
fn check_irc(proxy: &Proxy) {
    let connect = |from: &str| connect_from(from.parse().expect("an address"), proxy.address);
    let mut ann = Irc::over(connect("127.0.0.2"));
    ann.send("NICK ann");
    ann.send("USER ann 0 * :ann");
    ann.receive_until(" 422 ");
    let mut refused = Vec::new();
    let mut other = connect("127.0.0.3");
    drop(other.write_all(b"NICK ben\r\nUSER ben 0 * :ben\r\n"));
    drop(other.read_to_end(&mut refused));
    assert_eq!(refused, b"");
}

/// What the page promises of every proxy.
fn check(proxy: &Proxy) {
    let cookie = sign_in(proxy);
    talk(proxy, &cookie);
    refuse_others(proxy);
    tell_addresses(proxy);
}

fn sign_in(proxy: &Proxy) -> String {
    let mut chatroom = Chatroom::connect(proxy.address);
    chatroom.register("5551234", "ann", "secret");
    chatroom.sign_in("5551234", "secret")
}

/// The path, the cookie, and the origin of a page of the site.
fn open(proxy: &Proxy, origin: &str, cookie: &str) -> Result<Talk, String> {
    let headers = [("origin", origin), ("cookie", cookie)];
    let websocket = WebSocket::try_connect(proxy.address, "/ws", &headers)?;
    Ok(Talk { websocket })
}

/// A message goes from one WebSocket to the other, as long as any may be.
fn talk(proxy: &Proxy, cookie: &str) {
    let origin = format!("http://{}", proxy.address);
    let mut ann = open(proxy, &origin, cookie).expect("a page of the site");
    let mut guest = open(proxy, &origin, "").expect("a page of the site");
    guest.send("join", "TEST", "ben", "");
    assert_eq!(guest.receive()["data"]["msg"], "create");
    ann.send("join", "TEST", "ann", "");
    assert_eq!(guest.receive()["data"]["user"]["user_name"], "ann");
    let text = "茶".repeat(16_384);
    ann.send("msg", "TEST", "ann", &text);
    assert_eq!(guest.receive()["data"]["msg"], *text);
}

/// Neither a page of another site gets in, nor a client at the address of a login.
fn refuse_others(proxy: &Proxy) {
    let Err(refused) = open(proxy, "http://evil.example", "") else {
        panic!("a page of another site got in")
    };
    assert!(refused.contains("403"), "{refused}");
    let origin = format!("http://{}", proxy.address);
    let mut other = open(proxy, &origin, "").expect("a page of the site");
    other.send("join", "TEST", "ann", "");
    let reply = other.receive();
    assert_eq!((&reply["type"], &reply["data"]["msg"]), (&"error".into(), &"not signed in".into()));
}

/// `allow` goes by the address of the client, whatever it claims.
fn tell_addresses(proxy: &Proxy) {
    let status = |from: &str, forwarded: &[(&str, &str)]| {
        let stream = connect_from(from.parse().expect("an address"), proxy.address);
        let mut http = Http::over(stream, proxy.address);
        let body = b"name=x&password=y";
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        http.request("POST", "/login", &[&[form], forwarded].concat(), body).status
    };
    assert_eq!(status("127.0.0.2", &[]), 200);
    assert_eq!(status("127.0.0.3", &[]), 403);
    assert_eq!(status("127.0.0.3", &[("X-Forwarded-For", "127.0.0.2")]), 403);
    assert_eq!(status("127.0.0.2", &[("X-Forwarded-For", "127.0.0.3")]), 200);
}
