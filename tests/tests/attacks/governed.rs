//! A sidecar whose policy is replaced while it runs.

use reeve_tests::eventually::eventually;
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar};

/// The sidecar, and the policy that it is there for.
pub(crate) struct Governed {
    setup: Setup,
    pub(crate) sidecar: Sidecar,
    policy: String,
}

impl Governed {
    /// Starts it with this policy before this server.
    pub(crate) fn start(policy: String, server: &str) -> Self {
        let setup = Setup::policy(&policy, server);
        Self { sidecar: setup.start(), setup, policy }
    }

    /// Does something while everything is permitted. From its end on the policy is in force again.
    pub(crate) fn while_all_is_permitted<T>(&self, something: impl FnOnce() -> T) -> T {
        self.has_in_force(ALLOW_ALL);
        let done = something();
        self.has_in_force(&self.policy);
        done
    }

    fn has_in_force(&self, policy: &str) {
        let generation = || self.sidecar.metric("reeve_config_generation");
        let before = generation();
        self.setup.write("policy.yaml", policy);
        eventually("the policy is in force", || (generation() > before).then_some(()));
    }
}
