//! `dragoman user`: shows an account, links and unlinks identities, and sets passwords.
//!
//! It works on the store itself or, if a gateway has it open, through that gateway.

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

use super::{Options, output, password};
use crate::config::Config;
use crate::users::wire::{
    ADMIN_HEADER, Change, LINK_PATH, NewPassword, PASSWORD_PATH, Refused, SHOW_PATH, STORE_HEADER,
    UNLINK_PATH, store_mark,
};
use crate::users::{Account, Act, Identity, Phc, UserAction, Who};

/// How long a gateway may take to answer: many times a commit's time on a busy machine.
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
    /// Show an account
    Show {
        #[command(flatten)]
        whose: Whose,
    },
    /// Link an identity to a user, who can then sign in with it
    Link {
        #[command(flatten)]
        whose: Whose,
        /// tel/5551234, email/ann@example.org, openid:wechat/o1
        identity: Identity,
    },
    /// Unlink an identity from a user
    Unlink {
        #[command(flatten)]
        whose: Whose,
        /// tel/5551234, email/ann@example.org, openid:wechat/o1
        identity: Identity,
    },
    /// Set a user's password (read from stdin) and revoke existing sign-ins
    Password {
        #[command(flatten)]
        whose: Whose,
    },
}

#[derive(Args, Debug)]
struct Whose {
    #[command(flatten)]
    options: Options,

    /// Print the account as JSON
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
            let phc = Phc::of(&password::read(&whose.who.to_string())?)?;
            (whose, Act::SetPassword(phc))
        }
    };
    let config = options.and(user.options).and(whose.options).configuration()?.config;
    let account = carry_out(&config, &UserAction { who: whose.who, act })?;
    if whose.json {
        output::line(serde_json::to_string(&account)?)?;
    } else {
        output::raw(shown(&account).as_bytes())?;
    }
    Ok(())
}

/// One line for each property of the account.
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

/// Escapes control characters: users choose their names, and a name must not move the cursor or
/// begin another line.
fn printable(text: &str) -> String {
    let escaped = |char: char| {
        if char.is_control() { char.escape_default().to_string() } else { char.to_string() }
    };
    text.chars().map(escaped).collect()
}

fn carry_out(config: &Config, action: &UserAction) -> Result<Account, Box<dyn Error>> {
    let path = &config.store.path;
    if !path.exists() {
        let why = "the gateway creates it at its first start";
        return Err(format!("there is no store {} yet; {why}", path.display()).into());
    }
    let (sender, outcomes) = mpsc::channel();
    let publish = move |batch: Vec<Done<()>>| {
        for done in batch {
            // The receiver is dropped only after it has its answer.
            drop(sender.send(done.outcome));
        }
    };
    let options = core_engine::Options {
        queue_max: config.store.queue_max,
        cache_bytes: config.store.cache_bytes,
    };
    match Engine::open(path, options, publish) {
        Ok(engine) => on_the_store(&engine, &outcomes, action),
        Err(OpenError::Locked { .. }) => through_the_gateway(config, action),
        Err(error) => Err(error.into()),
    }
}

fn on_the_store(
    engine: &Engine<()>,
    outcomes: &mpsc::Receiver<Outcome>,
    action: &UserAction,
) -> Result<Account, Box<dyn Error>> {
    let at = now();
    let done = action.command().map(|command| {
        let (connection, frontend) = (ConnectionId(0), Arc::<FrontendSettings>::default());
        let envelope =
            Envelope { at, steady_ms: 0, connection, address: None, frontend, key: None, command };
        engine.submit(envelope, ()).map_err(|((), refusal)| refusal)?;
        let lost = |_| Refusal::Internal { why: "the engine stopped before it answered".into() };
        outcomes.recv().map_err(lost)?
    });
    let account = action.report(engine, at, done)?;
    // A user who was online when a gateway was killed is not online without one.
    Ok(Account { online: false, ..account })
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Sends the command to the gateway that has the store open.
fn through_the_gateway(config: &Config, action: &UserAction) -> Result<Account, Box<dyn Error>> {
    let path = &config.store.path;
    let address = admin_address(config.admin.listen).map_err(|why| {
        format!(
            "another process has the store {} open, and {why}; or stop the gateway first",
            path.display()
        )
    })?;
    let mark = store_mark(path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let response = runtime.block_on(async {
        let response = timeout(ANSWER_TIMEOUT, send(address, &mark, action)).await;
        response.unwrap_or_else(|_| Err("it does not answer".into()))
    });
    let (status, body) = response.map_err(|error| {
        format!(
            "another process has the store {} open, and no gateway answers at {address} \
             ([admin] listen): {error}; start the gateway with this configuration, or stop \
             the process that has the store open",
            path.display()
        )
    })?;
    match status {
        StatusCode::OK => read(address, &body),
        _ => Err(read::<Refused>(address, &body)?.error.into()),
    }
}

/// The loopback address of this configuration's admin listener, which accepts these requests over
/// loopback only. `Err`: there is none, and what to do.
pub(super) fn admin_address(listen: Option<SocketAddr>) -> Result<SocketAddr, String> {
    let Some(listen) = listen else {
        let example = "127.0.0.1:5090";
        return Err(format!(
            "[admin] listen is not set, so the gateway cannot be reached; set it, for example to \
             {example:?}, and restart the gateway"
        ));
    };
    if listen.port() == 0 {
        return Err("[admin] listen has port 0; set a port, and restart the gateway".into());
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

/// Sends one request; returns status and body of the response.
async fn send(
    address: SocketAddr,
    mark: &str,
    action: &UserAction,
) -> Result<(StatusCode, Bytes), Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // `send_request` reports the connection's errors.
    tokio::spawn(connection);
    let response = sender.send_request(request(address, mark, action)?).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
}

fn request(
    address: SocketAddr,
    mark: &str,
    action: &UserAction,
) -> Result<Request<Full<Bytes>>, Box<dyn Error>> {
    let who = action.who.to_string();
    let change = |path: &'static str, identity: &Identity| {
        let change = Change { who: who.clone(), identity: identity.to_string() };
        serde_json::to_vec(&change).map(|body| (Method::POST, path.to_owned(), body))
    };
    let (method, target, body) = match &action.act {
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
        .map_err(|_| format!("the program at {address} is not a gateway of this version").into())
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
