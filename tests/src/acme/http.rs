//! As much of HTTPS as a CA needs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::encrypted::Signed;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Response {
    pub(super) fn json(status: u16, body: Value) -> Self {
        let kind = if status < 300 { "application/json" } else { "application/problem+json" };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Self { status, headers: vec![("Content-Type", kind.into())], body }
    }

    pub(super) fn pem(body: String) -> Self {
        let kind = "application/pem-certificate-chain".into();
        Self { status: 200, headers: vec![("Content-Type", kind)], body }
    }

    /// With the URL of what was made.
    pub(super) fn at(mut self, url: String) -> Self {
        self.headers.push(("Location", url));
        self
    }
}

pub(super) fn tls(own: &Signed) -> Arc<ServerConfig> {
    let chain = CertificateDer::from_pem_slice(own.cert.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().expect("it has them");
    let server = builder.with_no_client_auth().with_single_cert(vec![chain], key);
    Arc::new(server.expect("they match"))
}

/// Answers the requests of a connection until it ends, in whatever way.
pub(super) fn serve(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    answer: impl Fn(&Request) -> Response,
) {
    let connection = ServerConnection::new(tls).expect("the configuration is valid");
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    while let Some(request) = read(&mut stream) {
        let Response { status, headers, body } = answer(&request);
        let mut head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let sent = stream.get_mut().write_all(format!("{head}\r\n{body}").as_bytes());
        if sent.is_err() {
            return;
        }
    }
}

fn read(stream: &mut BufReader<StreamOwned<ServerConnection, TcpStream>>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut parts = line.split(' ');
    let (method, path) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut bytes = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            bytes = value.parse().ok()?;
        }
    }
    let mut body = vec![0; bytes];
    stream.read_exact(&mut body).ok()?;
    Some(Request { method, path, body })
}
