//! The core as a whole: a cluster that is played to it, and what it then says.

use std::collections::BTreeMap;

use reeve_crds::v1alpha1::ConditionStatus;
use reeve_policy::compile::Drafts;
use reeve_wire::document::Document;
use reeve_wire::message::{PolicyProblem, Running, ServerState};
use serde_json::{Value, json};

use super::*;
use crate::plan::Excess;
use crate::world::PodObject;

mod cardinality;
mod claims;
mod excess;
mod hand_over;
mod laws;
mod scale;
mod servers;
mod told;

/// A cluster, and the core that is told of it.
struct Cluster {
    control: Control,
    now: Timestamp,
    /// How far the wall clock was set back.
    set_back: SignedDuration,
    version: u64,
    drafts: Drafts,
    /// Generations of objects by kind and key: as many as were applied.
    generations: BTreeMap<String, i64>,
    given: BTreeMap<Uid, Arc<Assignment>>,
    policies: BTreeMap<String, PolicyStatus>,
    servers: BTreeMap<String, ServerStatus>,
    events: Vec<Event>,
    next: Option<Timestamp>,
}

impl Cluster {
    /// One that has namespace clinic, which asks for sidecars, and server aws in it. The core leads, and has waited.
    fn new() -> Self {
        let mut cluster = Self::unsynced();
        cluster.sync();
        cluster.take(Input::Leading(true));
        cluster.pass(60);
        cluster.namespace("clinic", json!({"reeve.dev/inject": "enabled"}));
        cluster.server("aws", json!({"url": "https://aws.internal/mcp"}));
        cluster
    }

    fn unsynced() -> Self {
        Self {
            control: Control::new(SharedWorld::default(), "replica-0".into(), 0),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            set_back: SignedDuration::ZERO,
            version: 0,
            drafts: Drafts::default(),
            generations: BTreeMap::new(),
            given: BTreeMap::new(),
            policies: BTreeMap::new(),
            servers: BTreeMap::new(),
            events: Vec::new(),
            next: None,
        }
    }

    /// Lists that have nothing.
    fn sync(&mut self) {
        fn none<V>() -> Change<V> {
            Change::All { objects: Vec::new(), version: 0 }
        }
        self.take(Input::Policies(none()));
        self.take(Input::ClusterPolicies(none()));
        self.take(Input::Servers(none()));
        self.take(Input::Namespaces(none()));
        self.take(Input::Pods(none()));
    }

    fn take(&mut self, input: Input) {
        self.control.take(input, self.moment());
    }

    fn moment(&self) -> Moment {
        Moment { wall: self.now.saturating_sub(self.set_back).unwrap(), ..self.now.into() }
    }

    /// Settles, and keeps what was said. What was given.
    fn settle(&mut self) -> Output {
        let output = self.control.settle(self.moment());
        for (pod, assignment) in &output.assignments {
            match assignment {
                Some(assignment) => drop(self.given.insert(pod.clone(), Arc::clone(assignment))),
                None => drop(self.given.remove(pod)),
            }
        }
        for write in &output.policies {
            let key = write.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
            self.policies.insert(format!("{key}{}", write.name), write.status.clone());
        }
        for write in &output.servers {
            self.servers.insert(write.name.to_string(), write.status.clone());
        }
        self.events.extend(output.events.iter().cloned());
        self.next = output.next;
        output
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    fn object(&mut self, kind: &str, namespace: Option<&str>, name: &str, spec: Value) -> Value {
        self.version += 1;
        let key = format!("{kind} {}/{name}", namespace.unwrap_or_default());
        let generation = self.generations.entry(key.clone()).or_default();
        *generation += 1;
        let mut object = json!({
            "apiVersion": "reeve.dev/v1alpha1", "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "uid": key, "generation": generation,
                         "resourceVersion": self.version.to_string(), "creationTimestamp": self.now.to_string()},
        });
        object["spec"] = spec;
        object
    }

    fn policy_view(&mut self, name: &str, spec: Value) -> PolicyView {
        let object = self.object("McpPolicy", Some("clinic"), name, spec);
        PolicyView::of(&object, &mut self.drafts).unwrap()
    }

    fn policy(&mut self, name: &str, spec: Value) {
        let view = self.policy_view(name, spec);
        self.take(Input::Policies(Change::Set(view)));
    }

    /// One that governs aws for pods with a label `app`.
    fn policy_for(&mut self, name: &str, app: &str) {
        self.policy(name, json!({"podSelector": {"matchLabels": {"app": app}}, "serverRefs": [{"name": "aws"}]}));
    }

    fn cluster_policy(&mut self, name: &str, spec: Value) {
        let mut object = self.object("ClusterMcpPolicy", None, name, spec);
        object["metadata"].as_object_mut().unwrap().remove("namespace");
        let view = PolicyView::of(&object, &mut self.drafts).unwrap();
        self.take(Input::ClusterPolicies(Change::Set(view)));
    }

    fn server(&mut self, name: &str, spec: Value) {
        let object = self.object("McpServer", Some("clinic"), name, spec);
        self.take(Input::Servers(Change::Set(ServerView::of(&object).unwrap())));
    }

    fn namespace(&mut self, name: &str, labels: Value) {
        self.version += 1;
        let mut metadata = json!({"name": name, "uid": name, "resourceVersion": self.version.to_string()});
        metadata["labels"] = labels;
        let view = NamespaceView::of(&serde_json::from_value(metadata).unwrap()).unwrap();
        self.take(Input::Namespaces(Change::Set(view)));
    }

    fn pod_view(&mut self, name: &str, app: &str, change: impl FnOnce(&mut Value)) -> PodView {
        self.version += 1;
        let mut pod = json!({
            "metadata": {"name": name, "namespace": "clinic", "uid": name, "resourceVersion": self.version.to_string(),
                         "creationTimestamp": self.now.to_string(), "labels": {"app": app},
                         "annotations": {"reeve.dev/routed-servers": "aws"},
                         "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app, "uid": app,
                                              "controller": true}]},
            "spec": {"serviceAccountName": "agent",
                     "initContainers": [{"name": "reeve-sidecar", "restartPolicy": "Always"}]},
        });
        change(&mut pod);
        PodView::of(&serde_json::from_value::<PodObject>(pod).unwrap()).unwrap()
    }

    fn pod_with(&mut self, name: &str, app: &str, change: impl FnOnce(&mut Value)) {
        let view = self.pod_view(name, app, change);
        self.take(Input::Pods(Change::Set(view)));
    }

    fn pod(&mut self, name: &str, app: &str) {
        self.pod_with(name, app, |_| {});
    }

    fn without_sidecar(&mut self, name: &str, app: &str) {
        self.pod_with(name, app, |pod| pod["spec"]["initContainers"] = json!([]));
    }

    fn document(&self, pod: &str) -> Document {
        let given = &self.given[pod];
        Document::decode(given.document.as_ref().unwrap(), &given.hash).unwrap()
    }

    /// How many bytes the pod was given.
    fn length(&self, pod: &str) -> usize {
        self.given[pod].document.as_ref().map_or(0, bytes::Bytes::len)
    }

    /// What there is too much of to be sent to the pod.
    fn excess(&self, pod: &str) -> Option<Excess> {
        self.control.configurations.plan_of(&pod.into()).unwrap().excess()
    }

    /// What the pod's sidecar runs once it has taken what it was given.
    fn running(&self, pod: &str) -> Running {
        let assignment = &self.given[pod];
        let origin = self.document(pod).origin(assignment.hash, assignment.world);
        Running { origin, problems: Vec::new() }
    }

    fn report(&mut self, pod: &str, connected: bool, running: Option<Running>, servers: Vec<ServerState>) {
        let report = PodReport { pod: pod.into(), connected, running, servers };
        self.take(Input::Report { replica: "replica-1".into(), report });
    }

    /// The pod's sidecar says that it runs what it was given.
    fn acknowledge(&mut self, pod: &str) {
        let running = self.running(pod);
        self.report(pod, true, Some(running), Vec::new());
    }

    /// Everyone takes everything, until nothing changes.
    fn converge(&mut self) {
        self.settle();
        let sent = self.given.iter().filter(|(_, given)| given.document.is_some());
        let pods: Vec<_> = sent.map(|(pod, _)| pod.clone()).collect();
        for pod in pods {
            self.acknowledge(pod.as_str());
        }
        self.settle();
    }

    fn condition(&self, policy: &str, kind: &str) -> (ConditionStatus, String, String) {
        let status = &self.policies[policy];
        let condition = status.conditions.iter().find(|condition| condition.kind == kind).unwrap();
        assert_eq!(Some(condition.observed_generation), status.observed_generation);
        (condition.status, condition.reason.clone(), condition.message.clone())
    }

    fn programmed(&self, policy: &str) -> (ConditionStatus, String, String) {
        self.condition(policy, "Programmed")
    }

    /// Status, reason and message of Programmed, in one line.
    fn says(&self, policy: &str) -> String {
        let (status, reason, message) = self.programmed(policy);
        format!("{status:?}/{reason}: {message}")
    }
}
