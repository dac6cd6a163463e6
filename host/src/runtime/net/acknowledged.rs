//! How much of what was written to a TCP connection its peer has acknowledged.

use tokio::net::TcpStream;

/// Bytes that the peer's system has acknowledged, of `written` that were given to the stream. 0 where
/// the system does not say.
pub(crate) fn acknowledged(stream: &TcpStream, written: u64) -> u64 {
    unacknowledged(stream).map_or(0, |bytes| written.saturating_sub(bytes))
}

/// Bytes in the send queue: not sent, or sent and not acknowledged. After an end of the stream was
/// sent it counts as one more.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no library wraps this request")]
fn unacknowledged(stream: &TcpStream) -> Option<u64> {
    use rustix::ioctl::{Getter, ioctl};

    /// `SIOCOUTQ` of tcp(7), the same as `TIOCOUTQ`.
    const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;
    // SAFETY: tcp(7): the request takes a pointer to an int, and stores the size of the queue there.
    let bytes = unsafe { ioctl(stream, Getter::<SIOCOUTQ, i32>::new()) };
    bytes.ok().and_then(|bytes| u64::try_from(bytes).ok())
}

#[cfg(not(target_os = "linux"))]
fn unacknowledged(_: &TcpStream) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn bytes_that_the_peer_has_no_room_for_are_not_acknowledged() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        // Its arrival here is its acknowledgement there: both ends are on this machine.
        peer.readable().await.unwrap();
        assert_eq!(acknowledged(&stream, 5), 5);
        let mut written = 5;
        loop {
            match stream.try_write(&[0; 65536]) {
                Ok(more) => written += more as u64,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let acknowledged = acknowledged(&stream, written);
        assert!((5..written).contains(&acknowledged), "{acknowledged} of {written}");
    }
}
