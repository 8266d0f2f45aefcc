//! What a release can be wrong in: its configuration, its certificate, its version.
//!
//! There is only one version of Reeve. The sidecar of another is the present program, in whose file the version was replaced when its
//! image was made; what it says of itself is all that the alert knows.

use reeve_tests::cluster::clinic::{agent, policy, programmed};
use reeve_tests::cluster::image::{self, BEFORE};
use reeve_tests::cluster::prometheus::Pace;
use reeve_tests::cluster::workload::{deployment, rolled_out};
use reeve_tests::cluster::{helm, installed, kubectl};
use reeve_tests::eventually::eventually;

use super::{Watched, rules};

#[test]
fn a_configuration_from_an_older_world_and_a_certificate_that_ends_soon_are_told_until_they_are_mended() {
    let watched = Watched::new();
    let (alone, namespace) = (&watched.alone, watched.name());
    watched.govern();
    let changed = installed::changed(alone);
    installed::release(&helm::chart(), &["--set", "operator.epoch=1"]).unwrap();
    installed::await_webhooks();
    alone.pod(agent(alone, "agent"));
    programmed(alone, "mcppolicy/imaging", "True", "Programmed");
    installed::release(&helm::chart(), &[]).unwrap();
    no_other_replicas();
    // What is as it was is not given anew, and so not refused.
    alone.apply(policy("imaging", "agent", &rules(&["get_*"])));
    let own = [("namespace", namespace.as_str()), ("workload", "agent")];
    watched.fires("ReeveConfigurationRefused", &own);
    watched.shows("fleet.json, panel Configurations refused", Some(1.0));
    alone.told(&["delete", "pod/agent"]);
    watched.resolves("ReeveConfigurationRefused", &own);
    certificates(&["REEVE_CERTIFICATE_LIFETIME=1h"]);
    watched.fires("ReeveCertificateExpiring", &[("namespace", installed::NAMESPACE)]);
    certificates(&["REEVE_CERTIFICATE_LIFETIME-"]);
    watched.resolves("ReeveCertificateExpiring", &[]);
    drop(changed);
}

/// Changes a variable of the operator, and waits until its replicas have it.
fn certificates(variable: &[&str]) {
    let deployment = format!("deployment/{}", installed::OPERATOR);
    kubectl::told(&[&["-n", installed::NAMESPACE, "set", "env", &deployment], variable].concat());
    kubectl::told(&["-n", installed::NAMESPACE, "rollout", "status", &deployment, "--timeout=120s"]);
    no_other_replicas();
}

/// Waits until those that a release has replaced are gone, which serve until they are.
fn no_other_replicas() {
    let all = ["-n", installed::NAMESPACE, "get", "pods", "--selector", "app.kubernetes.io/component=operator"];
    eventually("two replicas are left", || (kubectl::json(&all)["items"].as_array()?.len() == 2).then_some(()));
}

#[test]
fn sidecars_of_another_version_than_the_operators_are_told_until_their_pods_are_made_anew() {
    let watched = Watched::at(Pace::Rushed);
    let alone = &watched.alone;
    watched.govern();
    let changed = installed::changed(alone);
    image::sidecar_before();
    installed::release(&helm::chart(), &["--set", &format!("sidecar.image.tag={BEFORE}")]).unwrap();
    installed::await_webhooks();
    no_other_replicas();
    alone.apply(deployment(&agent(alone, "agent"), 1));
    rolled_out(alone, "deployment/agent");
    drop(changed);
    no_other_replicas();
    watched.fires("ReeveVersionDrift", &[("version", BEFORE)]);
    alone.told(&["rollout", "restart", "deployment/agent"]);
    rolled_out(alone, "deployment/agent");
    watched.resolves("ReeveVersionDrift", &[]);
}
