//! The sidecar's program: everything is in [`reeve_sidecar::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    reeve_sidecar::cli::run(std::env::args_os()).into()
}
