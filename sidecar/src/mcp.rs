//! The rules of the wire, as pure functions and tables: no sockets, no clocks, nothing awaited.
//!
//! ```text
//! request:  gate ─► headers::check, check_body ─► json ─► Envelope ─► era::agree ─► headers::verify ─► method::handling
//!             └──────────────┴────────────────── Rejection ──┴────────────┴───────────────┘
//! answer:   sse::Scanner ─► json ─► Envelope ─► method::handling · lists::filter ─► relayed, spliced or replaced
//! refusal:  answer (policy) · Rejection (the request itself) · answer::failure (server or network)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`version`] | protocol versions and the two eras |
//! | [`envelope`] | one JSON document → one JSON-RPC message, and what MCP reads in it |
//! | [`era`] | the table header × body → the version that a message speaks |
//! | [`method`] | the table method × era × direction → what is done with it |
//! | [`headers`] | which request headers are refused, verified, forwarded, dropped |
//! | [`gate`] | Host and Origin |
//! | [`rejection`] | the table of causes for which a request is refused before any policy |
//! | [`answer`] | the bytes of refusals and failures |
//! | [`sse`] | event streams, chunk by chunk |
//! | [`lists`] | what is cut out of lists |
//! | [`inputs`] | what a result asks of the agent |
//! | [`challenge`], [`metadata`], [`token`] | logging in: what a 401 leads to, the metadata there, what a refused token was for |
//! | [`binding`] | which grant a session or task belongs to, bounded |
//! | [`tasks`] | what servers say of tasks, and what is held while they run |
//! | [`rounds`] | calls that come again with what the server asked for |
//! | [`ids`], [`used`] | each request id open once in a session; which were had before |
//! | [`open`] | requests whose answers are waited for, bounded |
//! | [`pieces`] | what comes bit by bit and is wanted whole |
//! | `digest`, `recent` | what these tables are made of |
//!
//! The sources of the rules are the revisions 2024-11-05 to 2026-07-28 of the Model Context Protocol specification; where
//! real servers differ from each other, the rule is the one under which none of them can be told something else than the
//! policy was.

pub mod answer;
pub mod binding;
pub mod challenge;
pub mod cors;
pub(crate) mod digest;
pub mod envelope;
pub mod era;
pub mod gate;
pub mod headers;
pub mod ids;
pub mod inputs;
pub mod lists;
pub mod metadata;
pub mod method;
pub mod open;
pub mod pieces;
mod recent;
pub mod rejection;
pub mod rounds;
pub mod sse;
pub mod tasks;
pub mod token;
pub mod used;
pub mod version;

#[cfg(test)]
mod tests;
