//! A connection, and in which state it is.

use crate::clock::Micros;
use crate::net::{Interest, Stream};
use crate::reader::Reader;
use crate::response::Framing;
use std::io;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Client,
    /// The kubelet's preStop hook.
    Hook,
}

/// What the next bytes belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Nothing of a request has come.
    Idle,
    Head,
    Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Reading(Reading),
    /// The answer is kept until then.
    Delayed {
        until: Micros,
    },
    /// The database is asked.
    Asking,
    /// A hook that is answered when draining is over.
    Draining,
    /// The client takes the answer slowly.
    Sending,
    /// Closed by this side; what the client still sends is read away, else its system would drop the answer.
    Lingering,
}

#[derive(Debug)]
pub struct Connection {
    pub stream: Stream,
    pub role: Role,
    pub state: State,
    pub deadline: Micros,
    pub reader: Reader,
    pub output: Vec<u8>,
    pub sent: usize,
    /// Of the request that is being answered.
    pub framing: Framing,
    /// The body of a delayed answer.
    pub body: Vec<u8>,
    /// Ends when its output is sent.
    pub closing: bool,
    /// Ends by lingering, since the client may be in the middle of sending.
    pub lingering: bool,
    /// Tells this connection from an earlier one in the same place.
    pub generation: u32,
}

impl Connection {
    pub fn new(stream: Stream, role: Role, deadline: Micros) -> Self {
        Connection {
            stream,
            role,
            state: State::Reading(Reading::Idle),
            deadline,
            reader: Reader::default(),
            output: Vec::new(),
            sent: 0,
            framing: Framing::LAST,
            body: Vec::new(),
            closing: false,
            lingering: false,
            generation: 0,
        }
    }

    /// What to wait for; none where only time or the database can go on.
    pub fn interest(&self) -> Option<Interest> {
        match self.state {
            State::Reading(_) | State::Lingering => Some(Interest::Read),
            State::Sending => Some(Interest::Write),
            State::Delayed { .. } | State::Asking | State::Draining => None,
        }
    }

    /// Whether a request of a client is under way.
    pub fn in_flight(&self) -> bool {
        let waits = matches!(self.state, State::Delayed { .. } | State::Asking | State::Sending);
        waits && self.role == Role::Client
    }

    pub fn is_idle(&self) -> bool {
        self.state == State::Reading(Reading::Idle)
    }

    /// What is being read now.
    pub fn reading(&self) -> Reading {
        if self.reader.is_empty() {
            Reading::Idle
        } else if self.reader.awaits_body() {
            Reading::Body
        } else {
            Reading::Head
        }
    }

    /// Sends what there is; false when the client does not take all of it.
    pub fn flush(&mut self) -> io::Result<bool> {
        while self.sent < self.output.len() {
            match self.stream.send(&self.output[self.sent..])? {
                Some(count) => self.sent += count,
                None => return Ok(false),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(true)
    }
}
