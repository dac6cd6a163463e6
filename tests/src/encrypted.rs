//! TLS for clients that have none: certificates of a CA of the test, and a local address behind
//! which every connection is encrypted.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sha2::{Digest as _, Sha256};

use crate::try_connect;

static AUTHORITIES: AtomicU32 = AtomicU32::new(0);

/// A certificate authority.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        // Issuers are recognized by their names.
        let name = format!("A CA of a test {}", AUTHORITIES.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for a server with these names, and its key.
    pub fn server(&self, names: &[&str]) -> Signed {
        self.sign(names, |params| {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        })
    }

    /// One for a client with this common name.
    pub fn client(&self, name: &str) -> Signed {
        self.sign(&[], |params| {
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        })
    }

    pub fn sign(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("it signs");
        Signed { cert: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Authority {
    /// What a request asks for, with 90 days to go: PEM.
    pub fn sign_request(&self, mut request: CertificateSigningRequestParams) -> String {
        let now = jiff::Timestamp::now().as_second();
        let at = |days: i64| {
            let then = std::time::Duration::from_secs((now + days * 24 * 60 * 60).unsigned_abs());
            (std::time::UNIX_EPOCH + then).into()
        };
        request.params.not_before = at(-1);
        request.params.not_after = at(89);
        request.params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        request.signed_by(&self.issuer).expect("it signs").pem()
    }
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Signed {
    pub cert: String,
    pub key: String,
}

impl Signed {
    /// One that no CA has signed.
    pub fn by_itself(name: &str) -> Self {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("it signs");
        Self { cert: certificate.pem(), key: key.serialize_pem() }
    }

    /// The SHA-256 of its public key with the algorithm (SPKI), in base64.
    pub fn key_digest(&self) -> String {
        let key = KeyPair::from_pem(&self.key).expect("it is one");
        BASE64.encode(&Sha256::digest(key.subject_public_key_info()))
    }

    /// Writes `<name>.pem` and `<name>.key`, each as a whole: the paths.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let cert = folder.join(format!("{name}.pem"));
        let key = folder.join(format!("{name}.key"));
        for (path, text) in [(&cert, &self.cert), (&key, &self.key)] {
            let new = path.with_extension("new");
            std::fs::write(&new, text).expect("the folder is writable");
            std::fs::rename(&new, path).expect("the same");
        }
        (cert, key)
    }
}

/// How a client speaks TLS.
#[derive(Clone, Debug)]
pub struct Encryption {
    config: Arc<ClientConfig>,
    server_name: String,
}

impl Encryption {
    /// Trusts the CA, and names this host.
    pub fn trusting(authority: &str, host: &str) -> Self {
        Self::with(authority, host, None, &[])
    }

    /// The same, with a certificate.
    pub fn with_certificate(authority: &str, host: &str, own: &Signed) -> Self {
        Self::with(authority, host, Some(own), &[])
    }

    /// The same, and offers these application protocols.
    pub fn offering(authority: &str, host: &str, protocols: &[&str]) -> Self {
        Self::with(authority, host, None, protocols)
    }

    fn with(authority: &str, host: &str, own: Option<&Signed>, protocols: &[&str]) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM");
        roots.add(authority).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let chain = CertificateDer::from_pem_slice(own.cert.as_bytes()).expect("PEM");
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(vec![chain], key).expect("they match")
            }
        };
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self { config: Arc::new(config), server_name: host.to_owned() }
    }

    fn connection(&self) -> ClientConnection {
        let name = ServerName::try_from(self.server_name.clone()).expect("a name");
        ClientConnection::new(self.config.clone(), name).expect("a configuration")
    }

    /// A connection that is encrypted here, so that what has not been read stays with the system.
    #[track_caller]
    pub fn connect(&self, address: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
        let socket = try_connect(address).expect("the gateway listens");
        StreamOwned::new(self.connection(), socket)
    }

    /// Shakes hands: what is agreed, or why nothing is. Reads once more, for a server refuses a
    /// client of TLS 1.3 only after the client has finished.
    pub fn try_handshake(&self, address: SocketAddr) -> Result<Handshake, String> {
        let mut socket = try_connect(address).map_err(|error| error.to_string())?;
        let mut connection = self.connection();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(|error| error.to_string())?;
        }
        let handshake = Handshake {
            protocol: connection
                .alpn_protocol()
                .map(|name| String::from_utf8_lossy(name).into_owned()),
            certificate: connection.peer_certificates().expect("it shows one")[0].to_vec(),
        };
        connection.send_close_notify();
        let ended = connection.complete_io(&mut socket).and_then(|_| {
            loop {
                match connection.read_tls(&mut socket) {
                    Ok(0) => break Ok(()),
                    Ok(_) => {
                        let processed = connection.process_new_packets();
                        processed.map_err(|error| std::io::Error::other(error.to_string()))?;
                    }
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => break Ok(()),
                    Err(error) => break Err(error),
                }
            }
        });
        ended.map(|()| handshake).map_err(|error| error.to_string())
    }

    /// An address of this machine; what connects there is encrypted on its way to the gateway.
    #[track_caller]
    pub fn to(&self, target: SocketAddr) -> SocketAddr {
        self.behind(b"", target)
    }

    /// The same; these bytes are sent before, as a proxy does.
    #[track_caller]
    pub fn behind(&self, header: &'static [u8], target: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
        let address = listener.local_addr().expect("it is bound");
        let encryption = self.clone();
        thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.expect("it listens");
                let encryption = encryption.clone();
                thread::spawn(move || encryption.carry(near, header, target));
            }
        });
        address
    }

    /// Encrypts one connection until both its directions have ended.
    fn carry(&self, near: TcpStream, header: &[u8], target: SocketAddr) {
        let Ok(mut far) = try_connect(target) else { return };
        far.write_all(header).expect("it is open");
        let mut connection = self.connection();
        while connection.is_handshaking() {
            if connection.complete_io(&mut far).is_err() {
                return drop(near.shutdown(Shutdown::Both));
            }
        }
        far.set_read_timeout(None).expect("it is open");
        let connection = Arc::new(Mutex::new(connection));
        let ends = (near.try_clone().expect("it is open"), far.try_clone().expect("it is open"));
        let there = connection.clone();
        thread::spawn(move || encrypt(ends.0, ends.1, &there));
        decrypt(far, near, &connection);
    }
}

/// What client and server have agreed on.
#[derive(Clone, Debug, PartialEq)]
pub struct Handshake {
    /// By ALPN.
    pub protocol: Option<String>,
    /// The server's own certificate, DER.
    pub certificate: Vec<u8>,
}

/// From the client to the gateway.
fn encrypt(mut near: TcpStream, mut far: TcpStream, connection: &Mutex<ClientConnection>) {
    let mut buffer = [0; 4096];
    loop {
        let read = read_some(&mut near, &mut buffer);
        let mut connection = connection.lock().expect("no thread panics with it");
        if read == 0 {
            connection.send_close_notify();
        }
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let Ok(taken) = connection.writer().write(rest) else { return };
            rest = &rest[taken..];
            flush(&mut connection, &mut far);
        }
        flush(&mut connection, &mut far);
        if read == 0 {
            return drop(far.shutdown(Shutdown::Write));
        }
    }
}

/// From the gateway to the client. What cannot be decrypted ends it, as does an end without the
/// alert that says so.
fn decrypt(mut far: TcpStream, mut near: TcpStream, connection: &Mutex<ClientConnection>) {
    let mut buffer = [0; 4096];
    // The handshake may have read more than itself.
    let mut bytes = Vec::new();
    loop {
        let (decrypted, ended) = {
            let mut connection = connection.lock().expect("no thread panics with it");
            let taken = take_in(&mut connection, &bytes);
            flush(&mut connection, &mut far);
            taken
        };
        if near.write_all(&decrypted).is_err() {
            return;
        }
        if ended {
            return drop(near.shutdown(Shutdown::Write));
        }
        let read = read_some(&mut far, &mut buffer);
        bytes = buffer[..read].to_vec();
        if read == 0 {
            return drop(near.shutdown(Shutdown::Both));
        }
    }
}

/// What is in these bytes, and whether it is the last. Taken out as it comes: rustls keeps only so
/// much.
fn take_in(connection: &mut ClientConnection, mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut decrypted = Vec::new();
    loop {
        match connection.reader().read_to_end(&mut decrypted) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => (),
            _ => return (decrypted, true),
        }
        if bytes.is_empty() {
            return (decrypted, false);
        }
        if connection.read_tls(&mut bytes).is_err() || connection.process_new_packets().is_err() {
            return (decrypted, true);
        }
    }
}

/// 0: the stream has ended, in whatever way.
fn read_some(stream: &mut TcpStream, buffer: &mut [u8]) -> usize {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            read => return read.unwrap_or(0),
        }
    }
}

fn flush(connection: &mut ClientConnection, far: &mut TcpStream) {
    while connection.wants_write() && connection.write_tls(far).is_ok() {}
}
