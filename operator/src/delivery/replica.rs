//! Another replica's stream, at the leader's end: what sidecars said to it, for `control`.

use std::collections::{HashMap, VecDeque};
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use reeve_wire::message::{FromSidecar, PodReport};
use tokio::sync::oneshot;

use super::dialogue::{Fault, checked_report, protocol};
use super::sidecar::hello;
use super::stream::{End, Event, Stream};
use super::upkeep::Upkeep;
use super::{Input, Office};

/// How many reports may wait for `control`: then the other replica waits, too.
const MOST_WAITING: usize = 1_024;

/// The replicas that report here, each by one stream at a time.
#[derive(Debug, Default)]
pub(super) struct Replicas(Mutex<HashMap<Arc<str>, Seat>>);

#[derive(Debug)]
struct Seat {
    /// Held by the stream that speaks: what an older one says, to its end, is said before a newer one speaks.
    turn: Turn,
    /// Dropped when a newer stream wants to speak.
    _until_replaced: oneshot::Sender<()>,
}

type Turn = Arc<tokio::sync::Mutex<()>>;

impl Replicas {
    /// A new stream of a replica wants to speak. It may when it has the turn, until the other ends.
    fn enter(&self, name: &Arc<str>) -> (Turn, oneshot::Receiver<()>) {
        let (until_replaced, replaced) = oneshot::channel();
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Replicas come and go with other names.
        seats.retain(|of, seat| of == name || Arc::strong_count(&seat.turn) > 1);
        let turn = seats.get(name).map(|seat| Arc::clone(&seat.turn)).unwrap_or_default();
        seats.insert(Arc::clone(name), Seat { turn: Arc::clone(&turn), _until_replaced: until_replaced });
        (turn, replaced)
    }
}

/// A replica's stream.
pub(super) struct Replica<B> {
    /// The name of the replica's pod.
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
        let (turn, mut replaced) = office.replicas.enter(&self.name);
        let _turn = tokio::select! {
            turn = turn.lock() => turn,
            _ = &mut replaced => return End::Replaced,
        };
        let _counted = office.metrics.replica();
        let end = tokio::select! {
            ended = self.follow(office) => match ended {
                Ok(never) => match never {},
                Err(end) => end,
            },
            _ = &mut replaced => End::Replaced,
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_newer_stream_waits_until_the_older_has_said_everything_and_other_replicas_do_not() {
        let replicas = Replicas::default();
        let (first, mut replaced) = replicas.enter(&"reeve-1".into());
        let turn = first.lock().await;
        let (other, _) = replicas.enter(&"reeve-2".into());
        assert!(other.try_lock().is_ok() && (&mut replaced).now_or_never().is_none());

        let (second, _second_replaced) = replicas.enter(&"reeve-1".into());
        assert!(replaced.now_or_never().is_some() && second.try_lock().is_err());
        drop(turn);
        assert!(second.try_lock().is_ok());
    }

    #[test]
    fn replicas_that_are_gone_are_forgotten() {
        let replicas = Replicas::default();
        for number in 0..100 {
            replicas.enter(&format!("reeve-{number}").into());
        }
        assert_eq!(replicas.0.lock().unwrap().len(), 1);
    }
}
