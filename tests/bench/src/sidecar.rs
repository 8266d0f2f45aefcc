//! The sidecar beside what else could stand in its place: scenarios, rounds, tables, and the bars that it is held to.
//!
//! | module | measures |
//! |---|---|
//! | [`calls`] | the usual call, at 1 and 16 connections, and at 16 with agents and a server that never sleep |
//! | [`variants`] | large arguments, HTTP/2 to the agent, TLS to the server, many streams |
//! | [`growth`] | from start to ready, memory over many calls, reloads |
//! | [`scrape`] | reading the metrics |
//! | [`count`] | instructions and allocations, by valgrind |
//! | [`bars`] | what each figure must be |

pub mod bars;
pub mod calls;
pub mod count;
pub mod growth;
pub mod scrape;
pub mod variants;

use std::time::Instant;

use clap::ValueEnum;

use crate::server::Server;
use crate::subject::{Place, Upstream};

use self::bars::Bars;

/// What is measured, and how thoroughly.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// How often everything is measured; medians are printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The calls after which memory is looked at.
    #[arg(long, default_value_t = 1_000_000)]
    many: usize,
    /// Only these parts.
    #[arg(value_enum)]
    parts: Vec<Part>,
}

/// A part of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The usual call.
    Calls,
    /// Other shapes of calls.
    Variants,
    /// Starting.
    Starts,
    /// Memory over many calls.
    Memory,
    /// Reloading.
    Reload,
    /// Reading the metrics.
    Scrape,
    /// Instructions and allocations.
    Count,
}

/// Measures and prints.
///
/// # Panics
/// If something is not as it should be: a call that is answered otherwise than it must be, a proxy that ends.
pub async fn run(options: Options) {
    let Options { place, rounds, many, parts } = options;
    let began = Instant::now();
    let server = Server::start(None).await;
    let plain = Upstream { address: server.address, authority: None };
    let mut bars = Bars::default();
    for part in Part::value_variants().iter().filter(|part| parts.is_empty() || parts.contains(part)) {
        match part {
            Part::Calls => calls::run(&place, &server, &plain, rounds, &mut bars).await,
            Part::Variants => variants::run(&place, &plain, rounds).await,
            Part::Starts => growth::starts(&place, &plain, rounds, &mut bars).await,
            Part::Memory => growth::memory(&place, &plain, many, &mut bars).await,
            Part::Reload => growth::reload(&place, &plain, &mut bars).await,
            Part::Scrape => scrape::run(&place, &plain, rounds, &mut bars).await,
            Part::Count => count::run(&place, &plain, &mut bars).await,
        }
    }
    bars.program(&place.reeve);
    bars.print();
    println!("\n{rounds} rounds; all of it took {} minutes.", began.elapsed().as_secs().div_ceil(60));
}
