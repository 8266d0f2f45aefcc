//! The operator's program: everything is in [`reeve_operator::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    reeve_operator::cli::run(std::env::args_os())
}
