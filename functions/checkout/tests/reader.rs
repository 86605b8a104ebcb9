//! Properties of the request parser: any bytes, in any pieces.

use checkout::head::{Method, Reject, MAX_BODY, MAX_HEAD};
use checkout::reader::Reader;
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq)]
struct Read {
    method: Method,
    path: String,
    query: String,
    body: Vec<u8>,
    keep_alive: bool,
}

/// What is read when the bytes arrive in pieces of these sizes, over and over.
fn read(bytes: &[u8], pieces: &[usize]) -> (Vec<Read>, Option<Reject>) {
    let mut reader = Reader::default();
    let mut requests = Vec::new();
    let mut rest = bytes;
    let mut sizes = pieces.iter().copied().cycle();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(1).clamp(1, rest.len());
        let room = reader.room();
        let size = size.min(room.len());
        room[..size].copy_from_slice(&rest[..size]);
        reader.filled(size);
        rest = &rest[size..];
        loop {
            match reader.advance() {
                Ok(true) => {
                    let request = reader.request().expect("announced");
                    requests.push(Read {
                        method: request.method,
                        path: request.path.to_owned(),
                        query: request.query.to_owned(),
                        body: request.body.to_vec(),
                        keep_alive: request.keep_alive,
                    });
                    reader.consume();
                }
                Ok(false) => break,
                Err(reject) => return (requests, Some(reject)),
            }
        }
        reader.take_continue();
        assert!(reader.held() <= MAX_HEAD + MAX_BODY + 64 * 1024);
    }
    (requests, None)
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1usize..4, 1usize..200, 1usize..20_000], 1..6)
}

/// A request and its bytes.
fn request() -> impl Strategy<Value = (Read, Vec<u8>)> {
    let path = "/[a-zA-Z0-9/._~%-]{0,40}";
    let query = prop_oneof![Just(String::new()), "[a-z0-9=&?]{1,20}"];
    let fields = prop::collection::vec(("X-[A-Za-z0-9-]{1,10}", "[ -~]{0,30}"), 0..5);
    let body = prop::collection::vec(any::<u8>(), 0..300);
    let chunks = prop::option::of(prop::collection::vec(1usize..50, 1..5));
    (path, query, fields, body, chunks, any::<bool>()).prop_map(|(path, query, fields, body, chunks, keep_alive)| {
        let mark = if query.is_empty() { "" } else { "?" };
        let mut bytes = format!("POST {path}{mark}{query} HTTP/1.1\r\nhOST: h\r\n").into_bytes();
        for (name, value) in fields {
            bytes.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
        }
        if !keep_alive {
            bytes.extend_from_slice(b"Connection: close\r\n");
        }
        match chunks {
            None => {
                bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(&body);
            }
            Some(sizes) => {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                let (mut rest, mut sizes) = (body.as_slice(), sizes.into_iter().cycle());
                while !rest.is_empty() {
                    let (chunk, tail) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
                    bytes.extend_from_slice(format!("{:X};a=\"b\"\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                    rest = tail;
                }
                bytes.extend_from_slice(b"0\r\nTrailer: t\r\n\r\n");
            }
        }
        (Read { method: Method::Post, path, query, body, keep_alive }, bytes)
    })
}

/// Bytes that look like requests often enough to get far.
fn nearly_requests() -> impl Strategy<Value = Vec<u8>> {
    let tokens: Vec<&'static [u8]> = vec![
        b"GET ",
        b"POST ",
        b"/",
        b"/a?b",
        b" HTTP/1.1",
        b" HTTP/1.0",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"Host: h\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"0\r\n",
        b"fffffffffffffffff\r\n",
        b"Expect: 100-continue\r\n",
        b":",
        b" ",
        b"\0",
        b"hello",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(tokens).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..10),
        1 => (any::<u8>(), 0usize..18_000).prop_map(|(byte, count)| vec![byte; count]),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_read_the_same_in_any_pieces(bytes in prop::collection::vec(any::<u8>(), 0..2000), pieces in pieces()) {
        prop_assert_eq!(read(&bytes, &pieces), read(&bytes, &[usize::MAX]));
    }

    #[test]
    fn near_requests_read_the_same_in_any_pieces(bytes in nearly_requests(), pieces in pieces()) {
        prop_assert_eq!(read(&bytes, &pieces), read(&bytes, &[usize::MAX]));
    }

    #[test]
    fn requests_are_read_as_they_were_written(
        requests in prop::collection::vec(request(), 1..5),
        pieces in pieces(),
    ) {
        let (written, bytes): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        prop_assert_eq!(read(&bytes.concat(), &pieces), (written, None));
    }
}
