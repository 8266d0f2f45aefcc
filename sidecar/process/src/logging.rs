//! A program's own log. (A sidecar's audit log is another thing.)

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
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
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
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

/// Starts the log of a program whose own crate is `program`. A second call does nothing.
pub fn start(program: &'static str, level: Level, format: Format, output: Output) {
    let (writer, is_terminal) = match output {
        Output::Stdout => (BoxMakeWriter::new(std::io::stdout), std::io::stdout().is_terminal()),
        Output::Stderr => (BoxMakeWriter::new(std::io::stderr), std::io::stderr().is_terminal()),
    };
    let layer = fmt::layer().with_writer(writer);
    let layer = match format {
        Format::Text => {
            let colours = is_terminal && std::env::var_os("NO_COLOR").is_none();
            layer.with_ansi(colours).with_target(false).boxed()
        }
        Format::Json => layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    // An error says that there is a log already, as in tests.
    let _ = registry().with(layer.with_filter(filter(program, level))).try_init();
}

/// The libraries below only warn, unless everything is asked for: what they tell of each connection and frame would bury
/// what Reeve tells.
fn filter(program: &str, level: Level) -> Targets {
    let own = LevelFilter::from(level);
    let others = if level == Level::Trace { own } else { own.min(LevelFilter::WARN) };
    Targets::new().with_default(others).with_target(program, own).with_target("reeve_policy", own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level as At;

    #[test]
    fn libraries_are_quiet_unless_everything_is_asked_for() {
        let filter = |level| filter("reeve_sidecar", level);
        let debug = filter(Level::Debug);
        assert!(debug.would_enable("reeve_sidecar::proxy", &At::DEBUG));
        assert!(debug.would_enable("reeve_policy::compile", &At::DEBUG));
        assert!(!debug.would_enable("h2::codec", &At::INFO));
        assert!(debug.would_enable("h2::codec", &At::WARN));
        assert!(filter(Level::Trace).would_enable("h2::codec", &At::TRACE));
        assert!(!filter(Level::Error).would_enable("h2::codec", &At::WARN));
    }
}
