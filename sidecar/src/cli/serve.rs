//! The default command: serve until a signal says to end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use reeve_policy::time::parse_duration;
use reeve_resident::Program;
use reeve_wire::pod;
use tokio::runtime::{Builder, Runtime};

use super::{Exit, check, output};
use crate::config::source::{Inputs, Origin};
use crate::config::{self, Audit, OnFull};
use crate::lifecycle::{Signals, Stop};
use crate::listener::Addresses;
use crate::serve::{Options, ServeError, Sidecar};
use crate::supply::Supply;
use crate::sync::{self, Mounted};
use crate::trace;

/// What the default command is told.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("origin").args(["upstream", "config", "operator"]).required(true))]
pub(super) struct ServeArgs {
    /// A policy file: McpPolicy and ClusterMcpPolicy manifests, or the JSON policy format and its YAML form. May repeat; in
    /// the variable, separate files by commas. Every policy given governs, whatever it selects.
    #[arg(
        long,
        env = "REEVE_POLICY",
        hide_env_values = true,
        value_name = "FILE",
        value_delimiter = ',',
        conflicts_with_all = ["config", "operator"],
        help_heading = "What to enforce"
    )]
    policy: Vec<PathBuf>,
    /// The MCP server's URL. Agents find it here at the same path.
    #[arg(
        long,
        env = "REEVE_UPSTREAM",
        hide_env_values = true,
        value_name = "URL",
        requires = "policy",
        help_heading = "What to enforce"
    )]
    upstream: Option<String>,
    /// A configuration with several servers, TLS and credentials, instead of --policy and --upstream.
    #[arg(long, env = "REEVE_CONFIG", hide_env_values = true, value_name = "FILE", help_heading = "What to enforce")]
    config: Option<PathBuf>,
    /// Whom calls are charged to: a name, or namespace/name.
    #[arg(
        long,
        env = "REEVE_GRANT",
        hide_env_values = true,
        value_name = "NAME",
        conflicts_with = "operator",
        help_heading = "What to enforce"
    )]
    grant: Option<String>,

    /// The operator, in whose cluster it decides what to enforce, instead of --policy and --config. The webhook sets this.
    #[arg(
        long,
        env = pod::OPERATOR_VARIABLE,
        hide_env_values = true,
        value_name = "URL",
        requires = "operator_ca",
        help_heading = "In a cluster"
    )]
    operator: Option<String>,
    /// The authorities by which the operator is known at first: certificates in PEM.
    #[arg(
        long,
        env = pod::OPERATOR_CA_VARIABLE,
        hide_env_values = true,
        value_name = "PEM",
        requires = "operator",
        help_heading = "In a cluster"
    )]
    operator_ca: Option<String>,
    /// The ServiceAccount token that proves to the operator which pod this is.
    #[arg(
        long,
        env = "REEVE_OPERATOR_TOKEN",
        hide_env_values = true,
        value_name = "FILE",
        default_value = pod::TOKEN_FILE,
        help_heading = "In a cluster"
    )]
    operator_token: PathBuf,
    /// What was mounted for each server when the pod was made: NAME=WORD, separated by commas.
    #[arg(
        long,
        env = pod::MOUNTS_VARIABLE,
        hide_env_values = true,
        value_name = "MOUNTS",
        value_parser = Mounted::parse,
        help_heading = "In a cluster"
    )]
    mounts: Option<Mounted>,

    /// Where agents connect. May repeat. [default: 127.0.0.1:14001 and [::1]:14001]
    #[arg(long, env = "REEVE_LISTEN", hide_env_values = true, value_name = "ADDR", value_delimiter = ',', value_parser = address, help_heading = "Where")]
    listen: Vec<SocketAddr>,
    /// Where /started, /live, /ready and /metrics are.
    #[arg(long, env = "REEVE_ADMIN", hide_env_values = true, value_name = "ADDR", default_value_t = config::ADMIN_ADDRESS, value_parser = address, help_heading = "Where")]
    admin: SocketAddr,
    /// Where /policy and /limits are.
    #[arg(long, env = "REEVE_INSPECT", hide_env_values = true, value_name = "ADDR", default_value_t = config::INSPECT_ADDRESS, value_parser = address, help_heading = "Where")]
    inspect: SocketAddr,

    /// Where decisions are recorded: stdout, off, or a file. [default: stdout]
    #[arg(long, env = "REEVE_AUDIT", hide_env_values = true, value_name = "stdout|FILE|off", help_heading = "Records")]
    audit: Option<String>,
    /// What happens to a call whose record the audit log cannot take. [default: deny]
    #[arg(long, env = "REEVE_AUDIT_ON_FULL", hide_env_values = true, value_name = "deny|drop", value_parser = on_full, help_heading = "Records")]
    audit_on_full: Option<OnFull>,
    /// Where state is kept that survives a restart: what limits have counted, sessions, tools. Unset: nothing survives.
    #[arg(long, env = "REEVE_CACHE_DIR", hide_env_values = true, value_name = "DIR", help_heading = "Records")]
    cache_dir: Option<PathBuf>,

    /// Threads that serve calls. One is enough for thousands of calls a second.
    #[arg(long, env = "REEVE_THREADS", hide_env_values = true, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Process")]
    threads: u16,
    /// How long calls in flight may take after the end was asked for (SIGTERM, Ctrl-C).
    #[arg(long, env = "REEVE_GRACE_PERIOD", hide_env_values = true, value_name = "DURATION", default_value = "25s", value_parser = parse_duration, help_heading = "Process")]
    grace_period: Duration,
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an address and a port, such as 127.0.0.1:14001 or [::1]:14001".into())
}

fn on_full(text: &str) -> Result<OnFull, String> {
    match text {
        "deny" => Ok(OnFull::Deny),
        "drop" => Ok(OnFull::Drop),
        _ => Err("write deny or drop".into()),
    }
}

impl ServeArgs {
    fn options(self) -> Result<(Options, u16), String> {
        let supply = self.supply()?;
        let listen = if self.listen.is_empty() {
            Addresses::Default(config::AGENT_ADDRESSES.to_vec())
        } else {
            Addresses::Given(self.listen)
        };
        let options = Options {
            supply,
            listen,
            admin: Addresses::Given(vec![self.admin]),
            inspect: Addresses::Given(vec![self.inspect]),
            cache_dir: self.cache_dir,
            grace_period: self.grace_period,
            tracing: trace::Settings::read(|name| std::env::var(name).ok()),
            program: Program::loaded(),
        };
        Ok((options, self.threads))
    }

    fn supply(&self) -> Result<Supply, String> {
        if let (Some(operator), Some(authorities)) = (&self.operator, &self.operator_ca) {
            let settings = sync::Settings {
                operator: operator.clone(),
                authorities: authorities.clone(),
                token: self.operator_token.clone(),
                servers: pod::SERVERS_FOLDER.into(),
                mounts: self.mounts.clone().unwrap_or_default(),
            };
            return Ok(Supply::Operator { settings, audit: self.audit()? });
        }
        let origin = match (&self.config, &self.upstream) {
            (Some(file), _) => Origin::File(file.clone()),
            (None, Some(upstream)) => Origin::Flags { policies: self.policy.clone(), upstream: upstream.clone() },
            (None, None) => return Err("give --policy and --upstream, or --config, or --operator".into()),
        };
        let (grant, audit, audit_on_full) = (self.grant.clone(), self.audit.clone(), self.audit_on_full);
        Ok(Supply::Files(Inputs { origin, grant, audit, audit_on_full }))
    }

    /// What the flags say of the audit log, where no document does.
    fn audit(&self) -> Result<Audit, String> {
        let defaults = Audit::default();
        let to = self.audit.clone().unwrap_or(defaults.to);
        match config::audit_fault(&to) {
            Some(message) => Err(format!("--audit: {message}")),
            None => Ok(Audit { to, on_full: self.audit_on_full.unwrap_or(defaults.on_full), ..Audit::default() }),
        }
    }
}

pub(super) fn run(arguments: ServeArgs) -> Exit {
    let (options, threads) = match arguments.options() {
        Ok(options) => options,
        Err(error) => {
            output::error(&error);
            return Exit::Usage;
        }
    };
    let runtime = match runtime(threads) {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the runtime cannot be started");
            return Exit::Internal;
        }
    };
    let exit = runtime.block_on(serve(options));
    // Work that still blocks a thread, such as reading a file of a network that hangs, must not hold up the end.
    runtime.shutdown_background();
    exit
}

/// A runtime with this many serving threads.
pub(super) fn runtime(threads: u16) -> io::Result<Runtime> {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if threads > 1 {
        builder.worker_threads(threads.into());
    }
    builder.enable_all().thread_name("serve").build()
}

async fn serve(options: Options) -> Exit {
    // First of all: a process that is the first of its container is not ended by a signal that it does not handle.
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "signals cannot be handled");
            return Exit::Internal;
        }
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting");
    let started = tokio::select! {
        biased;
        stop = signals.stop() => {
            tracing::info!(signal = stop.as_str(), "ending before the start was over");
            return Exit::Success;
        }
        started = Sidecar::start(options) => started,
    };
    match started {
        Ok(sidecar) => until_stopped(sidecar, signals).await,
        Err(error) => failed(&error),
    }
}

async fn until_stopped(sidecar: Sidecar, mut signals: Signals) -> Exit {
    let stop = signals.stop().await;
    tracing::info!(signal = stop.as_str(), "ending: calls in flight may finish; a second signal cuts them off");
    tokio::select! {
        () = sidecar.stop() => {
            tracing::info!("ended");
            Exit::Success
        }
        Stop::Terminate | Stop::Interrupt = signals.stop() => {
            tracing::warn!("a second signal: ended at once");
            Exit::Failure
        }
    }
}

fn failed(error: &ServeError) -> Exit {
    match error {
        ServeError::Configuration(rejected) => {
            for diagnostic in &rejected.diagnostics {
                output::remark(check::sentence(diagnostic));
            }
            output::error("the configuration has mistakes; nothing is served");
            Exit::Configuration
        }
        ServeError::Operator(_)
        | ServeError::Listener(_)
        | ServeError::Bind(_)
        | ServeError::Audit(_)
        | ServeError::State(_) => {
            output::error(error);
            Exit::Configuration
        }
        ServeError::System(_) => {
            output::error(error);
            Exit::Internal
        }
    }
}
