//! Another replica's stream, at the leader's end: what sidecars said to it, for `control`.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use reeve_wire::message::{FromSidecar, PodReport};

use super::dialogue::{Fault, checked_report, protocol};
use super::sidecar::hello;
use super::stream::{End, Event, Stream};
use super::upkeep::Upkeep;
use super::{Input, Office};

/// How many reports may wait for `control`: then the other replica waits, too.
const MOST_WAITING: usize = 1_024;

/// A replica's stream.
pub(super) struct Replica<B> {
    /// The replica, and the number of its stream: what an older stream of it said ends with that stream alone.
    pub(super) name: Arc<str>,
    pub(super) stream: Stream<B>,
    pub(super) upkeep: Upkeep,
}

impl<B> Replica<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    /// Follows the stream to its end, and says why it ended.
    pub(super) async fn run(mut self, office: &Office) -> End {
        let _counted = office.metrics.replica();
        let end = match self.follow(office).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        // Nobody takes it any more: the operator ends.
        let _ = office.reports.send(Input::ReplicaGone(Arc::clone(&self.name))).await;
        end
    }

    async fn follow(&mut self, office: &Office) -> Result<std::convert::Infallible, End> {
        let FromSidecar::Hello(first) = hello(&mut self.stream, &office.timing).await? else {
            return Err(Fault::NoHello.into());
        };
        self.stream.say(&office.welcome(protocol(&first)?))?;
        let mut waiting: VecDeque<PodReport> = VecDeque::new();
        loop {
            tokio::select! {
                place = office.reports.reserve(), if !waiting.is_empty() => {
                    let place = place.map_err(|_| End::Unheard)?;
                    if let Some(report) = waiting.pop_front() {
                        place.send(Input::Report { replica: Arc::clone(&self.name), report });
                    }
                }
                event = self.stream.next(), if waiting.len() < MOST_WAITING => match event? {
                    Event::Heard(FromSidecar::Reports(reports)) => {
                        for report in reports {
                            waiting.push_back(checked_report(report)?);
                        }
                    }
                    Event::Heard(FromSidecar::Hello(_)) => return Err(Fault::SecondHello.into()),
                    Event::Heard(_) | Event::Written => {}
                },
                due = self.upkeep.due() => {
                    let line = due?;
                    if self.stream.is_idle() || !matches!(line, reeve_wire::ToSidecar::Ping(_)) {
                        self.stream.say(&line)?;
                    }
                }
            }
        }
    }
}
