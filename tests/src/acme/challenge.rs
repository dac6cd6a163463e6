//! What a CA checks: signatures of requests, and whether a gateway answers for a name.

use std::net::SocketAddr;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;

use crate::try_connect;

/// Checks a signature ES256 (RFC 7518, section 3.4).
pub(super) fn verify(key: &Value, signed: &[u8], signature: &str) -> Result<(), String> {
    let decode =
        |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|error| error.to_string());
    let coordinate = |name: &str| decode(key[name].as_str().unwrap_or_default());
    let point = [&[4][..], &coordinate("x")?, &coordinate("y")?].concat();
    let signature = decode(signature)?;
    if signature.len() != 64 {
        return Err(format!("a signature of {} bytes", signature.len()));
    }
    let numbers = [integer(&signature[..32]), integer(&signature[32..])].concat();
    let der = [&[0x30, numbers.len() as u8][..], &numbers].concat();
    let provider = rustls::crypto::ring::default_provider();
    let algorithms = provider.signature_verification_algorithms.mapping;
    let (_, algorithm) = algorithms
        .iter()
        .find(|(scheme, _)| *scheme == SignatureScheme::ECDSA_NISTP256_SHA256)
        .expect("ring has it");
    let checked = algorithm.iter().any(|one| one.verify_signature(&point, signed, &der).is_ok());
    checked.then_some(()).ok_or_else(|| "the signature is wrong".into())
}

/// An unsigned number as an INTEGER of DER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut number = bytes[zeros.min(bytes.len() - 1)..].to_vec();
    if number[0] >= 0x80 {
        number.insert(0, 0);
    }
    [&[2, number.len() as u8][..], &number].concat()
}

/// Shakes hands as section 3 of RFC 8737 says: with the name, and the protocol acme-tls/1 alone. The
/// certificate must have the name, and the digest in an extension that is critical.
pub(super) fn look(gateway: SocketAddr, name: &str, digest: &[u8]) -> Result<(), String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().expect("it has them");
    let mut client = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    client.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let host = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    let mut connection =
        ClientConnection::new(Arc::new(client), host).map_err(|error| error.to_string())?;
    let mut socket = try_connect(gateway).map_err(|error| error.to_string())?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(|error| error.to_string())?;
    }
    if connection.alpn_protocol() != Some(b"acme-tls/1") {
        return Err("the gateway does not speak acme-tls/1".into());
    }
    let shown = connection.peer_certificates().and_then(|chain| chain.first());
    let shown = shown.ok_or("the gateway shows no certificate")?;
    // id-pe-acmeIdentifier, critical, and an OCTET STRING in one.
    const EXTENSION: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 31, 1, 1, 0xff, 4, 34, 4, 32];
    // dNSName, the only name.
    let names =
        [&[0x30, name.len() as u8 + 2, 0x82, name.len() as u8][..], name.as_bytes()].concat();
    for (what, wanted) in [("digest", [EXTENSION, digest].concat()), ("name", names)] {
        if !shown.windows(wanted.len()).any(|part| part == wanted) {
            return Err(format!("the certificate has another {what}"));
        }
    }
    Ok(())
}

/// The certificate is looked at afterwards.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
