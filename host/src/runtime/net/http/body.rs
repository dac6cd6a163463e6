//! Request bodies.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use frontend_api::http::HttpError;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use tokio::time::timeout;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::memory_budget::{Exhausted, FREE_BYTES, MemoryBudget, Reservation};
use crate::runtime::metrics::Limit;
use crate::runtime::net::linger::LINGER_TIMEOUT;
use crate::runtime::session::exchange::retry_later;

/// How long the body of a request may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Read and discarded of a body that is not wanted, before the response: many clients read nothing
/// until they have sent everything.
const DISCARDED_BYTES_MAX: usize = 16 << 20;

/// The body of a request. Another request can follow on the connection only after its end.
pub(super) struct RequestBody {
    incoming: Incoming,
    /// The client sends it once it has been asked to, which reading does (`Expect: 100-continue`).
    awaits_request: bool,
    has_ended: bool,
    has_failed: bool,
    /// Where in memory the last bytes of it end.
    end: usize,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, headers: &HeaderMap) -> Self {
        let awaits_request = headers.contains_key(header::EXPECT);
        Self { incoming, awaits_request, has_ended: false, has_failed: false, end: 0 }
    }

    /// Where in hyper's buffer the last bytes that were read end; 0 without any.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Whether nothing of the body is left to be read.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended || self.incoming.is_end_stream()
    }

    /// The complete body. Refused: 413 over the limit, 408 too slow, 400 broken off.
    pub(super) async fn read(
        &mut self,
        frontend: &FrontendHandle,
        budget: &Arc<MemoryBudget>,
        address: Option<IpAddr>,
    ) -> Result<Vec<u8>, HttpError> {
        let max = u64::from(frontend.limits.body_bytes_max);
        if self.incoming.size_hint().lower() <= max
            && let Some(bytes) = self.read_up_to(max, || budget.reservation(address)).await?
        {
            return Ok(bytes);
        }
        frontend.metrics.note_refused(Limit::BodyBytes);
        Err(HttpError::new(413, format!("the body is larger than {max} bytes")))
    }

    /// `None`: the body is larger than `max`.
    async fn read_up_to(
        &mut self,
        max: u64,
        reserve: impl Fn() -> Reservation,
    ) -> Result<Option<Vec<u8>>, HttpError> {
        // Of a long body only.
        let mut reservation = None;
        // What is only announced takes no memory.
        let declared = usize::try_from(self.incoming.size_hint().lower()).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(declared.min(FREE_BYTES));
        let read = {
            let mut read = pin!(async {
                while let Some(data) = self.next().await? {
                    if bytes.len() as u64 + data.len() as u64 > max {
                        return Ok(None);
                    }
                    let grown = bytes.len() + data.len();
                    if grown > FREE_BYTES {
                        let reservation = reservation.get_or_insert_with(&reserve);
                        reservation.grow_to(grown).map_err(|Exhausted| no_memory())?;
                    }
                    bytes.extend_from_slice(&data);
                }
                Ok(Some(bytes))
            });
            // Mostly the body has arrived, and no timer is needed.
            match poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
                Poll::Ready(read) => Ok(read),
                Poll::Pending => timeout(BODY_TIMEOUT, read).await,
            }
        };
        read.unwrap_or_else(|_| {
            self.has_failed = true;
            Err(HttpError::new(408, "the body did not arrive in time"))
        })
    }

    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        self.awaits_request = false;
        loop {
            match self.incoming.frame().await {
                None => {
                    self.has_ended = true;
                    return Ok(None);
                }
                Some(Err(_)) => {
                    self.has_failed = true;
                    return Err(HttpError::new(400, "the body is incomplete"));
                }
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.end = data.as_ptr_range().end.addr();
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Reads and discards what is left of the body, up to a bound of bytes and time. True: it has
    /// ended. False: the response must say that the connection closes.
    pub(super) async fn finish(&mut self) -> bool {
        let is_short = self.incoming.size_hint().lower() <= DISCARDED_BYTES_MAX as u64;
        if is_short && !self.has_ended() && !self.awaits_request && !self.has_failed {
            // A client that takes longer gets the response while it sends.
            drop(timeout(LINGER_TIMEOUT, self.discard()).await);
        }
        self.has_ended()
    }

    async fn discard(&mut self) {
        let mut read = 0;
        while let Ok(Some(data)) = self.next().await {
            read += data.len();
            if read > DISCARDED_BYTES_MAX {
                return;
            }
        }
    }
}

fn no_memory() -> HttpError {
    retry_later(503, "too many large requests at once", 1_000)
}
