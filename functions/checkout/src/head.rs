//! The head of an HTTP/1 request: pure, and strict where gateways and servers must read the same.

use std::ops::Range;

/// Bytes of request line and fields together.
pub const MAX_HEAD: usize = 16 * 1024;
/// Bytes of a body.
pub const MAX_BODY: usize = 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
}

/// Texts are ranges of the buffer that the head was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub method: Method,
    pub path: Range<usize>,
    pub query: Range<usize>,
    pub framing: Framing,
    pub http10: bool,
    pub keep_alive: bool,
    pub expects_continue: bool,
}

/// Why a request cannot be read. Its connection ends with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reject {
    pub status: u16,
    pub reason: &'static str,
}

pub const fn reject(status: u16, reason: &'static str) -> Reject {
    Reject { status, reason }
}

/// Reads a head that ends with an empty line; `base` is where it begins in its buffer.
pub fn parse(bytes: &[u8], base: usize) -> Result<Head, Reject> {
    let mut lines = Lines { bytes, at: 0 };
    let (line, at) = lines.next()?.ok_or(reject(400, "the request line is empty"))?;
    let (method, target, http10) = request_line(line)?;
    let (path, query) = target_ranges(line, target, base + at)?;

    let mut fields = Fields::default();
    while let Some((line, _)) = lines.next()? {
        fields.take(line)?;
    }
    if http10 {
        if fields.chunked {
            return Err(reject(400, "HTTP/1.0 knows no Transfer-Encoding"));
        }
    } else if fields.hosts != 1 {
        return Err(reject(400, "HTTP/1.1 needs exactly one Host field"));
    }
    let framing = match (fields.chunked, fields.length) {
        (true, Some(_)) => {
            return Err(reject(400, "has both Content-Length and Transfer-Encoding"));
        }
        (true, None) => Framing::Chunked,
        (false, length) => Framing::Length(length.unwrap_or(0)),
    };
    if matches!(framing, Framing::Length(length) if length > MAX_BODY) {
        return Err(reject(413, "the body is above 1 MiB"));
    }
    Ok(Head {
        method,
        path,
        query,
        framing,
        http10,
        keep_alive: !fields.close && (!http10 || fields.keep_alive),
        expects_continue: fields.expects_continue && !http10,
    })
}

struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    /// The next line without its end, and where it begins; none at the empty line.
    fn next(&mut self) -> Result<Option<(&'a [u8], usize)>, Reject> {
        let rest = &self.bytes[self.at..];
        let end = memchr::memchr(b'\n', rest).ok_or(reject(400, "a line has no end"))?;
        let line = rest[..end].strip_suffix(b"\r").ok_or(reject(400, "a line ends without CR"))?;
        let at = self.at;
        self.at += end + 1;
        Ok((!line.is_empty()).then_some((line, at)))
    }
}

fn request_line(line: &[u8]) -> Result<(Method, Range<usize>, bool), Reject> {
    let malformed = reject(400, "the request line is not `METHOD /path HTTP/1.1`");
    let method_end = memchr::memchr(b' ', line).ok_or(malformed)?;
    let target_end = memchr::memrchr(b' ', line).ok_or(malformed)?;
    if method_end == 0 || target_end <= method_end + 1 {
        return Err(malformed);
    }
    let method = match &line[..method_end] {
        b"GET" => Method::Get,
        b"POST" => Method::Post,
        b"HEAD" => Method::Head,
        other if other.iter().all(|&byte| is_token(byte)) => Method::Other,
        _ => return Err(malformed),
    };
    let http10 = match &line[target_end + 1..] {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Err(reject(505, "speaks HTTP/1.0 and HTTP/1.1 alone"));
        }
        _ => return Err(malformed),
    };
    Ok((method, method_end + 1..target_end, http10))
}

/// Path and query of a target; of `http://host/path` the part after the host.
fn target_ranges(line: &[u8], target: Range<usize>, base: usize) -> Result<(Range<usize>, Range<usize>), Reject> {
    let text = &line[target.clone()];
    let malformed = reject(400, "the target is no path of printable ASCII");
    if !text.iter().all(|&byte| (b'!'..=b'~').contains(&byte) && byte != b'#') {
        return Err(malformed);
    }
    let skip = match text {
        [b'/', ..] | b"*" => 0,
        _ => {
            let scheme = if text.len() >= 8 && text[..8].eq_ignore_ascii_case(b"https://") {
                8
            } else if text.len() >= 7 && text[..7].eq_ignore_ascii_case(b"http://") {
                7
            } else {
                return Err(malformed);
            };
            scheme + memchr::memchr(b'/', &text[scheme..]).ok_or(malformed)?
        }
    };
    let start = base + target.start + skip;
    let end = base + target.end;
    Ok(match memchr::memchr(b'?', &text[skip..]) {
        Some(mark) => (start..start + mark, start + mark + 1..end),
        None => (start..end, end..end),
    })
}

#[derive(Default)]
struct Fields {
    hosts: u32,
    length: Option<usize>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

impl Fields {
    fn take(&mut self, line: &[u8]) -> Result<(), Reject> {
        let colon = memchr::memchr(b':', line).ok_or(reject(400, "a field has no colon"))?;
        let name = &line[..colon];
        if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
            return Err(reject(400, "a field's name is malformed"));
        }
        let value = line[colon + 1..].trim_ascii();
        if !value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)) {
            return Err(reject(400, "a field's value has control characters"));
        }
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        match name.len() {
            4 if is(b"host") => self.hosts += 1,
            6 if is(b"expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(reject(417, "expects something else than 100-continue"));
                }
                self.expects_continue = true;
            }
            10 if is(b"connection") => {
                for option in value.split(|&byte| byte == b',') {
                    let option = option.trim_ascii();
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if is(b"content-length") => {
                if self.length.is_some() {
                    return Err(reject(400, "has more than one Content-Length"));
                }
                self.length = Some(content_length(value)?);
            }
            17 if is(b"transfer-encoding") => {
                if self.chunked {
                    return Err(reject(400, "has more than one Transfer-Encoding"));
                }
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(reject(501, "knows no Transfer-Encoding but chunked"));
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }
}

fn content_length(value: &[u8]) -> Result<usize, Reject> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(reject(400, "Content-Length is no number"));
    }
    // What does not fit is above every limit too.
    let add = |sum: usize, digit: &u8| sum.checked_mul(10)?.checked_add(usize::from(digit - b'0'));
    Ok(value.iter().try_fold(0, add).unwrap_or(usize::MAX))
}

const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let marks = b"!#$%&'*+-.^_`|~";
    let mut index = 0;
    while index < marks.len() {
        table[marks[index] as usize] = true;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head, u16> {
        parse(text.as_bytes(), 0).map_err(|reject| reject.status)
    }

    #[test]
    fn reads_method_path_query_and_framing() {
        let text = "POST /a/b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n";
        let head = head(text).unwrap();
        assert_eq!(head.method, Method::Post);
        assert_eq!(&text[head.path], "/a/b");
        assert_eq!(&text[head.query], "x=1");
        assert_eq!(head.framing, Framing::Length(12));
        assert!(head.keep_alive && !head.http10 && !head.expects_continue);
    }

    #[test]
    fn takes_the_path_out_of_an_absolute_target() {
        let text = "GET HTTP://shop.example/a?b HTTP/1.1\r\nHost: h\r\n\r\n";
        let head = head(text).unwrap();
        assert_eq!((&text[head.path], &text[head.query]), ("/a", "b"));
    }

    #[test]
    fn a_connection_lives_on_as_the_version_and_the_client_say() {
        for (version, field, keeps) in [
            ("1.1", "X: y", true),
            ("1.1", "Connection: close", false),
            ("1.1", "connection: Upgrade, CLOSE", false),
            ("1.0", "X: y", false),
            ("1.0", "Connection: Keep-Alive", true),
        ] {
            let text = format!("GET / HTTP/{version}\r\nHost: h\r\n{field}\r\n\r\n");
            assert_eq!(head(&text).unwrap().keep_alive, keeps, "{text}");
        }
    }

    #[test]
    fn refuses_what_two_parties_could_read_differently() {
        for (fields, status) in [
            ("Content-Length: 1\r\nContent-Length: 1", 400),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked", 400),
            ("Content-Length: +1", 400),
            ("Content-Length: 1, 1", 400),
            ("Content-Length: ", 400),
            ("Content-Length: 1048577", 413),
            ("Content-Length: 99999999999999999999999999", 413),
            ("Transfer-Encoding: gzip, chunked", 501),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
            ("Expect: tea", 417),
            ("A : b", 400),
            (": b", 400),
            ("A: b\r\n folded", 400),
            ("A: b\nB: c", 400),
            ("A: \0", 400),
            ("Host: other", 400),
        ] {
            let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
            assert_eq!(head(&text), Err(status), "{fields:?}");
        }
    }

    #[test]
    fn refuses_malformed_request_lines() {
        for (line, status) in [
            ("GET / HTTP/2.0", 505),
            ("GET / HTTP/1.10", 400),
            ("GET / http/1.1", 400),
            ("GET /", 400),
            ("GET  HTTP/1.1", 400),
            (" / HTTP/1.1", 400),
            ("GET /a b HTTP/1.1", 400),
            ("GET /a#b HTTP/1.1", 400),
            ("GET a HTTP/1.1", 400),
            ("GET http://host HTTP/1.1", 400),
            ("G(T / HTTP/1.1", 400),
            ("GET /\u{e9} HTTP/1.1", 400),
        ] {
            assert_eq!(head(&format!("{line}\r\nHost: h\r\n\r\n")), Err(status), "{line:?}");
        }
        assert_eq!(head("GET / HTTP/1.1\r\n\r\n"), Err(400), "without a Host");
    }
}
