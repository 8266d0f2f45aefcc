//! Decides MCP calls.
//!
//! ```text
//! files, API objects ──► load ──► reeve_crds::Policy ──► compile ──► Ruleset ──┐
//!                                                                              ▼
//! request body ──► json (one strict pass to a tape) ──► Call ──────────► decide ──► Verdict
//!                                                                              │
//!                       limit: reserve, all or none ◄── charges of a Permit ───┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`reason`] | the vocabulary: decisions, reasons, rule pointers |
//! | [`json`] | the strict parser and its tape; what expressions and schemas read |
//! | [`glob`] | tool and URI patterns, and sets of them |
//! | [`expr`] | CEL, safely: the only module that knows the `cel` crate |
//! | [`schema`] | arguments against a tool's `inputSchema` |
//! | [`catalogue`] | what is known of a server's tools: schema, annotations, risk |
//! | [`load`] | policy files of every dialect → [`reeve_crds`] types, with every mistake located |
//! | [`compile`] | policies → [`compile::Ruleset`], indexed so that a decision does not depend on the number of rules |
//! | [`decide`] | a call under a ruleset → a verdict; lists; explanations |
//! | [`limit`] | sliding windows, concurrency, snapshots |
//! | [`pace`] | long work that gives way to calls |
//!
//! No tokio, hyper or kube; time and randomness come from the caller. The sidecar enforces with this crate and the
//! operator accepts policies with it, so that *Accepted* means what will be enforced.

pub mod catalogue;
pub mod compile;
pub mod decide;
pub mod expr;
pub mod glob;
pub mod json;
pub mod limit;
pub mod load;
pub mod pace;
pub mod reason;
pub mod schema;
pub mod time;
