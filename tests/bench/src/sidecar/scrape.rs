//! What reading the metrics takes: as Prometheus reads them, before anything was counted and after every rule has.

use std::time::Instant;

use crate::figures::{count, figure, mebibytes, median, millis};
use crate::load::{Agents, USUAL};
use crate::policies::limited_tool;
use crate::sidecar::bars::Bars;
use crate::subject::{Place, Running, Subject, Upstream, get};
use crate::table::Table;
use crate::usage;

/// The rules that there are; each has a limit, and is for a tool of its own.
const RULES: [usize; 3] = [1, 100, 10_000];

/// How often the metrics are read in a round.
const SCRAPES: usize = 20;

/// What was read.
struct Read {
    /// Milliseconds of each time, from the connection's beginning to the last byte.
    times: Vec<f64>,
    bytes: usize,
    series: usize,
}

/// Measures, prints the table, and adds the bar.
///
/// # Panics
/// If a call is answered otherwise than it must be, or the metrics cannot be read.
pub async fn run(place: &Place, upstream: &Upstream, rounds: usize, bars: &mut Bars) {
    let mut table = Table::new(&["", "series", "KiB", "median ms", "longest ms", "RSS MiB then"]);
    for rules in RULES {
        eprintln!("scrape: {rules} rules");
        let subject = Subject::Limited { rules };
        let running = place.start(subject, upstream).await;
        let fresh = read(&running, rounds).await;
        row(&mut table, &format!("{}, nothing called", subject.name()), &fresh, &running);
        let mut agents = Agents::connect(running.address, 1, &USUAL).await;
        agents.call_tools(&USUAL, (0..rules).map(limited_tool)).await;
        let counted = read(&running, rounds).await;
        row(&mut table, &format!("{}, each called", subject.name()), &counted, &running);
        if rules == 10_000 {
            bars.at_most("a scrape, 10,000 rules that were all called, median", median(counted.times), 50.0, " ms");
        }
    }
    table.print(&format!("Reading the metrics, {} times", rounds * SCRAPES));
}

async fn read(running: &Running, rounds: usize) -> Read {
    let admin = running.admin.expect("Reeve has metrics");
    let mut read = Read { times: Vec::new(), bytes: 0, series: 0 };
    for _ in 0..rounds * SCRAPES {
        let began = Instant::now();
        let answer = get(admin, "/metrics").await.expect("the metrics can be read");
        read.times.push(millis(began.elapsed()));
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer has a body");
        read.bytes = body.len();
        read.series = body.lines().filter(|line| !line.starts_with('#')).count();
    }
    read
}

fn row(table: &mut Table, name: &str, read: &Read, running: &Running) {
    let longest = read.times.iter().copied().fold(0.0, f64::max);
    let memory = running.process().map_or(0, usage::memory);
    table.row([
        name.to_owned(),
        read.series.to_string(),
        figure(count(read.bytes as u64) / 1024.0, ""),
        figure(median(read.times.iter().copied()), ""),
        figure(longest, ""),
        figure(mebibytes(memory), ""),
    ]);
}
