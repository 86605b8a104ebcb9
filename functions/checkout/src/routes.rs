//! What is answered to which request: pure.

use crate::config::Config;
use crate::database::Query;
use crate::head::Method;
use crate::json::Object;
use crate::order;
use crate::reader::Request;
use crate::response::{error, RETRY_AFTER};
use std::time::Duration;

pub const NAME: &str = env!("CARGO_PKG_NAME");
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The most CPU that `?work=` burns, in microseconds.
pub const MAX_WORK: u64 = 1_000_000;

const FUNCTION: &str = "/api/function";
const ORDERS: &str = "/api/orders";

/// What the routes know of the config.
#[derive(Debug)]
pub struct Routes {
    liveness: String,
    readiness: String,
    has_database: bool,
    /// `GET /api/function`, written once.
    description: Vec<u8>,
}

/// What decides readiness.
#[derive(Debug, Clone, Copy)]
pub struct Health {
    pub draining: bool,
    pub database_up: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The body is written; `fields` are whole lines.
    Now { status: u16, fields: &'static str },
    /// The body is written, and is sent when the CPU has been burned and the time has passed.
    After { work: u64, delay: Duration },
    /// The database has to be asked.
    Ask(Query),
}

const OK: Answer = now(200);

const fn now(status: u16) -> Answer {
    Answer::Now { status, fields: "" }
}

impl Routes {
    pub fn new(config: &Config) -> Self {
        let description = Object::default().text("name", NAME).text("version", VERSION);
        Routes {
            liveness: config.liveness.clone(),
            readiness: config.readiness.clone(),
            has_database: config.database_url_file.is_some(),
            description: description.object("config", config.shown()).finish().into_bytes(),
        }
    }

    /// Whether a request is the kubelet's, which is answered however busy the function is.
    pub fn is_probe(&self, path: &str) -> bool {
        path == self.liveness || path == self.readiness
    }

    /// Answers a request; what is to be sent as its body is appended to `body`.
    pub fn answer(&self, request: &Request<'_>, health: Health, body: &mut Vec<u8>) -> Answer {
        let get = matches!(request.method, Method::Get | Method::Head);
        match request.path {
            FUNCTION if get => self.describe(request.query, body),
            FUNCTION if request.method == Method::Post => quote(request.body, body),
            FUNCTION => refuse_method("Allow: GET, HEAD, POST\r\n", body),
            path if self.is_probe(path) => {
                if !get {
                    return refuse_method("Allow: GET, HEAD\r\n", body);
                }
                if path == self.liveness {
                    body.extend_from_slice(br#"{"status":"alive"}"#);
                    return OK;
                }
                readiness(health, body)
            }
            ORDERS if !self.has_database => no_database(body),
            ORDERS if request.method == Method::Post => store(request.body, body),
            ORDERS => refuse_method("Allow: POST\r\n", body),
            path => match path.strip_prefix(ORDERS).and_then(|rest| rest.strip_prefix('/')) {
                Some(_) if !self.has_database => no_database(body),
                Some(id) if get => fetch(id, body),
                Some(_) => refuse_method("Allow: GET, HEAD\r\n", body),
                None => fail(404, "there is nothing at this path", body),
            },
        }
    }

    fn describe(&self, query: &str, body: &mut Vec<u8>) -> Answer {
        let (mut work, mut delay) = (0, 0);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let target = match name {
                "work" => &mut work,
                "delay" => &mut delay,
                _ => continue,
            };
            match value.parse::<u32>() {
                Ok(number) => *target = u64::from(number),
                Err(_) => {
                    let message = format!("{name}: is no whole number; work is in microseconds, delay in milliseconds");
                    return fail(400, &message, body);
                }
            }
        }
        if work > MAX_WORK {
            return fail(400, "work: is above 1000000 microseconds; ask for less", body);
        }
        body.extend_from_slice(&self.description);
        if work == 0 && delay == 0 {
            return OK;
        }
        Answer::After { work, delay: Duration::from_millis(delay) }
    }
}

fn quote(text: &[u8], body: &mut Vec<u8>) -> Answer {
    match order::parse(text) {
        Ok((_, quote)) => {
            // Numbers are always written.
            let _ = serde_json::to_writer(&mut *body, &quote);
            OK
        }
        Err(message) => fail(400, &message, body),
    }
}

fn store(text: &[u8], body: &mut Vec<u8>) -> Answer {
    match order::parse(text) {
        Ok((order, quote)) => Answer::Ask(Query::Store {
            items: serde_json::to_string(&order.items).unwrap_or_default(),
            total_cents: quote.total_cents as i64,
        }),
        Err(message) => fail(400, &message, body),
    }
}

fn fetch(id: &str, body: &mut Vec<u8>) -> Answer {
    let digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    match id.parse::<i64>() {
        Ok(id) if digits => Answer::Ask(Query::Fetch { id }),
        _ => fail(404, "there is no such order", body),
    }
}

fn readiness(health: Health, body: &mut Vec<u8>) -> Answer {
    match health {
        Health { draining: true, .. } => fail(503, "draining", body),
        Health { database_up: false, .. } => unavailable("the database is down", body),
        _ => {
            body.extend_from_slice(br#"{"status":"ready"}"#);
            OK
        }
    }
}

fn no_database(body: &mut Vec<u8>) -> Answer {
    fail(404, "no database is configured", body)
}

fn refuse_method(allow: &'static str, body: &mut Vec<u8>) -> Answer {
    error(body, "the method is not allowed here");
    Answer::Now { status: 405, fields: allow }
}

fn fail(status: u16, message: &str, body: &mut Vec<u8>) -> Answer {
    error(body, message);
    now(status)
}

/// For what may work again in a second.
pub fn unavailable(message: &str, body: &mut Vec<u8>) -> Answer {
    error(body, message);
    Answer::Now { status: 503, fields: RETRY_AFTER }
}
