//! What holds of every history: what is given and said follows from what is, and never says too much.

use proptest::prelude::*;
use reeve_crds::v1alpha1::Condition;

use super::*;

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    Policy(u8, u8),
    PolicyGone(u8),
    Boundary(u8, u8),
    BoundaryGone(u8),
    Server(u8, u8),
    ServerGone(u8),
    Namespace(u8),
    Pod(u8, u8),
    PodGone(u8),
    /// A sidecar takes what it was given.
    Acknowledge(u8),
    Disconnect(u8),
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let (name, kind) = (0..3_u8, 0..6_u8);
    let wrong = 0..8_u8;
    prop_oneof![
        4 => (name.clone(), wrong.clone()).prop_map(|(name, kind)| Step::Policy(name, kind)),
        1 => name.clone().prop_map(Step::PolicyGone),
        2 => (0..2_u8, wrong).prop_map(|(name, kind)| Step::Boundary(name, kind)),
        1 => (0..2_u8).prop_map(Step::BoundaryGone),
        2 => (0..2_u8, 0..4_u8).prop_map(|(name, kind)| Step::Server(name, kind)),
        1 => (0..2_u8).prop_map(Step::ServerGone),
        1 => (0..3_u8).prop_map(Step::Namespace),
        4 => (0..4_u8, kind).prop_map(|(name, kind)| Step::Pod(name, kind)),
        1 => (0..4_u8).prop_map(Step::PodGone),
        5 => (0..4_u8).prop_map(Step::Acknowledge),
        1 => (0..4_u8).prop_map(Step::Disconnect),
        3 => Just(Step::Settle),
    ]
}

fn policy_spec(kind: u8) -> Value {
    let rule =
        json!({"name": "r", "tools": ["t"], "action": "Allow", "limits": [{"counter": "c", "window": "1m", "max": 5}]});
    match kind {
        0 => json!({"serverRefs": [{"name": "aws"}]}),
        1 => json!({"serverRefs": [{"name": "*"}], "podSelector": {"matchLabels": {"app": "a"}}}),
        2 => json!({"serverRefs": [{"name": "s0"}], "podSelector": {"matchLabels": {"app": "b"}}, "rules": [rule]}),
        3 => json!({"serverRefs": [{"name": "*"}], "serviceAccounts": ["other"], "mode": "Audit"}),
        4 => json!({"serverRefs": [{"name": "*"}], "colour": "red"}),
        6 => json!({"serverRefs": [{"name": "*"}], "podSelector": {"matchLabels": {"app": "no label!"}}}),
        7 => json!({"serverRefs": [{"name": "s0"}], "podSelector": {"matchLabels": {"no key!": "a"}}, "mode": "Audit"}),
        _ => json!({"serverRefs": [{"name": "s1"}], "rules": [rule],
                    "podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}}),
    }
}

fn boundary_spec(kind: u8) -> Value {
    match kind {
        0 => json!({"tier": "Boundary"}),
        1 => json!({"tier": "Baseline"}),
        2 => json!({"tier": "Boundary", "serverURLs": ["https://two.internal/**"]}),
        3 => json!({"tier": "Baseline", "namespaceSelector": {"matchLabels": {"env": "prod"}}}),
        6 => json!({"tier": "Boundary", "podSelector": {"matchLabels": {"app": "no label!"}}}),
        7 => json!({"tier": "Boundary", "namespaceSelector": {"matchLabels": {"env": "no label!"}}}),
        4 => json!({"tier": "Boundary", "podSelector": {"matchLabels": {"app": "a"}}}),
        _ => json!({"tier": "Boundary", "serviceAccounts": ["clinic/other"]}),
    }
}

trait Names {
    /// A pod's name, which none before it had.
    fn name(&self, pod: u8) -> String;
}

impl Names for [u32; 4] {
    fn name(&self, pod: u8) -> String {
        format!("agent-{pod}-{}", self[usize::from(pod)])
    }
}

/// A cluster to which every input is also written down.
struct Recorded {
    cluster: Cluster,
    inputs: Vec<Input>,
    /// What each pod's sidecar last said that it runs.
    acknowledged: BTreeMap<Uid, Running>,
    /// How often each pod was replaced.
    replaced: [u32; 4],
}

impl Recorded {
    fn take(&mut self, input: Input) {
        self.inputs.push(input.clone());
        self.cluster.take(input);
    }

    fn play(&mut self, step: &Step) {
        let cluster = &mut self.cluster;
        let input = match *step {
            Step::Policy(name, kind) => {
                Input::Policies(Change::Set(cluster.policy_view(&format!("p{name}"), policy_spec(kind))))
            }
            Step::PolicyGone(name) => {
                Input::Policies(Change::Gone(cluster.policy_view(&format!("p{name}"), policy_spec(0))))
            }
            Step::Boundary(name, kind) => Input::ClusterPolicies(Change::Set(boundary(cluster, name, kind))),
            Step::BoundaryGone(name) => Input::ClusterPolicies(Change::Gone(boundary(cluster, name, 0))),
            Step::Server(name, kind) => Input::Servers(Change::Set(server(cluster, name, kind))),
            Step::ServerGone(name) => Input::Servers(Change::Gone(server(cluster, name, 0))),
            Step::Namespace(kind) => Input::Namespaces(Change::Set(namespace(cluster, kind))),
            Step::Pod(name, kind) => Input::Pods(Change::Set(pod(cluster, &self.replaced.name(name), kind))),
            Step::PodGone(name) => {
                let gone = pod(cluster, &self.replaced.name(name), 0);
                self.replaced[usize::from(name)] += 1;
                Input::Pods(Change::Gone(gone))
            }
            Step::Acknowledge(name) => {
                let name = self.replaced.name(name);
                let Some(given) = cluster.given.get(&*name) else { return };
                // One that is not sent what it should run says again what it runs.
                if given.document.is_some() {
                    let running = cluster.running(&name);
                    self.acknowledged.insert(name.as_str().into(), running);
                }
                self.said(&name, true)
            }
            Step::Disconnect(name) => self.said(&self.replaced.name(name), false),
            Step::Settle => {
                self.cluster.settle();
                self.never_says_too_much();
                self.never_keeps_too_much();
                return;
            }
        };
        if let Input::Pods(Change::Gone(pod)) = &input {
            self.acknowledged.remove(&pod.uid);
        }
        self.take(input);
    }

    fn said(&self, pod: &str, connected: bool) -> Input {
        let running = self.acknowledged.get(pod).cloned();
        let report = PodReport { pod: pod.into(), connected, running, servers: Vec::new() };
        Input::Report { replica: "replica-1".into(), report }
    }

    /// All documents that are kept are no more bytes than may be.
    fn never_keeps_too_much(&self) {
        let documents = self.cluster.given.values().filter_map(|given| given.document.as_ref());
        let kept: BTreeMap<_, _> = documents.map(|document| (document.as_ptr(), document.len())).collect();
        let kept = kept.into_values().sum::<usize>();
        assert!(kept <= self.cluster.control.configurations.most_of_namespace(), "{kept}");
    }

    /// No policy that is said to be programmed is older in what a counted sidecar last acknowledged, or not in it.
    fn never_says_too_much(&self) {
        let world = self.cluster.control.world().read().unwrap();
        let policies = world.policies_of("clinic").chain(world.cluster_policies());
        for policy in policies {
            let status = self.cluster.policies.get(&*policy.key);
            let programmed =
                status.and_then(|status| status.conditions.iter().find(|condition| condition.kind == "Programmed"));
            if programmed.is_none_or(|condition| condition.status != ConditionStatus::True) {
                continue;
            }
            for pod in world.pods().filter(|pod| pod.has_sidecar() && !pod.is_terminating) {
                let given = self.cluster.given.get(&pod.uid);
                if given.is_some_and(|given| given.document.is_none()) {
                    let plan = self.cluster.control.configurations.plan_of(&pod.uid).unwrap();
                    assert!(plan.governing().all(|bound| bound.entry.uid != policy.uid), "{} {pod:?}", policy.key);
                }
                let document = given.and_then(|given| given.document.as_ref());
                let document = document.map(|_| self.cluster.document(pod.uid.as_str()));
                let is_given = document.is_some_and(|document| document.generations().contains_key(&policy.uid));
                let acknowledged = self.acknowledged.get(&pod.uid);
                let generation = acknowledged.and_then(|running| running.origin.generations.get(&policy.uid)).copied();
                let holds = if is_given {
                    // Where a Baseline yields it does not count what runs of it.
                    generation == Some(policy.generation) || policy.is_baseline()
                } else {
                    generation.is_none_or(|generation| generation >= policy.generation)
                };
                assert!(holds, "{} {pod:?} {generation:?}", policy.key);
            }
        }
    }
}

/// The most bytes of one document, and of all.
#[derive(Clone, Copy, Debug)]
struct Bounds(usize, usize);

/// A document of the generated clusters has 30 to some 3,000 bytes.
fn bounds() -> impl Strategy<Value = Bounds> {
    prop_oneof![
        Just(UNBOUNDED),
        (0..5_000_usize).prop_map(|all| Bounds(usize::MAX, all)),
        (300..3_000_usize, 300..5_000_usize).prop_map(|(one, all)| Bounds(one, all)),
    ]
}

const UNBOUNDED: Bounds = Bounds(usize::MAX, usize::MAX);

fn boundary(cluster: &mut Cluster, name: u8, kind: u8) -> PolicyView {
    let mut object = cluster.object("ClusterMcpPolicy", None, &format!("b{name}"), boundary_spec(kind));
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    PolicyView::of(&object, &mut cluster.drafts).unwrap()
}

fn server(cluster: &mut Cluster, name: u8, kind: u8) -> ServerView {
    let url = ["https://one.internal/mcp", "https://two.internal/mcp", "ftp://x", "http://three.internal/mcp"]
        [usize::from(kind)];
    let object = cluster.object("McpServer", Some("clinic"), &format!("s{name}"), json!({"url": url}));
    ServerView::of(&object).unwrap()
}

fn namespace(cluster: &mut Cluster, kind: u8) -> NamespaceView {
    cluster.version += 1;
    let labels = [json!({}), json!({"env": "prod"}), json!({"reeve.dev/inject": "enabled", "env": "prod"})];
    let metadata = json!({"name": "clinic", "uid": "n", "resourceVersion": cluster.version.to_string(), "labels": labels[usize::from(kind)]});
    NamespaceView::of(&serde_json::from_value(metadata).unwrap()).unwrap()
}

fn pod(cluster: &mut Cluster, name: &str, kind: u8) -> PodView {
    let app = ["a", "b", "a", "b", "c", "a"][usize::from(kind)];
    cluster.pod_view(name, app, |pod| match kind {
        2 => pod["spec"]["initContainers"] = json!([]),
        3 => pod["spec"]["serviceAccountName"] = "other".into(),
        5 => pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
        _ => {}
    })
}

fn begun(bounds: Bounds) -> Cluster {
    let mut cluster = bounded(bounds);
    cluster.sync();
    cluster.take(Input::Leading(true));
    cluster.pass(60);
    cluster
}

fn bounded(Bounds(one, all): Bounds) -> Cluster {
    let mut cluster = Cluster::unsynced();
    cluster.control.configurations.bound(one, all);
    cluster
}

/// What each pod has: whose calls are decided, and the content.
type Given = BTreeMap<Uid, (reeve_wire::message::Identity, reeve_wire::Hash)>;

/// What is given and said in the end, without when anything became so.
fn outcome(cluster: &mut Cluster) -> (Given, BTreeMap<String, PolicyStatus>, BTreeMap<String, ServerStatus>) {
    cluster.settle();
    let timeless = |conditions: &mut Vec<Condition>| {
        for condition in conditions {
            condition.last_transition_time.clear();
        }
    };
    let world = cluster.control.world().read().unwrap();
    let given = cluster.given.iter().map(|(pod, given)| (pod.clone(), (given.identity.clone(), given.hash)));
    let mut policies = cluster.policies.clone();
    policies.retain(|key, status| {
        timeless(&mut status.conditions);
        world.policies.contains_key(&**key) || world.cluster_policies.contains_key(&**key)
    });
    let mut servers = cluster.servers.clone();
    servers.retain(|name, status| {
        timeless(&mut status.conditions);
        world.servers.contains_key(&(Arc::from("clinic"), Arc::from(name.as_str())))
    });
    (given.collect(), policies, servers)
}

fn played(steps: &[Step], bounds: Bounds) -> Recorded {
    let mut recorded =
        Recorded { cluster: begun(bounds), inputs: Vec::new(), acknowledged: BTreeMap::new(), replaced: [0; 4] };
    recorded.play(&Step::Namespace(2));
    for step in steps {
        recorded.play(step);
    }
    recorded.play(&Step::Settle);
    recorded
}

fn is_report(input: &Input) -> bool {
    matches!(input, Input::Report { .. })
}

/// Of a pod that is still there.
fn is_report_of(input: &Input, world: &World) -> bool {
    matches!(input, Input::Report { report, .. } if world.pods.contains_key(&report.pod))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_is_given_and_said_follows_from_the_world_and_not_from_its_history(
        steps in prop::collection::vec(step(), 1..40),
        keys in prop::collection::vec((any::<u32>(), any::<bool>()), 41),
        bounds in bounds(),
    ) {
        let mut recorded = played(&steps, bounds);
        let expected = outcome(&mut recorded.cluster);

        // Whatever the watches told comes in any order; what a sidecar says keeps its own, and comes when its pod is known.
        let (reports, watched): (Vec<_>, Vec<_>) = recorded.inputs.into_iter().partition(is_report);
        let mut watched: Vec<_> = watched.into_iter().zip(&keys).collect();
        watched.sort_by_key(|(_, (key, _))| *key);
        let mut shuffled = begun(bounds);
        for (input, (_, settles)) in watched {
            shuffled.take(input);
            if *settles {
                shuffled.settle();
            }
        }
        let world = std::mem::take(&mut *recorded.cluster.control.world().write().unwrap());
        for input in reports.into_iter().filter(|input| is_report_of(input, &world)) {
            shuffled.take(input);
        }
        let found = outcome(&mut shuffled);
        prop_assert_eq!(&found.0, &expected.0);
        prop_assert_eq!(&found.2, &expected.2);
        prop_assert_eq!(&found.1, &expected.1);
    }

    #[test]
    fn what_was_computed_bit_by_bit_is_what_is_computed_from_scratch(
        steps in prop::collection::vec(step(), 1..40),
        bounds in bounds(),
    ) {
        let mut recorded = played(&steps, bounds);
        let expected = outcome(&mut recorded.cluster);
        let world = std::mem::take(&mut *recorded.cluster.control.world().write().unwrap());
        let version = recorded.cluster.version;
        let mut scratch = bounded(bounds);
        scratch.take(Input::Leading(true));
        scratch.pass(60);
        for input in recorded.inputs.into_iter().filter(|input| is_report_of(input, &world)) {
            scratch.take(input);
        }
        scratch.take(Input::Pods(Change::All { objects: world.pods.into_values().collect(), version }));
        scratch.take(Input::Servers(Change::All { objects: world.servers.into_values().collect(), version }));
        scratch.take(Input::Namespaces(Change::All { objects: world.namespaces.into_values().collect(), version }));
        scratch.take(Input::Policies(Change::All { objects: world.policies.into_values().collect(), version }));
        scratch.take(Input::ClusterPolicies(Change::All { objects: world.cluster_policies.into_values().collect(), version }));
        prop_assert_eq!(outcome(&mut scratch), expected);
    }

    #[test]
    fn a_cluster_in_which_everyone_has_acknowledged_is_programmed(steps in prop::collection::vec(step(), 1..30)) {
        let mut cluster = played(&steps, UNBOUNDED).cluster;
        cluster.converge();
        let world = cluster.control.world().read().unwrap();
        for (key, status) in &cluster.policies {
            let is_there = world.policies.contains_key(&**key) || world.cluster_policies.contains_key(&**key);
            let programmed = status.conditions.iter().find(|condition| condition.kind == "Programmed").unwrap();
            let fine = ["Programmed", "NoPods", "UnprotectedPods", "PolicyInvalid"].contains(&programmed.reason.as_str());
            prop_assert!(!is_there || fine, "{}: {:?}", key, programmed);
        }
    }
}
