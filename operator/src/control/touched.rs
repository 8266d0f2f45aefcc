//! What a change touches: noted when it is taken, computed when it is settled.

use std::collections::BTreeSet;
use std::sync::Arc;

use reeve_wire::Uid;

use crate::plan::profiles::ProfileId;
use crate::world::{Key, World};

/// What is to be computed anew.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Pods that came, went or became others.
    pub(super) pods: BTreeSet<Uid>,
    /// Namespaces of all of whose pods the same must be asked.
    pub(super) namespaces: BTreeSet<Arc<str>>,
    /// Pods of whose sidecars something was heard.
    pub(super) reported: BTreeSet<Uid>,
    /// Profiles whose plan may be another.
    pub(super) profiles: BTreeSet<ProfileId>,
    /// Policies whose status may be another, by key.
    pub(super) policies: BTreeSet<Arc<str>>,
    /// Servers of which everything may be different.
    pub(super) servers: BTreeSet<Key>,
    /// Whether every status is to be computed.
    pub(super) all_statuses: bool,
    /// Whether every assignment is to be made anew from what was seen since.
    pub(super) restamp: bool,
}

impl Touched {
    /// Touches everything there is.
    pub(super) fn everything(&mut self, world: &World) {
        self.pods.extend(world.pods.keys().cloned());
        self.servers.extend(world.servers.keys().cloned());
        self.all_statuses = true;
    }

    /// Touches the pods of the namespaces that are touched.
    pub(super) fn spread(&mut self, world: &World) {
        if self.namespaces.is_empty() {
            return;
        }
        let pods = world.pods.values().filter(|pod| self.namespaces.contains(&pod.namespace));
        self.pods.extend(pods.map(|pod| pod.uid.clone()));
    }
}
