//! Puts the parts together: from what the command line says to a sidecar that serves, and to its orderly end.
//!
//! ```text
//! configuration (no port is bound before it is known to be good)
//!   ─► state of an earlier run ─► limiter, catalogues ─► rulesets, upstreams ─► ports ─► ready ─► … ─► stop ─► drain
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reeve_policy::catalogue::Catalogue;
use reeve_policy::limit::{Capacity, Limiter};
use tokio::task::JoinHandle;

use crate::audit::{self, Destination, Log, Settings};
use crate::clock::Clock;
use crate::config::source::{Inputs, Loaded, Rejected, load};
use crate::lifecycle::{DrainTrigger, Phase, Readiness, drain};
use crate::listener::{self, Addresses, BindError, Bounds, bind};
use crate::live::reload::Reloader;
use crate::live::{Builder, Catalogues, Current};
use crate::mcp::gate::Gate;
use crate::mcp::session::{SessionChange, Sessions};
use crate::metrics::Metrics;
use crate::proxy::{self, Proxy};
use crate::state::{self, Cache, Keeper, StateError};
use crate::upstream::Environment;
use crate::{admin, inspect};

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where servers and policies come from.
    pub inputs: Inputs,
    /// Where agents connect.
    pub listen: Addresses,
    /// Where probes and metrics are.
    pub admin: Addresses,
    /// Where the effective policy and the limits are.
    pub inspect: Addresses,
    /// Where state is kept that survives a restart; none: it does not.
    pub cache_dir: Option<PathBuf>,
    /// How long calls in flight may take after the end was asked for.
    pub grace_period: Duration,
}

/// Why a sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration has mistakes.
    #[error("the configuration has mistakes")]
    Configuration(Rejected),
    /// A duration of the listener is none; the configuration's check has told it before.
    #[error("{0}")]
    Listener(String),
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The audit log cannot be opened.
    #[error(transparent)]
    Audit(#[from] audit::OpenError),
    /// The cache directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The system refused something that every process needs.
    #[error("the system refused a thread or a metric: {0}")]
    System(String),
}

/// A running sidecar.
#[derive(Debug)]
pub struct Sidecar {
    agents: SocketAddr,
    admin: SocketAddr,
    inspect: SocketAddr,
    trigger: DrainTrigger,
    grace_period: Duration,
    /// Ends when the last agent's connection has.
    serving: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
    keeper: Keeper,
    audit: Log,
}
