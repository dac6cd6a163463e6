//! Waits for a ClientHello in the kernel.
//!
//! A client may send it byte by byte. With a low watermark (`SO_RCVLOWAT`, socket(7)) the task of
//! the connection runs twice for its first record, not once per byte: twelve thousand such clients
//! made posts of others wait 70 ms (p99).

use std::io;

#[cfg(not(target_os = "linux"))]
use tokio::sync::Semaphore;

#[cfg(target_os = "linux")]
pub(crate) use linux::arrival;

use crate::runtime::net::stream::Stream;

/// Other systems have no watermark that wakes: the handshake reads as the bytes come.
#[cfg(not(target_os = "linux"))]
pub(crate) async fn arrival(_: &Stream, _: usize, _: &Semaphore) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::AsRawFd as _;

    use libc::{SO_RCVLOWAT, SOL_SOCKET, c_int, c_void, socklen_t};
    use tokio::io::Interest;
    use tokio::net::TcpStream;
    use tokio::sync::Semaphore;

    use super::{Stream, io};

    /// The header of a TLS record: type, version, length (RFC 8446, section 5.1).
    const HEADER_BYTES: usize = 5;

    /// The type of the records of a handshake.
    const HANDSHAKE: u8 = 22;

    /// Waits until the first record of a TCP client has arrived, or `bytes_max` of it, or what is
    /// no record of a handshake. What the client sends is for the handshake to read and to judge.
    ///
    /// Looking at what has arrived takes some system calls. Thousands that are woken at once take
    /// turns, so that other tasks of their threads have theirs.
    pub(crate) async fn arrival(
        stream: &Stream,
        bytes_max: usize,
        turns: &Semaphore,
    ) -> io::Result<()> {
        let Stream::Tcp(stream) = stream else { return Ok(()) };
        if available_at_least(stream, HEADER_BYTES, turns).await? {
            let mut header = [0; HEADER_BYTES];
            let peeked = stream.peek(&mut header).await?;
            let record_bytes = usize::from(u16::from_be_bytes([header[3], header[4]]));
            if peeked == HEADER_BYTES && header[0] == HANDSHAKE {
                let bytes = (HEADER_BYTES + record_bytes).min(bytes_max);
                available_at_least(stream, bytes, turns).await?;
            }
        }
        set_low_watermark(stream, 1)
    }

    /// Waits until so many bytes have arrived. False: the client sends no more.
    async fn available_at_least(
        stream: &TcpStream,
        bytes: usize,
        turns: &Semaphore,
    ) -> io::Result<bool> {
        set_low_watermark(stream, bytes)?;
        loop {
            let ready = stream.ready(Interest::READABLE).await?;
            let _turn = turns.acquire().await.expect("it is never closed");
            // Nothing below waits, so that without it no more turns would be taken than threads run.
            tokio::task::yield_now().await;
            if ready.is_read_closed() {
                return Ok(false);
            }
            let arrived = stream.try_io(Interest::READABLE, || {
                let available = rustix::io::ioctl_fionread(stream)?;
                let is_enough =
                    usize::try_from(available).is_ok_and(|available| available >= bytes);
                if is_enough { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
            });
            match arrived {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sets how many bytes make the socket readable.
    #[expect(unsafe_code, reason = "no library that is used here wraps this option")]
    fn set_low_watermark(stream: &TcpStream, bytes: usize) -> io::Result<()> {
        let value = c_int::try_from(bytes).unwrap_or(c_int::MAX);
        let value: *const c_int = &raw const value;
        // SAFETY: socket(7): the option takes a pointer to an int, and its size.
        let set = unsafe {
            libc::setsockopt(
                stream.as_raw_fd(),
                SOL_SOCKET,
                SO_RCVLOWAT,
                value.cast::<c_void>(),
                size_of::<c_int>() as socklen_t,
            )
        };
        if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::future::{Future as _, poll_fn};
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::task::{Context, Waker};

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};

    use tokio::sync::Semaphore;

    use super::*;

    async fn pair() -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.set_nodelay(true).unwrap();
        (client, listener.accept().await.unwrap().0.into())
    }

    #[tokio::test]
    async fn a_task_is_woken_for_the_header_of_a_record_and_for_its_end() {
        let (mut client, stream) = pair().await;
        let polls = Arc::new(AtomicU32::new(0));
        let counted = polls.clone();
        let arrived = tokio::spawn(async move {
            let turns = Semaphore::new(1);
            let mut arrival = pin!(arrival(&stream, 1 << 14, &turns));
            let polled = |cx: &mut Context<'_>| {
                counted.fetch_add(1, Relaxed);
                arrival.as_mut().poll(cx)
            };
            poll_fn(polled).await
        });
        let mut record = vec![22, 3, 1, 0, 200];
        record.extend([7; 200]);
        for byte in record {
            client.write_all(&[byte]).await.unwrap();
            // The other task runs if the byte has woken it.
            tokio::task::yield_now().await;
        }
        arrived.await.unwrap().unwrap();
        let polls = polls.load(Relaxed);
        // Of 205 bytes. A look takes two polls, since it yields: one at first, those for the header and
        // for the end, and one that finds less than it was woken for.
        assert!(polls <= 8, "{polls} polls");
    }

    #[tokio::test]
    async fn what_is_no_record_and_an_early_end_are_passed_on_at_once() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03", b"\x16\x03\x01\x00\xc8 and the end"]
        {
            let (mut client, stream) = pair().await;
            client.write_all(bytes).await.unwrap();
            if !bytes.starts_with(b"GET") {
                client.shutdown().await.unwrap();
            }
            arrival(&stream, 1 << 14, &Semaphore::new(1)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_record_that_is_announced_longer_than_a_handshake_may_be_is_not_waited_for() {
        let (mut client, stream) = pair().await;
        let turns = Semaphore::new(1);
        let mut arrival = pin!(arrival(&stream, 100, &turns));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(arrival.as_mut().poll(&mut cx).is_pending());
        client.write_all(&[22, 3, 1, 0xff, 0xff]).await.unwrap();
        client.write_all(&[7; 95]).await.unwrap();
        arrival.await.unwrap();
    }
}
