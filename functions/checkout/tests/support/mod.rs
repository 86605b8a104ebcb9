//! Starts the function as a process and speaks HTTP with it, byte by byte where that matters.
//!
//! `CHECKOUT_COMMAND` names another program to start, with the config's path as its argument: the same tests then
//! prove the module under WasmEdge. `TMPDIR` says where the configs lie.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

/// Far longer than anything takes; only a hang waits for it.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Settings {
    pub timeout: &'static str,
    pub max_concurrent: u32,
    pub request_timeout: &'static str,
    pub propagation: &'static str,
    pub database_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { timeout: "20s", max_concurrent: 100, request_timeout: "20s", propagation: "0s", database_url: None }
    }
}

impl Settings {
    pub fn yaml(&self, folder: &std::path::Path) -> String {
        let Settings { timeout, max_concurrent, request_timeout, propagation, database_url } = self;
        let database = database_url.as_ref().map_or(String::new(), |url| {
            let file = folder.join("url");
            std::fs::write(&file, url).unwrap();
            format!("database:\n  url_file: \"{}\"\n", seen(&file))
        });
        format!(
            "server:\n  port: 0\n  host: \"127.0.0.1\"\n  timeout: \"{timeout}\"\n\
             function:\n  max_concurrent_requests: {max_concurrent}\n  request_timeout: \"{request_timeout}\"\n\
             rate_limit:\n  requests_per_second: 100\n  burst_size: 200\n\
             health:\n  liveness_path: \"/healthz\"\n  readiness_path: \"/readyz\"\n\
             drain:\n  path: \"/drain\"\n  port: 0\n  propagation: \"{propagation}\"\n{database}"
        )
    }
}

/// The path as the function sees it: under `CHECKOUT_ROOT`, where that is set, without it.
fn seen(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    match std::env::var("CHECKOUT_ROOT") {
        Ok(root) => text.strip_prefix(&root).unwrap_or(&text).to_owned(),
        Err(_) => text,
    }
}

pub fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("checkout-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The command that starts the function with this config.
pub fn command(config: &std::path::Path) -> Command {
    let program = std::env::var("CHECKOUT_COMMAND").unwrap_or_else(|_| env!("CARGO_BIN_EXE_checkout").to_owned());
    let mut command = Command::new(program);
    command.arg(seen(config)).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
    command
}

pub struct Function {
    child: Child,
    folder: PathBuf,
    lines: Receiver<String>,
    pub port: u16,
    pub drain_port: u16,
}

impl Function {
    pub fn start(settings: &Settings) -> Function {
        let folder = folder();
        let config = folder.join("config.yaml");
        std::fs::write(&config, settings.yaml(&folder)).unwrap();
        let mut child = command(&config).stderr(Stdio::inherit()).spawn().unwrap();
        let (send, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut function = Function { child, folder, lines, port: 0, drain_port: 0 };
        let started = function.line("started");
        let number = |key: &str| started[key].as_u64().unwrap() as u16;
        (function.port, function.drain_port) = (number("port"), number("drain_port"));
        function
    }

    /// Reads the log up to this event.
    pub fn line(&mut self, event: &str) -> serde_json::Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {event:?} in the log"));
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Reads the log to its end: after the function has gone.
    pub fn rest_of_log(&mut self) -> Vec<String> {
        self.lines.iter().collect()
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.port)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.connect().get(path)
    }

    pub fn post(&self, path: &str, body: &str) -> Answer {
        let mut client = self.connect();
        let length = body.len();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes());
        client.answer()
    }

    pub fn exit(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn closes(&self) -> bool {
        self.field("Connection") == Some("close")
    }
}

impl Client {
    pub fn connect(port: u16) -> Client {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, buffer: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends as much as the function takes.
    pub fn send_what_goes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The answer, where one has arrived without waiting.
    pub fn answer_that_is_there(&mut self) -> Option<Answer> {
        self.stream.set_nonblocking(true).unwrap();
        let there = matches!(self.stream.peek(&mut [0]), Ok(1..));
        self.stream.set_nonblocking(false).unwrap();
        there.then(|| self.answer())
    }

    pub fn ask(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask(path);
        self.answer()
    }

    /// The next answer; one to HEAD has no body.
    pub fn answer_without_body(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more(), "closed within an answer: {:?}", String::from_utf8_lossy(&self.buffer));
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let field = |line: &str| line.split_once(": ").map(|(key, value)| (key.to_owned(), value.to_owned()));
        Answer { status, fields: lines.filter_map(field).collect(), body: String::new() }
    }

    pub fn answer(&mut self) -> Answer {
        let mut answer = self.answer_without_body();
        let length: usize = answer.field("Content-Length").map_or(0, |text| text.parse().unwrap());
        while self.buffer.len() < length {
            assert!(self.more(), "closed within a body");
        }
        answer.body = String::from_utf8(self.buffer.drain(..length).collect()).unwrap();
        answer
    }

    /// Whether the function ends the connection without another byte.
    pub fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.more()
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("the function says nothing: {error}"),
        }
    }
}
