//! Responses, written straight into the buffer that is sent.

use crate::head::Method;
use crate::reader::Request;

pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// For requests that may come again soon.
pub const RETRY_AFTER: &str = "Retry-After: 1\r\n";

/// What of a request decides how its response is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    pub http10: bool,
    pub keep_alive: bool,
    pub without_body: bool,
}

impl Framing {
    /// Of the answer to what cannot be read.
    pub const LAST: Framing = Framing { http10: false, keep_alive: false, without_body: false };

    pub fn of(request: &Request<'_>) -> Self {
        Framing { http10: request.http10, keep_alive: request.keep_alive, without_body: request.method == Method::Head }
    }
}

/// Writes a response of JSON; `fields` are whole lines.
pub fn write(out: &mut Vec<u8>, status: u16, fields: &str, body: &[u8], date: &str, framing: Framing) {
    out.extend_from_slice(status_line(status).as_bytes());
    out.extend_from_slice(b"Content-Type: application/json\r\nDate: ");
    out.extend_from_slice(date.as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(fields.as_bytes());
    if !framing.keep_alive {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if framing.http10 {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"Content-Length: ");
    decimal(out, body.len());
    out.extend_from_slice(b"\r\n\r\n");
    if !framing.without_body {
        out.extend_from_slice(body);
    }
}

/// `{"error":"…"}`
pub fn error(body: &mut Vec<u8>, message: &str) {
    body.extend_from_slice(b"{\"error\":");
    // Writing a text to memory does not fail.
    let _ = serde_json::to_writer(&mut *body, message);
    body.push(b'}');
}

fn decimal(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn status_line(status: u16) -> &'static str {
    match status {
        200 => "HTTP/1.1 200 OK\r\n",
        201 => "HTTP/1.1 201 Created\r\n",
        400 => "HTTP/1.1 400 Bad Request\r\n",
        404 => "HTTP/1.1 404 Not Found\r\n",
        405 => "HTTP/1.1 405 Method Not Allowed\r\n",
        408 => "HTTP/1.1 408 Request Timeout\r\n",
        413 => "HTTP/1.1 413 Content Too Large\r\n",
        417 => "HTTP/1.1 417 Expectation Failed\r\n",
        431 => "HTTP/1.1 431 Request Header Fields Too Large\r\n",
        501 => "HTTP/1.1 501 Not Implemented\r\n",
        503 => "HTTP/1.1 503 Service Unavailable\r\n",
        504 => "HTTP/1.1 504 Gateway Timeout\r\n",
        505 => "HTTP/1.1 505 HTTP Version Not Supported\r\n",
        _ => "HTTP/1.1 500 Internal Server Error\r\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(framing: Framing) -> String {
        let mut out = Vec::new();
        write(&mut out, 405, "Allow: GET\r\n", b"{}", "now", framing);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn frames_as_the_request_asked() {
        let keep = Framing { keep_alive: true, ..Framing::LAST };
        assert_eq!(
            written(keep),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nDate: now\r\n\
             Allow: GET\r\nContent-Length: 2\r\n\r\n{}"
        );
        assert!(written(Framing::LAST).contains("\r\nConnection: close\r\n"));
        assert!(written(Framing { http10: true, ..keep }).contains("\r\nConnection: keep-alive\r\n"));
        let head = written(Framing { without_body: true, ..keep });
        assert!(head.ends_with("Content-Length: 2\r\n\r\n"), "{head}");
    }

    #[test]
    fn each_status_that_is_answered_has_a_line_of_its_own() {
        for status in [200, 201, 400, 404, 405, 408, 413, 417, 431, 500, 501, 503, 504, 505] {
            assert!(status_line(status).starts_with(&format!("HTTP/1.1 {status} ")));
        }
    }

    #[test]
    fn an_error_is_json_whatever_it_says() {
        let mut body = Vec::new();
        error(&mut body, "a \"quoted\"\nline");
        assert_eq!(body, br#"{"error":"a \"quoted\"\nline"}"#);
    }
}
