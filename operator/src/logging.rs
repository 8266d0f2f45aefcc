//! The operator's log: JSON lines on standard output, as clusters collect them, or text for people.

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

impl Level {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
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
        Format::Json => fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        Format::Text => fmt::layer().with_ansi(false).with_target(false).boxed(),
    };
    // An error says that there is a log already, as in tests.
    let _ = registry().with(layer.with_filter(filter(level))).try_init();
}

/// The libraries below only warn, unless everything is asked for.
fn filter(level: Level) -> Targets {
    let own = LevelFilter::from(level);
    let others = if level == Level::Trace { own } else { own.min(LevelFilter::WARN) };
    Targets::new().with_default(others).with_target("reeve_operator", own).with_target("reeve_policy", own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level as At;

    #[test]
    fn libraries_only_warn_unless_everything_is_asked_for() {
        let debug = filter(Level::Debug);
        assert!(debug.would_enable("reeve_operator::kubernetes", &At::DEBUG));
        assert!(!debug.would_enable("kube_client::client", &At::INFO));
        assert!(debug.would_enable("kube_client::client", &At::WARN));
        assert!(filter(Level::Trace).would_enable("h2::codec", &At::TRACE));
    }
}
