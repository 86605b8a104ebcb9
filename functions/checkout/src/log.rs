//! JSON lines on standard output: start, config, drain, the database, errors, and a sample of requests.

use crate::clock::{self, Micros};
use crate::date;
use crate::json::Object;
use std::io::Write;

/// Of requests without an error one in so many is logged: at 20 requests/s about one a minute.
pub const SAMPLE: u64 = 1000;

/// Lines of requests refused for being too many are at least this far apart; each tells how many it stands for.
const REFUSED_INTERVAL: Micros = 1_000_000;

pub fn line(now: Micros, level: &str, event: &str, fields: Object) {
    let time = date::iso(clock::wall(now).as_millis() as u64);
    let entry = Object::default().text("time", &time).text("level", level).text("event", event);
    let mut text = entry.append(fields).finish();
    text.push('\n');
    // A reader of the log that is gone must not end the function.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Decides which requests are logged.
#[derive(Default)]
pub struct Requests {
    seen: u64,
    refused: u64,
    refused_at: Option<Micros>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    None,
    Request,
    /// So many requests were refused since the last such line.
    Refused(u64),
}

impl Requests {
    pub fn answered(&mut self, status: u16) -> Entry {
        self.seen += 1;
        match status {
            500.. => Entry::Request,
            _ if self.seen % SAMPLE == 0 => Entry::Request,
            _ => Entry::None,
        }
    }

    pub fn refused(&mut self, now: Micros) -> Entry {
        self.refused += 1;
        if self.refused_at.is_some_and(|at| now < at + REFUSED_INTERVAL) {
            return Entry::None;
        }
        self.refused_at = Some(now);
        Entry::Refused(std::mem::take(&mut self.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_each_error_and_a_sample_of_the_rest() {
        let mut requests = Requests::default();
        assert_eq!(requests.answered(503), Entry::Request);
        let logged = (0..10 * SAMPLE).filter(|_| requests.answered(200) == Entry::Request);
        assert_eq!(logged.count(), 10);
    }

    #[test]
    fn a_flood_of_refused_requests_is_one_line_a_second() {
        let mut requests = Requests::default();
        assert_eq!(requests.refused(0), Entry::Refused(1));
        assert_eq!(requests.refused(10), Entry::None);
        assert_eq!(requests.refused(20), Entry::None);
        assert_eq!(requests.refused(1_000_000), Entry::Refused(3));
    }
}
