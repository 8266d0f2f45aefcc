//! The commands and flags of the program.
//!
//! | command | module |
//! |---|---|
//! | none: serve | `serve` |
//! | `demo` | [`crate::demo`] |
//! | `call` | `call`, with [`crate::client`] |
//! | `check` | `check` |
//! | `explain` | `explain` |
//! | `schema`, `convert` | `documents` |
//!
//! Everything that is printed goes through `output`.

mod call;
mod check;
mod documents;
mod explain;
mod files;
mod output;
mod serve;

use std::ffi::OsString;
use std::net::SocketAddr;

use clap::{Args, CommandFactory, Parser, Subcommand};

use reeve_process::logging::{self, Format, Level, Output};

pub use reeve_process::exit::Exit;

use crate::demo;

const EXAMPLES: &str = "\
Examples:
  Enforce a policy in front of one server; agents connect to http://127.0.0.1:14001/mcp
      reeve-sidecar --policy policy.yaml --upstream http://127.0.0.1:3924/mcp
  Several servers, TLS, credentials
      reeve-sidecar --config sidecar.yaml
  See it work, with nothing else installed
      reeve-sidecar demo
  What would happen to a call, and which rules say so?
      reeve-sidecar explain --policy policy.yaml --tool get_datastore --args '{\"id\": \"d1\"}'

Exit codes:
  0   it did what was asked
  1   check found mistakes, call was decided otherwise than expected, or a second signal cut calls
      in flight off
  64  the command line is wrong
  70  something went wrong that should not
  78  the configuration, a policy or an address cannot be used";

/// Enforces MCP policy in front of a server: decides and relays every call.
#[derive(Debug, Parser)]
#[command(
    name = "reeve-sidecar",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_long_help = EXAMPLES,
    after_help = "--help shows examples and exit codes."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what Reeve does: a server, the policy of the README and an agent, in this process.
    Demo {
        /// End when everything is shown, instead of staying up to be tried by hand.
        #[arg(long, conflicts_with = "serve")]
        once: bool,
        /// Only the server, at this address (its path is /mcp), to put behind policies of your own.
        #[arg(long, value_name = "ADDR", value_parser = serve::address)]
        serve: Option<SocketAddr>,
    },
    /// Call a tool as an agent would, and print what the agent reads.
    Call(call::CallArgs),
    /// Find every mistake in policy files.
    Check(check::CheckArgs),
    /// Say what would happen to a call, and why.
    Explain(explain::ExplainArgs),
    /// Print the JSON Schema of a kind of document, for editors.
    Schema(documents::SchemaArgs),
    /// Print a policy file of any accepted form as McpPolicy manifests.
    Convert(documents::ConvertArgs),
}

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Log (on standard error)")]
struct LogArgs {
    /// How much is logged. [default: info; for demo, warn]
    #[arg(long, env = "REEVE_LOG", hide_env_values = true, value_name = "LEVEL", global = true)]
    log_level: Option<Level>,
    /// How the log looks.
    #[arg(
        long,
        env = "REEVE_LOG_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "text",
        global = true
    )]
    log_format: Format,
}

/// The commands and flags, for the reference.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with these arguments, the first of which is its own name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is there to be told if this fails.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Success };
        }
    };
    let LogArgs { log_level, log_format } = cli.log;
    match cli.command {
        None => {
            start_log(log_level.unwrap_or_default(), log_format);
            serve::run(cli.serve)
        }
        Some(Command::Demo { once, serve: None }) => {
            start_log(log_level.unwrap_or(Level::Warn), log_format);
            run_demo(demo::run(if once { demo::Stay::Once } else { demo::Stay::Up }))
        }
        Some(Command::Demo { serve: Some(address), .. }) => {
            start_log(log_level.unwrap_or_default(), log_format);
            run_demo(demo::serve(address))
        }
        Some(Command::Call(arguments)) => call::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::Schema(arguments)) => documents::schema(&arguments),
        Some(Command::Convert(arguments)) => documents::convert(&arguments),
    }
}

/// The log is on standard error, as the audit log may be on standard output.
fn start_log(level: Level, format: Format) {
    logging::start("reeve_sidecar", level, format, Output::Stderr);
}

fn run_demo(demo: impl Future<Output = Result<(), demo::DemoError>>) -> Exit {
    let result = match serve::runtime(1) {
        Ok(runtime) => runtime.block_on(demo).map_err(|error| error.to_string()),
        Err(error) => Err(format!("the runtime cannot be started: {error}")),
    };
    match result {
        Ok(()) => Exit::Success,
        Err(error) => {
            output::error(&error);
            Exit::Internal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_of_the_default_command_has_its_variable() {
        for argument in Cli::command().get_arguments().filter(|argument| argument.get_long().is_some()) {
            let long = argument.get_long().unwrap();
            if matches!(long, "help" | "version") {
                continue;
            }
            let expected = match long {
                "log-level" => "REEVE_LOG".to_owned(),
                long => format!("REEVE_{}", long.to_ascii_uppercase().replace('-', "_")),
            };
            assert_eq!(argument.get_env().and_then(|env| env.to_str()), Some(&*expected), "--{long}");
        }
    }
}
