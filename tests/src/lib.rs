//! The harness of the end-to-end tests: real MCP servers, real clients and the real sidecar, as processes.
//!
//! ```text
//! clients::Client ──► sidecar::Sidecar ──► servers::Server
//! ```
//!
//! [`guarded`] is such a server behind a login, and the authorization server that logs clients in.
//!
//! [`load`] and [`ledger`] are agents and a server that keep books, for what must add up under load; [`wrk`] makes more of it.
//! [`books`] puts a sidecar between them, and compares its books with theirs.
//!
//! [`collector`] takes the spans of calls.
//!
//! [`monitoring`] reads what Prometheus and Grafana are given.
//!
//! What is started ends when its value is dropped. Nothing sleeps for luck: [`eventually`] waits for a condition.

#![allow(clippy::expect_used, clippy::panic, reason = "a harness fails tests by panicking")]

pub mod agent;
pub mod books;
pub mod clients;
pub mod cluster;
pub mod collector;
pub mod conformance;
pub mod eventually;
pub mod front;
pub mod guarded;
pub mod http;
pub mod ledger;
pub mod load;
pub mod monitoring;
pub mod noise;
pub mod process;
pub mod request;
pub mod servers;
pub mod sidecar;
pub mod sink;
pub mod upstream;
pub mod wrk;
