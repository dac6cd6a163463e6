//! Requests to the servers of `[auth]`, each bounded in time and size.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT_ENCODING, HeaderValue};
use hyper::{Request, Response, header};
use tokio::sync::OnceCell;

use crate::config::CaFile;
use crate::outgoing::{ClientOptions, Destinations, HttpClient, USER_AGENT, read_body};

pub(super) struct AuthClient {
    ca_file: Option<PathBuf>,
    /// Made at the first request: reading the system's certificates takes some milliseconds.
    client: OnceCell<HttpClient>,
}

impl AuthClient {
    pub(super) fn new(ca: Option<&CaFile>) -> Self {
        Self { ca_file: ca.map(|ca| ca.path.clone()), client: OnceCell::new() }
    }

    /// Sends a request, which may arrive twice, and reads the whole answer; redirects are answers
    /// like any other. `timeout` is
    /// for all of it. `Err`: why there is no answer, without the URL, which may have secrets.
    pub(super) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        timeout: Duration,
        reply_bytes_max: usize,
    ) -> Result<Response<Bytes>, String> {
        let headers = request.headers_mut();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        let asking = async {
            let client = self.client.get_or_try_init(|| self.connect()).await?;
            let response = client.send_idempotent(request).await;
            let response = response.map_err(|failure| failure.why)?;
            let status = response.status();
            let body = read_body(response, reply_bytes_max).await.map_err(|failure| failure.why)?;
            let mut response = Response::new(body);
            *response.status_mut() = status;
            Ok(response)
        };
        let late = || format!("no answer within {} ms", timeout.as_millis());
        tokio::time::timeout(timeout, asking).await.unwrap_or_else(|_| Err(late()))
    }

    /// The servers are of the operator's choice, so any address will do.
    async fn connect(&self) -> Result<HttpClient, String> {
        let ca_file = self.ca_file.clone();
        let options = ClientOptions { destinations: Destinations::Any, ca_file };
        let made = tokio::task::spawn_blocking(move || HttpClient::new(&options));
        made.await.map_err(|error| error.to_string())?
    }
}
