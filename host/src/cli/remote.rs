//! `--admin-url`: verbs for a gateway on another machine.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, ValueHint};
use hyper::header::HeaderValue;
use url::{Host, Position, Url};

use super::client::Client;
use crate::config::read_secret;
use crate::outgoing::{ClientOptions, Destinations, HttpClient};

/// The options below, in the help.
const HEADING: &str = "A gateway elsewhere";

/// The name of the token among the credentials that systemd passes (systemd.exec(5), LoadCredential=).
const CREDENTIAL: &str = "dragoman.admin-token";

const URL_VARIABLE: &str = "DRAGOMAN_ADMIN_URL";
const TOKEN_VARIABLE: &str = "DRAGOMAN_ADMIN_TOKEN";
const TOKEN_FILE_VARIABLE: &str = "DRAGOMAN_ADMIN_TOKEN_FILE";
const CA_VARIABLE: &str = "DRAGOMAN_ADMIN_CA";

/// How to reach a gateway that the configuration is not of.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Remote {
    /// Work on the gateway with this admin listener [env: DRAGOMAN_ADMIN_URL]
    #[arg(long, value_name = "URL", help_heading = HEADING, value_hint = ValueHint::Url)]
    admin_url: Option<AdminUrl>,

    /// The file with a token for it [env: DRAGOMAN_ADMIN_TOKEN_FILE, or DRAGOMAN_ADMIN_TOKEN itself]
    #[arg(long, value_name = "FILE", help_heading = HEADING, value_hint = ValueHint::FilePath)]
    admin_token_file: Option<PathBuf>,

    /// A PEM file of CAs to trust beside those of the system [env: DRAGOMAN_ADMIN_CA]
    #[arg(long, value_name = "FILE", help_heading = HEADING, value_hint = ValueHint::FilePath)]
    admin_ca: Option<PathBuf>,
}

/// `https://` and a host with an optional port; `http://` to loopback only, as of a tunnel.
#[derive(Clone, Debug)]
struct AdminUrl(Arc<Url>);

impl FromStr for AdminUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "expected one as in https://chat.example.org:5091";
        let url = Url::parse(text).map_err(|error| format!("{error}; {example}"))?;
        let is_origin = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let is_web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
        if !is_origin || !is_web {
            return Err(format!("it has more than a host and a port, or is not HTTP; {example}"));
        }
        let url = Self(Arc::new(url));
        if url.0.scheme() == "http" && !url.is_loopback() {
            return Err(format!("a token is sent over https only, or to this machine; {example}"));
        }
        Ok(url)
    }
}

impl AdminUrl {
    fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    fn host(&self) -> &str {
        &self.0[Position::BeforeHost..Position::AfterPort]
    }
}

impl Remote {
    /// Adds `further` options, which take precedence.
    pub(super) fn and(self, further: Self) -> Self {
        Self {
            admin_url: further.admin_url.or(self.admin_url),
            admin_token_file: further.admin_token_file.or(self.admin_token_file),
            admin_ca: further.admin_ca.or(self.admin_ca),
        }
    }

    /// Whether the command line says that the verb is for a gateway elsewhere.
    pub(super) fn is_given(&self) -> bool {
        self.admin_url.is_some() || self.admin_token_file.is_some() || self.admin_ca.is_some()
    }

    /// The client of the gateway elsewhere, by the options or the environment. `None`: neither names
    /// one.
    pub(super) fn client(&self) -> Result<Option<Client>, Box<dyn Error>> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        self.client_with(variable)
    }

    fn client_with(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Client>, Box<dyn Error>> {
        let url = match (&self.admin_url, variable(URL_VARIABLE)) {
            (Some(url), _) => url.clone(),
            (None, Some(text)) => {
                let url = text.to_string_lossy().parse::<AdminUrl>();
                url.map_err(|why| format!("{URL_VARIABLE} = {text:?}: {why}"))?
            }
            (None, None) if self.is_given() => {
                return Err(format!("which gateway? Give --admin-url or set {URL_VARIABLE}").into());
            }
            (None, None) => return Ok(None),
        };
        let token = self.token(&variable)?;
        // Over plain HTTP a gateway takes loopback for the token, as of a tunnel.
        if token.is_none() && url.0.scheme() == "https" {
            return Err(format!(
                "{} needs a token: give --admin-token-file, or set {TOKEN_FILE_VARIABLE} or \
                 {TOKEN_VARIABLE}; `dragoman admin token create` makes one there",
                url.origin()
            )
            .into());
        }
        let ca_file = self.admin_ca.clone().or_else(|| variable(CA_VARIABLE).map(PathBuf::from));
        let options = ClientOptions { destinations: Destinations::Any, ca_file };
        let http = HttpClient::new(&options)?;
        Ok(Some(Client::of_url(url.origin(), url.host().to_owned(), token, http)))
    }

    /// The value of `Authorization`, if there is a token.
    fn token(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<HeaderValue>, String> {
        let credential =
            variable("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join(CREDENTIAL));
        let file = self.admin_token_file.clone();
        let token = match (file, variable(TOKEN_VARIABLE), variable(TOKEN_FILE_VARIABLE)) {
            (Some(file), ..) => read_secret(&file)?,
            (None, Some(token), _) => token.to_string_lossy().trim().to_owned(),
            (None, None, Some(file)) => read_secret(Path::new(&file))?,
            (None, None, None) => match credential.filter(|file| file.exists()) {
                Some(file) => read_secret(&file)?,
                None => return Ok(None),
            },
        };
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token has characters that no token has".to_owned())?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_of_https_or_of_this_machine() {
        for (text, origin, host) in [
            (
                "https://chat.example.org:5091",
                "https://chat.example.org:5091",
                "chat.example.org:5091",
            ),
            ("https://chat.example.org/", "https://chat.example.org", "chat.example.org"),
            ("http://127.0.0.1:5090", "http://127.0.0.1:5090", "127.0.0.1:5090"),
            ("http://[::1]:5090/", "http://[::1]:5090", "[::1]:5090"),
            ("http://localhost:1", "http://localhost:1", "localhost:1"),
        ] {
            let url: AdminUrl = text.parse().expect(text);
            assert_eq!((url.origin().as_str(), url.host()), (origin, host));
        }
        for text in [
            "",
            "chat.example.org",
            "chat.example.org:5091",
            "http://chat.example.org",
            "http://10.0.0.7:5090",
            "http://localhost.example.org",
            "ftp://chat.example.org",
            "https://chat.example.org/api/v1",
            "https://chat.example.org?x",
            "https://ann:secret@chat.example.org",
            "unix:/run/admin.sock",
        ] {
            assert!(text.parse::<AdminUrl>().is_err(), "{text:?}");
        }
    }

    /// The token that these variables and this option give.
    fn token(option: Option<&Path>, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let remote = Remote { admin_token_file: option.map(PathBuf::from), ..Remote::default() };
        let find = |name: &str| {
            let found = variables.iter().find(|(of, _)| *of == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let token = remote.token(find)?;
        Ok(token.map(|value| value.to_str().expect("it is text").to_owned()))
    }

    #[test]
    fn a_token_comes_from_a_file_the_environment_or_a_credential() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("it is writable");
            path
        };
        let option = file("option", "dgm_option\n");
        let named = file("named", "dgm_named\n");
        file(CREDENTIAL, "dgm_credential");
        let named = named.to_str().expect("it is text");
        let credentials = ("CREDENTIALS_DIRECTORY", folder.path().to_str().expect("it is text"));
        let all = [(TOKEN_VARIABLE, "dgm_direct"), (TOKEN_FILE_VARIABLE, named), credentials];
        for (found, option, variables) in [
            (Some("Bearer dgm_option"), Some(option.as_path()), &all[..]),
            (Some("Bearer dgm_direct"), None, &all[..]),
            (Some("Bearer dgm_named"), None, &all[1..]),
            (Some("Bearer dgm_credential"), None, &all[2..]),
            (None, None, &[]),
            (None, None, &[("CREDENTIALS_DIRECTORY", "/nowhere")]),
        ] {
            assert_eq!(token(option, variables).expect("a token").as_deref(), found);
        }
        let two = file("two", "dgm_a\ndgm_b\n");
        for wrong in [two, folder.path().join("missing")] {
            let why = token(Some(&wrong), &[]).expect_err("it has no token");
            assert!(why.contains(&wrong.display().to_string()), "{why}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let client = |remote: Remote| remote.client_with(|_| None).map(|client| client.is_some());
        assert!(!client(Remote::default()).expect("no gateway elsewhere"));
        let ca = Remote { admin_ca: Some("ca.pem".into()), ..Remote::default() };
        let why = client(ca).expect_err("no URL").to_string();
        assert!(why.contains("--admin-url"), "{why}");
        let url = Some("https://chat.example.org".parse().expect("a URL"));
        let why = client(Remote { admin_url: url, ..Remote::default() }).expect_err("no token");
        assert!(why.to_string().contains("https://chat.example.org needs a token"), "{why}");
        let why = Remote::default()
            .client_with(|name| (name == URL_VARIABLE).then(|| "http://chat.example.org".into()));
        let why = why.err().expect("it is refused").to_string();
        assert!(why.starts_with("DRAGOMAN_ADMIN_URL = "), "{why}");
    }
}
