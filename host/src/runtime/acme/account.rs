//! The account at a CA, which is kept in a file.

use std::error::Error as _;
use std::fmt::Display;
use std::fs;
use std::io;
use std::pin::Pin;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::http::uri::Scheme;
use hyper::{Request, Response};
use instant_acme::{Account, AccountCredentials, BodyWrapper, BytesResponse, Error, NewAccount};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::private_file;
use crate::outgoing::{ClientOptions, Destinations, HttpClient, read_body};
use crate::tls::AcmeSettings;

/// The longest answer of a CA: a chain of certificates has some 10 KiB.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What the file has.
#[derive(Deserialize, Serialize)]
struct Kept {
    contacts: Vec<String>,
    credentials: AccountCredentials,
}

/// The account of the file, or a new one, which is kept.
pub(super) async fn account(settings: &AcmeSettings) -> Result<Account, String> {
    let file = settings.account_file();
    let shown = file.display();
    let builder = Account::builder_with_http(Box::new(Http::new(settings).await?));
    let contacts: Vec<&str> = settings.contacts.iter().map(String::as_str).collect();
    let kept = match fs::read(&file) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let new = NewAccount {
                contact: &contacts,
                terms_of_service_agreed: true,
                only_return_existing: false,
            };
            let made = builder.create(&new, settings.directory.clone(), None).await;
            let (account, credentials) = made.map_err(said)?;
            keep(settings, credentials)?;
            return Ok(account);
        }
        Err(error) => return Err(format!("cannot read {shown}: {error}")),
    };
    let broken = |error| format!("{shown} is not an account: {error}; remove it to have another");
    let read = || serde_json::from_slice::<Kept>(&kept).map_err(broken);
    let Kept { contacts: former, credentials } = read()?;
    let account = builder.from_credentials(credentials).await.map_err(said)?;
    if former != settings.contacts {
        account.update_contacts(&contacts).await.map_err(said)?;
        keep(settings, read()?.credentials)?;
    }
    Ok(account)
}

fn keep(settings: &AcmeSettings, credentials: AccountCredentials) -> Result<(), String> {
    let kept = Kept { contacts: settings.contacts.clone(), credentials };
    let content = serde_json::to_vec(&kept).map_err(|error| error.to_string())?;
    private_file::write(&settings.account_file(), &content)
}

/// An error with its causes: the outer ones only say that a request failed.
pub(super) fn said(error: Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !said.contains(&why) {
            said += &format!(": {why}");
        }
        cause = error.source();
    }
    said
}

/// Requests to the CA, over HTTPS only.
struct Http(HttpClient);

impl Http {
    async fn new(settings: &AcmeSettings) -> Result<Self, String> {
        let ca_file = settings.ca_file.clone();
        let options = ClientOptions { destinations: Destinations::Any, ca_file };
        let made = spawn_blocking(move || HttpClient::new(&options)).await;
        made.map_err(|error| error.to_string())?.map(Self)
    }
}

impl instant_acme::HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            if request.uri().scheme() != Some(&Scheme::HTTPS) {
                return Err(other(format!("{} is not https", request.uri())));
            }
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            let request = Request::from_parts(parts, Full::new(body.to_bytes()));
            let mut response = client.send(request).await.map_err(other)?;
            let head = std::mem::take(response.headers_mut());
            let status = response.status();
            let body = read_body(response, ANSWER_BYTES_MAX).await.map_err(other)?;
            let mut answer = Response::new(Full::new(body));
            *answer.status_mut() = status;
            *answer.headers_mut() = head;
            Ok(answer.into())
        })
    }
}

fn other(why: impl Display) -> Error {
    Error::Other(why.to_string().into())
}
