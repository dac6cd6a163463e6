//! TLS of the floors: tokio-rustls, with tickets as the gateway gives them. And a floor that only
//! shakes hands.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Reads a certificate and its key from one PEM file.
pub(super) fn acceptor(identity: &Path) -> io::Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_file(identity).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(identity).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let server = builder.with_no_client_auth().with_single_cert(vec![certificate], key);
    let mut server = server.map_err(io::Error::other)?;
    server.ticketer = rustls::crypto::ring::Ticketer::new().map_err(io::Error::other)?;
    Ok(Arc::new(server).into())
}

/// Shakes hands, and waits for the end of the connection.
pub(super) async fn serve(listen: SocketAddr, tls: TlsAcceptor) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let tls = tls.clone();
        tokio::task::spawn_local(async move {
            if let Ok(mut stream) = tls.accept(stream).await {
                // An error means that the client has hung up without a word.
                drop(stream.read(&mut [0]).await);
            }
        });
    }
}
