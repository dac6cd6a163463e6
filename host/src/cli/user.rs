//! `dragoman user`: shows an account, says which identities are whose, and sets passwords.
//!
//! On the store itself where nobody has it open, else by way of the gateway that has.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use core_engine::{Done, Engine, Envelope, FrontendSettings, OpenError};
use core_model::{ConnectionId, Outcome, Refusal, Timestamp};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Options, password};
use crate::config::Config;
use crate::users::wire::{
    ADMIN_HEADER, Change, LINK_PATH, NewPassword, PASSWORD_PATH, Refused, SHOW_PATH, STORE_HEADER,
    UNLINK_PATH, store_mark,
};
use crate::users::{Account, Act, Errand, Identity, Phc, Who};

/// How long a gateway may take to answer: many times what a commit takes on a busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer that is read: an account with some ten thousand identities.
const ANSWER_BYTES_MAX: usize = 1 << 20;

#[derive(Args, Debug)]
pub(super) struct User {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Shows an account
    Show {
        #[command(flatten)]
        whose: Whose,
    },
    /// Links a further identity to a user, who may from then on sign in with it
    Link {
        #[command(flatten)]
        whose: Whose,
        /// tel/5551234, email/ann@example.org, openid:wechat/o1
        identity: Identity,
    },
    /// Takes an identity off a user, who keeps everything else
    Unlink {
        #[command(flatten)]
        whose: Whose,
        /// tel/5551234, email/ann@example.org, openid:wechat/o1
        identity: Identity,
    },
    /// Gives a user a password, read from standard input, in place of the one it has if it has
    /// one; who is signed in by the former is no more
    Password {
        #[command(flatten)]
        whose: Whose,
    },
}

#[derive(Args, Debug)]
struct Whose {
    #[command(flatten)]
    options: Options,

    /// Writes the account as JSON
    #[arg(long)]
    json: bool,

    /// A uid (10000), a handle (bob; @10000 where it looks like something else), or an identity
    /// (tel/5551234)
    who: Who,
}

pub(super) fn run(options: Options, user: User) -> Result<(), Box<dyn Error>> {
    let (whose, act) = match user.what {
        What::Show { whose } => (whose, Act::Show),
        What::Link { whose, identity } => (whose, Act::Link(identity)),
        What::Unlink { whose, identity } => (whose, Act::Unlink(identity)),
        What::Password { whose } => {
            let phc = Phc::of(&password::ask(&whose.who.to_string())?)?;
            (whose, Act::SetPassword(phc))
        }
    };
    let config = options.and(user.options).and(whose.options).configuration()?.config;
    let account = carry_out(&config, &Errand { who: whose.who, act })?;
    match whose.json {
        true => println!("{}", serde_json::to_string(&account)?),
        false => print!("{}", shown(&account)),
    }
    Ok(())
}

/// A line for each thing that there is to know.
fn shown(account: &Account) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let identities = account.identities.iter().map(|identity| ("identity", identity.clone()));
    let lines = [
        ("uid", account.uid.to_string()),
        ("handle", account.handle.clone()),
        ("name", account.name.clone()),
    ];
    let more = [
        ("created", account.created.clone()),
        ("online", yes(account.online)),
        ("password", yes(account.password)),
    ];
    let lines = lines.into_iter().chain(identities).chain(more);
    lines.map(|(what, value)| format!("{what} {}\n", printable(&value))).collect()
}

/// Without what would move the cursor or begin another line: a name is what its user made it.
fn printable(text: &str) -> String {
    let escaped = |char: char| match char.is_control() {
        true => char.escape_default().to_string(),
        false => char.to_string(),
    };
    text.chars().map(escaped).collect()
}

fn carry_out(config: &Config, errand: &Errand) -> Result<Account, Box<dyn Error>> {
    let path = &config.store.path;
    if !path.exists() {
        let why = "the gateway makes it when it is started for the first time";
        return Err(format!("there is no store {} yet; {why}", path.display()).into());
    }
    let (sender, outcomes) = mpsc::channel();
    let publish = move |batch: Vec<Done<()>>| {
        for done in batch {
            // Nobody waits any more only where the answer came before.
            drop(sender.send(done.outcome));
        }
    };
    let options = core_engine::Options {
        queue_max: config.store.queue_max,
        cache_bytes: config.store.cache_bytes,
    };
    match Engine::open(path, options, publish) {
        Ok(engine) => on_the_store(&engine, &outcomes, errand),
        Err(OpenError::Locked { .. }) => by_the_gateway(config, errand),
        Err(error) => Err(error.into()),
    }
}

fn on_the_store(
    engine: &Engine<()>,
    outcomes: &mpsc::Receiver<Outcome>,
    errand: &Errand,
) -> Result<Account, Box<dyn Error>> {
    let at = now();
    let done = errand.command().map(|command| {
        let (connection, frontend) = (ConnectionId(0), Arc::<FrontendSettings>::default());
        let envelope = Envelope { at, connection, frontend, key: None, command };
        engine.submit(envelope, ()).map_err(|((), refusal)| refusal)?;
        let lost = |_| Refusal::Internal { why: "it stopped before the answer".into() };
        outcomes.recv().map_err(lost)?
    });
    let account = errand.report(engine, at, done)?;
    // Whoever was online when a gateway was killed is not, without one.
    Ok(Account { online: false, ..account })
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Asks the gateway that has the store open.
fn by_the_gateway(config: &Config, errand: &Errand) -> Result<Account, Box<dyn Error>> {
    let path = &config.store.path;
    let address = admin_address(config.admin.listen).map_err(|why| {
        format!(
            "another process has the store {} open, and {why}; or stop the gateway first",
            path.display()
        )
    })?;
    let mark = store_mark(path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async {
        let asked = timeout(ANSWER_TIMEOUT, ask(address, &mark, errand)).await;
        asked.unwrap_or_else(|_| Err("it does not answer".into()))
    });
    let (status, body) = asked.map_err(|error| {
        format!(
            "another process has the store {} open, and there is no gateway to ask at {address} \
             ([admin] listen): {error}; start the gateway with this configuration, or stop \
             whatever has the store open",
            path.display()
        )
    })?;
    match status {
        StatusCode::OK => read(address, &body),
        _ => Err(read::<Refused>(address, &body)?.error.into()),
    }
}

/// Where a gateway of this configuration can be reached over loopback, which is the only way in
/// which it answers this. `Err`: it cannot, and what to do.
pub(super) fn admin_address(listen: Option<SocketAddr>) -> Result<SocketAddr, String> {
    let Some(listen) = listen else {
        let example = "127.0.0.1:5090";
        return Err(format!(
            "[admin] listen is not set, so that it cannot be asked; set it, to {example:?} for \
             one, and restart the gateway"
        ));
    };
    if listen.port() == 0 {
        return Err("[admin] listen leaves the port open; set one, and restart the gateway".into());
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip if ip.to_canonical().is_loopback() => ip,
        ip => {
            return Err(format!(
                "[admin] listen is {ip}, while users are managed over a loopback address only; \
                 set it to one, and restart the gateway"
            ));
        }
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

/// One request; gives status and body of the answer.
async fn ask(
    address: SocketAddr,
    mark: &str,
    errand: &Errand,
) -> Result<(StatusCode, Bytes), Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // What goes wrong with it is heard of by who waits for the answer.
    tokio::spawn(connection);
    let response = sender.send_request(request(address, mark, errand)?).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
}

fn request(
    address: SocketAddr,
    mark: &str,
    errand: &Errand,
) -> Result<Request<Full<Bytes>>, Box<dyn Error>> {
    let who = errand.who.to_string();
    let change = |path: &'static str, identity: &Identity| {
        let change = Change { who: who.clone(), identity: identity.to_string() };
        serde_json::to_vec(&change).map(|body| (Method::POST, path.to_owned(), body))
    };
    let (method, target, body) = match &errand.act {
        Act::Show => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            let query = query.append_pair("who", &who).finish();
            (Method::GET, format!("{SHOW_PATH}?{query}"), Vec::new())
        }
        Act::Link(identity) => change(LINK_PATH, identity)?,
        Act::Unlink(identity) => change(UNLINK_PATH, identity)?,
        Act::SetPassword(phc) => {
            let new = NewPassword { who, hash: phc.as_str().to_owned() };
            (Method::POST, PASSWORD_PATH.to_owned(), serde_json::to_vec(&new)?)
        }
    };
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, address.to_string())
        .header(CONTENT_TYPE, "application/json")
        .header(ADMIN_HEADER, "1")
        .header(STORE_HEADER, mark);
    Ok(request.body(Full::new(body.into()))?)
}

fn read<T: DeserializeOwned>(address: SocketAddr, body: &[u8]) -> Result<T, Box<dyn Error>> {
    serde_json::from_slice(body)
        .map_err(|_| format!("what answers at {address} is no gateway of this version").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_line_for_each_thing_whatever_its_name_is() {
        let account = Account {
            uid: 10000,
            handle: "bob".into(),
            name: "\u{1b}[2JBob\nuid 1 茶".into(),
            identities: vec!["tel/1".into(), "email/b@c".into()],
            created: "2025-11-21T00:35:46Z".into(),
            online: true,
            password: false,
        };
        insta::assert_snapshot!(shown(&account), @r"
        uid 10000
        handle bob
        name \u{1b}[2JBob\nuid 1 茶
        identity tel/1
        identity email/b@c
        created 2025-11-21T00:35:46Z
        online yes
        password no
        ");
    }

    #[test]
    fn the_admin_listener_is_asked_over_loopback_or_not_at_all() {
        let asked = |listen: &str| admin_address(Some(listen.parse().expect(listen)));
        for (listen, address) in [
            ("127.0.0.1:5090", "127.0.0.1:5090"),
            ("[::1]:5090", "[::1]:5090"),
            ("0.0.0.0:5090", "127.0.0.1:5090"),
            ("[::]:5090", "[::1]:5090"),
        ] {
            assert_eq!(asked(listen), Ok(address.parse().expect(address)));
        }
        for listen in ["127.0.0.1:0", "10.0.0.5:5090", "[2001:db8::1]:5090"] {
            assert!(asked(listen).is_err(), "{listen}");
        }
        assert!(admin_address(None).is_err());
    }
}
