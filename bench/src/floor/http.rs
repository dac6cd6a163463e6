//! floor-http: reads the whole request and sends a fixed reply.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Contains what the calls of every dialect expect in a reply.
const REPLY: &str = r#"{"response_code":1,"code":0,"res":""}"#;

/// Serves replies of `reply_bytes`, or of the shortest reply if that is longer.
pub(super) async fn serve(
    listen: SocketAddr,
    tls: Option<TlsAcceptor>,
    reply_bytes: usize,
) -> io::Result<()> {
    let mut reply = REPLY.to_owned();
    reply.extend(std::iter::repeat_n(' ', reply_bytes.saturating_sub(REPLY.len())));
    let reply = Bytes::from(reply);
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (tls, reply) = (tls.clone(), reply.clone());
        tokio::task::spawn_local(async {
            match tls {
                None => connection(stream, reply).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, reply).await;
                    }
                }
            }
        });
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(stream: S, reply: Bytes) {
    let answer = service_fn(move |request| answer(request, reply.clone()));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    // An error means that the client has hung up.
    drop(connection.await);
}

async fn answer(
    request: Request<Incoming>,
    reply: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    // A request without its whole body gets no answer.
    drop(request.into_body().collect().await);
    let mut response = Response::new(Full::new(reply));
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}
