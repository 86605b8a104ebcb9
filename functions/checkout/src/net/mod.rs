//! Sockets that never block, and one call that waits for them: WasmEdge's, or the operating system's.

#[cfg(unix)]
mod native;
#[cfg(target_os = "wasi")]
mod wasi;

#[cfg(unix)]
pub use native::{resolve, Listener, Poll, Stream};
#[cfg(target_os = "wasi")]
pub use wasi::{resolve, Listener, Poll, Stream};

/// What is waited for; each is worth a system call for each wait, so none asks for more than it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    Read,
    Write,
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
