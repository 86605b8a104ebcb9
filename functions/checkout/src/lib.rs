//! A function that quotes orders and keeps them in PostgreSQL: one thread, one poll loop.
//!
//! `reader`, `response`, `routes`, `order`, `drain`, `config` and `database::session` are pure; `server` and
//! `database` drive them over the sockets of `net`.

pub mod clock;
pub mod config;
pub mod connection;
pub mod database;
pub mod date;
pub mod drain;
pub mod head;
pub mod json;
pub mod log;
pub mod net;
pub mod order;
pub mod reader;
pub mod response;
pub mod routes;
pub mod server;
pub mod yaml;
