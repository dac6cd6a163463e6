//! The floors: servers that do only the work that no server can avoid.

mod broadcast;
mod http;
mod store;
mod tls;

pub(crate) use store::fill;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Runs a floor in this process
#[derive(Args, Clone, Debug)]
pub struct Floor {
    /// The kind of floor
    pub kind: Kind,

    /// The address to listen on
    #[arg(long, value_name = "ADDR")]
    pub listen: SocketAddr,

    /// The file in which floor-durable stores messages
    #[arg(long, value_name = "PATH")]
    pub store: Option<PathBuf>,

    /// Minimum size of the reply of floor-http
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub reply_bytes: usize,

    /// The PEM file of a certificate and its key: speaks TLS
    #[arg(long, value_name = "PATH")]
    pub identity: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Kind {
    /// WebSockets on bare tokio-tungstenite: one encode, shared bytes, coalesced writes
    Ws,
    /// The same, with every message stored in redb first
    Durable,
    /// Bare hyper with a fixed reply
    Http,
    /// Handshakes on bare tokio-rustls
    Handshakes,
}

impl Floor {
    /// Serves until the process is killed, on one thread: with two, the floors cost more.
    pub fn run(&self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = tokio::task::LocalSet::new();
        let tls = self.identity.as_deref().map(tls::acceptor).transpose()?;
        let absent = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
        match self.kind {
            Kind::Ws => local.block_on(&runtime, broadcast::serve(self.listen, tls, None)),
            Kind::Durable => {
                let path = self.store.as_ref().ok_or_else(|| absent("it needs --store"))?;
                local.block_on(&runtime, broadcast::serve(self.listen, tls, Some(path)))
            }
            Kind::Http => local.block_on(&runtime, http::serve(self.listen, tls, self.reply_bytes)),
            Kind::Handshakes => {
                let tls = tls.ok_or_else(|| absent("it needs --identity"))?;
                local.block_on(&runtime, tls::serve(self.listen, tls))
            }
        }
    }
}
