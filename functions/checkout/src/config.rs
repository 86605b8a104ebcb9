//! The function's config: read once, every problem told at once.

use crate::json::Object;
use crate::yaml::{self, Document, Entry, Scalar};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Where the platform mounts it.
pub const PATH: &str = "/etc/wasm-function/config.yaml";

/// More than this the memory of one function is not made for.
const MAX_CONCURRENT: u64 = 10_000;
const MAX_RATE: u64 = 1_000_000_000;
const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub host: Ipv4Addr,
    pub port: u16,
    /// How long a connection may be silent, and how long a head may take.
    pub timeout: Duration,
    pub max_concurrent: usize,
    pub request_timeout: Duration,
    /// Per client, enforced by the gateway's authorizer: here it is only shown.
    pub requests_per_second: u64,
    pub burst_size: u64,
    pub liveness: String,
    pub readiness: String,
    pub drain_path: String,
    pub drain_port: u16,
    pub propagation: Duration,
    pub database_url_file: Option<String>,
}

impl Config {
    /// An error has one line for each problem: path, value, limit and fix.
    pub fn parse(text: &str) -> Result<Config, Vec<String>> {
        let document = yaml::parse(text).map_err(|problem| vec![problem])?;
        let mut keys = Keys {
            has_database: document.sections.iter().any(|section| section == "database"),
            document,
            problems: Vec::new(),
        };
        let config = Config {
            port: keys.port("server", "port"),
            host: keys.host("server", "host"),
            timeout: keys.duration("server", "timeout", MILLI),
            max_concurrent: keys.count("function", "max_concurrent_requests", MAX_CONCURRENT) as usize,
            request_timeout: keys.duration("function", "request_timeout", MILLI),
            requests_per_second: keys.count("rate_limit", "requests_per_second", MAX_RATE),
            burst_size: keys.count("rate_limit", "burst_size", MAX_RATE),
            liveness: keys.path("health", "liveness_path"),
            readiness: keys.path("health", "readiness_path"),
            drain_path: keys.path("drain", "path"),
            drain_port: keys.port("drain", "port"),
            propagation: keys.duration("drain", "propagation", Duration::ZERO),
            database_url_file: keys.database(),
        };
        keys.unknown();
        if keys.problems.is_empty() {
            config.relations(&mut keys.problems);
        }
        if keys.problems.is_empty() {
            Ok(config)
        } else {
            Err(keys.problems)
        }
    }

    fn relations(&self, problems: &mut Vec<String>) {
        if self.port == self.drain_port && self.port != 0 {
            problems.push(format!(
                "drain.port: {} is the server's port, which clients reach; give draining a port of its own",
                self.drain_port
            ));
        }
        if self.request_timeout > self.timeout {
            problems.push(format!(
                "function.request_timeout: {}us is above server.timeout, {}us; lower it or raise server.timeout",
                self.request_timeout.as_micros(),
                self.timeout.as_micros()
            ));
        }
        if self.liveness == self.readiness {
            problems
                .push(format!("health.readiness_path: {:?} is also the liveness path; use two paths", self.readiness));
        }
        if self.burst_size < self.requests_per_second {
            problems.push(format!(
                "rate_limit.burst_size: {} is below requests_per_second {}; raise it",
                self.burst_size, self.requests_per_second
            ));
        }
    }

    /// What is in force, as the log and `GET /api/function` show it.
    pub fn shown(&self) -> Object {
        let object = Object::default;
        let millis = |duration: Duration| duration.as_millis() as u64;
        let server = object().text("host", &self.host.to_string()).number("port", self.port.into());
        let function = object().number("max_concurrent_requests", self.max_concurrent as u64);
        let rate_limit = object().number("requests_per_second", self.requests_per_second);
        let health = object().text("liveness_path", &self.liveness);
        let drain = object().text("path", &self.drain_path).number("port", self.drain_port.into());
        object()
            .object("server", server.number("timeout_ms", millis(self.timeout)))
            .object("function", function.number("request_timeout_ms", millis(self.request_timeout)))
            .object("rate_limit", rate_limit.number("burst_size", self.burst_size))
            .object("health", health.text("readiness_path", &self.readiness))
            .object("drain", drain.number("propagation_ms", millis(self.propagation)))
            .flag("database", self.database_url_file.is_some())
    }
}

struct Keys {
    document: Document,
    has_database: bool,
    problems: Vec<String>,
}

impl Keys {
    fn take(&mut self, section: &str, key: &str) -> Option<Scalar> {
        let value = self.document.take(section, key);
        if value.is_none() {
            self.problems.push(format!("{section}.{key}: is missing; every key is needed, add it"));
        }
        value
    }

    fn problem(&mut self, section: &str, key: &str, value: &Scalar, limit: &str) {
        self.problems.push(format!("{section}.{key}: {:?} {limit}", value.text));
    }

    /// The parsed value; where it is none, a problem is noted and a stand-in returned that is never used.
    fn parsed<T: Default>(
        &mut self,
        section: &str,
        key: &str,
        limit: &str,
        parse: impl FnOnce(&Scalar) -> Option<T>,
    ) -> T {
        let Some(value) = self.take(section, key) else {
            return T::default();
        };
        parse(&value).unwrap_or_else(|| {
            self.problem(section, key, &value, limit);
            T::default()
        })
    }

    /// 0 is any free port, which the start's log line names.
    fn port(&mut self, section: &str, key: &str) -> u16 {
        self.parsed(section, key, "is no port; use a number from 0 to 65535, for example 8080", |value| {
            whole(value).and_then(|number| u16::try_from(number).ok())
        })
    }

    fn count(&mut self, section: &str, key: &str, most: u64) -> u64 {
        let limit = format!("is no whole number from 1 to {most}; use one, and more replicas for more");
        self.parsed(section, key, &limit, |value| whole(value).filter(|number| (1..=most).contains(number)))
    }

    fn duration(&mut self, section: &str, key: &str, least: Duration) -> Duration {
        let least_text = if least.is_zero() { "0s" } else { "1ms" };
        let limit = format!("is no duration from {least_text} to 1h; write it as \"30s\" or \"500ms\"");
        self.parsed(section, key, &limit, |value| {
            duration(&value.text).filter(|length| (least..=HOUR).contains(length))
        })
    }

    fn host(&mut self, section: &str, key: &str) -> Ipv4Addr {
        let limit = "is no IPv4 address; use \"0.0.0.0\" for all";
        self.parsed(section, key, limit, |value| value.text.parse().ok().map(Some)).unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    fn path(&mut self, section: &str, key: &str) -> String {
        let limit = "is no path of its own; use an absolute one outside of /api/, for example \"/healthz\"";
        self.parsed(section, key, limit, |value| {
            let text = &value.text;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./~-".contains(&byte);
            let fits = text.starts_with('/') && text.bytes().all(plain) && !text.starts_with("/api/");
            fits.then(|| text.clone())
        })
    }

    fn database(&mut self) -> Option<String> {
        if !self.has_database {
            return None;
        }
        let limit = "is no absolute path of a file; for example \"/run/secrets/database/url\"";
        let path =
            self.parsed("database", "url_file", limit, |value| value.text.starts_with('/').then(|| value.text.clone()));
        Some(path)
    }

    fn unknown(&mut self) {
        const KNOWN: [&str; 6] = ["server", "function", "rate_limit", "health", "drain", "database"];
        for section in &self.document.sections {
            if !KNOWN.contains(&section.as_str()) {
                self.problems.push(format!("{section}: is no section; known are {}; remove it", KNOWN.join(", ")));
            }
        }
        for entry in &self.document.entries {
            if KNOWN.contains(&entry.section.as_str()) {
                let Entry { section, key, .. } = entry;
                self.problems.push(format!("{section}.{key}: is no key that this function knows; remove it"));
            }
        }
    }
}

fn whole(value: &Scalar) -> Option<u64> {
    let digits = !value.quoted && value.text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| value.text.parse().ok())?
}

/// `30s`, `1.5s`, `500ms`, `180us`, `5m`, `2h`, `1d`; to the microsecond.
fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let micros: u64 = match unit {
        "us" => 1,
        "ms" => 1000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let scale = 10u64.pow(fraction.len() as u32);
    let fraction = u128::from(fraction.parse::<u64>().ok()?) * u128::from(micros) / u128::from(scale);
    let whole = whole.parse::<u64>().ok()?.checked_mul(micros)?;
    Some(Duration::from_micros(whole.checked_add(fraction as u64)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"server:
  port: 8080
  host: "0.0.0.0"
  timeout: "30s"
function:
  max_concurrent_requests: 1000
  request_timeout: "30s"
rate_limit:
  requests_per_second: 100
  burst_size: 200
health:
  liveness_path: "/healthz"
  readiness_path: "/readyz"
drain:
  path: "/drain"
  port: 8081
  propagation: "5s"
"#;

    #[test]
    fn reads_what_the_platform_writes() {
        let config = Config::parse(TEXT).unwrap();
        assert_eq!((config.port, config.drain_port, config.max_concurrent), (8080, 8081, 1000));
        assert_eq!(config.propagation, Duration::from_secs(5));
        assert_eq!(config.database_url_file, None);
        let with = format!("{TEXT}database:\n  url_file: \"/run/secrets/database/url\"\n");
        let file = Config::parse(&with).unwrap().database_url_file;
        assert_eq!(file.as_deref(), Some("/run/secrets/database/url"));
    }

    #[test]
    fn reads_durations_in_every_unit() {
        for (text, micros) in [
            ("180us", Some(180)),
            ("500ms", Some(500_000)),
            ("1.5s", Some(1_500_000)),
            ("5m", Some(300_000_000)),
            ("1d", Some(86_400_000_000)),
            ("0s", Some(0)),
            ("30", None),
            ("s", None),
            ("-1s", None),
            ("1.s", None),
            (".5s", None),
            ("1e3s", None),
            ("0.0000005s", Some(0)),
            ("9999999999s", None),
            ("1 s", None),
            ("1S", None),
        ] {
            assert_eq!(duration(text).map(|length| length.as_micros()), micros, "{text:?}");
        }
    }

    #[test]
    fn refuses_bad_values_by_path_value_limit_and_fix() {
        for (from, to, problem) in [
            ("port: 8080", "port: 70000", "server.port: \"70000\" is no port; use a number from 0 to 65535"),
            ("port: 8080", "port: \"8080\"", "server.port: \"8080\" is no port"),
            ("port: 8080\n  ", "", "server.port: is missing"),
            ("port: 8081", "port: 8080", "drain.port: 8080 is the server's port"),
            ("host: \"0.0.0.0\"", "host: \"localhost\"", "server.host: \"localhost\" is no IPv4 address"),
            ("timeout: \"30s\"\nf", "timeout: \"30\"\nf", "server.timeout: \"30\" is no duration from 1ms to 1h"),
            (
                "timeout: \"30s\"\nf",
                "timeout: \"10s\"\nf",
                "function.request_timeout: 30000000us is above server.timeout, 10000000us",
            ),
            ("requests: 1000", "requests: 0", "function.max_concurrent_requests: \"0\" is no whole number"),
            ("requests: 1000", "requests: 10001", "whole number from 1 to 10000"),
            ("burst_size: 200", "burst_size: 99", "rate_limit.burst_size: 99 is below requests_per_second 100"),
            ("/readyz", "/healthz", "health.readiness_path: \"/healthz\" is also the liveness path"),
            ("/readyz", "/api/function", "health.readiness_path: \"/api/function\" is no path of its own"),
            ("/readyz", "readyz", "health.readiness_path: \"readyz\" is no path"),
            ("propagation: \"5s\"", "propagation: \"2h\"", "drain.propagation: \"2h\" is no duration from 0s to 1h"),
            ("drain:", "drain:\n  speed: 1", "drain.speed: is no key that this function knows; remove it"),
            ("drain:", "speed:\n  a: 1\ndrain:", "speed: is no section; known are server, function"),
            ("drain:", "database:\n  url: \"/x\"\ndrain:", "database.url_file: is missing"),
            ("drain:", "drain: {}", "line 14: is no section"),
        ] {
            let text = TEXT.replacen(from, to, 1);
            assert_ne!(text, TEXT, "{from:?} is not there");
            let problems = Config::parse(&text).unwrap_err();
            assert!(problems.iter().any(|line| line.contains(problem)), "{problems:?} lack {problem:?}");
        }
    }

    #[test]
    fn tells_all_problems_at_once() {
        assert_eq!(Config::parse("").unwrap_err().len(), 12);
    }
}
