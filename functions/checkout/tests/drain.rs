//! The function as a process: how it leaves.

mod support;

use std::net::TcpStream;
use support::{Client, Function, Settings};

#[test]
fn serves_on_then_finishes_then_answers_the_hook_and_exits() {
    let mut function = Function::start(&Settings { propagation: "700ms", ..Settings::default() });
    let mut idle = function.connect();
    assert_eq!(idle.get("/readyz").status, 200);
    let mut held = function.connect();
    held.ask("/api/function?delay=2000");

    let mut hook = Client::connect(function.drain_port);
    hook.ask("/drain");
    function.line("drain_started");
    let unready = function.get("/readyz");
    assert_eq!((unready.status, unready.closes()), (503, false));
    let served = idle.get("/api/function");
    assert_eq!((served.status, served.closes()), (200, false), "served as ever during propagation");
    let mut second_hook = Client::connect(function.drain_port);
    second_hook.send(b"POST /drain HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");

    function.line("stopped_accepting");
    assert!(idle.is_closed());
    assert!(TcpStream::connect(("127.0.0.1", function.port)).is_err(), "nothing listens any more");
    let last = held.answer();
    assert_eq!((last.status, last.closes()), (200, true));
    drop(held);
    let log = function.line("drained");
    assert_eq!(log["unfinished"], 0);
    assert_eq!(hook.answer().status, 200);
    assert_eq!(second_hook.answer().status, 200);
    assert_eq!(function.exit().code(), Some(0));
}

#[test]
fn gives_up_on_requests_that_never_end() {
    let settings = Settings { request_timeout: "300ms", ..Settings::default() };
    let mut function = Function::start(&settings);
    let mut stuck = function.connect();
    stuck.send(b"POST /api/function HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
    assert_eq!(function.get("/healthz").status, 200);
    assert_eq!(Client::connect(function.drain_port).get("/drain").status, 200);
    assert_eq!(function.exit().code(), Some(0));
}

#[test]
fn drains_by_its_own_path_and_methods_alone() {
    let function = Function::start(&Settings::default());
    let mut hook = Client::connect(function.drain_port);
    assert_eq!(hook.get("/api/function").status, 404);
    hook.send(b"DELETE /drain HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(hook.answer().field("Allow"), Some("GET, POST"));
    assert_eq!(function.get("/drain").status, 404, "clients cannot drain");
    assert_eq!(function.get("/readyz").status, 200);
}
