//! Leaving, once the hook has called.

use super::{Next, Server};
use crate::connection::{Role, State};
use crate::drain::Phase;
use crate::json::Object;
use crate::log;

impl Server {
    /// Returns whether draining is over.
    pub(super) fn go_on_draining(&mut self) -> bool {
        if matches!(self.drain.tick(self.now, self.clients), Phase::Finishing { .. }) && self.http.is_some() {
            self.stop_accepting();
        }
        if self.drain.tick(self.now, self.clients) != Phase::Over {
            return false;
        }
        log::line(self.now, "info", "drained", Object::default().number("unfinished", self.clients as u64));
        if let Some(database) = &mut self.database {
            database.end();
        }
        for index in 0..self.connections.len() {
            self.with(index, |server, _, connection| {
                if connection.state == State::Draining {
                    connection.framing.keep_alive = false;
                    server.respond(connection, 200, "", br#"{"status":"drained"}"#);
                    let _ = connection.flush();
                }
                Next::Close
            });
        }
        true
    }

    /// Serves whoever has come until now, then ends what only waits.
    pub(super) fn stop_accepting(&mut self) {
        self.accept_clients(usize::MAX);
        self.http = None;
        for index in 0..self.connections.len() {
            self.go_on(index);
            self.with(index, |_, _, connection| match connection.role {
                Role::Client if connection.is_idle() => Next::Close,
                _ => Next::Keep,
            });
        }
        log::line(self.now, "info", "stopped_accepting", Object::default().number("unfinished", self.clients as u64));
    }
}
