//! Runs a client against a server through a sidecar: `reeve-peer-through-sidecar CLIENT [ARGUMENT...] URL`.
//!
//! The sidecar permits everything, has the server at URL as its upstream, and ends when the client has. The client is given
//! the sidecar's URL instead of the server's.

use std::process::{Command, ExitCode};

use reeve_tests::sidecar::{ALLOW_ALL, Sidecar};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, arguments @ .., upstream] = &arguments[..] else {
        eprintln!("usage: reeve-peer-through-sidecar CLIENT [ARGUMENT...] URL");
        return ExitCode::from(64);
    };
    let sidecar = Sidecar::start(ALLOW_ALL, upstream);
    let status = Command::new(program).args(arguments).arg(&sidecar.url).status();
    match status.ok().and_then(|status| status.code()) {
        Some(0) => ExitCode::SUCCESS,
        code => {
            eprintln!("the client ended with {code:?}; the sidecar's log:\n{}", sidecar.process.log());
            ExitCode::FAILURE
        }
    }
}
