//! What each change of an object touches.

use std::sync::Arc;

use super::Configurations;
use crate::control::touched::Touched;
use crate::world::{Difference, NamespaceView, PodView, PolicyView, ServerView, World};

impl Configurations {
    /// Policies came, went or became others.
    pub(in crate::control) fn policies(
        &mut self,
        differences: Vec<Difference<PolicyView>>,
        world: &World,
        touched: &mut Touched,
    ) {
        for Difference { old, new } in differences {
            if old.as_ref().zip(new.as_ref()).is_some_and(|(old, new)| is_same_policy(old, new)) {
                continue;
            }
            let Some(key) = old.as_ref().or(new.as_ref()).map(|policy| Arc::clone(&policy.key)) else { continue };
            let namespace = old.as_ref().or(new.as_ref()).and_then(|policy| policy.namespace.clone());
            match &namespace {
                Some(namespace) => {
                    if let Some(basis) = self.bases.get_mut(namespace) {
                        basis.set(&key, new.as_ref());
                    }
                }
                None => self.bases.values_mut().for_each(|basis| basis.set(&key, new.as_ref())),
            }
            for policy in old.iter().chain(&new) {
                touched.profiles.extend(self.profiles.selected_by(policy.policy(), world));
            }
            if let Some(old) = old {
                self.keys.remove(&old.uid);
            }
            if let Some(new) = new {
                self.keys.insert(new.uid, Arc::clone(&key));
            }
            touched.policies.insert(key);
        }
    }

    /// Servers came, went or became others: every pod of their namespace is given them.
    pub(in crate::control) fn servers(&mut self, differences: Vec<Difference<ServerView>>, touched: &mut Touched) {
        for Difference { old, new } in differences {
            if old.as_ref().zip(new.as_ref()).is_some_and(|(old, new)| is_same_server(old, new)) {
                continue;
            }
            let Some(server) = new.or(old) else { continue };
            let key = (Arc::clone(&server.namespace), server.name);
            self.bases.remove(&server.namespace);
            self.tallies.remove(&key);
            touched.profiles.extend(self.profiles.of_namespace(&server.namespace));
            touched.servers.insert(key);
        }
    }

    /// Namespaces came, went or became others: they may ask for sidecars, and policies select by their labels.
    pub(in crate::control) fn namespaces(
        &mut self,
        differences: Vec<Difference<NamespaceView>>,
        touched: &mut Touched,
    ) {
        for Difference { old, new } in differences {
            if old.as_ref().zip(new.as_ref()).is_some_and(|(old, new)| old.labels == new.labels) {
                continue;
            }
            let Some(namespace) = new.or(old) else { continue };
            self.bases.remove(&namespace.name);
            touched.profiles.extend(self.profiles.of_namespace(&namespace.name));
            touched.namespaces.insert(namespace.name);
        }
    }

    /// Pods came, went or became others.
    pub(in crate::control) fn pods(&mut self, differences: Vec<Difference<PodView>>, touched: &mut Touched) {
        for Difference { old, new } in differences {
            if old.as_ref().zip(new.as_ref()).is_some_and(|(old, new)| is_same_pod(old, new)) {
                continue;
            }
            touched.pods.extend(new.or(old).map(|pod| pod.uid));
        }
    }
}

/// Whether nothing but its status differs.
fn is_same_policy(old: &PolicyView, new: &PolicyView) -> bool {
    old.uid == new.uid && old.generation == new.generation && old.object.get() == new.object.get()
}

fn is_same_server(old: &ServerView, new: &ServerView) -> bool {
    old.uid == new.uid && old.generation == new.generation && old.created == new.created && old.spec == new.spec
}

fn is_same_pod(old: &PodView, new: &PodView) -> bool {
    let PodView {
        uid,
        namespace,
        name,
        version: _,
        created,
        labels,
        service_account,
        protection,
        is_terminating,
        owner: _,
    } = old;
    *uid == new.uid
        && *namespace == new.namespace
        && *name == new.name
        && *created == new.created
        && *labels == new.labels
        && *service_account == new.service_account
        && *protection == new.protection
        && *is_terminating == new.is_terminating
}
