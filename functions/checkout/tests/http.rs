//! The function as a process: HTTP, limits and timeouts.

mod support;

use support::{Client, Function, Settings};

const ORDER: &str = r#"{"items":[{"sku":"a","quantity":2,"unit_price_cents":150}]}"#;

fn started() -> Function {
    Function::start(&Settings::default())
}

#[test]
fn quotes_an_order_and_tells_its_config() {
    let function = started();
    let quote = function.post("/api/function", ORDER);
    assert_eq!((quote.status, quote.json()["total_cents"].as_u64()), (200, Some(300)));
    let told = function.get("/api/function").json();
    assert_eq!(told["name"], "checkout");
    assert_eq!(told["config"]["function"]["max_concurrent_requests"], 100);
    assert_eq!(told["config"]["rate_limit"]["burst_size"], 200);
}

#[test]
fn answers_each_wrong_request_with_its_own_status() {
    let function = started();
    let bad = function.post("/api/function", "{}");
    assert_eq!(bad.status, 400);
    assert!(bad.json()["error"].as_str().unwrap().contains("missing field `items`"));
    assert_eq!(function.get("/").status, 404);
    assert_eq!(function.get("/api/functions").status, 404);
    assert_eq!(function.get("/api/function?work=no").status, 400);
    assert_eq!(function.get("/api/function?work=1000001").status, 400);
    assert_eq!(function.post("/api/orders", ORDER).status, 404, "without a database");
    assert_eq!(function.get("/api/orders/1").status, 404, "without a database");
    let method = function.post("/healthz", "");
    assert_eq!((method.status, method.field("Allow")), (405, Some("GET, HEAD")));
    for (request, status) in [
        ("garbage\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505),
        ("POST /api/function HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n", 413),
        ("POST /api/function HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n", 413),
    ] {
        let mut client = function.connect();
        client.send(request.as_bytes());
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (status, true), "{request:?}");
        assert!(client.is_closed());
    }
}

#[test]
fn refuses_a_head_above_16_kib_though_the_client_still_sends() {
    let function = started();
    let mut client = function.connect();
    let field = "X: ".to_owned() + &"y".repeat(40_000);
    client.send(format!("GET / HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n").as_bytes());
    assert_eq!(client.answer().status, 431);
    assert!(client.is_closed());
}

#[test]
fn keeps_a_connection_as_the_version_and_the_client_say() {
    let function = started();
    let mut client = function.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/healthz").status, 200);
    }
    client.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert!(client.answer().closes());
    assert!(client.is_closed());

    let mut old = function.connect();
    old.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(old.answer().field("Connection"), Some("keep-alive"));
    old.send(b"GET /healthz HTTP/1.0\r\n\r\n");
    assert!(old.answer().closes());
    assert!(old.is_closed());
}

#[test]
fn answers_pipelined_requests_in_their_order() {
    let function = started();
    let mut client = function.connect();
    let paths = ["/healthz", "/api/function?delay=50", "/nothing", "/readyz"];
    let requests = paths.map(|path| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    client.send(requests.concat().as_bytes());
    assert_eq!(paths.map(|_| client.answer().status), [200, 200, 404, 200]);
}

#[test]
fn answers_thousands_of_pipelined_requests_to_a_client_that_reads_late() {
    let function = started();
    let mut client = function.connect();
    let mut writer = function.connect();
    std::mem::swap(&mut client, &mut writer);
    let request = "GET /api/function HTTP/1.1\r\nHost: h\r\n\r\n";
    // More answers than the sockets between hold, so that the function has to wait for room.
    let sent = request.repeat(5_000);
    client.send(&sent.as_bytes()[..sent.len() / 2]);
    assert_eq!(writer.get("/healthz").status, 200, "others are served meanwhile");
    client.send(&sent.as_bytes()[sent.len() / 2..]);
    for number in 0..5_000 {
        assert_eq!(client.answer().status, 200, "answer {number}");
    }
}

#[test]
fn reads_bodies_of_every_framing_up_to_their_limit() {
    let function = started();
    let mut client = function.connect();
    let (start, end) = ORDER.split_at(20);
    let chunks = format!("{:x}\r\n{start}\r\n{:X};ext=1\r\n{end}\r\n0\r\nTrailer: x\r\n\r\n", start.len(), end.len());
    for byte in format!("POST /api/function HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}").bytes()
    {
        client.send(&[byte]);
    }
    assert_eq!(client.answer().json()["total_cents"], 300);

    let padded = ORDER.to_owned() + &" ".repeat(1024 * 1024 - ORDER.len());
    assert_eq!(function.post("/api/function", &padded).json()["total_cents"], 300);
}

#[test]
fn gives_back_the_memory_of_large_bodies() {
    let function = started();
    let padded = ORDER.to_owned() + &" ".repeat(1024 * 1024 - ORDER.len());
    for _ in 0..40 {
        assert_eq!(function.post("/api/function", &padded).status, 200);
    }
}

#[test]
fn refuses_bodies_that_together_need_too_much_memory() {
    let function = started();
    let mut clients: Vec<Client> = (0..30).map(|_| function.connect()).collect();
    for client in &mut clients {
        client.send(b"POST /api/function HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
        // Refused ones may be closed while this is written.
        client.send_what_goes(&[b' '; 999_999]);
    }
    let refused = (0..10_000).find_map(|_| {
        assert_eq!(function.get("/healthz").status, 200);
        clients.iter_mut().find_map(Client::answer_that_is_there)
    });
    let refused = refused.expect("30 MB are more than is held");
    assert_eq!((refused.status, refused.field("Retry-After")), (503, Some("1")));
    drop(clients);
    let padded = ORDER.to_owned() + &" ".repeat(1_000_000);
    assert_eq!(function.post("/api/function", &padded).status, 200);
}

#[test]
fn tells_a_client_that_asks_to_go_on() {
    let function = started();
    let mut client = function.connect();
    let length = ORDER.len();
    let head =
        format!("POST /api/function HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
    client.send(head.as_bytes());
    assert_eq!(client.answer_without_body().status, 100);
    client.send(ORDER.as_bytes());
    assert_eq!(client.answer().status, 200);
}

#[test]
fn answers_head_without_a_body() {
    let function = started();
    let mut client = function.connect();
    client.send(b"HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.answer_without_body().field("Content-Length"), Some("18"));
    assert_eq!(client.get("/healthz").status, 200);
}

#[test]
fn holds_requests_open_without_blocking_others() {
    let function = started();
    let mut held: Vec<Client> = (0..50).map(|_| function.connect()).collect();
    held.iter_mut().for_each(|client| client.ask("/api/function?delay=300"));
    assert_eq!(function.get("/api/function?work=1000").status, 200);
    assert!(held.iter_mut().all(|client| client.answer().status == 200));
}

#[test]
fn refuses_requests_above_the_limit_but_never_probes() {
    let function = Function::start(&Settings { max_concurrent: 1, ..Settings::default() });
    let mut held = function.connect();
    held.ask("/api/function?delay=1500");
    let mut other = function.connect();
    let refused = loop {
        let answer = other.get("/api/function");
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!((refused.status, refused.field("Retry-After")), (503, Some("1")));
    assert_eq!((function.get("/healthz").status, function.get("/readyz").status), (200, 200));
    assert_eq!(held.answer().status, 200);
    assert_eq!(other.get("/api/function").status, 200);
}

#[test]
fn makes_room_for_new_connections_by_ending_idle_ones() {
    let function = Function::start(&Settings { max_concurrent: 1, ..Settings::default() });
    let mut idle: Vec<Client> = (0..200).map(|_| function.connect()).collect();
    assert_eq!(idle[199].get("/healthz").status, 200);
    assert_eq!(function.get("/healthz").status, 200);
    assert!(idle[0].is_closed());
}

#[test]
fn a_request_above_its_time_is_answered_504() {
    let function = Function::start(&Settings { request_timeout: "200ms", ..Settings::default() });
    let mut client = function.connect();
    assert_eq!(client.get("/api/function?delay=10000").status, 504);
    assert_eq!(client.get("/healthz").status, 200);
}

#[test]
fn ends_silent_connections_and_answers_unfinished_requests_408() {
    let settings = Settings { timeout: "300ms", request_timeout: "300ms", ..Settings::default() };
    let function = Function::start(&settings);
    assert!(function.connect().is_closed());
    for unfinished in ["GET / HT", "POST /api/function HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf"] {
        let mut client = function.connect();
        client.send(unfinished.as_bytes());
        assert_eq!(client.answer().status, 408, "{unfinished:?}");
        assert!(client.is_closed());
    }
    let mut used = function.connect();
    assert_eq!(used.get("/healthz").status, 200);
    assert!(used.is_closed());
}
