//! The program's command line, and its run from the first line of the log to the last.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the operator until a signal says to end.
pub fn run(_arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
