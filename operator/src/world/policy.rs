//! A policy of either kind, as far as it is compiled and told of.

use std::sync::{Arc, PoisonError};

use reeve_crds::v1alpha1::{API_VERSION, Policy, PolicyStatus, Tier};
use reeve_policy::compile::{Drafts, Problem, Source};
use reeve_policy::load;
use reeve_wire::Uid;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::SharedWorld;
use super::object::{self, Identity};

/// What is kept of a policy.
#[derive(Clone, Debug)]
pub struct PolicyView {
    /// The object.
    pub uid: Uid,
    /// `namespace/name`, or the name alone of a cluster-wide one.
    pub key: Arc<str>,
    /// Its namespace; none of a cluster-wide one.
    pub namespace: Option<Arc<str>>,
    /// Counts the changes of its `spec`.
    pub generation: i64,
    /// The version of the object.
    pub version: u64,
    /// What it says, or what can be read of it.
    pub source: Source,
    /// What the compiler finds in it. Empty if it could not be read.
    pub problems: Vec<Problem>,
    /// The object as sidecars are given it: `apiVersion`, `kind`, `metadata` of name, namespace, UID and generation, and `spec`.
    pub object: Arc<RawValue>,
    /// What was last written of it.
    pub status: PolicyStatus,
}

impl PolicyView {
    /// What is kept of a policy of either kind. None of what no API server can have sent; one that cannot be read is kept, as it
    /// governs all the same.
    pub fn of(object: &Value, drafts: &mut Drafts) -> Option<Self> {
        let identity = Identity::of_value(object)?;
        let trimmed = trimmed(object, &identity);
        let stored = load::stored(&trimmed);
        let problems = match &stored.source {
            Source::Readable(policy) => drafts.check(policy, None),
            Source::Unreadable { .. } => Vec::new(),
        };
        Some(Self {
            uid: identity.uid.as_str().into(),
            key: stored.source.policy().key().into(),
            namespace: identity.namespace.map(Into::into),
            generation: stored.generation,
            version: identity.version,
            source: stored.source,
            problems,
            object: to_raw_value(&trimmed).ok()?.into(),
            status: object::status(object),
        })
    }

    /// As [`Self::of`], and what is in the world in the same generation is not compiled again: each status that is written
    /// brings the object back.
    pub fn read(object: &Value, world: &SharedWorld, drafts: &mut Drafts) -> Option<Self> {
        let identity = Identity::of_value(object)?;
        let present = {
            let world = world.read().unwrap_or_else(PoisonError::into_inner);
            world.policy(identity.namespace.as_deref(), &identity.name).cloned()
        };
        let known = present.filter(|present| present.uid.as_str() == identity.uid);
        let text = trimmed(object, &identity).to_string();
        let known = known.filter(|known| known.object.get() == text);
        match known {
            Some(known) => Some(Self { version: identity.version, status: object::status(object), ..known }),
            None => Self::of(object, drafts),
        }
    }

    /// The name of the object.
    pub fn name(&self) -> &str {
        self.key.rsplit_once('/').map_or(&self.key, |(_, name)| name)
    }

    /// The policy, or what could be read of it: whom it governs, its mode and tier.
    pub fn policy(&self) -> &Arc<Policy> {
        self.source.policy()
    }

    /// Whether it yields to other policies.
    pub fn is_baseline(&self) -> bool {
        matches!(&**self.policy(), Policy::ClusterMcpPolicy(object) if object.spec.tier == Tier::Baseline)
    }
}

/// The object without what changes while its generation does not.
fn trimmed(object: &Value, identity: &Identity) -> Value {
    // What the API server leaves out of an object in a list is told by where it lives.
    let kind = if identity.namespace.is_some() { "McpPolicy" } else { "ClusterMcpPolicy" };
    let mut metadata = json!({"name": identity.name, "uid": identity.uid, "generation": object::generation(object)});
    if let Some(namespace) = &identity.namespace {
        metadata["namespace"] = namespace.as_str().into();
    }
    let given = |field: &str, otherwise: &str| object.get(field).cloned().unwrap_or_else(|| otherwise.into());
    let mut trimmed = json!({
        "apiVersion": given("apiVersion", API_VERSION), "kind": given("kind", kind), "metadata": metadata,
    });
    if let Some(spec) = object.get("spec") {
        trimmed["spec"] = spec.clone();
    }
    trimmed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Value {
        json!({
            "apiVersion": "reeve.dev/v1alpha1", "kind": "McpPolicy",
            "metadata": {"name": "imaging", "namespace": "clinic", "uid": "u1", "generation": 4, "resourceVersion": "17",
                         "managedFields": [{"manager": "kubectl"}], "labels": {"team": "a"}},
            "spec": {"serverRefs": [{"name": "aws"}],
                     "rules": [{"name": "r", "tools": ["t"], "action": "Allow", "when": "args."}]},
            "status": {"matchedPods": 3, "conditions": []},
        })
    }

    #[test]
    fn a_view_has_the_policy_its_problems_and_its_status() {
        let view = PolicyView::of(&policy(), &mut Drafts::default()).unwrap();
        assert_eq!((&*view.key, view.name(), view.uid.as_str(), view.version), ("clinic/imaging", "imaging", "u1", 17));
        assert_eq!((view.generation, view.status.matched_pods), (4, 3));
        assert_eq!(view.problems[0].pointer, "/spec/rules/0/when");
    }

    #[test]
    fn what_sidecars_are_given_does_not_change_with_status_labels_or_version() {
        let first = PolicyView::of(&policy(), &mut Drafts::default()).unwrap();
        let mut changed = policy();
        changed["status"] = json!({"matchedPods": 4});
        changed["metadata"]["labels"] = json!({});
        changed["metadata"]["resourceVersion"] = "18".into();
        let second = PolicyView::of(&changed, &mut Drafts::default()).unwrap();
        assert_eq!(first.object.get(), second.object.get());
        assert!(!first.object.get().contains("status") && first.object.get().contains("\"generation\":4"));
    }

    #[test]
    fn what_is_known_in_this_generation_is_not_compiled_again() {
        let world = SharedWorld::default();
        let first = PolicyView::read(&policy(), &world, &mut Drafts::default()).unwrap();
        world.write().unwrap().policies.insert(Arc::clone(&first.key), first.clone());
        let mut object = policy();
        object["metadata"]["resourceVersion"] = "18".into();
        object["status"] = json!({"matchedPods": 9});
        let again = PolicyView::read(&object, &world, &mut Drafts::default()).unwrap();
        assert!(Arc::ptr_eq(&first.object, &again.object) && Arc::ptr_eq(first.policy(), again.policy()));
        assert_eq!((again.version, again.status.matched_pods), (18, 9));
        object["metadata"]["generation"] = 5.into();
        object["spec"]["rules"] = json!([]);
        let changed = PolicyView::read(&object, &world, &mut Drafts::default()).unwrap();
        assert!(changed.problems.is_empty() && changed.generation == 5);
        // Another object of the same name, though it say the same.
        object = policy();
        object["metadata"]["uid"] = "u2".into();
        assert_eq!(PolicyView::read(&object, &world, &mut Drafts::default()).unwrap().uid.as_str(), "u2");
    }

    #[test]
    fn one_that_cannot_be_read_is_kept_and_one_without_identity_is_not() {
        let mut wrong = policy();
        wrong["spec"]["rules"][0]["tols"] = json!(["x"]);
        let view = PolicyView::of(&wrong, &mut Drafts::default()).unwrap();
        assert!(matches!(view.source, Source::Unreadable { .. }) && view.problems.is_empty());
        wrong["metadata"]["uid"] = Value::Null;
        assert!(PolicyView::of(&wrong, &mut Drafts::default()).is_none());
    }

    #[test]
    fn an_item_of_a_list_needs_no_kind() {
        let mut item = policy();
        item.as_object_mut().unwrap().retain(|field, _| field != "kind" && field != "apiVersion");
        assert!(PolicyView::of(&item, &mut Drafts::default()).unwrap().object.get().contains("McpPolicy"));
        item["metadata"].as_object_mut().unwrap().remove("namespace");
        item["spec"] = json!({"tier": "Boundary"});
        let view = PolicyView::of(&item, &mut Drafts::default()).unwrap();
        assert_eq!((&*view.key, view.namespace), ("imaging", None));
    }
}
