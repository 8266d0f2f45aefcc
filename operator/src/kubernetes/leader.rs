//! Who leads: the replica that holds the Lease, and alone writes statuses and Events.
//!
//! No two machines' clocks are compared. A replica that waits for the Lease counts the time since it saw the Lease change last, by its
//! own monotonic clock; one that holds it counts from before it asked for the renewal. So the holder gives up before another takes
//! over, whatever the clocks say. `holderIdentity` is the pod's name; an annotation has the address at which followers find the leader.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference};
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use reeve_process::back_off::upper_half;
use reeve_process::drain::Drain;
use tokio::sync::watch;

use super::{KubernetesError, within};

/// How long a Lease that is not renewed keeps others waiting. A killed leader is replaced within this time and one attempt: statuses
/// are true again within ten seconds. Losing it by a slow API server only pauses writes.
const DURATION: Duration = Duration::from_secs(8);
/// How long before that the holder gives up by itself.
const MARGIN: Duration = Duration::from_secs(2);
/// How often the Lease is looked at, or renewed.
const EVERY: Duration = Duration::from_secs(2);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(4);
/// The annotation with the holder's address.
const ADDRESS: &str = "reeve.dev/address";

/// A replica and where it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// The name of its pod.
    pub name: String,
    /// Host and port of its TLS server.
    pub address: String,
}

/// Who leads, as this replica knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The holder of the Lease, this replica or another.
    pub holder: Option<Replica>,
    /// If this replica holds it: until when that is sure.
    pub until: Option<Instant>,
    /// Counts how often this replica began to lead: what was to be written in an earlier term was dropped.
    pub term: u64,
}

impl Leadership {
    /// Whether this replica leads at this moment.
    pub fn leads(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// What to do about a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// There is none: make it.
    Create,
    /// Write it in this replica's name.
    Take,
    /// It is another's.
    Wait,
}

/// What was seen of another's Lease, and when it was new.
#[derive(Debug, Default)]
struct Seen {
    lease: Option<(String, Instant)>,
}

impl Seen {
    /// What to do about this Lease.
    fn step(&mut self, lease: Option<&Lease>, me: &str, now: Instant) -> Step {
        let Some(lease) = lease else { return Step::Create };
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
        if holder == me || holder.is_empty() {
            return Step::Take;
        }
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let stated = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
        let duration = stated.map_or(DURATION, Duration::from_secs);
        match &self.lease {
            Some((seen, since)) if *seen == version => {
                if now.duration_since(*since) >= duration {
                    Step::Take
                } else {
                    Step::Wait
                }
            }
            _ => {
                self.lease = Some((version, now));
                Step::Wait
            }
        }
    }
}

/// Takes part in the election.
pub struct Candidate {
    leases: Api<Lease>,
    name: String,
    me: Replica,
    owner: Option<OwnerReference>,
    leadership: watch::Sender<Leadership>,
    seen: Seen,
}

impl Candidate {
    /// One for the Lease of this name. `owner` goes with the Lease, so that an uninstallation leaves none.
    pub fn new(
        leases: Api<Lease>,
        name: String,
        me: Replica,
        owner: Option<OwnerReference>,
        leadership: watch::Sender<Leadership>,
    ) -> Self {
        Self { leases, name, me, owner, leadership, seen: Seen::default() }
    }

    /// Takes part until the process drains; then gives the Lease back, so that another leads at once.
    pub async fn run(mut self, drain: Drain) {
        let mut draining = std::pin::pin!(drain.draining());
        loop {
            let attempt = tokio::time::timeout(ATTEMPT, self.attempt());
            let attempted = tokio::select! {
                attempted = attempt => attempted,
                () = &mut draining => break,
            };
            match attempted {
                Ok(Ok(())) => {}
                Ok(Err(error)) if error.is_conflict() => tracing::debug!(lease = %self.name, "another was faster"),
                Ok(Err(error)) => tracing::warn!(lease = %self.name, %error, "the Lease cannot be read or written"),
                Err(_) => tracing::warn!(lease = %self.name, "the API server is slow to answer for the Lease"),
            }
            self.lapse(Instant::now());
            let wait = self
                .leadership
                .borrow()
                .until
                .map_or(EVERY, |until| until.saturating_duration_since(Instant::now()).min(EVERY));
            tokio::select! {
                () = tokio::time::sleep(upper_half(wait.max(Duration::from_millis(100)))) => {}
                () = &mut draining => break,
            }
            self.lapse(Instant::now());
        }
        self.release().await;
    }

    async fn attempt(&mut self) -> Result<(), KubernetesError> {
        let now = Instant::now();
        let lease = within(self.leases.get_opt(&self.name)).await?;
        match self.seen.step(lease.as_ref(), &self.me.name, now) {
            Step::Create => {
                let lease = self.mine(None);
                within(self.leases.create(&PostParams::default(), &lease)).await?;
                self.lead(now);
            }
            Step::Take => {
                let lease = self.mine(lease);
                within(self.leases.replace(&self.name, &PostParams::default(), &lease)).await?;
                self.lead(now);
            }
            Step::Wait => self.follow(lease.as_ref()),
        }
        Ok(())
    }

    /// The Lease in this replica's name, with the version that it was read at: whoever changed it since wins.
    fn mine(&self, lease: Option<Lease>) -> Lease {
        let mut lease = lease.unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                owner_references: self.owner.clone().map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            spec: None,
        });
        let before = lease.spec.take().unwrap_or_default();
        let is_mine = before.holder_identity.as_deref() == Some(&*self.me.name);
        let now = MicroTime(Timestamp::now());
        lease.metadata.annotations.get_or_insert_default().insert(ADDRESS.into(), self.me.address.clone());
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.me.name.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: if is_mine { before.acquire_time } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(!is_mine)),
            ..LeaseSpec::default()
        });
        lease
    }

    fn lead(&self, asked: Instant) {
        let mut began = false;
        self.leadership.send_modify(|leadership| {
            began = !leadership.leads(Instant::now());
            leadership.term += u64::from(began);
            leadership.holder = Some(self.me.clone());
            leadership.until = Some(asked + DURATION - MARGIN);
        });
        if began {
            tracing::info!(lease = %self.name, replica = %self.me.name, "this replica leads");
        }
    }

    fn follow(&self, lease: Option<&Lease>) {
        let holder = lease.and_then(holder);
        self.leadership.send_if_modified(|leadership| {
            let followed = Leadership { holder, until: None, term: leadership.term };
            let differs = *leadership != followed;
            if differs {
                tracing::info!(leader = ?followed.holder, "this replica follows");
                *leadership = followed;
            }
            differs
        });
    }

    /// Gives up what was not renewed in time.
    fn lapse(&self, now: Instant) {
        self.leadership.send_if_modified(|leadership| {
            let lapsed = leadership.until.is_some_and(|until| now >= until);
            if lapsed {
                tracing::warn!(lease = %self.name, "the Lease was not renewed in time: this replica writes nothing until it is");
                *leadership = Leadership { term: leadership.term, ..Leadership::default() };
            }
            lapsed
        });
    }

    async fn release(&self) {
        let led = self.leadership.send_replace(Leadership::default());
        if led.until.is_none() {
            return;
        }
        let release = async {
            let Some(mut lease) = within(self.leases.get_opt(&self.name)).await? else { return Ok(()) };
            let Some(spec) = lease.spec.as_mut() else { return Ok(()) };
            if spec.holder_identity.as_deref() == Some(&*self.me.name) {
                spec.holder_identity = Some(String::new());
                within(self.leases.replace(&self.name, &PostParams::default(), &lease)).await?;
            }
            Ok::<_, KubernetesError>(())
        };
        if let Ok(Err(error)) = tokio::time::timeout(ATTEMPT, release).await {
            tracing::debug!(%error, "the Lease cannot be given back; it lapses");
        }
    }
}

fn holder(lease: &Lease) -> Option<Replica> {
    let name = lease.spec.as_ref()?.holder_identity.clone()?;
    let address = lease.metadata.annotations.as_ref()?.get(ADDRESS)?.clone();
    Some(Replica { name, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, version: &str) -> Lease {
        Lease {
            metadata: ObjectMeta { resource_version: Some(version.into()), ..ObjectMeta::default() },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.into()),
                lease_duration_seconds: Some(8),
                // What the holder's clock says is of no matter.
                renew_time: Some(MicroTime(Timestamp::UNIX_EPOCH)),
                ..LeaseSpec::default()
            }),
        }
    }

    #[test]
    fn another_leads_until_its_lease_stood_still_for_its_whole_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        assert_eq!(seen.step(Some(&lease("b", "1")), "a", at(0)), Step::Wait);
        assert_eq!(seen.step(Some(&lease("b", "1")), "a", at(7)), Step::Wait);
        assert_eq!(seen.step(Some(&lease("b", "2")), "a", at(8)), Step::Wait, "it was renewed");
        assert_eq!(seen.step(Some(&lease("b", "2")), "a", at(15)), Step::Wait);
        assert_eq!(seen.step(Some(&lease("b", "2")), "a", at(16)), Step::Take);
    }

    #[test]
    fn a_lease_that_is_free_or_ones_own_is_taken_at_once() {
        let now = Instant::now();
        for (held, expected) in
            [(None, Step::Create), (Some(lease("", "1")), Step::Take), (Some(lease("a", "1")), Step::Take)]
        {
            assert_eq!(Seen::default().step(held.as_ref(), "a", now), expected, "{held:?}");
        }
    }

    #[test]
    fn the_holder_gives_up_before_another_may_take_over() {
        let asked = Instant::now();
        let leadership = Leadership { until: Some(asked + DURATION - MARGIN), ..Leadership::default() };
        assert!(leadership.leads(asked));
        assert!(!leadership.leads(asked + DURATION - MARGIN));
        assert!(!Leadership::default().leads(asked));
    }
}
