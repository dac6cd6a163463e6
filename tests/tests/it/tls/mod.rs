//! TLS as clients see it.

mod acme;
mod admin;
mod certificates;
mod clients;
mod handshakes;
mod replaced;
mod unread;

use std::net::SocketAddr;

use gateway_tests::{Authority, Encryption, Gateway, Launch};

/// The name in the certificates.
const HOST: &str = "chat.example.org";

/// A gateway of this configuration, with `main.pem` and `main.key` of a new CA.
fn start(toml: &str) -> (Gateway, Authority) {
    let authority = Authority::new();
    let launch = Launch::of(toml);
    authority.server(&[HOST]).write(launch.folder(), "main");
    (launch.start(), authority)
}

/// The channel API over TLS, with these further keys of the table.
fn channel(keys: &str) -> String {
    format!(
        "[server.log]\nfilter = \"info,dragoman=debug\"\n\
         [frontends.channel]\ntls = {{ cert = \"main.pem\", key = \"main.key\"{keys} }}\n"
    )
}

/// Why a client that trusts the CA, and means this host, does not get a handshake.
#[track_caller]
fn refused(authority: &str, host: &str, address: SocketAddr) -> String {
    let handshake = Encryption::trusting(authority, host).try_handshake(address);
    handshake.expect_err("the client accepts the certificate")
}
