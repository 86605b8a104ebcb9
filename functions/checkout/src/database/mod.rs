//! A small pool of sessions with PostgreSQL in the server's own poll loop. A database that is down is told at once.

mod session;
mod url;

pub use session::{Event, Fault, Session};
pub use url::Url;

use crate::clock::{micros, Micros};
use crate::net::{self, Interest, Poll, Stream};
use bytes::Buf;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// Sessions at most; the first is made at the start, the others when it is busy.
pub const SESSIONS: usize = 4;

/// Queries that may wait for a session.
const QUEUE: usize = 256;

const CONNECT_TIMEOUT: Micros = 3_000_000;
const QUERY_TIMEOUT: Micros = 5_000_000;

/// A session that was silent for longer is asked whether it still lives before readiness says so again.
const SILENCE: Micros = 5_000_000;

const FIRST_BACKOFF: Micros = 100_000;
const LAST_BACKOFF: Micros = 5_000_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    Store { items: String, total_cents: i64 },
    Fetch { id: i64 },
}

#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Stored {
        id: i64,
    },
    /// Texts as PostgreSQL writes them: `items` is JSON, `total_cents` a number.
    Found {
        id: i64,
        items: String,
        total_cents: String,
        created_at: String,
    },
    Missing,
    /// PostgreSQL refused the query; the text is for the log.
    Failed(String),
    /// There is no session, or it ended while it was asked.
    Unavailable,
}

/// What the pool has to say; whose query it was is the asker's own number.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    Answer(u64, Outcome),
    Up,
    Down(String),
}

struct Job {
    asker: u64,
    query: Query,
}

struct Member {
    stream: Stream,
    connected: bool,
    session: Session,
    asker: Option<u64>,
    deadline: Option<Micros>,
    heard: Micros,
}

pub struct Database {
    url: Url,
    query_timeout: Micros,
    members: Vec<Option<Member>>,
    queue: VecDeque<Job>,
    backoff: Micros,
    retry_at: Micros,
    told_down: Option<String>,
    was_up: bool,
    news: VecDeque<News>,
}

impl Database {
    pub fn new(url: Url, request_timeout: Duration) -> Self {
        Database {
            url,
            query_timeout: micros(request_timeout).min(QUERY_TIMEOUT),
            members: (0..SESSIONS).map(|_| None).collect(),
            queue: VecDeque::new(),
            backoff: FIRST_BACKOFF,
            retry_at: 0,
            told_down: None,
            was_up: false,
            news: VecDeque::new(),
        }
    }

    pub fn is_up(&self) -> bool {
        self.members.iter().flatten().any(|member| member.session.is_up())
    }

    /// What happened, first things first.
    pub fn take_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Answers by `News`; at once where the database is down.
    pub fn ask(&mut self, asker: u64, query: Query, now: Micros) {
        if !self.is_up() || self.queue.len() >= QUEUE {
            self.news.push_back(News::Answer(asker, Outcome::Unavailable));
            return;
        }
        self.queue.push_back(Job { asker, query });
        self.assign(now);
        let connecting = self.members.iter().flatten().any(|member| !member.session.is_up());
        if !self.queue.is_empty() && !connecting && now >= self.retry_at {
            self.connect(now);
        }
    }

    /// Nobody waits for this answer any more.
    pub fn forget(&mut self, asker: u64, now: Micros) {
        self.queue.retain(|job| job.asker != asker);
        let busy = |member: &Option<Member>| member.as_ref().is_some_and(|member| member.asker == Some(asker));
        if let Some(index) = self.members.iter().position(busy) {
            self.lose(index, "answered a query too late", now);
        }
    }

    /// Asks a session that was silent for long whether it still lives; what it says counts the next time.
    pub fn check(&mut self, now: Micros) {
        for member in self.members.iter_mut().flatten() {
            if member.session.is_idle() && now >= member.heard + SILENCE {
                member.session.ping();
                member.deadline = Some(now + CONNECT_TIMEOUT);
                let _ = member.flush();
            }
        }
    }

    pub fn deadline(&self) -> Option<Micros> {
        let members = self.members.iter().flatten();
        let earliest = members.clone().filter_map(|member| member.deadline).min();
        match members.count() {
            0 => Some(self.retry_at),
            _ => earliest,
        }
    }

    pub fn tick(&mut self, now: Micros) {
        for index in 0..self.members.len() {
            let late = |member: &Member| member.deadline.is_some_and(|deadline| now >= deadline);
            if self.members[index].as_ref().is_some_and(late) {
                self.lose(index, "did not answer in time", now);
            }
        }
        if self.members.iter().all(Option::is_none) && now >= self.retry_at {
            self.connect(now);
        }
    }

    pub fn register(&self, poll: &mut Poll, base: usize) {
        for (index, member) in self.members.iter().enumerate() {
            if let Some(member) = member {
                poll.stream(base + index, &member.stream, member.interest());
            }
        }
    }

    /// A session's socket is ready.
    pub fn ready(&mut self, index: usize, now: Micros) {
        let Some(Some(member)) = self.members.get_mut(index) else {
            return;
        };
        match member.progress(now, &mut self.news) {
            Ok(became_up) => {
                if became_up {
                    self.backoff = FIRST_BACKOFF;
                    if !self.was_up {
                        self.was_up = true;
                        self.told_down = None;
                        self.news.push_back(News::Up);
                    }
                }
                self.assign(now);
            }
            Err(Fault(reason)) => self.lose(index, &reason, now),
        }
    }

    /// Says goodbye.
    pub fn end(&mut self) {
        for member in self.members.iter_mut().flatten().filter(|member| member.session.is_idle()) {
            member.session.end();
            let _ = member.flush();
        }
    }

    fn assign(&mut self, now: Micros) {
        for index in 0..self.members.len() {
            let idle = |member: &Member| member.session.is_idle();
            if self.queue.is_empty() {
                return;
            }
            if let Some(member) = self.members[index].as_mut().filter(|member| idle(member)) {
                if let Some(job) = self.queue.pop_front() {
                    member.asker = Some(job.asker);
                    member.deadline = Some(now + self.query_timeout);
                    if let Err(Fault(reason)) = member.session.ask(&job.query).and_then(|()| member.flush()) {
                        self.lose(index, &reason, now);
                    }
                }
            }
        }
    }

    fn connect(&mut self, now: Micros) {
        let Some(index) = self.members.iter().position(Option::is_none) else {
            return;
        };
        match Member::connect(&self.url, now) {
            Ok(member) => self.members[index] = Some(member),
            Err(Fault(reason)) => self.lost(&reason, now),
        }
    }

    fn lose(&mut self, index: usize, reason: &str, now: Micros) {
        if let Some(asker) = self.members[index].take().and_then(|member| member.asker) {
            self.news.push_back(News::Answer(asker, Outcome::Unavailable));
        }
        self.lost(reason, now);
    }

    fn lost(&mut self, reason: &str, now: Micros) {
        self.retry_at = now + self.backoff;
        self.backoff = (self.backoff * 2).min(LAST_BACKOFF);
        if self.is_up() {
            return;
        }
        self.was_up = false;
        for job in self.queue.drain(..) {
            self.news.push_back(News::Answer(job.asker, Outcome::Unavailable));
        }
        // A cause is told once, not at each attempt.
        if self.told_down.as_deref() != Some(reason) {
            self.told_down = Some(reason.to_owned());
            self.news.push_back(News::Down(reason.to_owned()));
        }
    }
}

impl Member {
    fn connect(url: &Url, now: Micros) -> Result<Self, Fault> {
        let open = net::resolve(&url.host, url.port).and_then(Stream::connect);
        Ok(Member {
            stream: open.map_err(|error| broken(&error))?,
            connected: false,
            session: Session::new(url)?,
            asker: None,
            deadline: Some(now + CONNECT_TIMEOUT),
            heard: now,
        })
    }

    fn interest(&self) -> Interest {
        if self.connected && self.session.pending().is_empty() {
            Interest::Read
        } else {
            Interest::Write
        }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        while self.connected && !self.session.pending().is_empty() {
            match self.stream.send(self.session.pending()).map_err(|error| broken(&error))? {
                Some(count) => self.session.to_send().advance(count),
                None => break,
            }
        }
        Ok(())
    }

    /// Whether the session came up by this.
    fn progress(&mut self, now: Micros, news: &mut VecDeque<News>) -> Result<bool, Fault> {
        if !self.connected {
            self.stream.outcome().map_err(|error| broken(&error))?;
            self.connected = true;
        }
        self.flush()?;
        let mut buffer = [0; 8 * 1024];
        let mut became_up = false;
        while let Some(count) = self.stream.recv(&mut buffer).map_err(|error| broken(&error))? {
            if count == 0 {
                return Err(Fault("closed the connection".to_owned()));
            }
            self.heard = now;
            self.session.receive(&buffer[..count])?;
            while let Some(event) = self.session.step()? {
                self.deadline = None;
                match event {
                    Event::Ready => became_up = true,
                    Event::Pong => {}
                    Event::Done(outcome) => {
                        news.extend(self.asker.take().map(|asker| News::Answer(asker, outcome)));
                    }
                }
            }
            self.flush()?;
            if count < buffer.len() {
                break;
            }
        }
        Ok(became_up)
    }
}

fn broken(error: &io::Error) -> Fault {
    Fault(format!("cannot be reached: {error}"))
}
