//! Request bodies.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use frontend_api::http::HttpError;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use tokio::time::timeout;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::memory_budget::{Exhausted, FREE_BYTES, Reservation};
use crate::runtime::metrics::Limit;
use crate::runtime::net::linger::LINGER_TIMEOUT;
use crate::runtime::session::exchange::retry_later;

/// How long the body of a request may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Read and discarded of a body over the limit before the answer: many clients read nothing until
/// they have sent everything.
const DISCARDED_BYTES_MAX: usize = 16 << 20;

/// The complete body. Refused: 413 over the limit, 408 too slow, 400 broken off.
pub(super) async fn read_body(
    frontend: &FrontendHandle,
    headers: &HeaderMap,
    mut body: Incoming,
    reservation: Reservation,
) -> Result<Vec<u8>, HttpError> {
    let max = u64::from(frontend.limits.body_bytes_max);
    if body.size_hint().lower() <= max
        && let Some(bytes) = read_up_to(max, &mut body, reservation).await?
    {
        return Ok(bytes);
    }
    frontend.metrics.note_refused(Limit::BodyBytes);
    if !headers.contains_key(header::EXPECT) {
        discard(body).await;
    }
    Err(HttpError::new(413, format!("the body is larger than {max} bytes")))
}

/// `None`: the body is larger than `max`.
async fn read_up_to(
    max: u64,
    body: &mut Incoming,
    mut reservation: Reservation,
) -> Result<Option<Vec<u8>>, HttpError> {
    // What is only announced takes no memory.
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(declared.min(FREE_BYTES));
    let mut read = pin!(async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| HttpError::new(400, "the body breaks off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() as u64 + data.len() as u64 > max {
                return Ok(None);
            }
            let grown = bytes.len() + data.len();
            reservation.grow_to(grown).map_err(|Exhausted| no_memory())?;
            bytes.extend_from_slice(&data);
        }
        Ok(Some(bytes))
    });
    // Mostly the body has arrived, and no timer is needed.
    match poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
        Poll::Ready(read) => read,
        Poll::Pending => timeout(BODY_TIMEOUT, read)
            .await
            .unwrap_or_else(|_| Err(HttpError::new(408, "the body does not come"))),
    }
}

fn no_memory() -> HttpError {
    retry_later(503, "too many large requests at once", 1_000)
}

/// Reads the rest of a body over the limit, up to a bound: many clients read no response before
/// they have sent everything.
async fn discard(mut body: Incoming) {
    let read = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DISCARDED_BYTES_MAX {
                return;
            }
        }
    };
    // A client that takes longer gets the response while it sends.
    drop(timeout(LINGER_TIMEOUT, read).await);
}
