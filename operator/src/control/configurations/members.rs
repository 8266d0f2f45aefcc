//! The pods that are governed or should be, and which are alike.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use reeve_wire::Uid;

use crate::control::Moment;
use crate::plan::profiles::{ProfileId, Profiles, Traits};
use crate::status::names::PodName;
use crate::world::PodView;

/// A pod that has a sidecar or should have one.
#[derive(Debug)]
pub(in crate::control) struct Member {
    pub(super) profile: ProfileId,
    pub(in crate::control) name: PodName,
    /// Its place among the pods of its namespace, which another has once it is gone: few numbers for many pods.
    pub(in crate::control) seat: u32,
    /// When it was first seen here, by the steady clock.
    pub(in crate::control) seen: Timestamp,
    /// Since when it is as it is, as far as policies select it: when it was made, or seen to become another, by the wall clock.
    pub(in crate::control) since: Timestamp,
    /// Whether its sidecar has something to be given.
    pub(super) is_given: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(in crate::control) struct Members {
    held: HashMap<Uid, Member>,
    by_namespace: HashMap<Arc<str>, Seats>,
}

/// The pods of a namespace.
#[derive(Debug, Default)]
struct Seats {
    pods: BTreeSet<Uid>,
    free: BTreeSet<u32>,
    made: u32,
}

impl Seats {
    fn take(&mut self, pod: Uid) -> u32 {
        self.pods.insert(pod);
        self.free.pop_first().unwrap_or_else(|| {
            self.made += 1;
            self.made - 1
        })
    }
}

impl Members {
    pub(in crate::control) fn get(&self, pod: &Uid) -> Option<&Member> {
        self.held.get(pod)
    }

    pub(super) fn get_mut(&mut self, pod: &Uid) -> Option<&mut Member> {
        self.held.get_mut(pod)
    }

    pub(super) fn pods(&self) -> impl Iterator<Item = &Uid> {
        self.held.keys()
    }

    pub(in crate::control) fn of_namespace(&self, namespace: &str) -> impl Iterator<Item = (&Uid, &Member)> {
        let pods = self.by_namespace.get(namespace).into_iter().flat_map(|seats| &seats.pods);
        pods.filter_map(|pod| self.held.get_key_value(pod))
    }

    pub(super) fn remove(&mut self, pod: &Uid) -> Option<Member> {
        let member = self.held.remove(pod)?;
        if let Some(seats) = self.by_namespace.get_mut(&member.name.namespace) {
            seats.pods.remove(pod);
            seats.free.insert(member.seat);
            if seats.pods.is_empty() {
                self.by_namespace.remove(&member.name.namespace);
            }
        }
        Some(member)
    }

    /// Puts a pod with the others of its traits. The profile if that is another than before, and whether the pod is the first in
    /// it; and whether what the pod is to be given may so have changed.
    pub(super) fn join(
        &mut self,
        pod: &PodView,
        now: Moment,
        profiles: &mut Profiles,
    ) -> (Option<(ProfileId, bool)>, bool) {
        let present = self.held.get(&pod.uid).map(|member| member.profile);
        if present.and_then(|id| profiles.get(id)).is_some_and(|profile| profile.traits.are_of(pod)) {
            return (None, false);
        }
        if let Some(id) = present {
            profiles.remove(id, &pod.uid);
        }
        let (profile, is_first) = profiles.add(Traits::of(pod), pod.uid.clone());
        let member = self.held.entry(pod.uid.clone()).or_insert_with(|| {
            let (namespace, name, uid) = (Arc::clone(&pod.namespace), Arc::clone(&pod.name), pod.uid.clone());
            let seat = self.by_namespace.entry(Arc::clone(&namespace)).or_default().take(uid.clone());
            let name = PodName { namespace, name, uid };
            Member { profile, name, seat, seen: now.steady, since: pod.created, is_given: false }
        });
        member.profile = profile;
        if present.is_some() {
            member.since = now.wall;
        }
        (Some((profile, is_first)), true)
    }
}
