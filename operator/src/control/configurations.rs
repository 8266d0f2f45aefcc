//! From what was seen to what each sidecar is given, and where each pod is counted.

mod changes;
mod members;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use reeve_wire::Uid;

use self::members::Members;
use super::Moment;
use super::touched::Touched;
use crate::assignment::Assignment;
use crate::plan::basis::Basis;
use crate::plan::profiles::{ProfileId, Profiles};
use crate::plan::{Content, Plan, Plans};
use crate::reports::Reports;
use crate::status::groups::{Class, Groups, Place};
use crate::status::server::{Tally, Word};
use crate::world::{Key, PodView, Protection, ServerView, World};

/// What settling reads.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) world: &'a World,
    pub(super) reports: &'a Reports,
    /// The versions of the watches.
    pub(super) versions: reeve_wire::World,
    pub(super) now: Moment,
}

/// The plans of all pods, and where each pod is counted.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    profiles: Profiles,
    pub(super) plans: Plans,
    /// By namespace; what is missing is made when it is needed.
    bases: HashMap<Arc<str>, Basis>,
    pub(super) members: Members,
    pub(super) groups: Groups,
    pub(super) tallies: HashMap<Key, Tally>,
    /// The servers whose tally changed.
    pub(super) changed_tallies: BTreeSet<Key>,
    /// The key of each policy, by UID.
    pub(super) keys: HashMap<Uid, Arc<str>>,
    planned: u64,
}

/// An assignment for a pod, or none any more.
type Given = (Uid, Option<Arc<Assignment>>);

impl Configurations {
    /// How many profiles were planned.
    pub(super) fn planned(&self) -> u64 {
        self.planned
    }

    /// Bounds the bytes of one document, and of all those of a namespace.
    #[cfg(test)]
    pub(super) fn bound(&mut self, one: usize, of_namespace: usize) {
        self.plans.largest = one;
        self.profiles.budgets.most = of_namespace;
    }

    #[cfg(test)]
    pub(super) fn most_of_namespace(&self) -> usize {
        self.profiles.budgets.most
    }

    /// Computes what is touched; gives the assignments that are others than before, by pod.
    pub(super) fn settle(&mut self, seen: &Seen<'_>, touched: &Touched) -> Vec<Given> {
        let mut moved = Moved { profiles: touched.profiles.clone(), ..Moved::default() };
        for pod in &touched.pods {
            self.place(pod, seen, &mut moved);
        }
        let mut profiles = std::mem::take(&mut moved.profiles);
        for profile in &profiles {
            self.outline(*profile, seen, &mut moved);
        }
        for namespace in self.profiles.budgets.settle() {
            profiles.extend(self.profiles.of_namespace(&namespace));
        }
        for profile in profiles {
            self.plan(profile, &mut moved);
        }
        if touched.restamp {
            moved.stamp.extend(self.members.pods().cloned());
        }
        moved.count.extend(touched.reported.iter().cloned());
        for pod in &moved.count {
            self.count(pod, seen);
        }
        self.tally(&moved.count, seen, touched);
        let stamped: Vec<_> = moved.stamp.iter().filter_map(|pod| self.stamp(pod, seen)).collect();
        let gone = moved.gone.into_iter().map(|pod| (pod, None));
        let mut given: Vec<_> = stamped.into_iter().chain(gone).collect();
        given.sort_by(|(one, _), (other, _)| one.cmp(other));
        given
    }

    /// Puts a pod with those that are like it.
    fn place(&mut self, uid: &Uid, seen: &Seen<'_>, moved: &mut Moved) {
        let pod = seen.world.pods.get(uid).filter(|pod| is_governed(pod, seen.world));
        let Some(pod) = pod else {
            if let Some(member) = self.members.remove(uid) {
                self.profiles.remove(member.profile, uid);
                moved.gone.extend(member.is_given.then(|| uid.clone()));
                for server in seen.world.servers_of(&member.name.namespace) {
                    self.word(server, member.seat, None);
                }
            }
            moved.count.insert(uid.clone());
            return;
        };
        moved.count.insert(uid.clone());
        let (profile, is_new) = self.members.join(pod, seen.now, &mut self.profiles);
        if let Some((profile, is_first)) = profile {
            moved.profiles.extend(is_first.then_some(profile));
        }
        let is_given = self.members.get(uid).is_some_and(|member| member.is_given);
        if is_new || is_given != pod.has_sidecar() {
            moved.stamp.insert(uid.clone());
        }
    }

    /// Finds anew what a profile's pods are to be given.
    fn outline(&mut self, id: ProfileId, seen: &Seen<'_>, moved: &mut Moved) {
        let Some(profile) = self.profiles.get(id) else { return };
        self.planned += 1;
        let namespace = seen.world.namespace(&profile.traits.namespace);
        let outline = namespace.and_then(|namespace| {
            let basis = self.bases.entry(Arc::clone(&namespace.name));
            let basis = basis.or_insert_with(|| Basis::of(seen.world, &namespace.name));
            let outline = self.plans.outline(basis, &profile.traits.pod(&namespace.labels));
            outline.inspect_err(|error| unwritten(&namespace.name, error)).ok()
        });
        moved.stamp.extend(profile.pods.iter().cloned());
        self.profiles.set_outline(id, outline);
    }

    /// Plans a profile anew.
    fn plan(&mut self, id: ProfileId, moved: &mut Moved) {
        let Some(profile) = self.profiles.get(id) else { return };
        let namespace = &profile.traits.namespace;
        let plan = profile.outline().and_then(|outline| {
            let plan = self.plans.plan(outline, self.profiles.budgets.beyond(namespace, outline));
            plan.inspect_err(|error| unwritten(namespace, error)).ok()
        });
        let Some(profile) = self.profiles.get_mut(id) else { return };
        if profile.plan.as_ref().map(|plan| plan.id) != plan.as_ref().map(|plan| plan.id) {
            profile.plan = plan;
            moved.stamp.extend(profile.pods.iter().cloned());
            moved.count.extend(profile.pods.iter().cloned());
        }
    }

    pub(super) fn plan_of(&self, pod: &Uid) -> Option<&Arc<Plan>> {
        let member = self.members.get(pod)?;
        self.profiles.get(member.profile)?.plan.as_ref()
    }

    /// What a pod's sidecar is to be given now; nothing if that is nothing and was before.
    fn stamp(&mut self, uid: &Uid, seen: &Seen<'_>) -> Option<Given> {
        let pod = seen.world.pods.get(uid)?;
        let namespace = seen.world.namespace(&pod.namespace).map(|namespace| namespace.version);
        let plan = self.plan_of(uid).filter(|_| pod.has_sidecar());
        let plan = plan.map(|plan| {
            let document = match &plan.content {
                Content::Document(encoded) => Some(encoded.bytes.clone()),
                Content::Excess(_) => None,
            };
            (plan.hash(), document)
        });
        let member = self.members.get_mut(uid)?;
        let (Some((hash, document)), Some(namespace)) = (plan, namespace) else {
            return std::mem::take(&mut member.is_given).then(|| (uid.clone(), None));
        };
        member.is_given = true;
        let world = reeve_wire::World { namespace, pod: pod.version, ..seen.versions };
        Some((uid.clone(), Some(Arc::new(Assignment { identity: identity(pod), world, hash, document }))))
    }

    /// Counts a pod where it belongs.
    fn count(&mut self, uid: &Uid, seen: &Seen<'_>) {
        let place = seen.world.pods.get(uid).and_then(|pod| self.place_of(pod, seen));
        self.groups.set(uid, place);
    }

    fn place_of(&self, pod: &PodView, seen: &Seen<'_>) -> Option<Place> {
        let member = self.members.get(&pod.uid).filter(|_| !pod.is_terminating)?;
        let plan = self.plan_of(&pod.uid)?;
        let known = seen.reports.known(&pod.uid).filter(|_| pod.has_sidecar());
        let runs = known.as_ref().and_then(|known| known.runs.clone());
        let class = match &known {
            _ if !pod.has_sidecar() => Class::Unprotected,
            None => Class::Unheard,
            Some(known) => Class::Heard { connected: known.connected, runs: runs.as_ref().map(|runs| runs.id) },
        };
        Some(Place {
            plan: Arc::clone(plan),
            class,
            runs,
            name: member.name.clone(),
            service_account: Arc::clone(&pod.service_account),
            unrouted: unrouted(pod, plan),
        })
    }

    /// Counts what pods say of the servers of their namespace.
    fn tally(&mut self, pods: &BTreeSet<Uid>, seen: &Seen<'_>, touched: &Touched) {
        for key in &touched.servers {
            let Some(server) = seen.world.servers.get(key) else { continue };
            self.tallies.insert(key.clone(), Tally::default());
            self.changed_tallies.insert(key.clone());
            let members: Vec<_> = self.members.of_namespace(&server.namespace).map(|(pod, _)| pod.clone()).collect();
            for pod in members.iter().filter_map(|uid| seen.world.pods.get(uid)) {
                self.say(pod, server, seen);
            }
        }
        for pod in pods.iter().filter_map(|uid| seen.world.pods.get(uid)) {
            for server in seen.world.servers_of(&pod.namespace) {
                self.say(pod, server, seen);
            }
        }
    }

    fn say(&mut self, pod: &PodView, server: &ServerView, seen: &Seen<'_>) {
        let Some(seat) = self.members.get(&pod.uid).map(|member| member.seat) else { return };
        let known = seen.reports.known(&pod.uid);
        let said = known.as_ref().map_or(&[][..], |known| &known.servers);
        self.word(server, seat, Word::of(pod, said, server).as_ref());
    }

    fn word(&mut self, server: &ServerView, seat: u32, word: Option<&Word>) {
        let key = (Arc::clone(&server.namespace), Arc::clone(&server.name));
        if self.tallies.entry(key.clone()).or_default().set(seat, word) {
            self.changed_tallies.insert(key);
        }
    }
}

/// What became of pods while they were placed and planned.
#[derive(Debug, Default)]
struct Moved {
    profiles: BTreeSet<ProfileId>,
    /// To be counted anew.
    count: BTreeSet<Uid>,
    /// To be given something.
    stamp: BTreeSet<Uid>,
    /// Were given something, and are no more.
    gone: Vec<Uid>,
}

fn unwritten(namespace: &str, error: &serde_json::Error) {
    tracing::error!(%error, namespace, "a document cannot be written");
}

/// Whether policies can govern a pod: it has a sidecar, or should have one.
fn is_governed(pod: &PodView, world: &World) -> bool {
    let namespace = world.namespace(&pod.namespace).and_then(crate::world::NamespaceView::inject_label);
    pod.has_sidecar() || reeve_wire::pod::is_expected(namespace, pod.inject_label())
}

fn identity(pod: &PodView) -> reeve_wire::message::Identity {
    reeve_wire::message::Identity {
        namespace: pod.namespace.to_string(),
        service_account: pod.service_account.to_string(),
        pod: pod.name.to_string(),
        uid: pod.uid.clone(),
        labels: pod.labels.clone(),
    }
}

/// The servers of a plan that were declared after the pod had started, and so stand in no variable of its agent.
fn unrouted(pod: &PodView, plan: &Plan) -> Vec<Uid> {
    let Protection::Sidecar { routed, .. } = &pod.protection else { return Vec::new() };
    let servers = plan.servers().iter().filter(|server| server.created > pod.created);
    servers
        .filter(|server| !routed.iter().any(|name| **name == *server.name))
        .map(|server| server.uid.clone())
        .collect()
}
