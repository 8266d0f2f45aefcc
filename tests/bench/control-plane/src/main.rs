//! Measures Reeve's operator: a process of its own on a real API server, which asks that for TokenReviews, and thousands of sidecars
//! that speak the real protocol.
//!
//! ```text
//! this process                                  the operator's process            tests/cluster/run --api-only
//! ┌────────────────────────────┐                ┌──────────────────┐              ┌─────────────────────┐
//! │ applies, creates, watches ─────────────────────────────────────────────────► │ API server, etcd,   │
//! │                            │                │ watches, writes ───────────────► │ controllers, no node│
//! │                            │                │ ◄── webhooks ────────────────── │                     │
//! │ fleet: N sidecars ──────── /v1/sync ──────► │ TokenReview ───────────────────► │                     │
//! └────────────────────────────┘                └──────────────────┘              └─────────────────────┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`ground`] | what stands before anything is measured |
//! | [`cluster`], [`objects`] | the API server, and what is written into it |
//! | [`operator`] | the operator's process: started, asked, killed |
//! | [`pods`], [`fleet`] | agents' pods, and their sidecars |
//! | [`statuses`] | what policies' statuses say |
//! | [`change`], [`one`] | a changed policy, of all pods and of one |
//! | [`webhook`] | injection |
//! | [`resync`], [`restart`] | starting among many policies, and under many sidecars |
//!
//! `tests/bench/run control-plane` builds and starts it, in a cluster for each part.

mod change;
mod cluster;
mod fleet;
mod ground;
mod objects;
mod one;
mod operator;
mod pods;
mod restart;
mod resync;
mod statuses;
mod webhook;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use reeve_bench::sidecar::bars::Bars;

use self::ground::Ground;

/// What is measured, and how thoroughly.
#[derive(Debug, Parser)]
struct Options {
    /// The operator's program.
    #[arg(long)]
    operator: PathBuf,
    /// The folder with Reeve's kinds.
    #[arg(long, default_value = "crds")]
    kinds: PathBuf,
    /// How often everything is measured.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// How many sidecars there are, one number after the other.
    #[arg(long, value_delimiter = ',', default_value = "100,1000,5000")]
    sidecars: Vec<usize>,
    /// How often the policy of one pod is changed.
    #[arg(long, default_value_t = 200)]
    changes: usize,
    /// How many sidecars the operator is restarted under.
    #[arg(long, default_value_t = 1_000)]
    restarted: usize,
    /// Among how many namespaces of 100 policies and 100 pods the operator is started.
    #[arg(long, default_value_t = 10)]
    namespaces: usize,
    /// What is measured.
    #[arg(value_enum)]
    part: Part,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// From a changed policy to all who enforce it; and what one pod's change costs.
    Change,
    /// Injection.
    Webhook,
    /// Starting with 1,000 policies and 1,000 pods.
    Resync,
    /// Restarting under sidecars.
    Restart,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    // Two libraries speak TLS here, and must agree on what does the arithmetic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let began = Instant::now();
    let mut ground = Ground::lay(&options.operator, &options.kinds).await;
    eprintln!("the operator is ready after {} s", began.elapsed().as_secs());
    let mut bars = Bars::default();
    match options.part {
        Part::Change => {
            change::run(&ground, &options.sidecars, options.rounds, options.changes, &mut bars).await;
        }
        Part::Webhook => webhook::run(&ground, options.rounds, &mut bars).await,
        Part::Resync => resync::run(&mut ground, options.namespaces, &mut bars).await,
        Part::Restart => restart::run(&mut ground, options.restarted, &mut bars).await,
    }
    bars.print();
    println!("\nThis part took {} s.", began.elapsed().as_secs());
}
