//! Reads the config, then serves until drained.

use checkout::clock;
use checkout::config::{self, Config};
use checkout::database::Url;
use checkout::json::Object;
use checkout::log;
use checkout::routes::{NAME, VERSION};
use checkout::server::Server;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Vec<String>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| config::PATH.to_owned());
    let text = std::fs::read_to_string(&path)
        .map_err(|error| vec![format!("{path}: cannot be read: {error}; mount the function's config there")])?;
    let config = Config::parse(&text)
        .map_err(|problems| problems.iter().map(|problem| format!("{path}: {problem}")).collect::<Vec<_>>())?;
    let database = config.database_url_file.as_deref().map(read_url).transpose().map_err(|problem| vec![problem])?;

    let mut server = Server::bind(&config, database).map_err(|error| {
        let Config { host, port, drain_port, .. } = config;
        vec![format!("cannot listen at {host}, ports {port} and {drain_port}: {error}; choose free ones")]
    })?;
    let (port, drain_port) = server.ports().map_err(|error| vec![format!("cannot tell the own port: {error}")])?;
    let started = Object::default()
        .text("name", NAME)
        .text("version", VERSION)
        .number("port", port.into())
        .number("drain_port", drain_port.into())
        .object("config", config.shown());
    log::line(clock::now(), "info", "started", started);
    server.run().map_err(|error| vec![format!("cannot wait for sockets: {error}")])
}

/// The URL is a secret: an error names its file alone.
fn read_url(path: &str) -> Result<Url, String> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("database.url_file: {path} cannot be read: {error}; mount the database's secret there")
    })?;
    Url::parse(&text).map_err(|problem| {
        format!("database.url_file: the URL in {path} {problem}; write postgres://user:password@host:port/database")
    })
}
