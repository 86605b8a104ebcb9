//! The function as a process, with a database: one that is down, one that says nothing, and a real one where
//! `TEST_DATABASE_URL` names it (`postgres://user:password@127.0.0.1:port/database`).

mod support;

use checkout::database::Url;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use support::{Answer, Function, Settings};

const ORDER: &str = r#"{"items":[{"sku":"a","quantity":2,"unit_price_cents":150}]}"#;

fn with(url: String) -> Function {
    Function::start(&Settings { database_url: Some(url), ..Settings::default() })
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.field("Retry-After")), (503, Some("1")), "{answer:?}");
}

/// Asks until the answer is this one: a database comes and goes in its own time.
fn until(status: u16, mut ask: impl FnMut() -> Answer) -> Answer {
    for _ in 0..600 {
        let answer = ask();
        if answer.status == status {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("never answered {status}");
}

#[test]
fn a_database_that_is_down_is_503_and_takes_nothing_else_with_it() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut function = with(format!("postgres://shop:hunter2@127.0.0.1:{port}/orders"));
    let line = function.line("database_down");
    assert!(!line.to_string().contains("hunter2"), "{line}");
    assert_unavailable(&function.get("/readyz"));
    assert_unavailable(&function.post("/api/orders", ORDER));
    assert_unavailable(&function.get("/api/orders/1"));
    assert_eq!(function.post("/api/orders", "{}").status, 400);
    let mut pipelined = function.connect();
    pipelined.send("GET /api/orders/1 HTTP/1.1\r\nHost: h\r\n\r\n".repeat(5).as_bytes());
    (0..5).for_each(|_| assert_unavailable(&pipelined.answer()));
    assert_eq!(function.get("/healthz").status, 200);
    assert_eq!(function.post("/api/function", ORDER).status, 200);
}

#[test]
fn a_database_that_says_nothing_is_503() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let function = with(format!("postgres://shop:hunter2@{}/orders", silent.local_addr().unwrap()));
    let _open = silent.accept().unwrap();
    assert_unavailable(&function.get("/readyz"));
    assert_unavailable(&function.post("/api/orders", ORDER));
}

#[test]
fn a_database_that_talks_nonsense_is_503() {
    let nonsense = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut function = with(format!("postgres://shop:hunter2@{}/orders", nonsense.local_addr().unwrap()));
    nonsense.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    function.line("database_down");
    assert_unavailable(&function.post("/api/orders", ORDER));
}

/// The real database, or none, which is said aloud.
fn real() -> Option<Url> {
    match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => Some(Url::parse(&url).expect("TEST_DATABASE_URL")),
        Err(_) => {
            // Not by a macro: cargo hides what those print in tests that pass.
            let _ = std::io::stderr().write_all(b"SKIPPED: set TEST_DATABASE_URL to test with a real PostgreSQL\n");
            None
        }
    }
}

fn text(url: &Url, port: u16, password: &str) -> String {
    let encoded: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
    format!("postgres://{}:{encoded}@{}:{port}/{}", url.user, url.host, url.database)
}

#[test]
fn stores_orders_and_finds_them_again() {
    let Some(url) = real() else { return };
    let function = with(text(&url, url.port, &url.password));
    until(200, || function.get("/readyz"));
    let stored = function.post("/api/orders", ORDER);
    assert_eq!(stored.status, 201, "{stored:?}");
    let id = stored.json()["id"].as_u64().unwrap();
    let found = function.get(&format!("/api/orders/{id}"));
    assert_eq!(found.status, 200);
    assert_eq!(found.json()["total_cents"], 300);
    assert_eq!(found.json()["items"][0]["sku"], "a");
    assert_eq!(function.get("/api/orders/9223372036854775807").status, 404);
    assert_eq!(function.get("/api/orders/9223372036854775808").status, 404);
    assert_eq!(function.get("/api/orders/x").status, 404);
}

#[test]
fn many_orders_at_once_share_the_sessions() {
    let Some(url) = real() else { return };
    let function = with(text(&url, url.port, &url.password));
    until(200, || function.get("/readyz"));
    let mut clients: Vec<_> = (0..40).map(|_| function.connect()).collect();
    let length = ORDER.len();
    let request = format!("POST /api/orders HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{ORDER}");
    clients.iter_mut().for_each(|client| client.send(request.repeat(5).as_bytes()));
    let mut ids: Vec<u64> = Vec::new();
    for client in &mut clients {
        ids.extend((0..5).map(|_| client.answer().json()["id"].as_u64().unwrap()));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200);
}

#[test]
fn a_wrong_password_is_told_but_not_shown() {
    let Some(url) = real() else { return };
    let mut function = with(text(&url, url.port, "hunter2"));
    let line = function.line("database_down").to_string();
    assert!(line.contains("28P01") && !line.contains("hunter2"), "{line}");
    assert_unavailable(&function.post("/api/orders", ORDER));
}

#[test]
fn comes_back_when_the_database_does() {
    let Some(url) = real() else { return };
    let wire = Wire::to(&url);
    let mut function = with(text(&url, wire.port, &url.password).replace(&url.host, "127.0.0.1"));
    until(200, || function.get("/readyz"));
    wire.cut();
    function.line("database_down");
    assert_unavailable(&function.get("/readyz"));
    assert_unavailable(&function.post("/api/orders", ORDER));
    wire.mend();
    until(201, || function.post("/api/orders", ORDER));
    assert_eq!(function.get("/readyz").status, 200);
}

/// A wire to the database that can be cut.
struct Wire {
    port: u16,
    state: Arc<Mutex<(bool, Vec<TcpStream>)>>,
}

impl Wire {
    fn to(url: &Url) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new((true, Vec::new())));
        let (shared, target) = (Arc::clone(&state), (url.host.clone(), url.port));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let mut state = shared.lock().unwrap();
                if !state.0 {
                    continue;
                }
                let far = TcpStream::connect((target.0.as_str(), target.1)).unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || pump(from, to));
                }
                state.1.extend([near, far]);
            }
        });
        Wire { port, state }
    }

    fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 = false;
        for stream in state.1.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.state.lock().unwrap().0 = true;
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
