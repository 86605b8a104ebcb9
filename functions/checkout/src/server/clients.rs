//! Connections: how they come, and how many there may be.

use super::{Server, ACCEPT_PAUSE, MAX_HOOKS, SPARE_CONNECTIONS};
use crate::connection::{Connection, Role};
use crate::json::Object;
use crate::log;
use crate::net::{Listener, Stream};
use crate::response::{self, Framing, RETRY_AFTER};

impl Server {
    pub(super) fn accept_clients(&mut self, most: usize) {
        for _ in 0..most {
            let accepted = self.http.as_ref().map_or(Ok(None), Listener::accept);
            match accepted {
                Ok(Some(stream)) => {
                    if let Some(index) = self.open(stream, Role::Client) {
                        self.go_on(index);
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    self.accept_after = self.now + ACCEPT_PAUSE;
                    log::line(self.now, "error", "accept_failed", Object::default().text("error", &error.to_string()));
                    return;
                }
            }
        }
    }

    pub(super) fn accept_hooks(&mut self) {
        while self.open_hooks < MAX_HOOKS {
            match self.hooks.accept() {
                Ok(Some(stream)) => {
                    if let Some(index) = self.open(stream, Role::Hook) {
                        self.go_on(index);
                    }
                }
                _ => return,
            }
        }
    }

    pub(super) fn open(&mut self, mut stream: Stream, role: Role) -> Option<usize> {
        match role {
            Role::Hook => self.open_hooks += 1,
            Role::Client => {
                if self.clients >= self.max_concurrent + SPARE_CONNECTIONS && !self.close_idlest() {
                    let mut out = Vec::new();
                    let body = br#"{"error":"too many connections"}"#;
                    response::write(&mut out, 503, RETRY_AFTER, body, &self.date, Framing::LAST);
                    let _ = stream.send(&out);
                    self.log_refused("too many connections");
                    return None;
                }
                self.clients += 1;
            }
        }
        let mut connection = Box::new(Connection::new(stream, role, self.now + self.timeout));
        self.generation = self.generation.wrapping_add(1);
        connection.generation = self.generation;
        let index = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        self.connections[index] = Some(connection);
        Some(index)
    }

    /// Makes room by ending the connection that has been idle for longest.
    pub(super) fn close_idlest(&mut self) -> bool {
        let idle = |connection: &Connection| connection.role == Role::Client && connection.is_idle();
        let idlest = self
            .connections
            .iter()
            .enumerate()
            .filter_map(|(index, connection)| connection.as_ref().filter(|c| idle(c)).map(|c| (c.deadline, index)))
            .min();
        let Some((_, index)) = idlest else {
            return false;
        };
        if let Some(connection) = self.connections[index].take() {
            self.closed(index, &connection);
        }
        true
    }

    pub(super) fn closed(&mut self, index: usize, connection: &Connection) {
        self.free.push(index);
        self.held -= connection.reader.held();
        match connection.role {
            Role::Client => self.clients -= 1,
            Role::Hook => self.open_hooks -= 1,
        }
    }
}
