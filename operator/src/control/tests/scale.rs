//! What it costs. Run with `--release -- --ignored --nocapture` for the figures.

use std::time::{Duration, Instant};

use super::*;

/// So many pods with labels of their own, so many policies for one each and one for all; everyone has acknowledged.
fn large(policies: usize, pods: usize) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.policy("everyone", json!({"serverRefs": [{"name": "*"}]}));
    for number in 0..pods {
        cluster.pod(&format!("agent-{number}"), &format!("app-{number}"));
    }
    for number in 0..policies {
        cluster.policy_for(&format!("p{number}"), &format!("app-{number}"));
    }
    cluster
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    std::hint::black_box(work());
    begun.elapsed()
}

#[test]
#[ignore = "prints figures"]
fn a_full_resync_and_a_change_of_one_pod() {
    for pods in [100, 1_000, 5_000] {
        let mut cluster = large(1_000, pods);
        let settled = timed(|| cluster.settle());
        let names: Vec<_> = cluster.given.keys().cloned().collect();
        for pod in &names {
            cluster.acknowledge(pod.as_str());
        }
        let acknowledged = timed(|| cluster.settle());
        let changes: Vec<_> = (0..50)
            .map(|_| {
                cluster.policy_for("p7", "app-7");
                let change = timed(|| cluster.settle());
                cluster.acknowledge("agent-7");
                change + timed(|| cluster.settle())
            })
            .collect();
        let change = changes.iter().min().unwrap();
        println!(
            "{pods} pods, 1000 policies: all {settled:?}, all acknowledged {acknowledged:?}, one changed {change:?}"
        );
    }
}

#[test]
#[ignore = "prints figures"]
fn a_thousand_policies_that_all_govern_every_one_of_five_thousand_pods() {
    let mut cluster = Cluster::new();
    for number in 0..5_000 {
        cluster.pod(&format!("agent-{number}"), &format!("app-{number}"));
    }
    for number in 0..1_000 {
        cluster.policy(&format!("p{number}"), json!({"serverRefs": [{"name": "*"}]}));
    }
    let settled = timed(|| cluster.settle());
    let origin = cluster.running("agent-0");
    let names: Vec<_> = cluster.given.keys().cloned().collect();
    for pod in &names {
        cluster.report(pod.as_str(), true, Some(origin.clone()), Vec::new());
    }
    let acknowledged = timed(|| cluster.settle());
    cluster.policy("p7", json!({"serverRefs": [{"name": "aws"}]}));
    let changed = timed(|| cluster.settle());
    println!("5000 pods x 1000 policies: all {settled:?}, all acknowledged {acknowledged:?}, one changed {changed:?}");
}
