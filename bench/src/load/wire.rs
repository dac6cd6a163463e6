//! The bytes of a connection: on its socket, or in TLS on it.

use std::io::{self, ErrorKind, Read as _, Write as _};

use mio::net::TcpStream;
use rustls::ClientConnection;

use super::talk::Encryption;

pub(super) enum Wire {
    Plain(TcpStream),
    Encrypted(Box<Encrypted>),
}

pub(super) struct Encrypted {
    socket: TcpStream,
    session: ClientConnection,
}

impl Wire {
    pub(super) fn new(socket: TcpStream, encryption: Option<&Encryption>) -> io::Result<Self> {
        let Some(Encryption { config, host }) = encryption else { return Ok(Self::Plain(socket)) };
        let session = ClientConnection::new(config.clone(), host.clone());
        let session = session.map_err(io::Error::other)?;
        Ok(Self::Encrypted(Box::new(Encrypted { socket, session })))
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Encrypted(encrypted) => &mut encrypted.socket,
        }
    }

    /// Whether a read that does not fill its buffer has read all that there is.
    pub(super) fn reads_to_the_end(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    pub(super) fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(chunk),
            Self::Encrypted(encrypted) => encrypted.read(chunk),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Encrypted(encrypted) => encrypted.write(bytes),
        }
    }

    /// Sends what a full socket did not take.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Encrypted(encrypted) => encrypted.flush(),
        }
    }
}

impl Encrypted {
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(chunk) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                read => return read,
            }
            if self.session.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            self.session.process_new_packets().map_err(io::Error::other)?;
            self.flush()?;
        }
    }

    /// Takes what its buffer has room for; in a handshake, that is sent after it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.session.writer().write(bytes)?;
        self.flush()?;
        if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                written => drop(written?),
            }
        }
        Ok(())
    }
}
