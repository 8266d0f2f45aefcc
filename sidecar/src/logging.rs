//! The sidecar's own log, on standard error. (The audit log is another thing, on standard output: [`crate::audit`].)

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the usual words")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARN,
            Level::Info => Self::INFO,
            Level::Debug => Self::DEBUG,
            Level::Trace => Self::TRACE,
        }
    }
}

/// Starts the log. A second call does nothing.
pub fn start(level: Level, format: Format) {
    let layer = match format {
        Format::Text => {
            let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false).boxed()
        }
        Format::Json => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
    };
    // An error says that there is a log already, as in tests.
    let _ = registry().with(layer.with_filter(filter(level))).try_init();
}

/// The libraries below only warn, unless everything is asked for: what they tell of each connection and frame would bury
/// what Reeve tells.
fn filter(level: Level) -> Targets {
    let own = LevelFilter::from(level);
    let others = if level == Level::Trace { own } else { own.min(LevelFilter::WARN) };
    Targets::new().with_default(others).with_target("reeve_sidecar", own).with_target("reeve_policy", own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level as At;

    #[test]
    fn libraries_only_warn_unless_everything_is_asked_for() {
        let debug = filter(Level::Debug);
        assert!(debug.would_enable("reeve_sidecar::proxy", &At::DEBUG));
        assert!(!debug.would_enable("h2::codec", &At::INFO));
        assert!(debug.would_enable("h2::codec", &At::WARN));
        assert!(filter(Level::Trace).would_enable("h2::codec", &At::TRACE));
        assert!(!filter(Level::Error).would_enable("h2::codec", &At::WARN));
    }
}
