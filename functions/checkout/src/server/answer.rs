//! Answers: at once, after a while, or when the database has spoken.

use super::{Next, Server, NEVER};
use crate::clock::{self, micros};
use crate::connection::{Connection, Role, State};
use crate::database::{Database, News, Outcome, Query};
use crate::head::{Method, Reject};
use crate::json::Object;
use crate::log::{self, Entry};
use crate::response::{self, Framing, RETRY_AFTER};
use crate::routes::{Answer, Health};

impl Server {
    /// Writes the answer to the request that was read, or returns the state in which it is waited for.
    pub(super) fn answer(&mut self, index: usize, connection: &mut Connection) -> Option<State> {
        let request = connection.reader.request()?;
        connection.framing = Framing::of(&request);
        if connection.role == Role::Hook {
            return self.answer_hook(connection);
        }
        let refused = self.in_flight >= self.max_concurrent && !self.routes.is_probe(request.path);
        if refused {
            self.log_refused("too many requests at once");
            let body = br#"{"error":"too many requests at once"}"#;
            self.write(connection, 503, RETRY_AFTER, body);
            return None;
        }
        let health =
            Health { draining: self.drain.leaving(), database_up: self.database.as_ref().is_none_or(Database::is_up) };
        let is_probe = self.database.is_some() && self.routes.is_probe(request.path);
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        let answer = self.routes.answer(&request, health, &mut body);
        if is_probe {
            if let Some(database) = &mut self.database {
                database.check(self.now);
            }
        }
        let state = match answer {
            Answer::Now { status, fields } => {
                self.respond(connection, status, fields, &body);
                None
            }
            Answer::After { work, delay } => {
                if work > 0 {
                    clock::burn(work);
                    self.set_now();
                }
                if delay.is_zero() {
                    self.respond(connection, 200, "", &body);
                    None
                } else {
                    let until = self.now + micros(delay);
                    connection.body.clone_from(&body);
                    connection.deadline = until.min(self.now + self.request_timeout);
                    Some(State::Delayed { until })
                }
            }
            Answer::Ask(query) => {
                connection.deadline = self.now + self.request_timeout;
                self.ask(index, connection, query);
                Some(State::Asking)
            }
        };
        self.body = body;
        state
    }

    pub(super) fn answer_hook(&mut self, connection: &mut Connection) -> Option<State> {
        let request = connection.reader.request()?;
        if request.path != self.drain_path {
            self.respond(connection, 404, "", br#"{"error":"there is nothing at this path"}"#);
            return None;
        }
        if !matches!(request.method, Method::Get | Method::Post) {
            self.respond(connection, 405, "Allow: GET, POST\r\n", br#"{"error":"the method is not allowed here"}"#);
            return None;
        }
        if self.drain.begin(self.now) {
            log::line(self.now, "info", "drain_started", Object::default().number("clients", self.clients as u64));
        }
        connection.deadline = NEVER;
        Some(State::Draining)
    }

    pub(super) fn ask(&mut self, index: usize, connection: &Connection, query: Query) {
        if let Some(database) = &mut self.database {
            database.ask(asker(index, connection.generation), query, self.now);
        }
    }

    /// Reads what the database has said, and answers who asked it; an answer can lead to a next question. Returns
    /// whether there was any.
    pub(super) fn read_news(&mut self) -> bool {
        let mut any = false;
        while let Some(news) = self.database.as_mut().and_then(Database::take_news) {
            any = true;
            match news {
                News::Up => log::line(self.now, "info", "database_up", Object::default()),
                News::Down(reason) => {
                    log::line(self.now, "error", "database_down", Object::default().text("error", &reason));
                }
                News::Answer(asker, outcome) => self.answer_asker(asker, outcome),
            }
        }
        any
    }

    pub(super) fn answer_asker(&mut self, asked: u64, outcome: Outcome) {
        self.with(asked as u32 as usize, |server, index, connection| {
            if connection.state != State::Asking || asker(index, connection.generation) != asked {
                return Next::Keep;
            }
            let (status, fields, body) = server.told(outcome);
            server.respond(connection, status, fields, body.as_bytes());
            server.resume(index, connection)
        });
    }

    pub(super) fn told(&self, outcome: Outcome) -> (u16, &'static str, String) {
        match outcome {
            Outcome::Stored { id } => (201, "", Object::default().number("id", id as u64).finish()),
            // Items and total are JSON as PostgreSQL wrote it.
            Outcome::Found { id, items, total_cents, created_at } => {
                let order = Object::default().number("id", id as u64).text("created_at", &created_at);
                (200, "", order.json("total_cents", &total_cents).json("items", &items).finish())
            }
            Outcome::Missing => (404, "", r#"{"error":"there is no such order"}"#.to_owned()),
            Outcome::Unavailable => (503, RETRY_AFTER, r#"{"error":"the database is down"}"#.to_owned()),
            Outcome::Failed(error) => {
                log::line(self.now, "error", "query_failed", Object::default().text("error", &error));
                (500, "", r#"{"error":"the database refused the query"}"#.to_owned())
            }
        }
    }

    pub(super) fn reject(&mut self, connection: &mut Connection, reject: Reject) {
        let mut body = Vec::new();
        response::error(&mut body, reject.reason);
        connection.framing = Framing::LAST;
        connection.lingering = true;
        self.respond(connection, reject.status, "", &body);
    }

    pub(super) fn respond(&mut self, connection: &mut Connection, status: u16, fields: &str, body: &[u8]) {
        if self.requests.answered(status) == Entry::Request {
            let level = if status >= 500 { "error" } else { "info" };
            let request = connection.reader.request();
            let (method, path) = request.map_or((Method::Other, String::new()), |r| (r.method, r.path.to_owned()));
            let method = match method {
                Method::Get => "GET",
                Method::Head => "HEAD",
                Method::Post => "POST",
                Method::Other => "",
            };
            let fields = Object::default().text("method", method).text("path", &path);
            let fields = fields.number("status", u64::from(status));
            log::line(self.now, level, "request", fields);
        }
        self.write(connection, status, fields, body);
    }

    /// Writes an answer, and drops the request that it is for.
    pub(super) fn write(&mut self, connection: &mut Connection, status: u16, fields: &str, body: &[u8]) {
        let mut framing = connection.framing;
        if framing.keep_alive && self.drain.closing() {
            framing.keep_alive = false;
            connection.lingering = true;
        }
        response::write(&mut connection.output, status, fields, body, &self.date, framing);
        connection.closing = !framing.keep_alive;
        let before = connection.reader.held();
        connection.reader.consume();
        self.held -= before - connection.reader.held();
    }

    pub(super) fn log_refused(&mut self, reason: &str) {
        if let Entry::Refused(count) = self.requests.refused(self.now) {
            let fields = Object::default().number("status", 503).text("reason", reason).number("count", count);
            log::line(self.now, "error", "refused", fields);
        }
    }
}

/// A connection's number that no other has had lately.
pub(super) fn asker(index: usize, generation: u32) -> u64 {
    u64::from(generation) << 32 | index as u64
}
