//! A sidecar that does everything of the protocol and nothing else: it judges what it is offered as a sidecar does, acknowledges it
//! at once, answers pings, goes when it is asked to, and comes back with a sidecar's patience.

use std::sync::Arc;
use std::time::Duration;

use reeve_process::back_off::BackOff;
use reeve_sidecar::sync::{self, Broken};
use reeve_wire::message::{Ack, Configuration, Hello, Outcome, Running};
use reeve_wire::{FromSidecar, Judgement, Origin, PROTOCOL, ToSidecar, judge};
use tokio::time::{Instant, sleep, sleep_until};

use super::board::Board;

struct Light {
    number: usize,
    way: sync::Way,
    token: String,
    board: Arc<Board>,
    running: Option<Running>,
}

/// Follows the operator for ever.
pub(super) async fn follow(number: usize, way: sync::Way, token: String, board: Arc<Board>) {
    let mut sidecar = Light { number, way, token, board, running: None };
    let mut back_off = BackOff::new(sync::SHORTEST_WAIT, sync::LONGEST_WAIT);
    loop {
        let begun = Instant::now();
        let ended = sidecar.stream().await;
        if begun.elapsed() > sync::LONGEST_WAIT {
            back_off.reset();
        }
        if ended.is_err() {
            sleep(back_off.wait()).await;
        }
    }
}

impl Light {
    /// One stream, until the operator asks for another.
    async fn stream(&mut self) -> Result<(), Broken> {
        self.board.attempts();
        let mut link = self.way.open(&self.token, &self.hello()).await?;
        let mut leave_at: Option<Instant> = None;
        loop {
            tokio::select! {
                message = link.heard() => match message? {
                    ToSidecar::Welcome(_) => self.board.answered(),
                    ToSidecar::Configuration(offered) => {
                        let ack = self.take(offered);
                        let is_applied = matches!(ack.outcome, Outcome::Applied(_));
                        link.say(&FromSidecar::Ack(ack)).await?;
                        if let (true, Some(running)) = (is_applied, &self.running) {
                            self.board.enforces(self.number, &running.origin.generations);
                        }
                    }
                    ToSidecar::Ping(number) => link.say(&FromSidecar::Pong(number)).await?,
                    ToSidecar::Retire(retire) => {
                        leave_at = Some(Instant::now() + Duration::from_millis(retire.reconnect_after_millis));
                    }
                    ToSidecar::Trust(_) | ToSidecar::Unknown => {}
                },
                () = sleep_until(leave_at.unwrap_or_else(Instant::now)), if leave_at.is_some() => return Ok(()),
            }
        }
    }

    fn hello(&self) -> FromSidecar {
        let version = env!("CARGO_PKG_VERSION").into();
        FromSidecar::Hello(Hello { protocol: PROTOCOL, version, running: self.running.clone(), servers: Vec::new() })
    }

    fn take(&mut self, offered: Configuration) -> Ack {
        let Configuration { hash, world, document, .. } = offered;
        let outcome = match self.judged(&offered_origin(&self.board, hash, world, document.as_deref(), &self.running)) {
            Ok(origin) => {
                self.running = Some(Running { origin, problems: Vec::new() });
                Outcome::Applied(0)
            }
            Err(outcome) => outcome,
        };
        Ack { hash, world, outcome, running: self.running.clone() }
    }

    /// What runs from now on, or why that does not change.
    fn judged(&self, offered: &Result<Origin, String>) -> Result<Origin, Outcome> {
        let offered = offered.as_ref().map_err(|why| Outcome::RefusedInvalid(why.clone()))?;
        let running = self.running.as_ref().map(|running| &running.origin);
        match (judge(running, offered), running) {
            (Judgement::Older(parts), _) => Err(Outcome::RefusedOlder(parts.into_iter().collect())),
            (Judgement::Same, Some(running)) => {
                Ok(Origin { world: running.world.together(&offered.world), ..offered.clone() })
            }
            (Judgement::Newer | Judgement::Same, _) => Ok(offered.clone()),
        }
    }
}

/// Where what is offered comes from.
fn offered_origin(
    board: &Board,
    hash: reeve_wire::Hash,
    world: reeve_wire::World,
    document: Option<&serde_json::value::RawValue>,
    running: &Option<Running>,
) -> Result<Origin, String> {
    let generations = match (document, running) {
        (Some(document), _) => (*board.read(document.get().as_bytes(), &hash)?).clone(),
        (None, Some(running)) if running.origin.hash == hash => running.origin.generations.clone(),
        (None, _) => return Err(format!("the document {hash} was left out, but does not run here: send it too")),
    };
    Ok(Origin { hash, world, generations })
}
