//! The operating system's sockets: for tests, and as the container to compare with.

use super::{Interest, BACKLOG};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    pub fn bind(host: Ipv4Addr, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((host, port))?;
        listener.set_nonblocking(true)?;
        // SAFETY: the descriptor is the listener's; listening again only lengthens its queue.
        unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) };
        Ok(Listener(listener))
    }

    pub fn port(&self) -> io::Result<u16> {
        Ok(self.0.local_addr()?.port())
    }

    /// None when nobody waits.
    pub fn accept(&self) -> io::Result<Option<Stream>> {
        let Some((stream, _)) = ready(self.0.accept())? else {
            return Ok(None);
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Some(Stream(stream)))
    }
}

#[derive(Debug)]
pub struct Stream(TcpStream);

impl Stream {
    /// Begins to connect; when it can be written to, `outcome` tells how that went.
    pub fn connect(address: SocketAddrV4) -> io::Result<Self> {
        // SAFETY: a new descriptor is owned from here on, and the address is one of this frame.
        unsafe {
            let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            let stream = TcpStream::from(OwnedFd::from_raw_fd(fd));
            let mut target: libc::sockaddr_in = std::mem::zeroed();
            target.sin_family = libc::AF_INET as libc::sa_family_t;
            target.sin_port = address.port().to_be();
            target.sin_addr.s_addr = u32::from(*address.ip()).to_be();
            let size = std::mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            if libc::connect(fd, std::ptr::addr_of!(target).cast(), size) < 0 {
                let error = io::Error::last_os_error();
                if error.raw_os_error() != Some(libc::EINPROGRESS) {
                    return Err(error);
                }
            }
            Ok(Stream(stream))
        }
    }

    pub fn outcome(&self) -> io::Result<()> {
        self.0.take_error()?.map_or(Ok(()), Err)
    }

    /// None when there is nothing; 0 when there will be nothing more.
    pub fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        ready(self.0.read(buffer))
    }

    /// None when there is no room.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        ready(self.0.write(bytes))
    }

    pub fn finish(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

fn ready<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Default)]
pub struct Poll {
    fds: Vec<libc::pollfd>,
    tokens: Vec<usize>,
}

impl Poll {
    pub fn clear(&mut self) {
        self.fds.clear();
        self.tokens.clear();
    }

    pub fn listener(&mut self, token: usize, listener: &Listener) {
        self.add(token, listener.0.as_raw_fd(), libc::POLLIN);
    }

    pub fn stream(&mut self, token: usize, stream: &Stream, interest: Interest) {
        let events = match interest {
            Interest::Read => libc::POLLIN,
            Interest::Write => libc::POLLOUT,
        };
        self.add(token, stream.0.as_raw_fd(), events);
    }

    fn add(&mut self, token: usize, fd: i32, events: i16) {
        self.fds.push(libc::pollfd { fd, events, revents: 0 });
        self.tokens.push(token);
    }

    /// Waits for one of them or for the time to pass, and appends the tokens of those that are ready.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<usize>) -> io::Result<()> {
        // Rounded up, so that no deadline is woken for too early and again.
        let millis = timeout.map_or(-1, |time| time.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32);
        // SAFETY: the pointer and length are the vector's.
        let count = unsafe { libc::poll(self.fds.as_mut_ptr(), self.fds.len() as libc::nfds_t, millis) };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        }
        let found = self.fds.iter().zip(&self.tokens).filter(|(fd, _)| fd.revents != 0);
        ready.extend(found.map(|(_, token)| *token));
        Ok(())
    }
}

/// May block while a name server is asked.
pub fn resolve(host: &str, port: u16) -> io::Result<SocketAddrV4> {
    (host, port)
        .to_socket_addrs()?
        .find_map(|address| match address {
            std::net::SocketAddr::V4(address) => Some(address),
            std::net::SocketAddr::V6(_) => None,
        })
        .ok_or_else(|| io::Error::new(ErrorKind::NotFound, "has no IPv4 address"))
}
