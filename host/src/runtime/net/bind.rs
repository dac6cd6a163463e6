//! Sockets that listen: on an address with a port, or on a unix socket.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, UnixListener};

use crate::config::{EndpointOptions, ListenAddress, SocketAccess};
use crate::passed::{Bound, PassedSocket};
use crate::runtime::net::remote::Remote;
use crate::runtime::net::stream::Stream;

/// The backlog of a listening socket: a burst of reconnecting clients after a restart.
const BACKLOG: i32 = 4096;

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum ListenSocket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketPath),
}

impl ListenSocket {
    /// The address, with the port that the operating system has chosen.
    pub(crate) fn local_address(&self) -> io::Result<ListenAddress> {
        match self {
            Self::Tcp(socket) => socket.local_addr().map(ListenAddress::Ip),
            Self::Unix(_, path) => Ok(ListenAddress::Unix(path.path().to_owned())),
        }
    }

    /// The file of a unix socket that is this gateway's.
    pub(crate) fn file_identity(&self) -> Option<FileIdentity> {
        match self {
            Self::Unix(_, SocketPath::Own(file)) => Some(file.identity),
            Self::Unix(_, SocketPath::Others(_)) | Self::Tcp(_) => None,
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(Stream, Remote)> {
        match self {
            Self::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                Ok((Stream::Tcp(stream), Remote::at(address.ip())))
            }
            Self::Unix(socket, _) => {
                let (stream, _) = socket.accept().await?;
                let remote = Remote::on_unix_socket(stream.peer_cred()?.uid());
                Ok((Stream::Unix(stream), remote))
            }
        }
    }
}

/// Binds an address and listens on it.
pub(crate) fn bind(address: &ListenAddress, options: &EndpointOptions) -> io::Result<ListenSocket> {
    match address {
        ListenAddress::Ip(address) => {
            let socket = bind_tcp(*address, options.only_v6)?;
            socket.listen(BACKLOG)?;
            Ok(ListenSocket::Tcp(TcpListener::from_std(socket.into())?))
        }
        ListenAddress::Unix(path) => bind_unix(path, &options.socket),
        ListenAddress::Passed(socket) => adopt(socket),
    }
}

/// Accepts from a socket that listens already. Its backlog and the permissions of its file are those
/// of the socket unit.
fn adopt(passed: &PassedSocket) -> io::Result<ListenSocket> {
    let socket = passed.open()?;
    socket.set_nonblocking(true)?;
    match passed.bound() {
        Bound::Ip(_) => {
            set_options(&socket)?;
            Ok(ListenSocket::Tcp(TcpListener::from_std(socket.into())?))
        }
        Bound::Unix(path) => {
            let path = SocketPath::Others(path.clone());
            Ok(ListenSocket::Unix(UnixListener::from_std(socket.into())?, path))
        }
    }
}

/// Binds an address, and does not listen.
pub(crate) fn bind_tcp(address: SocketAddr, only_v6: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if only_v6 {
        socket.set_only_v6(true)?;
    } else if address.is_ipv6() {
        // `[::]` takes IPv4 too, whatever the system's default. OpenBSD cannot.
        drop(socket.set_only_v6(false));
    }
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    set_options(&socket)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// When a silent connection is first probed, how often then, and how many probes may go unanswered
/// before its peer counts as gone.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// How long bytes that were sent may be unacknowledged before the peer counts as gone.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(90);

/// Sets what accepted sockets inherit. Chat messages are small packets that a peer waits for:
/// Nagle's algorithm only delays them. A peer that vanished without a word is noticed by the
/// system, whether or not anything is sent to it.
fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_INTERVAL);
    #[cfg(not(target_os = "openbsd"))]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT))?;
    Ok(())
}

/// The device and the inode of a file.
pub(crate) type FileIdentity = (u64, u64);

/// The path of a unix socket.
#[derive(Debug)]
pub(crate) enum SocketPath {
    Own(SocketFile),
    /// Of the service manager, which removes it.
    Others(PathBuf),
}

impl SocketPath {
    fn path(&self) -> &Path {
        match self {
            Self::Own(file) => &file.path,
            Self::Others(path) => path,
        }
    }
}

/// The file of a unix socket; removed when the socket is closed, unless another has taken its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: FileIdentity,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // What cannot be removed is found stale by the next start.
            drop(fs::remove_file(&self.path));
        }
    }
}

pub(crate) fn identity(path: &Path) -> io::Result<FileIdentity> {
    let metadata = path.symlink_metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Permissions are set before the socket listens: until then, connections are refused.
fn bind_unix(path: &Path, access: &SocketAccess) -> io::Result<ListenSocket> {
    if is_stale(path)? {
        fs::remove_file(path)?;
        tracing::info!(path = %path.display(), "removed the socket of a program that has ended");
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?).map_err(|error| without_folder(path, error))?;
    let file = SocketFile { path: path.to_owned(), identity: identity(path)? };
    set_access(path, access)?;
    socket.listen(BACKLOG)?;
    let path = SocketPath::Own(file);
    Ok(ListenSocket::Unix(UnixListener::from_std(socket.into())?, path))
}

/// Names the folder, if that is what a socket lacks.
fn without_folder(path: &Path, error: io::Error) -> io::Error {
    match path.parent().filter(|_| error.kind() == io::ErrorKind::NotFound) {
        Some(folder) => {
            let folder = folder.display();
            let why = format!("there is no folder {folder}; make it, or choose another path");
            io::Error::new(error.kind(), why)
        }
        None => error,
    }
}

/// Sets the group and the permissions of a socket's file.
pub(crate) fn set_access(path: &Path, access: &SocketAccess) -> io::Result<()> {
    if access.group.is_some() {
        chown(path, None, access.group)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(access.mode))
}

/// Whether there is a socket at the path on which no process listens any more. `Err`: what is there
/// is in the way of a new one.
pub(crate) fn is_stale(path: &Path) -> io::Result<bool> {
    let Ok(metadata) = path.symlink_metadata() else { return Ok(false) };
    if !metadata.file_type().is_socket() {
        let why = "there is a file which is not a socket; move it, or choose another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn the_unspecified_address_of_ipv6_takes_ipv4_too() {
        let address = ListenAddress::Ip("[::]:0".parse().unwrap());
        // A machine may have no IPv6.
        let Ok(listener) = bind(&address, &EndpointOptions::default()) else { return };
        let port = listener.local_address().unwrap().ip().unwrap().port();
        TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    }

    #[tokio::test]
    async fn an_accepted_socket_notices_a_peer_that_vanishes() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let address = ListenAddress::Ip(address.parse().unwrap());
            // A machine may have no IPv6.
            let Ok(listener) = bind(&address, &EndpointOptions::default()) else { continue };
            let bound = listener.local_address().unwrap().ip().unwrap();
            let _client = TcpStream::connect(bound).await.unwrap();
            let (Stream::Tcp(accepted), _) = listener.accept().await.unwrap() else {
                panic!("it is TCP")
            };
            assert!(accepted.nodelay().unwrap());
            let accepted = SockRef::from(&accepted);
            assert!(accepted.keepalive().unwrap(), "{address}");
            assert_eq!(accepted.tcp_keepalive_time().unwrap(), KEEPALIVE_AFTER);
            assert_eq!(accepted.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
            assert_eq!(accepted.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
            #[cfg(target_os = "linux")]
            assert_eq!(accepted.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_TIMEOUT));
        }
    }

    #[tokio::test]
    async fn a_unix_socket_takes_the_place_of_a_dead_one_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.sock");
        let address = ListenAddress::Unix(path.clone());
        let access = SocketAccess { mode: 0o640, ..SocketAccess::default() };
        let options = EndpointOptions { socket: access, ..EndpointOptions::default() };
        let first = bind(&address, &options).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        let error = bind(&address, &options).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(!path.exists(), "its file goes with it");

        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a program that was killed leaves it");
        let second = bind(&address, &options).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        drop(second);
        assert_eq!(fs::read(&path).unwrap(), b"mine", "it removes nothing but its own");
        assert_eq!(bind(&address, &options).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
