//! The program's command line, and its run from the first line of the log to the last.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

use reeve_process::exit::Exit;
use reeve_process::logging::{self, Output};

use crate::run;
use crate::settings::Settings;

/// Compiles MCP policies for the agents of a Kubernetes cluster, gives them to their sidecars, and tells how far they are in force.
#[derive(Debug, Parser)]
#[command(name = "reeve-operator", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
}

/// The flags, for the reference.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the operator until a signal says to end.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let settings = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli.settings,
        Err(error) => {
            // Nobody is there to be told if this fails.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Success }.into();
        }
    };
    logging::start("reeve_operator", settings.log_level, settings.log_format, Output::Stdout);
    // The client of the API server and the server here must agree on one library before either begins.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let exit = match run::run(settings) {
        Ok(()) => Exit::Success,
        Err(error) => {
            tracing::error!(%error, "the operator ends");
            error.exit()
        }
    };
    exit.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_variable() {
        for argument in command().get_arguments() {
            let Some(long) = argument.get_long().filter(|long| !matches!(*long, "help" | "version")) else { continue };
            let expected = format!("REEVE_{}", long.to_ascii_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().and_then(|env| env.to_str()), Some(&*expected), "--{long}");
        }
    }
}
