//! A TCP connection on which anything can be sent.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::try_connect;

#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    seen: Vec<u8>,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// What came before.
    pub bytes: Vec<u8>,
    /// Whether it was reset, which may have lost some of it.
    pub reset: bool,
}

impl Raw {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    /// The same; `Err` when no process listens.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: try_connect(address)?, seen: Vec::new() })
    }

    /// Sends what the gateway still takes: it may have hung up already.
    pub fn send(&mut self, bytes: &[u8]) -> &mut Self {
        drop(self.stream.write_all(bytes));
        self
    }

    /// Says that nothing more comes, and goes on reading.
    pub fn end(&mut self) -> &mut Self {
        drop(self.stream.shutdown(Shutdown::Write));
        self
    }

    /// Reads exactly so many bytes.
    #[track_caller]
    pub fn receive(&mut self, len: usize) -> Vec<u8> {
        while self.seen.len() < len {
            self.receive_some();
        }
        self.seen.drain(..len).collect()
    }

    /// Reads up to and including `mark`.
    #[track_caller]
    pub fn receive_until(&mut self, mark: &[u8]) -> Vec<u8> {
        loop {
            let found = self.seen.windows(mark.len()).position(|window| window == mark);
            if let Some(at) = found {
                return self.seen.drain(..at + mark.len()).collect();
            }
            self.receive_some();
        }
    }

    #[track_caller]
    fn receive_some(&mut self) {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(len) if len > 0 => self.seen.extend(&buffer[..len]),
            ended => panic!("{ended:?} after {:?}", String::from_utf8_lossy(&self.seen)),
        }
    }

    /// Reads until the gateway ends the connection.
    #[track_caller]
    pub fn receive_end(&mut self) -> End {
        let mut bytes = std::mem::take(&mut self.seen);
        let reset = match self.stream.read_to_end(&mut bytes) {
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => {
                panic!("the connection stays: {error} after {:?}", String::from_utf8_lossy(&bytes))
            }
        };
        End { bytes, reset }
    }

    /// The stream, to go on with otherwise; nothing may have been read that is not taken.
    #[track_caller]
    pub fn into_stream(self) -> TcpStream {
        assert_eq!(self.seen, b"", "there is more");
        self.stream
    }
}
