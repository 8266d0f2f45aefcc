//! How far a policy reaches: its pods, counted, and named where something is amiss.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reeve_wire::Uid;

use super::groups::{Group, Groups, Lingering, Standing, standing};
use super::names::{Named, PodName};
use crate::control::Moment;
use crate::plan::Excess;

/// How long a sidecar that is behind may not be heard of before that is what is told of it.
pub(crate) const AWAY_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// What a sidecar that is behind runs of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lag {
    /// It never said what it runs, or runs nothing.
    Silent,
    /// It runs this generation.
    Runs(i64),
    /// It runs the present generation beside what has changed since: policies to which a Baseline may yield, or anything where all
    /// together cannot be sent.
    Beside,
    /// It runs this generation and the policy does not govern it any more.
    Lingers(i64),
}

/// A sidecar that would have to be sent more than can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stuck {
    pub(crate) lag: Lag,
    pub(crate) excess: Excess,
}

/// A sidecar that is behind and is not heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Away {
    pub(crate) lag: Lag,
    /// When it was last heard of, by the wall clock; none if it never was.
    pub(crate) heard: Option<Timestamp>,
}

impl Lag {
    /// Of a sidecar that is behind and runs this of a policy whose generation is that.
    fn of(runs: Option<i64>, generation: i64) -> Self {
        match runs {
            None => Self::Silent,
            Some(runs) if runs == generation => Self::Beside,
            Some(runs) => Self::Runs(runs),
        }
    }
}

/// The pods of a policy.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    pub(crate) matched: usize,
    pub(crate) programmed: usize,
    pub(crate) unrouted: usize,
    pub(crate) unprotected: Named<()>,
    pub(crate) refused: Named<String>,
    pub(crate) too_large: Named<Stuck>,
    pub(crate) behind: Named<Lag>,
    pub(crate) away: Named<Away>,
    /// How many of those behind were never heard of.
    pub(crate) unheard: usize,
    /// How many pods with a sidecar there are, by whom their calls are charged to.
    pub(crate) grants: BTreeMap<(Arc<str>, Arc<str>), usize>,
    /// When one that is behind will count as away, by the steady clock.
    pub(crate) next: Option<Timestamp>,
}

impl Reach {
    /// Of a policy of this generation. `heard` tells when a pod's sidecar was last heard of, or the pod first seen, by the steady
    /// clock.
    pub(crate) fn of(
        groups: &Groups,
        policy: &Uid,
        generation: i64,
        now: Moment,
        heard: &dyn Fn(&Uid) -> Timestamp,
    ) -> Self {
        let mut reach = Self::default();
        let clock = Clock { now, heard };
        for group in groups.governed(policy) {
            reach.add_group(groups, group, policy, &clock);
        }
        for Lingering { runs, connected, excess, pods } in groups.lingering(policy, generation) {
            let lag = Lag::Lingers(runs);
            match excess {
                Some(excess) => reach.too_large.add(pods.len(), pods, &Stuck { lag, excess }),
                None => reach.add_behind(lag, Some(connected), pods.iter(), &clock),
            }
        }
        reach
    }

    /// How many of the pods have a sidecar.
    pub(crate) fn sidecars(&self) -> usize {
        self.matched - self.unprotected.count
    }

    fn add_group(&mut self, groups: &Groups, group: &Group, policy: &Uid, clock: &Clock<'_>) {
        let Some(bound) = group.plan.policy(policy) else { return };
        for (class, pods) in &group.classes {
            let count = pods.len();
            self.matched += count;
            match standing(bound, &group.plan, *class, groups.runs(*class).map(|runs| &**runs)) {
                Standing::Programmed => self.programmed += count,
                Standing::Unprotected => self.unprotected.add(count, pods, &()),
                Standing::Refused(why) => self.refused.add(count, pods, &why),
                Standing::TooLarge { excess, runs } => {
                    let lag = Lag::of(runs, bound.entry.generation);
                    self.too_large.add(count, pods, &Stuck { lag, excess });
                }
                Standing::Behind { runs, connected } => {
                    self.add_behind(Lag::of(runs, bound.entry.generation), connected, pods.iter(), clock);
                }
            }
        }
        for (grant, count) in &group.grants {
            *self.grants.entry(grant.clone()).or_default() += count;
        }
        for (servers, count) in &group.unrouted {
            if group.plan.servers_of(bound).any(|server| servers.contains(&server.uid)) {
                self.unrouted += count;
            }
        }
    }

    fn add_behind<'a>(
        &mut self,
        lag: Lag,
        connected: Option<bool>,
        pods: impl ExactSizeIterator<Item = &'a PodName>,
        clock: &Clock<'_>,
    ) {
        if connected.is_none() {
            self.unheard += pods.len();
        }
        if connected == Some(true) {
            self.behind.add(pods.len(), pods, &lag);
            return;
        }
        for pod in pods {
            let heard = (clock.heard)(&pod.uid);
            let away_at = heard.saturating_add(AWAY_AFTER).unwrap_or(Timestamp::MAX);
            if away_at <= clock.now.steady {
                let away = Away { lag, heard: connected.map(|_| clock.now.wall_at(heard)) };
                self.away.add(1, [pod], &away);
            } else {
                self.behind.add(1, [pod], &lag);
                self.next = Some(self.next.map_or(away_at, |next| next.min(away_at)));
            }
        }
    }
}

struct Clock<'a> {
    now: Moment,
    heard: &'a dyn Fn(&Uid) -> Timestamp,
}
