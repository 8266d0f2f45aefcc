//! What the metrics tell of each policy: four series, however many pods it has.

use super::Metrics;
use crate::world::World;

impl Metrics {
    /// How many pods each policy has, as its status says; of policies that are gone nothing any more.
    pub fn tell_policies(&self, world: &World) {
        self.forget_policies();
        for policy in world.policies.values().chain(world.cluster_policies.values()) {
            let (namespace, status) = (policy.namespace.as_deref().unwrap_or_default(), &policy.status);
            for (state, count) in [
                ("programmed", status.programmed_pods),
                ("reconciling", status.matched_pods - status.programmed_pods - status.unprotected_pods),
                ("unprotected", status.unprotected_pods),
                ("unrouted", status.unrouted_pods),
            ] {
                self.policy_pods(namespace, policy.name(), state, count);
            }
        }
    }
}
