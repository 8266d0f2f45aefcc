//! The program of the benchmarks: the comparison, and the proxies that it starts.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use reeve_bench::subject::Place;
use reeve_bench::{engine, minimal, sidecar, splice};

#[derive(Parser)]
enum Role {
    /// Compares the sidecar with what else could stand in its place.
    Sidecar(sidecar::Options),
    /// Counts the instructions of the engine's operations, and prints them beside what criterion has timed.
    Engine(engine::count::Options),
    /// Does an operation of the engine again and again.
    Repeat(engine::count::Repeat),
    /// Leaves a profile of the sidecar, made by callgrind, in a folder.
    Profile {
        #[command(flatten)]
        place: Place,
        folder: PathBuf,
    },
    /// Copies bytes.
    Splice {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        server: SocketAddr,
    },
    /// Parses, compares one name, and forwards.
    Minimal {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        server: SocketAddr,
        #[arg(long)]
        tool: String,
        #[arg(long)]
        authority: Option<PathBuf>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    match Role::parse() {
        Role::Sidecar(options) => sidecar::run(options).await,
        Role::Engine(options) => engine::count::run(&options),
        Role::Repeat(options) => engine::count::repeat(&options),
        Role::Profile { place, folder } => sidecar::count::profile(&place, &folder).await,
        Role::Splice { listen, server } => splice::run(listen, server).await,
        Role::Minimal { listen, server, tool, authority } => {
            minimal::run(minimal::Options { listen, server, tool, authority }).await;
        }
    }
}
