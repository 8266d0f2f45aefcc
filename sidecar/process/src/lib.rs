//! What Reeve's programs, sidecar and operator, have in common as processes. Nothing here knows of policies, MCP or Kubernetes.
//!
//! | module | holds |
//! |---|---|
//! | [`exit`] | how a program ends, in a number |
//! | [`logging`] | how much is logged, and how it looks |
//! | [`drain`](mod@drain) | telling every part of a process to finish |
//! | [`port`] | a port at which many may come at once |
//! | [`places`] | how many connections a port has at once, and what becomes of one more |
//! | [`back_off`] | how long to wait before another attempt |
//! | [`memory_limit`](mod@memory_limit) | how much memory the process may take |
//! | [`usage`] | what the process uses of the machine |

pub mod back_off;
pub mod drain;
pub mod exit;
pub mod logging;
pub mod memory_limit;
pub mod places;
pub mod port;
pub mod usage;
