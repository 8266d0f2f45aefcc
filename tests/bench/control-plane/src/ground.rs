//! What stands before anything is measured: Reeve's kinds, the operator and its account, its webhooks, and a namespace of agents.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::objects;
use crate::operator::{NAME, NAMESPACE, Operator, Place};

/// What every part begins with.
pub struct Ground {
    /// The API server.
    pub cluster: Cluster,
    /// How the operator is started.
    pub place: Place,
    /// It runs, and is ready.
    pub operator: Operator,
}

impl Ground {
    /// Installs Reeve, and waits until it is ready.
    ///
    /// # Panics
    /// If anything fails.
    pub async fn lay(program: &Path, kinds: &Path) -> Self {
        let cluster = Cluster::connect().await;
        let folder = kinds.display().to_string();
        kubectl(&["apply", "--server-side", "--filename", &folder]).await;
        kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).await;
        cluster.apply("/api/v1/namespaces", &objects::namespace(NAMESPACE, None)).await;
        cluster.apply(&format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts"), &objects::account(NAME)).await;
        cluster.apply("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding()).await;
        let token = cluster.token(NAMESPACE, NAME, None, None).await;
        let place = Place::new(program, &token);
        let webhooks = "/apis/admissionregistration.k8s.io/v1";
        let injecting = objects::injecting(&place.url(), NAME);
        cluster.apply(&format!("{webhooks}/mutatingwebhookconfigurations"), &injecting).await;
        let validating = objects::validating(&place.url(), NAME);
        cluster.apply(&format!("{webhooks}/validatingwebhookconfigurations"), &validating).await;
        let mut operator = place.start();
        operator.ready().await;
        Self { cluster, place, operator }
    }

    /// Makes a namespace with agents' account, and the server; its pods are given sidecars.
    ///
    /// # Panics
    /// If the API server refuses.
    pub async fn namespace(&self, name: &str) {
        bare_namespace(&self.cluster, name, Some("enabled")).await;
        self.cluster.apply(&objects::servers(name), &objects::server()).await;
    }

    /// The policies of a namespace of agents: one for all of them, which will be changed, one for each team, and the Boundary.
    ///
    /// # Panics
    /// If the API server refuses.
    pub async fn policies(&self, namespace: &str) {
        let cluster = &self.cluster;
        cluster.apply("/apis/reeve.dev/v1alpha1/clustermcppolicies", &objects::boundary()).await;
        for number in 0..objects::TEAMS {
            let (label, team) = objects::team(number);
            let policy = objects::policy(&format!("team-{number}"), (label, &team), "team_version");
            cluster.apply(&objects::policies(namespace), &policy).await;
        }
        for number in 0..COMMON {
            let policy = objects::policy(&format!("common-{number}"), objects::APP, "common_version");
            cluster.apply(&objects::policies(namespace), &policy).await;
        }
        cluster.apply(&objects::policies(namespace), &objects::policy(CHANGED, objects::APP, "version_0")).await;
    }
}

/// The policy that is changed.
pub const CHANGED: &str = "changed";
/// Policies beside it that are for all agents.
const COMMON: usize = 7;
/// Policies by which one agent is governed: with its team's and the Boundary.
pub const EACH: usize = COMMON + 3;

/// A namespace with agents' account; `inject` is the value of the label that asks for sidecars.
///
/// # Panics
/// If the API server refuses.
pub async fn bare_namespace(cluster: &Cluster, name: &str, inject: Option<&str>) {
    cluster.apply("/api/v1/namespaces", &objects::namespace(name, inject)).await;
    let accounts = format!("/api/v1/namespaces/{name}/serviceaccounts");
    cluster.apply(&accounts, &objects::account(objects::ACCOUNT)).await;
}

/// Lets the operator's account do everything: what it may do costs the API server the same to decide.
fn binding() -> Value {
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"});
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": NAME},
        "roleRef": role, "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    })
}

async fn kubectl(arguments: &[&str]) {
    let mut command = Command::new("kubectl");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let status = tokio::task::spawn_blocking(move || command.status()).await.expect("kubectl can be waited for");
    let status = status.expect("kubectl is on the PATH: tests/bench/run starts a cluster with it");
    assert!(status.success(), "kubectl {arguments:?} failed: {status}");
}
