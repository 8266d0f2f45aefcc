//! One sidecar's side of a stream, without the stream: what it said, what it was sent, and what is to be sent next.
//!
//! At most one configuration is on its way: the next is sent when the sidecar has answered, and is then the newest there is.
//! So a slow sidecar costs no memory, and it is always known whether it has a document already.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reeve_wire::message::{
    Ack, Envelope, FromSidecar, Hello, Identity, Outcome, PodReport, PolicyProblem, Running, ServerState,
};
use reeve_wire::world::Kind;
use reeve_wire::{MOST_OBJECTS, PROTOCOL, Uid, lines};
use tokio::time::Instant;

use super::registry::Held;
use crate::assignment::Assignment;

/// The longest message of a sidecar that is kept, in characters.
const LONGEST_MESSAGE: usize = 1_024;
/// The most bytes of what a sidecar says of all its servers that are kept; of the servers after that it is only known that they cannot
/// be used.
const MOST_WORDS: usize = 64 << 10;
/// What is kept of a message that is left out.
const LEFT_OUT: &str = "see its log";
/// The longest identifier: the API server's have 36 characters.
const LONGEST_UID: usize = 64;
/// How long a sidecar that refused what is older waits before the cluster is read anew for it again, at first and at most.
const REREAD_AFTER: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// What makes a stream not worth following any further.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("its first line is not a hello")]
    NoHello,
    #[error("it says hello again")]
    SecondHello,
    #[error("it speaks protocol {least} to {most}, this operator {} to {}: the two are too far apart", PROTOCOL.least, PROTOCOL.most)]
    Protocol { least: u32, most: u32 },
    #[error("it sends reports, which only replicas of the operator may")]
    NotReplica,
    #[error("it names an object by {0} bytes; a UID has 36")]
    Uid(usize),
}

/// What follows from a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    /// There is something new to report.
    pub(super) report: bool,
    /// Parts of the world to read anew.
    pub(super) reread: Vec<Kind>,
    /// How long the change took from here into force.
    pub(super) pushed: Option<Duration>,
    /// What the sidecar could not use, and why.
    pub(super) invalid: Option<String>,
}

#[derive(Debug)]
pub(super) struct Dialogue {
    began: Instant,
    report: PodReport,
    sent: Option<Sent>,
    /// It turned out not to have a document that it said it runs.
    lacks_document: bool,
}

#[derive(Debug)]
struct Sent {
    assignment: Arc<Assignment>,
    since: Instant,
    with_document: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Unanswered { at: Instant },
    Answered,
    Refused { kinds: Vec<Kind>, again: Instant, pause: Duration },
}

impl Dialogue {
    /// Begins with the first line; also gives the version of the protocol that is spoken from now on.
    pub(super) fn begin(pod: Uid, first: FromSidecar, now: Instant) -> Result<(Self, u32), Fault> {
        let FromSidecar::Hello(hello) = first else { return Err(Fault::NoHello) };
        let protocol = protocol(&hello)?;
        let report = PodReport { pod, connected: true, running: None, servers: Vec::new() };
        let mut dialogue = Self { began: now, report, sent: None, lacks_document: false };
        if let Some(running) = hello.running {
            dialogue.report.running = Some(checked(running)?);
        }
        dialogue.merge(hello.servers)?;
        Ok((dialogue, protocol))
    }

    /// What is known of the sidecar.
    pub(super) fn report(&self) -> PodReport {
        self.report.clone()
    }

    /// Takes a line.
    pub(super) fn take(&mut self, message: FromSidecar, now: Instant) -> Result<Outcomes, Fault> {
        match message {
            FromSidecar::Hello(_) => Err(Fault::SecondHello),
            FromSidecar::Reports(_) => Err(Fault::NotReplica),
            FromSidecar::Ack(ack) => self.answered(ack, now),
            FromSidecar::Servers(states) => {
                self.merge(states)?;
                Ok(Outcomes { report: true, ..Outcomes::default() })
            }
            FromSidecar::Pong(_) | FromSidecar::Unknown => Ok(Outcomes::default()),
        }
    }

    /// The line to send for what is held, in pieces, if it is to be sent now.
    pub(super) fn offer(&mut self, held: &Held, now: Instant) -> Option<[Bytes; 3]> {
        let assignment = &held.assignment;
        if let Some(sent) = &self.sent {
            let is_wanted = match sent.state {
                State::Unanswered { .. } => false,
                State::Answered => self.lacks_document || !sent.assignment.says_the_same(assignment),
                State::Refused { .. } => {
                    sent.assignment.world != assignment.world || !sent.assignment.says_the_same(assignment)
                }
            };
            if !is_wanted {
                return None;
            }
        }
        let runs = self.report.running.as_ref().map(|running| running.origin.hash);
        let lacks_document = self.lacks_document || runs != Some(assignment.hash);
        if assignment.document.is_none() {
            let Identity { namespace, pod, .. } = &assignment.identity;
            tracing::error!(
                namespace,
                pod,
                "the pod's configuration is too large to be sent, or all those of its namespace are to be kept: its sidecar keeps what it has: see the condition Programmed of the policies that govern it"
            );
        }
        // Told of a document that it is not sent, the sidecar does not take pings for a word that what it runs is what should.
        let document = assignment.document.as_ref().filter(|_| lacks_document);
        let envelope =
            Envelope { identity: assignment.identity.clone(), hash: assignment.hash, world: assignment.world };
        let (pieces, with_document) = (lines::write_configuration(&envelope, document).ok(), document.is_some());
        let state = if pieces.is_some() { State::Unanswered { at: now } } else { State::Answered };
        self.sent = Some(Sent { assignment: Arc::clone(assignment), since: held.since, with_document, state });
        self.lacks_document = false;
        pieces
    }

    /// Whether the sidecar runs what it was sent last.
    pub(super) fn is_current(&self) -> bool {
        let runs = self.report.running.as_ref().map(|running| running.origin.hash);
        self.sent
            .as_ref()
            .is_some_and(|sent| matches!(sent.state, State::Answered) && runs == Some(sent.assignment.hash))
    }

    /// Whether it waits for a configuration that was made from a newer world.
    pub(super) fn awaits_world(&self) -> bool {
        matches!(&self.sent, Some(Sent { state: State::Refused { .. }, .. }))
    }

    /// Since when a configuration has not been answered.
    pub(super) fn unanswered_since(&self) -> Option<Instant> {
        match self.sent.as_ref()?.state {
            State::Unanswered { at } => Some(at),
            _ => None,
        }
    }

    /// When to ask again for a newer world.
    pub(super) fn next_reread(&self) -> Option<Instant> {
        match self.sent.as_ref()?.state {
            State::Refused { again, .. } => Some(again),
            _ => None,
        }
    }

    /// What to read anew, now that the time for it has come.
    pub(super) fn reread(&mut self, now: Instant) -> Vec<Kind> {
        let Some(Sent { state: State::Refused { kinds, again, pause }, .. }) = &mut self.sent else {
            return Vec::new();
        };
        if now < *again {
            return Vec::new();
        }
        *pause = (*pause * 2).min(REREAD_AFTER.1);
        *again = now + *pause;
        kinds.clone()
    }

    fn answered(&mut self, ack: Ack, now: Instant) -> Result<Outcomes, Fault> {
        let mut outcomes = Outcomes::default();
        if let Some(running) = ack.running {
            self.report.running = Some(checked(running)?);
            outcomes.report = true;
        }
        let Some(sent) = &mut self.sent else { return Ok(outcomes) };
        let is_of_it = ack.hash == sent.assignment.hash && ack.world == sent.assignment.world;
        if !is_of_it || !matches!(sent.state, State::Unanswered { .. }) {
            return Ok(outcomes);
        }
        sent.state = State::Answered;
        match ack.outcome {
            Outcome::Applied(_) => {
                // What was there before the stream began says how long the sidecar was away.
                outcomes.pushed = (sent.since > self.began).then(|| now.duration_since(sent.since));
            }
            Outcome::RefusedOlder(mut kinds) => {
                kinds.retain(|kind| *kind != Kind::Other);
                kinds.sort_unstable();
                kinds.dedup();
                outcomes.reread = kinds.clone();
                let pause = REREAD_AFTER.0;
                sent.state = State::Refused { kinds, again: now + pause, pause };
            }
            Outcome::RefusedInvalid(_) if !sent.with_document => {
                self.lacks_document = sent.assignment.document.is_some();
            }
            Outcome::RefusedInvalid(why) => outcomes.invalid = Some(cut(why)),
            Outcome::Unknown => {}
        }
        Ok(outcomes)
    }

    fn merge(&mut self, states: Vec<ServerState>) -> Result<(), Fault> {
        for mut state in states {
            check(&state.uid)?;
            state.message = cut(state.message);
            let servers = &mut self.report.servers;
            match servers.binary_search_by(|known| known.uid.cmp(&state.uid)) {
                Ok(at) => servers[at] = state,
                Err(at) if servers.len() < MOST_OBJECTS => servers.insert(at, state),
                Err(_) => {}
            }
        }
        bound(&mut self.report.servers);
        Ok(())
    }
}

/// The version that both speak.
pub(super) fn protocol(hello: &Hello) -> Result<u32, Fault> {
    let theirs = hello.protocol;
    PROTOCOL.common(theirs).ok_or(Fault::Protocol { least: theirs.least, most: theirs.most })
}

/// What a sidecar says that it runs, within bounds: of more than it can have been sent, the rest is left out, so that a sidecar
/// that has it is given something else.
pub(super) fn checked(mut running: Running) -> Result<Running, Fault> {
    running.problems.truncate(MOST_OBJECTS);
    while running.origin.generations.len() > MOST_OBJECTS {
        running.origin.generations.pop_last();
    }
    running.origin.generations.keys().try_for_each(check)?;
    for PolicyProblem { uid, message } in &mut running.problems {
        check(uid)?;
        *message = cut(std::mem::take(message));
    }
    Ok(running)
}

/// What another replica says of a sidecar, within the same bounds.
pub(super) fn checked_report(mut report: PodReport) -> Result<PodReport, Fault> {
    check(&report.pod)?;
    report.running = report.running.map(checked).transpose()?;
    report.servers.truncate(MOST_OBJECTS);
    for state in &mut report.servers {
        check(&state.uid)?;
        state.message = cut(std::mem::take(&mut state.message));
    }
    bound(&mut report.servers);
    Ok(report)
}

fn bound(servers: &mut [ServerState]) {
    let mut left = MOST_WORDS;
    for ServerState { message, .. } in servers {
        match left.checked_sub(message.len()) {
            Some(rest) => left = rest,
            None => *message = LEFT_OUT.into(),
        }
    }
}

fn check(uid: &Uid) -> Result<(), Fault> {
    match uid.as_str().len() {
        1..=LONGEST_UID => Ok(()),
        length => Err(Fault::Uid(length)),
    }
}

fn cut(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
        message.truncate(end);
        // Else it would keep the memory of what was cut off.
        message.shrink_to_fit();
    }
    message
}

#[cfg(test)]
mod tests;
