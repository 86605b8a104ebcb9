//! Requests out of a stream of bytes that arrives in any pieces: the pieces make no difference to what is read.

use crate::head::{self, reject, Framing, Head, Method, Reject, MAX_BODY, MAX_HEAD};
use std::ops::Range;

/// Bytes of a chunk's size line, and of all trailer fields.
const MAX_CHUNK_LINE: usize = 256;
const MAX_TRAILER: usize = 8 * 1024;

/// How much is asked of the socket at once.
const READ: usize = 16 * 1024;

/// A buffer beyond this is given back when its request is done.
const KEPT: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub method: Method,
    pub path: &'a str,
    pub query: &'a str,
    pub body: &'a [u8],
    pub http10: bool,
    pub keep_alive: bool,
}

#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Where bytes end that came in; what lies behind is room to read into.
    filled: usize,
    /// Where the current request begins.
    start: usize,
    /// Up to where the end of the head was looked for.
    scanned: usize,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Head,
    Body {
        head: Head,
        decoder: Decoder,
        continued: bool,
    },
    Complete {
        head: Head,
        body: Range<usize>,
        end: usize,
    },
}

impl Reader {
    /// Room for what the socket has.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start > 0 && matches!(self.stage, Stage::Head) {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.scanned -= self.start;
            self.start = 0;
        }
        let wanted = self.filled + READ / 4;
        if self.buffer.len() < wanted {
            // Zeroed once: buffers are kept. A large body doubles its buffer rather than growing by pieces.
            let size = (self.filled + READ).max(self.buffer.len() * 2);
            self.buffer.resize(size.min(MAX_HEAD + MAX_BODY + MAX_TRAILER + READ).max(wanted), 0);
        }
        &mut self.buffer[self.filled..]
    }

    /// Says how much of the room was filled.
    pub fn filled(&mut self, count: usize) {
        self.filled += count;
    }

    /// Whether nothing of a request has arrived.
    pub fn is_empty(&self) -> bool {
        self.filled == self.start && matches!(self.stage, Stage::Head)
    }

    /// Whether a head is complete whose body is not.
    pub fn awaits_body(&self) -> bool {
        matches!(self.stage, Stage::Body { .. })
    }

    /// Memory that this holds.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes over a buffer that another has given back; only while this holds none.
    pub fn adopt(&mut self, buffer: Vec<u8>) {
        if self.buffer.is_empty() {
            self.buffer = buffer;
        }
    }

    /// Gives the buffer back while nothing is in it: connections that are only open hold no memory.
    pub fn release(&mut self) -> Option<Vec<u8>> {
        if !self.is_empty() || self.buffer.is_empty() {
            return None;
        }
        (self.start, self.filled, self.scanned) = (0, 0, 0);
        Some(std::mem::take(&mut self.buffer))
    }

    /// Reads on; true when `request` has one.
    pub fn advance(&mut self) -> Result<bool, Reject> {
        if matches!(self.stage, Stage::Head) && !self.head()? {
            return Ok(false);
        }
        let Stage::Body { head, decoder, .. } = &mut self.stage else {
            return Ok(true);
        };
        let done = decoder.decode(&mut self.buffer, &mut self.filled)?;
        if let Some((body, end)) = done {
            let head = head.clone();
            self.stage = Stage::Complete { head, body, end };
        }
        Ok(matches!(self.stage, Stage::Complete { .. }))
    }

    /// Whether the client waits to be told to go on; true once for a request.
    pub fn take_continue(&mut self) -> bool {
        match &mut self.stage {
            Stage::Body { head, decoder, continued }
                if head.expects_continue && !*continued && decoder.body.start == self.filled =>
            {
                *continued = true;
                true
            }
            _ => false,
        }
    }

    /// The request that `advance` found.
    pub fn request(&self) -> Option<Request<'_>> {
        let Stage::Complete { head, body, .. } = &self.stage else {
            return None;
        };
        // The head's parser lets ASCII alone through.
        let text = |range: &Range<usize>| std::str::from_utf8(&self.buffer[range.clone()]).unwrap_or("");
        Some(Request {
            method: head.method,
            path: text(&head.path),
            query: text(&head.query),
            body: &self.buffer[body.clone()],
            http10: head.http10,
            keep_alive: head.keep_alive,
        })
    }

    /// Drops the request, so that the next can be read.
    pub fn consume(&mut self) {
        if let Stage::Complete { end, .. } = self.stage {
            self.start = end;
            self.stage = Stage::Head;
        }
        if self.start == self.filled {
            self.start = 0;
            self.filled = 0;
            if self.buffer.len() > KEPT {
                self.buffer = Vec::new();
            }
        }
        self.scanned = self.start;
    }

    /// Reads the head; false when it is not all there.
    fn head(&mut self) -> Result<bool, Reject> {
        // Some clients end a body with an empty line too many.
        while self.buffer[self.start..self.filled].starts_with(b"\r\n") {
            self.start += 2;
        }
        self.scanned = self.scanned.max(self.start);
        let limit = self.filled.min(self.start + MAX_HEAD);
        let end = loop {
            match memchr::memchr(b'\n', &self.buffer[self.scanned..limit]) {
                Some(offset) => {
                    let newline = self.scanned + offset;
                    self.scanned = newline + 1;
                    if self.buffer[self.start..newline].ends_with(b"\r\n\r") {
                        break newline + 1;
                    }
                }
                None if limit == self.start + MAX_HEAD => {
                    return Err(reject(431, "the head is above 16 KiB"));
                }
                None => {
                    self.scanned = limit;
                    return Ok(false);
                }
            }
        };
        let head = head::parse(&self.buffer[self.start..end], self.start)?;
        self.stage = match head.framing {
            Framing::Length(0) => Stage::Complete { head, body: end..end, end },
            Framing::Length(_) | Framing::Chunked => {
                Stage::Body { decoder: Decoder::new(end, head.framing), head, continued: false }
            }
        };
        Ok(true)
    }
}

/// Gathers a body behind its head; chunks are moved together where they lie.
#[derive(Debug)]
struct Decoder {
    body: Range<usize>,
    /// Where what is not yet decoded begins.
    raw: usize,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Length(usize),
    ChunkSize,
    ChunkData(usize),
    ChunkEnd,
    Trailer(usize),
}

impl Decoder {
    fn new(at: usize, framing: Framing) -> Self {
        let phase = match framing {
            Framing::Length(length) => Phase::Length(length),
            Framing::Chunked => Phase::ChunkSize,
        };
        Decoder { body: at..at, raw: at, phase }
    }

    /// The body and where its request ends, once all is there.
    fn decode(&mut self, buffer: &mut [u8], filled: &mut usize) -> Result<Option<(Range<usize>, usize)>, Reject> {
        loop {
            let rest = &buffer[self.raw..*filled];
            match self.phase {
                Phase::Length(length) => {
                    let end = self.body.start + length;
                    let complete = *filled >= end;
                    self.raw = end.min(*filled);
                    return Ok(complete.then_some((self.body.start..end, end)));
                }
                Phase::ChunkSize => {
                    let Some(line) = line(rest, MAX_CHUNK_LINE, reject(400, "a chunk's size is malformed"))? else {
                        break;
                    };
                    let size = chunk_size(line)?;
                    if self.body.len() + size > MAX_BODY {
                        return Err(reject(413, "the body is above 1 MiB"));
                    }
                    self.raw += line.len() + 2;
                    self.phase = if size == 0 { Phase::Trailer(MAX_TRAILER) } else { Phase::ChunkData(size) };
                }
                Phase::ChunkData(left) => {
                    let count = left.min(rest.len());
                    if count == 0 {
                        break;
                    }
                    buffer.copy_within(self.raw..self.raw + count, self.body.end);
                    self.body.end += count;
                    self.raw += count;
                    self.phase = if count == left { Phase::ChunkEnd } else { Phase::ChunkData(left - count) };
                }
                Phase::ChunkEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        self.raw += 2;
                        self.phase = Phase::ChunkSize;
                    }
                    [] | [b'\r'] => break,
                    _ => return Err(reject(400, "a chunk is longer than it says")),
                },
                Phase::Trailer(left) => {
                    let Some(line) = line(rest, left, reject(431, "the trailer is above 8 KiB"))? else {
                        break;
                    };
                    self.raw += line.len() + 2;
                    if line.is_empty() {
                        return Ok(Some((self.body.clone(), self.raw)));
                    }
                    self.phase = Phase::Trailer(left.saturating_sub(line.len() + 2));
                }
            }
        }
        // What framing takes up is given back, so that no framing fills the memory.
        buffer.copy_within(self.raw..*filled, self.body.end);
        *filled -= self.raw - self.body.end;
        self.raw = self.body.end;
        Ok(None)
    }
}

/// The line that the bytes begin with, without its end; none when it is not all there. Above `limit` bytes it is `over`.
fn line(bytes: &[u8], limit: usize, over: Reject) -> Result<Option<&[u8]>, Reject> {
    let seen = &bytes[..bytes.len().min(limit + 2)];
    match memchr::memchr(b'\n', seen) {
        Some(end) => match seen[..end].strip_suffix(b"\r") {
            Some(line) => Ok(Some(line)),
            None => Err(reject(400, "a line ends without CR")),
        },
        None if seen.len() == limit + 2 => Err(over),
        None => Ok(None),
    }
}

/// Extensions of a chunk are read over.
fn chunk_size(line: &[u8]) -> Result<usize, Reject> {
    let malformed = reject(400, "a chunk's size is malformed");
    let end = memchr::memchr(b';', line).unwrap_or(line.len());
    let digits = line[..end].trim_ascii_end();
    if digits.is_empty() || digits.len() > 16 || line.iter().any(u8::is_ascii_control) {
        return Err(malformed);
    }
    digits.iter().try_fold(0usize, |size, &digit| {
        let value = char::from(digit).to_digit(16).ok_or(malformed)?;
        // Far above the limit is as good as the size itself.
        Ok(size.saturating_mul(16).saturating_add(value as usize).min(MAX_BODY + 1))
    })
}
