//! One stream to the operator, from its hello to its end.

use std::time::Duration;

use reeve_wire::PROTOCOL;
use reeve_wire::message::{FromSidecar, Hello, Outcome, Retire, ServerState, ToSidecar, Welcome};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::link::{Broken, Link};
use super::standing::{Report, Standing};

/// The longest that a sidecar stays on a stream that it was asked to leave.
const LONGEST_FAREWELL: Duration = Duration::from_secs(60);

/// What is said at the beginning.
pub(super) fn hello(report: &Report) -> FromSidecar {
    FromSidecar::Hello(Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").into(),
        running: report.running.clone(),
        servers: report.servers.clone(),
    })
}

/// A stream on which the hello has been said.
pub(super) struct Stream<'a> {
    link: Link,
    standing: &'a Standing,
    reports: watch::Receiver<Report>,
    /// What the operator was told last of the servers.
    told: Vec<ServerState>,
    /// Whether what the operator has offered last is what is in force, so that its pings vouch for that.
    vouches: bool,
    /// When to leave, if that was asked for.
    leave_at: Option<Instant>,
}

/// What the one who runs streams wants to know.
pub(super) enum News {
    /// The operator has answered the hello.
    Welcome(Welcome),
    /// The operator gives other authorities (PEM) by which to know it.
    Trust(String),
}

impl<'a> Stream<'a> {
    pub(super) fn new(link: Link, standing: &'a Standing, reports: watch::Receiver<Report>, said: &Report) -> Self {
        Self { link, standing, reports, told: said.servers.clone(), vouches: false, leave_at: None }
    }

    /// Follows the stream until there is news; none if the operator asked for another stream.
    pub(super) async fn next(&mut self) -> Result<Option<News>, Broken> {
        loop {
            let leave_at = self.leave_at;
            tokio::select! {
                message = self.link.heard() => match message? {
                    ToSidecar::Welcome(welcome) => return welcomed(welcome).map(Some),
                    ToSidecar::Trust(trust) => return Ok(Some(News::Trust(trust.bundle))),
                    message => self.take(message).await?,
                },
                // Its sender lives as long as the process.
                _ = self.reports.changed() => self.tell_of_servers().await?,
                () = sleep_until(leave_at.unwrap_or_else(Instant::now)), if leave_at.is_some() => return Ok(None),
            }
        }
    }

    async fn take(&mut self, message: ToSidecar) -> Result<(), Broken> {
        match message {
            ToSidecar::Configuration(offered) => {
                let ack = self.standing.take(offered).await;
                self.vouches = matches!(ack.outcome, Outcome::Applied(_));
                self.link.say(&FromSidecar::Ack(ack)).await
            }
            ToSidecar::Ping(number) => {
                if self.vouches {
                    self.standing.vouch().await;
                }
                self.link.say(&FromSidecar::Pong(number)).await
            }
            ToSidecar::Retire(Retire { reason, reconnect_after_millis }) => {
                let after = Duration::from_millis(reconnect_after_millis).min(LONGEST_FAREWELL);
                tracing::debug!(?reason, ?after, "the operator asks for another stream");
                self.leave_at.get_or_insert(Instant::now() + after);
                Ok(())
            }
            ToSidecar::Welcome(_) | ToSidecar::Trust(_) | ToSidecar::Unknown => Ok(()),
        }
    }

    async fn tell_of_servers(&mut self) -> Result<(), Broken> {
        let servers = self.reports.borrow_and_update().servers.clone();
        let changed: Vec<_> = servers.iter().filter(|state| !self.told.contains(state)).cloned().collect();
        self.told = servers;
        if changed.is_empty() { Ok(()) } else { self.link.say(&FromSidecar::Servers(changed)).await }
    }
}

fn welcomed(welcome: Welcome) -> Result<News, Broken> {
    if (PROTOCOL.least..=PROTOCOL.most).contains(&welcome.protocol) {
        return Ok(News::Welcome(welcome));
    }
    Err(Broken::NotUnderstood(format!(
        "it speaks version {} of the protocol, and this sidecar {} to {}: upgrade the older of the two",
        welcome.protocol, PROTOCOL.least, PROTOCOL.most
    )))
}
