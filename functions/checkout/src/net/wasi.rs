//! WasmEdge's sockets, an extension of WASI preview 1.
//!
//! WasmEdge's `poll_oneoff` keeps one epoll and renews each subscription at each call: a system call for each
//! socket, four for a timeout. That is why `server` waits as rarely as it can.

use super::{Interest, BACKLOG};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::time::Duration;
use wasmedge_wasi_socket::socket::{AddressFamily, Socket, SocketType};
use wasmedge_wasi_socket::wasi_poll as poll;

/// WASI's number for a connection that is being made.
const INPROGRESS: i32 = 26;

#[derive(Debug)]
pub struct Listener(Socket);

impl Listener {
    pub fn bind(host: Ipv4Addr, port: u16) -> io::Result<Self> {
        use wasmedge_wasi_socket::socket::{SocketOptLevel, SocketOptName};
        let socket = Socket::new(AddressFamily::Inet4, SocketType::Stream)?;
        socket.setsockopt(SocketOptLevel::SolSocket, SocketOptName::SoReuseaddr, 1i32)?;
        socket.bind(&SocketAddr::from((host, port)))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Listener(socket))
    }

    pub fn port(&self) -> io::Result<u16> {
        Ok(self.0.get_local()?.port())
    }

    /// None when nobody waits.
    pub fn accept(&self) -> io::Result<Option<Stream>> {
        Ok(ready(self.0.accept(true))?.map(Stream))
    }
}

#[derive(Debug)]
pub struct Stream(Socket);

impl Stream {
    /// Begins to connect; when it can be written to, `outcome` tells how that went.
    pub fn connect(address: SocketAddrV4) -> io::Result<Self> {
        let socket = Socket::new(AddressFamily::Inet4, SocketType::Stream)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&SocketAddr::V4(address)) {
            Err(error) if error.raw_os_error() != Some(INPROGRESS) => Err(error),
            _ => Ok(Stream(socket)),
        }
    }

    pub fn outcome(&self) -> io::Result<()> {
        self.0.take_error()
    }

    /// None when there is nothing; 0 when there will be nothing more.
    pub fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        ready(self.0.recv(buffer))
    }

    /// None when there is no room.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        ready(self.0.send(bytes))
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
    subscriptions: Vec<poll::Subscription>,
    events: Vec<poll::Event>,
}

/// The timeout's own subscription.
const TIMEOUT: u64 = u64::MAX;

impl Poll {
    pub fn clear(&mut self) {
        self.subscriptions.clear();
    }

    pub fn listener(&mut self, token: usize, listener: &Listener) {
        self.add(token, listener.0.as_raw_fd(), poll::EVENTTYPE_FD_READ);
    }

    pub fn stream(&mut self, token: usize, stream: &Stream, interest: Interest) {
        let tag = match interest {
            Interest::Read => poll::EVENTTYPE_FD_READ,
            Interest::Write => poll::EVENTTYPE_FD_WRITE,
        };
        self.add(token, stream.0.as_raw_fd(), tag);
    }

    fn add(&mut self, token: usize, fd: i32, tag: poll::Eventtype) {
        let file_descriptor = fd as poll::Fd;
        let fd_read = poll::SubscriptionFdReadwrite { file_descriptor };
        self.subscriptions.push(poll::Subscription {
            userdata: token as u64,
            u: poll::SubscriptionU { tag, u: poll::SubscriptionUU { fd_read } },
        });
    }

    /// Waits for one of them or for the time to pass, and appends the tokens of those that are ready.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<usize>) -> io::Result<()> {
        if let Some(timeout) = timeout {
            let clock = poll::SubscriptionClock {
                id: poll::CLOCKID_MONOTONIC,
                timeout: timeout.as_nanos().min(u128::from(u64::MAX)) as u64,
                precision: 0,
                flags: 0,
            };
            self.subscriptions.push(poll::Subscription {
                userdata: TIMEOUT,
                u: poll::SubscriptionU { tag: poll::EVENTTYPE_CLOCK, u: poll::SubscriptionUU { clock } },
            });
        }
        self.events.resize(self.subscriptions.len(), poll::Event::empty());
        // SAFETY: both pointers are to as many entries as are announced.
        let count =
            unsafe { poll::poll(self.subscriptions.as_ptr(), self.events.as_mut_ptr(), self.subscriptions.len())? };
        // One with an error is ready too: its next call tells.
        let found = self.events.iter().take(count).filter(|event| event.userdata != TIMEOUT);
        ready.extend(found.map(|event| event.userdata as usize));
        Ok(())
    }
}

/// May block while the host's name server is asked.
pub fn resolve(host: &str, port: u16) -> io::Result<SocketAddrV4> {
    if let Ok(address) = host.parse() {
        return Ok(SocketAddrV4::new(address, port));
    }
    // The error's number is one of WasmEdge's own, for which there is no text.
    let unknown = |_| io::Error::new(ErrorKind::NotFound, "its name cannot be resolved");
    wasmedge_wasi_socket::nslookup_with_host(host, &port.to_string())
        .map_err(unknown)?
        .into_iter()
        .find_map(|address| match address {
            SocketAddr::V4(address) => Some(SocketAddrV4::new(*address.ip(), port)),
            SocketAddr::V6(_) => None,
        })
        .ok_or_else(|| io::Error::new(ErrorKind::NotFound, "has no IPv4 address"))
}
