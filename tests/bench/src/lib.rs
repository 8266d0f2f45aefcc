//! Measures what Reeve costs, beside what else could stand in its place.
//!
//! ```text
//!   core 1: this process                    core 0: a fresh process for each sample
//!   ┌───────────────────────┐
//!   │ load ──────────────────── request ──► direct │ splice │ minimal │ reeve │ envoy ──┐
//!   │ server ◄───────────────────────────────────────────────────────────────────────────┘
//!   └───────────────────────┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`subject`] | what can be measured, and how each is started |
//! | [`policies`] | the rules that Reeve is given |
//! | [`server`] | an MCP server that costs as little as can be |
//! | [`load`] | agents, and how long each call took |
//! | [`wire`] | the parts of HTTP/1.1 that both speak |
//! | [`usage`] | what a process has used: processor time, memory |
//! | [`minimal`], [`splice`] | the least that a proxy can do |
//! | [`sidecar`] | the comparison: scenarios, rounds, tables |
//! | [`engine`] | the engine alone, to be counted by valgrind |
//! | [`figures`], [`table`] | what is printed |
//!
//! `tests/bench/run` builds and starts it; `docs/performance.md` has the results.

pub mod engine;
pub mod figures;
pub mod identity;
pub mod load;
pub mod minimal;
pub mod policies;
pub mod server;
pub mod sidecar;
pub mod splice;
pub mod subject;
pub mod table;
pub mod usage;
pub mod wire;
