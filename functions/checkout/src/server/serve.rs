//! What happens on a connection: reading, sending, and running out of time.

use super::answer::asker;
use super::{Next, Server, LINGER, MAX_HELD, MAX_OUTPUT, SMALL, SPARE_BUFFERS};
use crate::connection::{Connection, Reading, State};
use crate::head::Reject;
use crate::reader::Reader;
use crate::response::{self, Framing, RETRY_AFTER};
use std::io;

impl Server {
    /// A connection may have something to read, or room to send. Returns whether it had.
    pub(super) fn go_on(&mut self, index: usize) -> bool {
        let mut progressed = false;
        self.with(index, |server, index, connection| {
            let next = match connection.state {
                State::Reading(_) => server.read(index, connection, &mut progressed),
                State::Sending => server.send(index, connection),
                State::Lingering => linger(connection),
                State::Delayed { .. } | State::Asking | State::Draining => Ok(Next::Keep),
            };
            next.unwrap_or(Next::Close)
        });
        progressed
    }

    pub(super) fn read(
        &mut self,
        index: usize,
        connection: &mut Connection,
        progressed: &mut bool,
    ) -> io::Result<Next> {
        let before = connection.reader.held();
        if before == 0 {
            if let Some(buffer) = self.buffers.pop() {
                connection.reader.adopt(buffer);
            }
        }
        let received = connection.stream.recv(connection.reader.room());
        self.held += connection.reader.held() - before;
        let next = match received {
            Ok(Some(0)) => Ok(Next::Close),
            Ok(Some(count)) => {
                *progressed = true;
                connection.reader.filled(count);
                if self.held > MAX_HELD && connection.reader.held() > SMALL {
                    self.too_much(index, connection)
                } else {
                    self.serve(index, connection)
                }
            }
            Ok(None) => Ok(Next::Keep),
            Err(error) => Err(error),
        };
        self.take_buffer_back(connection);
        next
    }

    pub(super) fn take_buffer_back(&mut self, connection: &mut Connection) {
        if let Some(buffer) = connection.reader.release() {
            self.held -= buffer.len();
            if self.buffers.len() < SPARE_BUFFERS {
                self.buffers.push(buffer);
            }
        }
    }

    /// Answers the requests that are there, and sends the answers together.
    pub(super) fn serve(&mut self, index: usize, connection: &mut Connection) -> io::Result<Next> {
        loop {
            if connection.output.capacity() == 0 {
                connection.output = std::mem::take(&mut self.output);
            }
            let mut answered = false;
            while !connection.closing && connection.output.len() < MAX_OUTPUT {
                match connection.reader.advance() {
                    Ok(true) => {
                        answered = true;
                        if let Some(state) = self.answer(index, connection) {
                            connection.state = state;
                            break;
                        }
                    }
                    Ok(false) => {
                        if connection.reader.take_continue() {
                            connection.output.extend_from_slice(response::CONTINUE);
                        }
                        break;
                    }
                    Err(reject) => self.reject(connection, reject),
                }
            }
            let waits = !matches!(connection.state, State::Reading(_) | State::Sending);
            let more = connection.output.len() >= MAX_OUTPUT;
            if !connection.flush()? {
                if !waits {
                    connection.state = State::Sending;
                    connection.deadline = self.now + self.timeout;
                }
                return Ok(Next::Keep);
            }
            if connection.output.capacity() <= 4 * MAX_OUTPUT {
                self.output = std::mem::take(&mut connection.output);
            } else {
                connection.output = Vec::new();
            }
            if waits {
                return Ok(Next::Keep);
            }
            if connection.closing {
                return Ok(self.end(connection));
            }
            if !more {
                self.await_request(index, connection, answered);
                return Ok(Next::Keep);
            }
        }
    }

    /// Each stage of a request has one deadline from its beginning: single bytes gain no time.
    pub(super) fn await_request(&mut self, index: usize, connection: &mut Connection, answered: bool) {
        let reading = connection.reading();
        if answered || connection.state != State::Reading(reading) {
            connection.state = State::Reading(reading);
            let time = if reading == Reading::Body { self.request_timeout } else { self.timeout };
            connection.deadline = self.now + time;
        }
        if answered && reading == Reading::Idle {
            self.recent.push(index);
        }
    }

    pub(super) fn end(&mut self, connection: &mut Connection) -> Next {
        if !connection.lingering || connection.stream.finish().is_err() {
            return Next::Close;
        }
        connection.state = State::Lingering;
        connection.deadline = self.now + LINGER;
        Next::Keep
    }

    pub(super) fn send(&mut self, index: usize, connection: &mut Connection) -> io::Result<Next> {
        let next = self.serve(index, connection);
        self.take_buffer_back(connection);
        next
    }

    /// The answer that was waited for is written.
    pub(super) fn resume(&mut self, index: usize, connection: &mut Connection) -> Next {
        connection.state = State::Reading(Reading::Head);
        self.send(index, connection).unwrap_or(Next::Close)
    }

    pub(super) fn too_much(&mut self, index: usize, connection: &mut Connection) -> io::Result<Next> {
        self.log_refused("too many bytes of incomplete requests");
        self.held -= connection.reader.held();
        connection.reader = Reader::default();
        connection.framing = Framing::LAST;
        connection.lingering = true;
        self.write(connection, 503, RETRY_AFTER, br#"{"error":"too many requests at once"}"#);
        self.serve(index, connection)
    }

    /// Ends what has taken too long.
    pub(super) fn expire(&mut self) {
        if let Some(database) = &mut self.database {
            database.tick(self.now);
        }
        for index in 0..self.connections.len() {
            let late = |connection: &Connection| self.now >= connection.deadline;
            if self.connections[index].as_ref().is_some_and(|connection| late(connection)) {
                self.with(index, Self::late);
            }
        }
    }

    pub(super) fn late(&mut self, index: usize, connection: &mut Connection) -> Next {
        match connection.state {
            State::Reading(Reading::Idle) | State::Sending | State::Lingering => Next::Close,
            State::Draining => Next::Keep,
            State::Reading(_) => {
                let reason = "the request took too long to arrive";
                self.reject(connection, Reject { status: 408, reason });
                self.send(index, connection).unwrap_or(Next::Close)
            }
            State::Delayed { until } if self.now >= until => {
                let body = std::mem::take(&mut connection.body);
                self.respond(connection, 200, "", &body);
                self.resume(index, connection)
            }
            State::Delayed { .. } | State::Asking => {
                if let (State::Asking, Some(database)) = (connection.state, &mut self.database) {
                    database.forget(asker(index, connection.generation), self.now);
                }
                let body = br#"{"error":"the request took longer than request_timeout"}"#;
                self.respond(connection, 504, "", body);
                self.resume(index, connection)
            }
        }
    }
}

fn linger(connection: &mut Connection) -> io::Result<Next> {
    let mut away = [0; 4096];
    loop {
        match connection.stream.recv(&mut away)? {
            Some(0) => return Ok(Next::Close),
            Some(_) => {}
            None => return Ok(Next::Keep),
        }
    }
}
