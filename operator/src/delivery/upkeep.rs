//! What the operator's end of every stream does by the clock: pings, and the stream's own end.

use std::time::Duration;

use reeve_process::back_off;
use reeve_wire::ToSidecar;
use reeve_wire::message::{Retire, RetireReason};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Timing;
use super::stream::End;

/// How long a sidecar waits before it connects anew, at most, when its stream has lived long enough: such ends are spread by
/// the streams' lives already.
const REBALANCE_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Upkeep {
    timing: Timing,
    next_ping: Instant,
    number: u64,
    lives_until: Instant,
    /// Over how long those who are asked to leave are spread, once this replica ends.
    draining: watch::Receiver<Option<Duration>>,
    ends: Option<Instant>,
}

impl Upkeep {
    /// Of a stream that begins now, and must not outlive its token.
    pub(super) fn new(timing: Timing, token_lives: Duration, draining: watch::Receiver<Option<Duration>>) -> Self {
        let now = Instant::now();
        let lives = timing.life.mul_f64(0.75) + back_off::within(timing.life.mul_f64(0.5));
        // The first ping of many that connect at once is spread, too.
        let next_ping = now + back_off::within(timing.ping_every);
        Self { timing, next_ping, number: 0, lives_until: now + lives.min(token_lives), draining, ends: None }
    }

    /// The next line that is due.
    pub(super) async fn due(&mut self) -> Result<ToSidecar, End> {
        let is_staying = self.ends.is_none();
        let ends = self.ends.unwrap_or(self.lives_until);
        let drained = async {
            match self.draining.wait_for(Option::is_some).await {
                Ok(spread) => spread.unwrap_or_default(),
                Err(_) => Duration::ZERO,
            }
        };
        tokio::select! {
            spread = drained, if is_staying => Ok(self.retire(RetireReason::Draining, spread)),
            () = sleep_until(ends) => match is_staying {
                true => Ok(self.retire(RetireReason::Rebalance, REBALANCE_WITHIN)),
                false => Err(End::Retired),
            },
            () = sleep_until(self.next_ping) => {
                self.next_ping = Instant::now() + self.timing.ping_every;
                self.number += 1;
                Ok(ToSidecar::Ping(self.number))
            }
        }
    }

    fn retire(&mut self, reason: RetireReason, spread: Duration) -> ToSidecar {
        let wait = back_off::within(spread);
        self.ends = Some(Instant::now() + wait + self.timing.retire_within);
        ToSidecar::Retire(Retire {
            reason,
            reconnect_after_millis: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        })
    }
}
