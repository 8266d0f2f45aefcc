//! What becomes of more configurations, and larger ones, than can be sent or kept.

use super::*;

/// A policy about these tools for every pod but those whose label `k` has this value.
fn all_but(cluster: &mut Cluster, name: &str, value: &str, tools: &[String]) {
    let selector = json!({"matchExpressions": [{"key": "k", "operator": "NotIn", "values": [value]}]});
    let rule = json!({"name": "r", "tools": tools, "action": "Allow"});
    cluster.policy(name, json!({"podSelector": selector, "serverRefs": [{"name": "aws"}], "rules": [rule]}));
}

/// Names of so many bytes in all.
fn tools(bytes: usize) -> Vec<String> {
    let names = (0..bytes / 100).map(|number| format!("{number:x>100}"));
    names.chain((!bytes.is_multiple_of(100)).then(|| "y".repeat(bytes % 100))).collect()
}

/// One name of so many bytes, which no policy can have: sidecars are given it all the same.
fn long_tool(bytes: usize) -> Vec<String> {
    vec!["x".repeat(bytes)]
}

fn labelled(cluster: &mut Cluster, pod: &str, value: &str) {
    cluster.pod_with(pod, "imaging", |object| object["metadata"]["labels"]["k"] = value.into());
}

/// The bytes of all documents that are held for pods.
fn kept(cluster: &Cluster) -> usize {
    let documents = cluster.given.values().filter_map(|given| given.document.as_ref());
    let documents: BTreeMap<_, _> = documents.map(|document| (document.as_ptr(), document.len())).collect();
    documents.into_values().sum()
}

#[test]
fn what_cannot_be_sent_is_never_written() {
    let mut cluster = Cluster::new();
    for number in 0..4 {
        all_but(&mut cluster, &format!("p{number}"), "none", &long_tool(10 << 20));
    }
    labelled(&mut cluster, "agent-0", "0");
    cluster.settle();
    assert_eq!(kept(&cluster), 0);
    assert!(matches!(cluster.excess("agent-0"), Some(Excess::Bytes { has: 41_943_040.., most: 31_457_280 })));
}

#[test]
fn one_namespace_cannot_have_the_operator_keep_as_many_documents_as_there_are_ways_to_select_pods() {
    let mut cluster = Cluster::new();
    for number in 0..60 {
        all_but(&mut cluster, &format!("p{number}"), &number.to_string(), &long_tool(1 << 19));
        labelled(&mut cluster, &format!("agent-{number}"), &number.to_string());
    }
    cluster.settle();
    let written = cluster.given.values().filter(|given| given.document.is_some()).count();
    assert!(kept(&cluster) <= 64 << 20 && written == 2, "{written} documents, {} bytes", kept(&cluster));
    let beyond = |pod: &&Uid| matches!(cluster.excess(pod.as_str()), Some(Excess::Namespace { most: 67_108_864, .. }));
    assert_eq!(cluster.given.keys().filter(beyond).count(), 58);
}

#[test]
fn where_not_all_documents_of_a_namespace_are_kept_it_is_the_longest_that_are_not_and_their_policies_say_so() {
    let mut cluster = Cluster::new();
    cluster.policy_for("small", "imaging");
    labelled(&mut cluster, "agent-0", "0");
    labelled(&mut cluster, "agent-1", "1");
    cluster.converge();
    // From now on agent-0 has a long one, agent-1 a short one, and together they are one byte too many.
    all_but(&mut cluster, "large", "1", &tools(2_000));
    cluster.settle();
    let all = kept(&cluster);
    let [long, short] = ["agent-0", "agent-1"].map(|pod| cluster.length(pod));
    assert!(long > 2_000 && long + short == all, "{long} and {short} of {all}");
    cluster.control.configurations.bound(usize::MAX, all - 1);
    all_but(&mut cluster, "large", "1", &tools(2_000));
    cluster.settle();
    assert_eq!(kept(&cluster), short);
    let told = format!(
        "agent-0 {{}}is not sent its configuration, which is not kept: the different ones of its namespace have {all} bytes in all, \
         and at most {} are kept, the shortest first; what its sidecar runs stays in force until that is less: let the policies of the \
         namespace, and those of the cluster that select in it, be smaller or select more of its pods alike, or move pods to another \
         namespace",
        all - 1
    );
    let large = format!("False/ConfigurationTooLarge: 0 of 1 sidecar runs generation 2; {}", told.replace("{}", ""));
    assert_eq!(cluster.says("clinic/large"), large);
    let beside = told.replace("{}", "still runs it beside what has changed since, and ");
    let small = format!("False/ConfigurationTooLarge: 1 of 2 sidecars run generation 1; {beside}");
    assert_eq!(cluster.says("clinic/small"), small);

    all_but(&mut cluster, "large", "1", &tools(1_999));
    cluster.converge();
    assert_eq!(kept(&cluster), all - 1);
    assert_eq!(cluster.says("clinic/large"), "True/Programmed: 1 of 1 sidecar runs generation 3");
    assert_eq!(cluster.says("clinic/small"), "True/Programmed: 2 of 2 sidecars run generation 1");
}

#[test]
fn what_one_namespace_has_too_much_of_is_not_another_ones_and_pods_that_go_make_room() {
    let mut cluster = Cluster::new();
    labelled(&mut cluster, "agent-0", "0");
    all_but(&mut cluster, "large", "1", &tools(2_000));
    cluster.settle();
    let most = cluster.length("agent-0");
    cluster.control.configurations.bound(usize::MAX, most);
    labelled(&mut cluster, "agent-1", "1");
    cluster.namespace("ward", json!({"reeve.dev/inject": "enabled"}));
    cluster.pod_with("agent-2", "imaging", |pod| pod["metadata"]["namespace"] = "ward".into());
    cluster.settle();
    assert_eq!(["agent-0", "agent-1", "agent-2"].map(|pod| cluster.excess(pod).is_some()), [true, false, false]);
    let gone = cluster.pod_view("agent-1", "imaging", |_| {});
    cluster.take(Input::Pods(Change::Gone(gone)));
    cluster.settle();
    assert_eq!(cluster.length("agent-0"), most);
}

#[test]
fn of_documents_of_one_length_the_same_is_kept_whichever_came_first() {
    let kept = |pods: [&str; 2]| {
        let mut cluster = Cluster::new();
        for (policy, but) in [("p0", "1"), ("p1", "0")] {
            all_but(&mut cluster, policy, but, &tools(2_000));
        }
        cluster.control.configurations.bound(usize::MAX, 4_000);
        for pod in pods {
            labelled(&mut cluster, pod, pod);
            cluster.settle();
        }
        let kept: Vec<_> = ["0", "1"].into_iter().filter(|pod| cluster.length(pod) > 0).collect();
        assert_eq!(kept.len(), 1);
        kept[0]
    };
    assert_eq!(kept(["0", "1"]), kept(["1", "0"]));
}
