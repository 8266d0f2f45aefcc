//! A sidecar's stream, at the operator's end: the [`Dialogue`] and the [`Stream`] brought together.

use std::fmt::Display;
use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use reeve_wire::message::{FromSidecar, Trust, Welcome};
use reeve_wire::{PROTOCOL, ToSidecar, Uid};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::dialogue::{Dialogue, Fault};
use super::heard::Voice;
use super::metrics::Counted;
use super::registry::Subscription;
use super::stream::{End, Event, Stream};
use super::upkeep::Upkeep;
use super::{Office, Timing};

/// A sidecar's stream.
pub(super) struct Sidecar<B> {
    pub(super) pod: Uid,
    pub(super) subscription: Subscription,
    pub(super) stream: Stream<B>,
    pub(super) upkeep: Upkeep,
}

/// What else a stream's loop looks after.
struct Session<'a> {
    office: &'a Office,
    dialogue: Dialogue,
    voice: Voice<'a>,
    counted: Counted,
    trust: watch::Receiver<Arc<str>>,
    is_trust_due: bool,
}

impl<B> Sidecar<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    /// Follows the stream to its end, and says why it ended.
    pub(super) async fn run(mut self, office: &Office) -> End {
        match self.follow(office).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn follow(&mut self, office: &Office) -> Result<std::convert::Infallible, End> {
        let first = hello(&mut self.stream, &office.timing).await?;
        let begun = Dialogue::begin(self.pod.clone(), first, Instant::now());
        let (dialogue, protocol) = match begun {
            Ok(begun) => begun,
            Err(fault) => return Err(self.tell_protocol(fault, office).await),
        };
        let (voice, mut replaced) = office.heard.begin(dialogue.report());
        let (counted, trust) = (office.metrics.sidecar(), office.trust.clone());
        let mut session = Session { office, dialogue, voice, counted, trust, is_trust_due: true };
        self.stream.say(&office.welcome(protocol))?;
        loop {
            if self.stream.is_idle() {
                session.speak(&mut self.stream, &self.subscription)?;
            }
            session.counted.set_current(session.dialogue.is_current());
            self.subscription.await_world(session.dialogue.awaits_world());
            let unanswered = session.dialogue.unanswered_since().map(|at| at + office.timing.answer_within);
            tokio::select! {
                event = self.stream.next() => if let Event::Heard(message) = event? {
                    session.hear(message)?;
                },
                changed = self.subscription.changed() => changed.map_err(|_| End::Gone)?,
                due = self.upkeep.due() => {
                    let line = due?;
                    // A ping that would have to wait says nothing.
                    if self.stream.is_idle() || !matches!(line, ToSidecar::Ping(_)) {
                        self.stream.say(&line)?;
                    }
                }
                renewed = session.trust.changed() => {
                    renewed.map_err(|_| End::Unheard)?;
                    session.is_trust_due = true;
                }
                _ = &mut replaced => return Err(End::Replaced),
                () = at(session.dialogue.next_reread()) => {
                    let kinds = session.dialogue.reread(Instant::now());
                    office.reread.ask(&kinds, Instant::now());
                }
                () = at(unanswered) => return Err(End::Unanswered(office.timing.answer_within)),
            }
        }
    }

    /// A sidecar that is too old or too new is told what is spoken here, so that its log can say it, too.
    async fn tell_protocol(&mut self, fault: Fault, office: &Office) -> End {
        if matches!(fault, Fault::Protocol { .. }) && self.stream.say(&office.welcome(PROTOCOL.most)).is_ok() {
            while let Ok(Event::Heard(FromSidecar::Pong(_) | FromSidecar::Unknown)) = self.stream.next().await {}
        }
        fault.into()
    }
}

impl Session<'_> {
    /// Says what is new, if anything is: the authorities, then the configuration.
    fn speak<B>(&mut self, stream: &mut Stream<B>, subscription: &Subscription) -> Result<(), End>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: Display,
    {
        if std::mem::take(&mut self.is_trust_due) {
            let bundle = self.trust.borrow_and_update().to_string();
            stream.say(&ToSidecar::Trust(Trust { bundle }))?;
        }
        if let Some(pieces) = self.dialogue.offer(&subscription.current(), Instant::now()) {
            stream.send(pieces);
        }
        Ok(())
    }

    fn hear(&mut self, message: FromSidecar) -> Result<(), End> {
        let now = Instant::now();
        let outcomes = self.dialogue.take(message, now)?;
        if outcomes.report {
            self.voice.say(self.dialogue.report());
        }
        self.office.reread.ask(&outcomes.reread, now);
        if let Some(took) = outcomes.pushed {
            self.office.metrics.pushed(took);
        }
        if let Some(why) = outcomes.invalid {
            let pod = self.voice.pod();
            tracing::warn!(%pod, why, "a sidecar cannot use the configuration that it is given, and keeps the one it has");
        }
        Ok(())
    }
}

impl Office {
    /// What is answered to a hello.
    pub(super) fn welcome(&self, protocol: u32) -> ToSidecar {
        ToSidecar::Welcome(Welcome {
            protocol,
            version: env!("CARGO_PKG_VERSION").into(),
            replica: self.replica.to_string(),
            ping_every_seconds: u32::try_from(self.timing.ping_every.as_secs()).unwrap_or(u32::MAX).max(1),
        })
    }
}

/// The first line of a stream.
pub(super) async fn hello<B>(stream: &mut Stream<B>, timing: &Timing) -> Result<FromSidecar, End>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    let heard = async {
        loop {
            if let Event::Heard(message) = stream.next().await? {
                return Ok(message);
            }
        }
    };
    tokio::time::timeout(timing.hello_within, heard).await.unwrap_or(Err(End::NoHello(timing.hello_within)))
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
