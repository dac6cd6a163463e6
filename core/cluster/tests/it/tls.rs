//! TLS in both directions.

use std::path::{Path, PathBuf};

use core_cluster::{Cluster, Error, Position, Settings};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::server::{Server, own_host, program};

/// An authority, and what it signed for a name or an address.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn sign(&self, name: &str, folder: &Path, file: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let write = |kind: &str, pem: String| {
            let path = folder.join(format!("{file}.{kind}.pem"));
            std::fs::write(&path, pem).unwrap();
            path
        };
        (write("cert", certificate.pem()), write("key", key.serialize_pem()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_show_certificates() {
    let Some(program) = program() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new(), Authority::new());
    let host = own_host();
    let (cert, key) = ours.sign(&host.to_string(), folder.path(), "server");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &ours.pem).unwrap();
    let wrong_ca = folder.path().join("other.pem");
    std::fs::write(&wrong_ca, &other.pem).unwrap();
    let config = format!(
        "jetstream {{}}\ntls {{ cert_file: {cert:?}, key_file: {key:?}, ca_file: {ca:?}, verify: \
         true }}"
    );
    let server = Server::at(&program, host, &config);
    let mut settings = Settings { replicas: 1, ..server.settings() };
    settings.tls.ca = Some(wrong_ca);
    let (cert, key) = ours.sign("gateway", folder.path(), "gateway");
    (settings.tls.cert, settings.tls.key) = (Some(cert), Some(key));
    let refused = Cluster::connect(settings.clone()).await.unwrap_err();
    println!("{refused}");
    assert!(matches!(refused, Error::Tls { .. }), "{refused:?}");
    assert!(refused.to_string().contains("cluster.tls.ca"));
    settings.tls.ca = Some(ca);
    let cluster = Cluster::connect(settings.clone()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let (cert, key) = other.sign("stranger", folder.path(), "stranger");
    (settings.tls.cert, settings.tls.key) = (Some(cert), Some(key));
    let refused = Cluster::connect(settings).await.unwrap_err();
    println!("{refused}");
    assert!(matches!(refused, Error::Tls { .. }), "{refused:?}");
}
