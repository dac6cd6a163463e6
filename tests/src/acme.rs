//! A CA that speaks ACME (RFC 8555), and looks for its challenges as a real one does (RFC 8737).

mod challenge;
mod http;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use data_encoding::BASE64URL_NOPAD;
use rcgen::CertificateSigningRequestParams;
use rustls::pki_types::CertificateSigningRequestDer;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::encrypted::Authority;
use http::{Request, Response};

/// The server; it runs until the test ends.
#[derive(Debug)]
pub struct AcmeServer {
    /// Signs the server's own certificate.
    pub web: Authority,
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    url: String,
    /// Signs what is issued.
    issuer: Authority,
    /// Where every name leads to.
    gateway: Mutex<Option<SocketAddr>>,
    /// It is known.
    is_known: Condvar,
    records: Mutex<Records>,
}

/// What was asked for so far.
#[derive(Clone, Debug, Default)]
pub struct Records {
    nonces: BTreeSet<String>,
    nonces_given: u64,
    /// The key of each account; an account's number is its position from 1.
    accounts: Vec<Value>,
    /// The contacts of the account that was made or changed last.
    pub contacts: Value,
    orders: Vec<Order>,
    /// Why no order is taken, if none is.
    refusal: Option<String>,
    /// What was wrong with requests. A client that knows the protocol leaves it empty.
    pub faults: Vec<String>,
}

#[derive(Clone, Debug)]
struct Order {
    names: Vec<String>,
    /// Of each name: not looked at yet, found, or why not.
    proofs: Vec<Option<Result<(), String>>>,
    certificate: Option<String>,
    /// How often it was asked for since the CA has all that it needs.
    asked: u32,
}

impl Default for AcmeServer {
    fn default() -> Self {
        Self::new()
    }
}

impl AcmeServer {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let web = Authority::new();
        let state = Arc::new(State {
            url: format!("https://localhost:{}", address.port()),
            issuer: Authority::new(),
            gateway: Mutex::default(),
            is_known: Condvar::new(),
            records: Mutex::default(),
        });
        let tls = http::tls(&web.server(&["localhost"]));
        let answering = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, tls) = (stream.expect("it listens"), tls.clone());
                let state = answering.clone();
                thread::spawn(move || http::serve(stream, tls, |request| state.answer(request)));
            }
        });
        Self { web, address, state }
    }

    /// The URL of its directory.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/directory", self.address.port())
    }

    /// Signs what it issues.
    pub fn issuer(&self) -> &Authority {
        &self.state.issuer
    }

    /// Says where the names lead to, from now on. Challenges wait until it is known.
    pub fn reaches(&self, gateway: SocketAddr) {
        *self.state.gateway.lock().expect("no thread panics with it") = Some(gateway);
        self.state.is_known.notify_all();
    }

    pub fn accounts(&self) -> usize {
        self.state.records().accounts.len()
    }

    /// The orders that were taken.
    pub fn orders(&self) -> usize {
        self.state.records().orders.len()
    }

    pub fn records(&self) -> Records {
        self.state.records().clone()
    }

    /// Takes no orders, for this reason; or takes them again.
    pub fn refuse(&self, why: Option<&str>) {
        self.state.records().refusal = why.map(str::to_owned);
    }
}

impl State {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().expect("no thread panics with it")
    }

    fn gateway(&self) -> SocketAddr {
        let gateway = self.gateway.lock().expect("no thread panics with it");
        let known = self.is_known.wait_while(gateway, |gateway| gateway.is_none());
        known.expect("no thread panics with it").expect("it is known")
    }

    fn answer(&self, request: &Request) -> Response {
        let path: Vec<&str> = request.path.split('/').skip(1).collect();
        let mut response = match (request.method.as_str(), &path[..]) {
            ("GET", ["directory"]) => Response::json(200, self.directory()),
            ("HEAD", ["nonce"]) => Response::json(200, Value::Null),
            ("POST", path) => match self.verified(request) {
                Ok((account, payload)) => self.do_as_told(path, account, &payload),
                Err(why) => {
                    self.records().faults.push(why.clone());
                    problem(400, "malformed", &why)
                }
            },
            _ => problem(404, "malformed", "there is no such resource"),
        };
        let mut records = self.records();
        records.nonces_given += 1;
        let nonce = BASE64URL_NOPAD.encode(&records.nonces_given.to_be_bytes());
        records.nonces.insert(nonce.clone());
        response.headers.push(("Replay-Nonce", nonce));
        response
    }

    fn directory(&self) -> Value {
        let url = &self.url;
        json!({
            "newNonce": format!("{url}/nonce"),
            "newAccount": format!("{url}/account"),
            "newOrder": format!("{url}/order"),
            "revokeCert": format!("{url}/revoke"),
            "keyChange": format!("{url}/key"),
            "meta": { "termsOfService": format!("{url}/terms") },
        })
    }

    /// The account, if it is one already, and the payload of a request that is signed as it should
    /// be (section 6.2).
    fn verified(&self, request: &Request) -> Result<(Option<usize>, Value), String> {
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        let field = |name: &str| body[name].as_str().ok_or(format!("no {name}"));
        let (protected, payload) = (field("protected")?, field("payload")?);
        let header = decoded(protected)?;
        let mut records = self.records();
        let nonce = header["nonce"].as_str().unwrap_or_default();
        if !records.nonces.remove(nonce) {
            return Err(format!("the nonce {nonce:?} was not given, or is used"));
        }
        let url = format!("{}{}", self.url, request.path);
        if header["url"] != url.as_str() || header["alg"] != "ES256" {
            return Err(format!("the header is not for {url}: {header}"));
        }
        let number = header["kid"].as_str().and_then(|kid| kid.rsplit('/').next()?.parse().ok());
        let known = number.and_then(|number: usize| records.accounts.get(number.checked_sub(1)?));
        let key = known.cloned().or_else(|| header.get("jwk").cloned()).ok_or("no key")?;
        let signed = format!("{protected}.{payload}");
        challenge::verify(&key, signed.as_bytes(), field("signature")?)?;
        if known.is_some() {
            let payload = if payload.is_empty() { Value::Null } else { decoded(payload)? };
            return Ok((number, payload));
        }
        let mut payload = decoded(payload)?;
        payload["jwk"] = key;
        Ok((None, payload))
    }

    fn do_as_told(&self, path: &[&str], account: Option<usize>, payload: &Value) -> Response {
        let number = |text: &str| text.parse::<usize>().unwrap_or_default();
        match (path, account) {
            (["account"], None) => self.make_account(payload),
            (["account", _], Some(_)) => {
                self.records().contacts = payload["contact"].clone();
                Response::json(200, json!({ "status": "valid" }))
            }
            (["order"], Some(_)) => self.make_order(payload),
            (["order", nth], Some(_)) => self.order(number(nth)),
            (["authz", nth, name], Some(_)) => self.authorization(number(nth), number(name)),
            (["challenge", nth, name], Some(account)) => {
                self.look(account, number(nth), number(name))
            }
            (["finalize", nth], Some(_)) => self.finalize(number(nth), payload),
            (["cert", nth], Some(_)) => {
                let issued = self.records().orders[number(nth)].certificate.clone();
                let chain = issued.expect("it is asked for once it is there") + &self.issuer.pem;
                Response::pem(chain)
            }
            _ => problem(404, "malformed", "there is no such resource"),
        }
    }

    fn make_account(&self, payload: &Value) -> Response {
        if payload["termsOfServiceAgreed"] != true {
            return problem(403, "userActionRequired", "the terms of service are not accepted");
        }
        let mut records = self.records();
        records.accounts.push(payload["jwk"].clone());
        records.contacts = payload["contact"].clone();
        let url = format!("{}/account/{}", self.url, records.accounts.len());
        Response::json(201, json!({ "status": "valid" })).at(url)
    }

    fn make_order(&self, payload: &Value) -> Response {
        let mut records = self.records();
        if let Some(why) = &records.refusal {
            return problem(429, "rateLimited", why);
        }
        let identifiers = payload["identifiers"].as_array().cloned().unwrap_or_default();
        let name = |one: &Value| one["value"].as_str().unwrap_or_default().to_owned();
        let names: Vec<String> = identifiers.iter().map(name).collect();
        let proofs = vec![None; names.len()];
        records.orders.push(Order { names, proofs, certificate: None, asked: 0 });
        let nth = records.orders.len() - 1;
        drop(records);
        let url = format!("{}/order/{nth}", self.url);
        Response { status: 201, ..self.order(nth) }.at(url)
    }

    /// An order as it stands. What is issued is there when it is asked for a second time.
    fn order(&self, nth: usize) -> Response {
        let mut records = self.records();
        let order = &mut records.orders[nth];
        let all = order.proofs.iter().all(|proof| matches!(proof, Some(Ok(()))));
        let any_wrong = order.proofs.iter().any(|proof| matches!(proof, Some(Err(_))));
        order.asked += u32::from(order.certificate.is_some());
        let status = match () {
            () if any_wrong => "invalid",
            () if order.asked > 1 => "valid",
            () if order.certificate.is_some() => "processing",
            () if all => "ready",
            () => "pending",
        };
        let url = &self.url;
        let authorizations = (0..order.names.len()).map(|name| format!("{url}/authz/{nth}/{name}"));
        let mut body = json!({
            "status": status,
            "identifiers": order.names.iter().map(|name| json!({ "type": "dns", "value": name })).collect::<Vec<_>>(),
            "authorizations": authorizations.collect::<Vec<_>>(),
            "finalize": format!("{url}/finalize/{nth}"),
        });
        if status == "valid" {
            body["certificate"] = format!("{url}/cert/{nth}").into();
        }
        Response::json(200, body)
    }

    fn authorization(&self, nth: usize, name: usize) -> Response {
        let order = self.records().orders[nth].clone();
        let status = match &order.proofs[name] {
            None => "pending",
            Some(Ok(())) => "valid",
            Some(Err(_)) => "invalid",
        };
        let others = json!({
            "type": "http-01", "url": format!("{}/other", self.url), "token": "x", "status": "pending",
        });
        Response::json(
            200,
            json!({
                "status": status,
                "identifier": { "type": "dns", "value": order.names[name] },
                "challenges": [others, self.challenge(&order, nth, name)],
            }),
        )
    }

    fn challenge(&self, order: &Order, nth: usize, name: usize) -> Value {
        let url = format!("{}/challenge/{nth}/{name}", self.url);
        let mut challenge = json!({ "type": "tls-alpn-01", "url": url, "token": token(nth, name) });
        challenge["status"] = match &order.proofs[name] {
            None => "pending".into(),
            Some(Ok(())) => "valid".into(),
            Some(Err(why)) => {
                challenge["error"] =
                    json!({ "type": "urn:ietf:params:acme:error:unauthorized", "detail": why });
                "invalid".into()
            }
        };
        challenge
    }

    /// Looks for the proof that a name is the account's. Answers before that is done, as CAs do.
    fn look(&self, account: usize, nth: usize, name: usize) -> Response {
        let order = self.records().orders[nth].clone();
        let response = Response::json(200, self.challenge(&order, nth, name));
        let key = self.records().accounts[account - 1].clone();
        let authorization = format!("{}.{}", token(nth, name), thumbprint(&key));
        let digest = Sha256::digest(authorization.as_bytes());
        let found = challenge::look(self.gateway(), &order.names[name], &digest);
        self.records().orders[nth].proofs[name] = Some(found);
        response
    }

    fn finalize(&self, nth: usize, payload: &Value) -> Response {
        let csr = payload["csr"].as_str().unwrap_or_default();
        let csr = BASE64URL_NOPAD.decode(csr.as_bytes()).unwrap_or_default();
        let csr = CertificateSigningRequestDer::from(csr);
        let Ok(request) = CertificateSigningRequestParams::from_der(&csr) else {
            return problem(400, "badCSR", "the CSR cannot be read");
        };
        let issued = self.issuer.sign_request(request);
        self.records().orders[nth].certificate = Some(issued);
        self.order(nth)
    }
}

/// The token of a challenge, which is no secret.
fn token(nth: usize, name: usize) -> String {
    format!("token-of-order-{nth}-name-{name}")
}

/// RFC 7638.
fn thumbprint(key: &Value) -> String {
    let text = format!(
        "{{\"crv\":{},\"kty\":{},\"x\":{},\"y\":{}}}",
        key["crv"], key["kty"], key["x"], key["y"]
    );
    BASE64URL_NOPAD.encode(&Sha256::digest(text.as_bytes()))
}

fn decoded(part: &str) -> Result<Value, String> {
    let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

fn problem(status: u16, kind: &str, detail: &str) -> Response {
    let kind = format!("urn:ietf:params:acme:error:{kind}");
    Response::json(status, json!({ "type": kind, "detail": detail, "status": status }))
}
