//! Which statuses are to be written and which Events told, by the replica that leads.

pub(super) mod grace;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reeve_crds::v1alpha1::{PolicyStatus, ServerStatus};
use reeve_wire::Uid;

use self::grace::{GRACE, policy_stands, server_stands};
use super::configurations::Configurations;
use super::touched::Touched;
use super::{Moment, Output, PolicyStatusWrite, ServerStatusWrite};
use crate::events;
use crate::reports::Reports;
use crate::status::names::PodName;
use crate::status::reach::Reach;
use crate::status::server::{Amiss, Tally, Word};
use crate::status::{policy, server};
use crate::world::{Difference, Key, PolicyView, ServerView, World};

/// How long after a status was given it should be seen in the object; else it is given again.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// What telling reads.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) world: &'a World,
    pub(super) reports: &'a Reports,
    pub(super) configurations: &'a Configurations,
    pub(super) now: Moment,
}

/// Of what the status may be another.
#[derive(Debug, Default)]
pub(super) struct Changed {
    policies: BTreeSet<Arc<str>>,
    servers: BTreeSet<Key>,
    everything: bool,
}

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Since when this replica leads.
    leading: Option<Timestamp>,
    policies: HashMap<Arc<str>, Told<PolicyStatus>>,
    servers: HashMap<Key, Told<ServerStatus>>,
    /// What to look at again, and when.
    timers: BTreeMap<Timestamp, Changed>,
}

/// A status that was given and is not yet seen in its object.
#[derive(Debug)]
struct Told<S> {
    status: S,
    at: Timestamp,
}

impl Changed {
    /// Takes what settling has found.
    pub(super) fn take(configurations: &mut Configurations, touched: &Touched) -> Self {
        let mut policies = touched.policies.clone();
        let changed = configurations.groups.take_changed();
        policies.extend(changed.iter().filter_map(|uid| configurations.keys.get(uid)).cloned());
        let mut servers = std::mem::take(&mut configurations.changed_tallies);
        servers.extend(touched.servers.iter().cloned());
        Self { policies, servers, everything: touched.all_statuses }
    }

    fn add(&mut self, other: Self) {
        self.policies.extend(other.policies);
        self.servers.extend(other.servers);
        self.everything |= other.everything;
    }
}

impl<S: PartialEq> Told<S> {
    /// Whether it should have been seen in the object by now, and was not.
    fn is_lost(&self, present: &S, now: Timestamp) -> bool {
        self.status != *present && after(self.at, SEEN_WITHIN) <= now
    }
}

impl Telling {
    /// Takes whether this replica leads; says whether it begins to.
    pub(super) fn lead(&mut self, leads: bool, now: Timestamp) -> bool {
        if !leads {
            *self = Self::default();
            return false;
        }
        let begins = self.leading.is_none();
        self.leading.get_or_insert(now);
        begins
    }

    /// Policies are others than they were: so may be their statuses, by this replica's hand or by another's.
    pub(super) fn seen_policies(&mut self, differences: &[Difference<PolicyView>], now: Timestamp) {
        for Difference { old, new } in differences.iter().filter(|_| self.leading.is_some()) {
            let Some(policy) = old.as_ref().or(new.as_ref()) else { continue };
            let is_another = old.as_ref().map(|old| &old.uid) != new.as_ref().map(|new| &new.uid);
            if is_another {
                self.policies.remove(&policy.key);
            }
            let is_written = old.as_ref().zip(new.as_ref()).is_some_and(|(old, new)| old.status != new.status);
            if is_written {
                let at = self.policies.get(&policy.key).map_or(now, |told| after(told.at, SEEN_WITHIN));
                self.timers.entry(at).or_default().policies.insert(Arc::clone(&policy.key));
            }
        }
    }

    /// As [`Self::seen_policies`].
    pub(super) fn seen_servers(&mut self, differences: &[Difference<ServerView>], now: Timestamp) {
        for Difference { old, new } in differences.iter().filter(|_| self.leading.is_some()) {
            let Some(server) = old.as_ref().or(new.as_ref()) else { continue };
            let key = (Arc::clone(&server.namespace), Arc::clone(&server.name));
            let is_another = old.as_ref().map(|old| &old.uid) != new.as_ref().map(|new| &new.uid);
            if is_another {
                self.servers.remove(&key);
            }
            let is_written = old.as_ref().zip(new.as_ref()).is_some_and(|(old, new)| old.status != new.status);
            if is_written {
                let at = self.servers.get(&key).map_or(now, |told| after(told.at, SEEN_WITHIN));
                self.timers.entry(at).or_default().servers.insert(key);
            }
        }
    }

    /// Adds what is to be written and told.
    pub(super) fn settle(&mut self, known: &Known<'_>, mut changed: Changed, output: &mut Output) {
        if self.leading.is_none() {
            return;
        }
        while let Some(due) = self.timers.first_entry().filter(|due| *due.key() <= known.now.steady) {
            changed.add(due.remove());
        }
        if changed.everything {
            changed.policies.extend(known.world.policies.keys().chain(known.world.cluster_policies.keys()).cloned());
            changed.servers.extend(known.world.servers.keys().cloned());
        }
        for key in &changed.policies {
            let policies = if key.contains('/') { &known.world.policies } else { &known.world.cluster_policies };
            if let Some(policy) = policies.get(key) {
                self.policy(policy, known, output);
            }
        }
        for key in &changed.servers {
            if let Some(server) = known.world.servers.get(key) {
                self.server(key, server, known, output);
            }
        }
        output.next = self.timers.keys().next().copied();
    }

    fn policy(&mut self, view: &PolicyView, known: &Known<'_>, output: &mut Output) {
        let now = known.now.steady;
        let heard = |pod: &Uid| known.heard(pod, self.leading);
        let reach = Reach::of(&known.configurations.groups, &view.uid, view.generation, known.now, &heard);
        if let Some(at) = reach.next {
            self.timers.entry(at).or_default().policies.insert(Arc::clone(&view.key));
        }
        let told = self.policies.get(&view.key);
        let present = told.map_or(&view.status, |told| &told.status);
        let status = policy::status(view, &reach, present, known.now.wall);
        if let Some(until) = self.grace(now).filter(|_| policy_stands(view, known, &reach, present, &status)) {
            self.timers.entry(until).or_default().policies.insert(Arc::clone(&view.key));
            return;
        }
        let is_lost = told.is_some_and(|told| told.is_lost(&view.status, now));
        if status == *present && !is_lost {
            if status == view.status {
                self.policies.remove(&view.key);
            }
            return;
        }
        let pod = |uid: &Uid| known.world.pods.get(uid);
        output.events.extend(events::of_policy(view, present, &status, &reach, &pod));
        self.timers.entry(after(now, SEEN_WITHIN)).or_default().policies.insert(Arc::clone(&view.key));
        self.policies.insert(Arc::clone(&view.key), Told { status: status.clone(), at: now });
        output.policies.push(PolicyStatusWrite {
            namespace: view.namespace.clone(),
            name: view.name().into(),
            uid: view.uid.clone(),
            status,
        });
    }

    fn server(&mut self, key: &Key, view: &ServerView, known: &Known<'_>, output: &mut Output) {
        let now = known.now.steady;
        let none = Tally::default();
        let tally = known.configurations.tallies.get(key).unwrap_or(&none);
        let told = self.servers.get(key);
        let present = told.map_or(&view.status, |told| &told.status);
        let amiss = known.amiss(view, tally);
        let status = server::status(view, tally, &amiss, present, known.now.wall);
        if let Some(until) = self.grace(now).filter(|_| server_stands(view, known, tally, present, &status)) {
            self.timers.entry(until).or_default().servers.insert(key.clone());
            return;
        }
        let is_lost = told.is_some_and(|told| told.is_lost(&view.status, now));
        if status == *present && !is_lost {
            if status == view.status {
                self.servers.remove(key);
            }
            return;
        }
        output.events.extend(events::of_server(view, present, &status));
        self.timers.entry(after(now, SEEN_WITHIN)).or_default().servers.insert(key.clone());
        self.servers.insert(key.clone(), Told { status: status.clone(), at: now });
        let (namespace, name) = key.clone();
        output.servers.push(ServerStatusWrite { namespace, name, uid: view.uid.clone(), status });
    }

    /// Until when a new leader waits to hear of sidecars; none if it has waited.
    fn grace(&self, now: Timestamp) -> Option<Timestamp> {
        self.leading.map(|since| after(since, GRACE)).filter(|until| now < *until)
    }
}

impl Known<'_> {
    /// What the first pods say that miss something of a server.
    fn amiss(&self, server: &ServerView, tally: &Tally) -> Amiss {
        let said = |pod: &PodName| {
            let view = self.world.pods.get(&pod.uid)?;
            let known = self.reports.known(&pod.uid)?;
            Word::of(view, &known.servers, server)
        };
        let pods = || self.configurations.members.of_namespace(&server.namespace);
        Amiss::of(tally, &|| pods().map(|(_, member)| (member.seat, &member.name)), &said)
    }

    /// When a sidecar was last heard of, or could be first: since its pod was seen and this replica leads, to which the others tell what
    /// they hear.
    fn heard(&self, pod: &Uid, leading: Option<Timestamp>) -> Timestamp {
        let said = self.reports.known(pod).map(|known| known.heard);
        let seen =
            || self.configurations.members.get(pod).map(|member| leading.map_or(member.seen, |at| at.max(member.seen)));
        said.or_else(seen).unwrap_or(self.now.steady)
    }
}

fn after(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}
