//! The event loop: all connections of one thread.

mod answer;
mod clients;
mod eager;
mod leave;
mod serve;

use self::eager::Eager;
use crate::clock::{self, micros, Micros};
use crate::config::Config;
use crate::connection::Connection;
use crate::database::{Database, Url, SESSIONS};
use crate::date;
use crate::drain::Drain;
use crate::log::Requests;
use crate::net::{Listener, Poll};
use crate::routes::Routes;
use std::io;
use std::time::Duration;

/// Client connections beside those whose requests may be under way: idle ones of gateways, and probes.
const SPARE_CONNECTIONS: usize = 128;
const MAX_HOOKS: usize = 8;

/// Memory of all requests that are not yet complete; above it large ones are refused. Small ones, of which probes
/// are, never are: they are bounded by the number of connections.
const MAX_HELD: usize = 16 * 1024 * 1024;
const SMALL: usize = 64 * 1024;
/// Read buffers that are kept for the next requests.
const SPARE_BUFFERS: usize = 16;

/// Pipelined requests are answered up to this many bytes at once.
const MAX_OUTPUT: usize = 16 * 1024;

/// Connections accepted before others get their turn.
const ACCEPTS: usize = 64;
/// After accepting failed, for want of descriptors say.
const ACCEPT_PAUSE: Micros = 100_000;

const LINGER: Micros = 1_000_000;

const HTTP: usize = 0;
const HOOKS: usize = 1;
const DATABASE: usize = 2;
const CONNECTIONS: usize = DATABASE + SESSIONS;

/// Rounds of trying before all connections get their turn again.
const EAGER_ROUNDS: usize = 8;

const NEVER: Micros = Micros::MAX;

pub struct Server {
    routes: Routes,
    drain: Drain,
    drain_path: String,
    database: Option<Database>,
    timeout: Micros,
    request_timeout: Micros,
    max_concurrent: usize,
    http: Option<Listener>,
    hooks: Listener,
    connections: Vec<Option<Box<Connection>>>,
    free: Vec<usize>,
    generation: u32,
    clients: usize,
    open_hooks: usize,
    in_flight: usize,
    held: usize,
    buffers: Vec<Vec<u8>>,
    output: Vec<u8>,
    body: Vec<u8>,
    /// Connections whose next request may be there already.
    recent: Vec<usize>,
    eager: Eager,
    requests: Requests,
    now: Micros,
    date: String,
    date_second: u64,
    next_deadline: Micros,
    accept_after: Micros,
}

impl Server {
    pub fn bind(config: &Config, database: Option<Url>) -> io::Result<Self> {
        let http = Listener::bind(config.host, config.port)?;
        let hooks = Listener::bind(config.host, config.drain_port)?;
        Ok(Server {
            routes: Routes::new(config),
            drain: Drain::new(micros(config.propagation), micros(config.request_timeout)),
            drain_path: config.drain_path.clone(),
            database: database.map(|url| Database::new(url, config.request_timeout)),
            timeout: micros(config.timeout),
            request_timeout: micros(config.request_timeout),
            max_concurrent: config.max_concurrent,
            http: Some(http),
            hooks,
            connections: Vec::new(),
            free: Vec::new(),
            generation: 0,
            clients: 0,
            open_hooks: 0,
            in_flight: 0,
            held: 0,
            buffers: Vec::new(),
            output: Vec::new(),
            body: Vec::new(),
            recent: Vec::new(),
            eager: Eager::default(),
            requests: Requests::default(),
            now: clock::now(),
            date: String::new(),
            date_second: 0,
            next_deadline: 0,
            accept_after: 0,
        })
    }

    /// Ports of the server and of draining.
    pub fn ports(&self) -> io::Result<(u16, u16)> {
        let http = self.http.as_ref().map_or(Ok(0), Listener::port)?;
        Ok((http, self.hooks.port()?))
    }

    /// Serves until drained.
    pub fn run(&mut self) -> io::Result<()> {
        let mut poll = Poll::default();
        let mut ready = Vec::new();
        loop {
            self.set_now();
            if self.now >= self.next_deadline {
                self.expire();
            }
            self.read_news();
            if self.drain.leaving() && self.go_on_draining() {
                return Ok(());
            }
            if self.read_news() {
                continue;
            }
            let timeout = self.register(&mut poll);
            poll.wait(timeout, &mut ready)?;
            self.set_now();
            for token in ready.drain(..) {
                self.ready(token);
            }
            self.try_recent();
        }
    }

    /// Once for each wait: a request costs no look at the clock.
    fn set_now(&mut self) {
        self.now = clock::now();
        let second = clock::wall(self.now).as_secs();
        if second != self.date_second {
            self.date_second = second;
            self.date = date::http(second);
        }
    }

    /// Subscribes to all that can happen, and returns how long nothing need happen.
    fn register(&mut self, poll: &mut Poll) -> Option<Duration> {
        poll.clear();
        let mut next = NEVER;
        if let Some(http) = &self.http {
            if self.now >= self.accept_after {
                poll.listener(HTTP, http);
            } else {
                next = self.accept_after;
            }
        }
        if self.open_hooks < MAX_HOOKS {
            poll.listener(HOOKS, &self.hooks);
        }
        if let Some(database) = &self.database {
            database.register(poll, DATABASE);
            next = next.min(database.deadline().unwrap_or(NEVER));
        }
        for (index, connection) in self.connections.iter().enumerate() {
            let Some(connection) = connection else {
                continue;
            };
            next = next.min(connection.deadline);
            if let Some(interest) = connection.interest() {
                poll.stream(CONNECTIONS + index, &connection.stream, interest);
            }
        }
        next = next.min(self.drain.deadline().unwrap_or(NEVER));
        self.next_deadline = next;
        (next != NEVER).then(|| Duration::from_micros(next.saturating_sub(self.now)))
    }

    fn ready(&mut self, token: usize) {
        match token {
            HTTP => self.accept_clients(ACCEPTS),
            HOOKS => self.accept_hooks(),
            DATABASE..CONNECTIONS => {
                if let Some(database) = &mut self.database {
                    database.ready(token - DATABASE, self.now);
                }
                self.read_news();
            }
            _ => {
                self.go_on(token - CONNECTIONS);
            }
        }
    }

    fn try_recent(&mut self) {
        for _ in 0..EAGER_ROUNDS {
            if self.recent.is_empty() || !self.eager.worthwhile() {
                break;
            }
            let tries = std::mem::take(&mut self.recent);
            let hits = tries.iter().filter(|&&index| self.go_on(index)).count();
            self.eager.tried(hits, tries.len());
        }
        self.recent.clear();
    }

    /// Runs `work` on a connection; it is closed where that says so. Keeps the counts.
    fn with(&mut self, index: usize, work: impl FnOnce(&mut Self, usize, &mut Connection) -> Next) {
        let Some(mut connection) = self.connections.get_mut(index).and_then(Option::take) else {
            return;
        };
        self.in_flight -= usize::from(connection.in_flight());
        let next = work(self, index, &mut connection);
        match next {
            Next::Keep => {
                self.in_flight += usize::from(connection.in_flight());
                self.connections[index] = Some(connection);
            }
            Next::Close => self.closed(index, &connection),
        }
    }
}

enum Next {
    Keep,
    Close,
}
