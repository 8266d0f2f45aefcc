//! The sidecar: decides and relays every MCP call between an agent and its servers.
//!
//! ```text
//! agent ──► listener ──► proxy: gate → body → envelope → decide → reserve → forward ──► upstream ──► MCP server
//!                          │                      │                            │
//!                          │                 reeve-policy                answers and streams:
//!                          │                                             scan → filter → relay
//!                          └── audit · trace · metrics · admin (/started /live /ready /metrics) · inspect (/policy /limits)
//!
//! supply: files or flags ──► config ──┐
//!         the operator ──► sync ─────┴──► live: rulesets and upstreams, swapped as one
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | the commands and flags of the program; [`serve`] is what it runs |
//! | [`serve`] | puts the parts together, from options to an orderly end |
//! | [`supply`] | how configurations arrive: from files, or from the operator |
//! | [`sync`] | the stream that brings them from the operator, and what is kept and said of them |
//! | [`config`] | the configuration document, how it is read and watched |
//! | [`live`] | what a configuration becomes: rulesets and upstreams that serve, swapped as one |
//! | [`listener`] | accepts connections within bounds |
//! | [`proxy`] | the phases of a request |
//! | [`mcp`] | the rules of the wire, as pure functions and tables |
//! | [`upstream`] | connections to servers: pools, TLS, credentials, what their failures mean |
//! | [`audit`] | one record for each decision |
//! | [`trace`] | one OpenTelemetry span for each call |
//! | `abandoned` | how much may go on for nobody |
//! | `memory` | what messages take while they are held, bounded |
//! | [`metrics`] | every metric, with bounded labels |
//! | [`admin`] | probes and metrics, over HTTP |
//! | [`inspect`] | the effective policy and the state of limits, over HTTP |
//! | [`state`] | what survives a restart of the container |
//! | [`lifecycle`] | start, readiness, signals, drain |
//! | [`clock`] | the clocks that decisions count on |
//! | [`client`] | a small MCP client, for `call` and `demo` |
//! | [`demo`] | a server, a policy and a client, to see it work |

mod abandoned;
pub mod admin;
pub mod audit;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod demo;
pub mod inspect;
pub mod lifecycle;
pub mod listener;
pub mod live;
pub mod mcp;
mod memory;
pub mod metrics;
pub mod proxy;
pub mod serve;
pub mod state;
pub mod supply;
pub mod sync;
pub mod trace;
pub mod upstream;
