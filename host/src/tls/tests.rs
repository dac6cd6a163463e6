use std::path::Path;

use rcgen::{
    BasicConstraints, Certificate as Made, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection,
    SupportedProtocolVersion,
};
use tempfile::TempDir;

use super::*;

/// A folder with `cert.pem`, `key.pem` and `ca.pem` of a new CA.
struct Scene {
    folder: TempDir,
    ca: Issuer<'static, KeyPair>,
}

impl Scene {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "A CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let scene = Self { folder: TempDir::new().unwrap(), ca: Issuer::new(params, key) };
        scene.write("ca.pem", &certificate.pem());
        let (leaf, key) = scene.sign(|_| ());
        scene.write("cert.pem", &leaf.pem());
        scene.write("key.pem", &key.serialize_pem());
        scene
    }

    fn sign(&self, change: impl FnOnce(&mut CertificateParams)) -> (Made, KeyPair) {
        let mut params = CertificateParams::new(["chat.example.org".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.ca).unwrap(), key)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn settings(&self) -> TlsSettings {
        let files = IdentityFiles { cert: self.path("cert.pem"), key: self.path("key.pem") };
        TlsSettings { identities: vec![files], ..TlsSettings::default() }
    }

    fn load(&self) -> Tls {
        Tls::load(self.settings()).unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    /// What is wrong, as `key: why` without the folder.
    fn faults(&self, settings: TlsSettings) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let faults = Tls::load(settings).err().unwrap_or_default();
        let said = faults.iter().map(|fault| format!("{}: {}", fault.key, fault.why));
        said.map(|said| said.replace(&folder, "")).collect()
    }

    fn fault(&self) -> String {
        self.faults(self.settings()).join("; ")
    }
}

#[test]
fn every_form_of_a_key_is_read() {
    let scene = Scene::new();
    scene.load();
    // SEC1: the fields of PKCS#8 without the algorithm around them.
    let key = openssl(&["ec", "-in"], &scene.path("key.pem"));
    if let Some(key) = key {
        assert!(key.contains("BEGIN EC PRIVATE KEY"), "{key}");
        scene.write("key.pem", &key);
        scene.load();
    }
    let Some(rsa) = openssl(&["genrsa", "-traditional", "2048"], Path::new("")) else { return };
    assert!(rsa.contains("BEGIN RSA PRIVATE KEY"), "{rsa}");
    scene.write("key.pem", &rsa);
    let request = ["req", "-x509", "-days", "9", "-subj", "/CN=x", "-key"];
    scene.write("cert.pem", &openssl(&request, &scene.path("key.pem")).expect("it is there"));
    scene.load();
}

/// `None`: it is not installed.
fn openssl(arguments: &[&str], file: &Path) -> Option<String> {
    let mut command = std::process::Command::new("openssl");
    command.args(arguments);
    if !file.as_os_str().is_empty() {
        command.arg(file);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(_) if std::env::var_os("CI").is_none() => return None,
        Err(error) => panic!("in CI openssl must be installed: {error}"),
    };
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let scene = Scene::new();
    let (cert, key) = (scene.read("cert.pem"), scene.read("key.pem"));
    let try_cert = |text: &str| {
        scene.write("cert.pem", text);
        let fault = scene.fault();
        scene.write("cert.pem", &cert);
        fault
    };
    let try_key = |text: &str| {
        scene.write("key.pem", text);
        let fault = scene.fault();
        scene.write("key.pem", &key);
        fault
    };
    let other = KeyPair::generate().unwrap().serialize_pem();
    let cut = &cert[..cert.len() / 2];
    let wrong_der = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let wrong_key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let said = [
        ("an empty certificate", try_cert("")),
        ("a certificate cut off", try_cert(cut)),
        ("a certificate that is a key", try_cert(&key)),
        ("a certificate that is none", try_cert(wrong_der)),
        ("text", try_cert("hello\n")),
        ("an empty key", try_key("")),
        ("a key that is a certificate", try_key(&cert)),
        ("a key that is none", try_key(wrong_key)),
        ("an encrypted key", try_key(encrypted)),
        ("the key of another", try_key(&other)),
        ("the chain in the wrong order", try_cert(&(scene.read("ca.pem") + &cert))),
    ];
    let said = said.map(|(what, fault)| format!("{what}\n    {fault}\n")).concat();
    insta::assert_snapshot!(said);
    std::fs::remove_file(scene.path("key.pem")).unwrap();
    assert!(
        scene.fault().starts_with("key: cannot read key.pem: No such file"),
        "{}",
        scene.fault()
    );
    std::fs::create_dir(scene.path("key.pem")).unwrap();
    assert_eq!(scene.fault(), "key: key.pem is not a file");
}

#[test]
fn what_to_do_with_a_file_of_another_form_is_said() {
    let scene = Scene::new();
    let (cert, key) = (scene.read("cert.pem"), scene.read("key.pem"));
    let try_bytes = |name: &str, bytes: &[u8]| {
        let before = scene.read(name);
        std::fs::write(scene.path(name), bytes).unwrap();
        let fault = scene.fault();
        scene.write(name, &before);
        fault
    };
    let try_client_ca = |bytes: &[u8]| {
        std::fs::write(scene.path("clients.pem"), bytes).unwrap();
        let client_ca = Some(scene.path("clients.pem"));
        scene.faults(TlsSettings { client_ca, ..scene.settings() }).join("; ")
    };
    let der = |pem: &str| {
        let lines = pem.lines().filter(|line| !line.starts_with('-'));
        data_encoding::BASE64.decode(lines.collect::<String>().as_bytes()).unwrap()
    };
    let request = "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n";
    let bom = |pem: &str| format!("\u{feff}{pem}").into_bytes();
    let said = [
        ("a certificate with a BOM", try_bytes("cert.pem", &bom(&cert))),
        ("a key with a BOM", try_bytes("key.pem", &bom(&key))),
        ("a request for a certificate", try_bytes("cert.pem", request.as_bytes())),
        ("a certificate in DER", try_bytes("cert.pem", &der(&cert))),
        ("a key in DER", try_bytes("key.pem", &der(&key))),
        ("a CA of clients that is a key", try_client_ca(key.as_bytes())),
        ("a CA of clients in DER", try_client_ca(&der(&scene.read("ca.pem")))),
        ("a CA of clients with a BOM", try_client_ca(&bom(&scene.read("ca.pem")))),
    ];
    let said = said.map(|(what, fault)| format!("{what}\n    {fault}\n")).concat();
    insta::assert_snapshot!(said);
}

#[test]
fn a_ca_of_clients_is_one() {
    let scene = Scene::new();
    let with = |name: &str| {
        let client_ca = Some(scene.path(name));
        scene.faults(TlsSettings { client_ca, require: true, ..scene.settings() })
    };
    assert!(with("ca.pem").is_empty());
    let [fault] = &with("cert.pem")[..] else { panic!("one fault") };
    assert!(fault.starts_with("client_ca: certificate 1 in cert.pem"), "{fault}");
    assert!(fault.contains("is not one of a CA"), "{fault}");
    let [fault] = &with("none.pem")[..] else { panic!("one fault") };
    assert!(fault.starts_with("client_ca: cannot read none.pem"), "{fault}");
}

#[test]
fn a_ca_of_servers_is_one_or_has_signed_itself() {
    let scene = Scene::new();
    let read = |name: &str| {
        let read = load::authorities(&scene.path(name));
        read.map_err(|why| why.replace(&format!("{}/", scene.folder.path().display()), ""))
    };
    assert_eq!(read("ca.pem").unwrap().len(), 1);
    let own = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["chat.example.org".to_owned()]).unwrap().self_signed(&own);
    scene.write("own.pem", &own.unwrap().pem());
    assert_eq!(read("own.pem").unwrap().len(), 1);
    let why = read("cert.pem").unwrap_err();
    assert!(why.starts_with("certificate 1 in cert.pem, ") && why.contains("one of a CA"), "{why}");
    scene.write("chain.pem", &(scene.read("ca.pem") + &scene.read("cert.pem")));
    let why = read("chain.pem").unwrap_err();
    assert!(why.starts_with("certificate 2 in chain.pem, "), "{why}");
}

/// A client of the scene that may show a certificate, and that keeps sessions.
fn client(scene: &Scene, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let read = |name: &str| CertificateDer::from_pem_file(scene.path(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(read("ca.pem")).unwrap();
    let (leaf, key) = scene.sign(|params| {
        params.distinguished_name.push(DnType::CommonName, "ann");
    });
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[version]).unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(builder.with_client_auth_cert(vec![leaf.der().clone()], key).unwrap())
}

/// How a handshake between the two goes.
fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> HandshakeKind {
    let name = "chat.example.org".try_into().unwrap();
    let mut client = ClientConnection::new(client.clone(), name).unwrap();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        server.read_tls(&mut &bytes[..]).unwrap();
        server.process_new_packets().unwrap();
        bytes.clear();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        client.read_tls(&mut &bytes[..]).unwrap();
        client.process_new_packets().unwrap();
    }
    server.handshake_kind().unwrap()
}

#[test]
fn the_dates_of_a_clients_certificate_are_checked_in_every_handshake() {
    let scene = Scene::new();
    for version in [&TLS12, &TLS13] {
        let plain = Tls::load(scene.settings()).unwrap().server_config(&[]);
        let kept = client(&scene, version);
        assert_eq!(handshake(&kept, &plain), HandshakeKind::Full);
        assert_eq!(handshake(&kept, &plain), HandshakeKind::Resumed, "{version:?}");
        for require in [true, false] {
            let client_ca = Some(scene.path("ca.pem"));
            let settings = TlsSettings { client_ca, require, ..scene.settings() };
            let server = Tls::load(settings).unwrap().server_config(&[]);
            let kept = client(&scene, version);
            for _ in 0..3 {
                assert_eq!(handshake(&kept, &server), HandshakeKind::Full, "{version:?}");
            }
        }
    }
}

#[test]
fn what_is_risky_is_warned_of() {
    let scene = Scene::new();
    let warned = |change: &dyn Fn(&mut CertificateParams)| {
        let (leaf, key) = scene.sign(change);
        scene.write("cert.pem", &leaf.pem());
        scene.write("key.pem", &key.serialize_pem());
        scene.load().warnings().join("; ")
    };
    assert_eq!(warned(&|_| ()), "");
    let said = warned(&|params| params.not_after = date_time_ymd(2021, 5, 6));
    assert!(said.contains("expired at 2021-05-06T00:00:00Z"), "{said}");
    let said = warned(&|params| params.not_before = date_time_ymd(2999, 1, 1));
    assert!(said.contains("is not valid before 2999-01-01T00:00:00Z"), "{said}");
    let said = warned(&|params| params.subject_alt_names.clear());
    assert!(said.contains("has no names"), "{said}");
    let said = warned(&|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert!(said.contains("is not for servers"), "{said}");
    let said = warned(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert!(said.contains("is one of a CA"), "{said}");
    let (_, key) = scene.sign(|_| ());
    let lone = CertificateParams::new(["a".to_owned()]).unwrap().self_signed(&key).unwrap();
    scene.write("cert.pem", &(lone.pem() + &scene.read("ca.pem")));
    scene.write("key.pem", &key.serialize_pem());
    let said = scene.load().warnings().join("; ");
    assert!(
        said.contains("certificate 2 in ") && said.contains("did not sign certificate 1"),
        "{said}"
    );
}

#[test]
fn the_days_left_are_warned_of_from_thirty_on() {
    let scene = Scene::new();
    let (leaf, key) = scene.sign(|params| params.not_after = date_time_ymd(2030, 3, 1));
    scene.write("cert.pem", &leaf.pem());
    scene.write("key.pem", &key.serialize_pem());
    let tls = scene.load();
    let end = Duration::from_secs(tls.certificates[0].not_after as u64);
    let warning = |before: Duration| tls.certificates[0].warnings(end - before).join("; ");
    assert_eq!(warning(EXPIRY_WARNING), "");
    let said = warning(EXPIRY_WARNING - Duration::from_secs(1));
    assert!(said.ends_with("expires at 2030-03-01T00:00:00Z, in 29 days"), "{said}");
}

#[test]
fn a_subject_is_written_as_rfc_4514_has_it() {
    let scene = Scene::new();
    let subject_of = |names: &[(DnType, &str)]| {
        let (leaf, _) = scene.sign(|params| {
            for (kind, name) in names {
                params.distinguished_name.push(kind.clone(), *name);
            }
        });
        subject(leaf.der())
    };
    let app = [
        (DnType::CountryName, "DE"),
        (DnType::OrganizationName, "Example, Inc."),
        (DnType::CommonName, "app"),
    ];
    assert_eq!(subject_of(&app).as_deref(), Some(r"CN=app,O=Example\, Inc.,C=DE"));
    let odd = [(DnType::CommonName, "#a+b\"c\\d<e>f;g=h ")];
    let escaped = r#"CN=\#a\+b\"c\\d\<e\>f\;g=h\ "#;
    assert_eq!(subject_of(&odd).as_deref(), Some(escaped));
    // A name cannot be made to look like another.
    assert_eq!(
        subject_of(&[(DnType::CommonName, "app,O=Example")]).as_deref(),
        Some(r"CN=app\,O=Example")
    );
    assert_eq!(subject_of(&[(DnType::CommonName, "茶")]).as_deref(), Some("CN=茶"));
    assert_eq!(subject_of(&[]), None);
}

#[test]
fn files_that_change_are_told_from_those_that_were_read() {
    let scene = Scene::new();
    let tls = scene.load();
    assert!(tls.is_of(&Tls::look(&tls.settings)));
    assert!(tls == scene.load());
    let (leaf, key) = scene.sign(|_| ());
    scene.write("new.pem", &leaf.pem());
    scene.write("key.pem", &key.serialize_pem());
    std::fs::rename(scene.path("new.pem"), scene.path("cert.pem")).unwrap();
    assert!(!tls.is_of(&Tls::look(&tls.settings)));
    assert!(tls != scene.load());
    std::fs::remove_file(scene.path("cert.pem")).unwrap();
    assert!(!tls.is_of(&Tls::look(&tls.settings)));
}
