//! How many series the operator exports: as many as its policies ask for, whatever the number of pods.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::metrics::Metrics;
use crate::{delivery, webhook};

/// The series of a replica that leads a cluster of so many pods, each of which was injected, connected and given what it is to run,
/// and so many policies: names and labels, without values.
fn series(policies: usize, pods: usize) -> BTreeSet<String> {
    let mut cluster = Cluster::new();
    for number in 0..pods {
        cluster.pod(&format!("agent-{number}"), &format!("app-{}", number % 10));
    }
    let names: Vec<String> = (0..policies).map(|number| format!("p{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        cluster.policy_for(name, &format!("app-{}", number % 10));
    }
    cluster.converge();
    let expected = pods / 10;
    for (number, name) in names.iter().enumerate() {
        // As the API server shows it once its status is written.
        let status = cluster.policies[&format!("clinic/{name}")].clone();
        assert_eq!(usize::try_from(status.programmed_pods).unwrap(), expected);
        let selector = json!({"matchLabels": {"app": format!("app-{}", number % 10)}});
        let mut object = cluster.object(
            "McpPolicy",
            Some("clinic"),
            name,
            json!({"podSelector": selector, "serverRefs": [{"name": "aws"}]}),
        );
        object["status"] = serde_json::to_value(status).unwrap();
        let view = PolicyView::of(&object, &mut cluster.drafts).unwrap();
        cluster.take(Input::Policies(Change::Set(view)));
    }
    let metrics = Metrics::new().unwrap();
    metrics.leads(true);
    metrics.reconciled("settle", Duration::from_millis(1));
    metrics.tell_policies(&cluster.control.world().read().unwrap());
    let delivery = delivery::Metrics::register(metrics.registry()).unwrap();
    let webhook = webhook::metrics::Metrics::new(metrics.registry()).unwrap();
    let sidecars: Vec<_> = (0..pods)
        .map(|number| {
            webhook.injection("injected", "Requested");
            webhook.answered(webhook::metrics::Which::Inject, Duration::from_millis(1));
            delivery.pushed(Duration::from_millis(5));
            metrics.opened();
            let mut sidecar = delivery.sidecar();
            sidecar.set_current(!number.is_multiple_of(10));
            sidecar
        })
        .collect();
    let text = String::from_utf8(metrics.encode().unwrap()).unwrap();
    assert!(
        text.contains(&format!("\nreeve_sidecars{{state=\"behind\"}} {}\n", sidecars.len().div_ceil(10))),
        "{text}"
    );
    assert!(text.contains(&format!("policy=\"p0\",state=\"programmed\"}} {expected}\n")), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    lines.map(|(series, _)| series.to_owned()).collect()
}

#[test]
fn a_thousand_pods_are_as_many_series_as_ten() {
    assert_eq!(series(3, 1_000), series(3, 10));
}

#[test]
fn each_policy_is_four_series() {
    assert_eq!(series(7, 10).len(), series(3, 10).len() + 4 * 4);
}
