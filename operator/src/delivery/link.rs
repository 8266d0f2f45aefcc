//! A follower's one stream to the leader, by which the leader knows what is said to the follower: all of it at first, changes
//! from then on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reeve_process::back_off::BackOff;
use reeve_wire::message::{FromSidecar, Hello, PodReport};
use reeve_wire::{LONGEST_TO_OPERATOR, PROTOCOL, ToSidecar, lines};
use tokio::sync::watch;
use tokio::time::sleep;

use super::Timing;
use super::heard::Heard;
use super::stream::{End, Event, Limits, Stream};

mod connect;

use self::connect::{Connection, Error};

/// The first wait before another attempt.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How many reports are taken from the table at once.
const REPORTS: usize = 64;

/// Where the leader is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The address and port of its replica.
    pub address: String,
    /// The name that its certificate is to bear.
    pub server_name: String,
}

/// A follower's stream to the leader, whoever that is.
#[derive(Clone, Debug)]
pub struct Link {
    /// The leader; none while there is none, or while it is this replica.
    pub leader: watch::Receiver<Option<Leader>>,
    /// The authorities, PEM, by which to know it.
    pub trust: watch::Receiver<Arc<str>>,
    /// The file with this replica's own token, of audience [`reeve_wire::AUDIENCE`].
    pub token: PathBuf,
}

/// How a stream went that has ended.
enum Ended {
    /// It was asked to make another, after a time.
    Retired(Duration),
    /// It failed, after it had begun or before.
    Failed { error: Error, had_begun: bool },
}

impl Link {
    /// Keeps the stream, to whoever leads. Ends when nobody tells any more who that is.
    pub(super) async fn run(mut self, heard: &Heard, timing: &Timing) {
        let mut back_off = BackOff::new(SHORTEST_WAIT, LONGEST_WAIT);
        loop {
            let Some(leader) = self.leader.borrow_and_update().clone() else {
                match self.leader.changed().await {
                    Ok(()) => continue,
                    Err(_) => return std::future::pending().await,
                }
            };
            let to = self.clone();
            let attempt = async {
                let wait = match to.follow(&leader, heard, timing).await {
                    Ended::Retired(wait) => wait,
                    Ended::Failed { error, had_begun } => {
                        if had_begun {
                            back_off.reset();
                        }
                        let address = &leader.address;
                        tracing::warn!(
                            address,
                            "no stream to the leader, which does not hear of the sidecars of this replica: {error}"
                        );
                        back_off.wait()
                    }
                };
                sleep(wait).await;
            };
            tokio::select! {
                () = attempt => {}
                changed = self.leader.changed() => if changed.is_ok() {
                    back_off.reset();
                },
            }
        }
    }

    async fn follow(&self, leader: &Leader, heard: &Heard, timing: &Timing) -> Ended {
        let connection = match Connection::open(self, leader).await {
            Ok(connection) => connection,
            Err(error) => return Ended::Failed { error, had_begun: false },
        };
        let limits = Limits { longest: LONGEST_TO_OPERATOR, silence: timing.silence };
        let mut had_begun = false;
        let Connection { body, out, driver: _driver } = connection;
        match tell(Stream::new(body, out, limits), heard, &mut had_begun).await {
            Ok(wait) => Ended::Retired(wait),
            Err(end) => Ended::Failed { error: Error::Ended(end), had_begun },
        }
    }
}

/// Tells the leader everything, and then whatever changes, until it says to connect anew after a time.
async fn tell<B>(mut stream: Stream<B>, heard: &Heard, had_begun: &mut bool) -> Result<Duration, End>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let hello =
        Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").into(), running: None, servers: Vec::new() };
    stream.say(&FromSidecar::Hello(hello))?;
    let mut reader = heard.reader_of_live();
    let mut changes = heard.watch();
    loop {
        if *had_begun && stream.is_idle() {
            let reports = heard.read(&mut reader, REPORTS);
            if !reports.is_empty() {
                stream.send(in_lines(reports));
            }
        }
        tokio::select! {
            event = stream.next() => match event? {
                Event::Heard(ToSidecar::Welcome(_)) => *had_begun = true,
                Event::Heard(ToSidecar::Ping(number)) => stream.say(&FromSidecar::Pong(number))?,
                Event::Heard(ToSidecar::Retire(retire)) => {
                    return Ok(Duration::from_millis(retire.reconnect_after_millis).min(LONGEST_WAIT));
                }
                Event::Heard(_) | Event::Written => {}
            },
            // Only once what was said before has left: the table keeps the newest until then.
            _ = changes.changed(), if *had_begun && stream.is_idle() => {}
        }
    }
}

/// Lines that are not too long to be read. A report that is by itself is sent without its messages.
fn in_lines(mut reports: Vec<PodReport>) -> Vec<Bytes> {
    let message = FromSidecar::Reports(std::mem::take(&mut reports));
    let written = lines::write(&message).ok().filter(|line| line.len() <= LONGEST_TO_OPERATOR);
    let FromSidecar::Reports(mut reports) = message else { return Vec::new() };
    match (written, reports.len()) {
        (Some(line), _) => vec![line],
        (None, 0) => Vec::new(),
        (None, 1) => {
            let is_short = reports.iter_mut().all(|report| !shorten(report));
            if is_short { Vec::new() } else { in_lines(reports) }
        }
        (None, several) => {
            let rest = reports.split_off(several / 2);
            [in_lines(reports), in_lines(rest)].concat()
        }
    }
}

/// Takes the messages out, and says whether there were any.
fn shorten(report: &mut PodReport) -> bool {
    let problems = report.running.iter_mut().flat_map(|running| &mut running.problems);
    let messages = problems.map(|problem| &mut problem.message);
    let mut had_any = false;
    for message in messages.chain(report.servers.iter_mut().map(|state| &mut state.message)) {
        had_any |= !message.is_empty();
        message.clear();
    }
    had_any
}

#[cfg(test)]
mod tests {
    use reeve_wire::message::{ServerReason, ServerState};

    use super::*;

    #[test]
    fn reports_of_any_number_and_length_fit_into_lines_and_none_is_lost() {
        let state = |number: usize| ServerState {
            uid: format!("{number:064}").as_str().into(),
            generation: i64::MAX,
            reason: ServerReason::SecretMissing,
            message: "\u{1}".repeat(1_024),
        };
        let report = |pod: usize, servers: usize| PodReport {
            pod: format!("p{pod}").as_str().into(),
            connected: true,
            running: None,
            servers: (0..servers).map(state).collect(),
        };
        let reports: Vec<_> =
            [4_096, 1, 90, 90, 90, 90, 0].into_iter().enumerate().map(|(p, n)| report(p, n)).collect();
        let lines = in_lines(reports.clone());
        let mut told = Vec::new();
        for line in &lines {
            assert!(line.len() <= LONGEST_TO_OPERATOR);
            let FromSidecar::Reports(reports) = lines::read(line).unwrap() else { panic!("{line:?}") };
            told.extend(reports);
        }
        assert_eq!(told.len(), reports.len());
        assert_eq!(told[1..], reports[1..]);
        assert_eq!(told[0].servers.len(), 4_096);
        assert!(lines.len() > 2);
    }
}
