//! Making parts of the cluster fail, by a test that is alone in it meanwhile. What is broken is mended when its value is dropped.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;

use super::Namespace;
use super::pod::Pod;
use crate::process::root;

static CLUSTER: RwLock<()> = RwLock::new(());

/// The cluster, shared with other tests.
pub(super) fn share() -> RwLockReadGuard<'static, ()> {
    CLUSTER.read().unwrap_or_else(PoisonError::into_inner)
}

/// A namespace in a cluster in which no other test runs.
#[derive(Debug)]
pub struct Alone {
    namespace: Namespace,
    _alone: RwLockWriteGuard<'static, ()>,
}

impl Alone {
    /// Waits until all other tests that run have ended.
    pub fn new(labels: &[(&str, &str)]) -> Self {
        let alone = CLUSTER.write().unwrap_or_else(PoisonError::into_inner);
        Self { namespace: Namespace::made(labels), _alone: alone }
    }

    /// Stops a part of the cluster, such as `kube-apiserver` or `kubelet-node1`; what it is sent waits.
    pub fn freeze(&self, name: &'static str) -> Broken {
        Broken::by(vec![name.into(), "freeze".into()], vec![name.into(), "resume".into()])
    }

    /// Ends a part of the cluster at once. It is started again when the value is dropped.
    pub fn kill(&self, name: &'static str) -> Broken {
        Broken::by(vec![name.into(), "kill".into()], vec![name.into(), "start".into()])
    }

    /// Cuts a node, from the second, off from all others.
    pub fn cut_node(&self, name: &'static str) -> Broken {
        Broken::by(vec![name.into(), "cut".into()], vec![name.into(), "join".into()])
    }

    /// Drops every packet to a pod and from it.
    ///
    /// # Panics
    /// If the pod has no address or node.
    pub fn cut(&self, pod: &Pod<'_>) -> Broken {
        let now = pod.now();
        let address = address(&now);
        let drops = format!("ip saddr {address} drop; ip daddr {address} drop;");
        // Before anything that rewrites addresses, on the way through the node as well as from it.
        let chains = format!(
            "chain through {{ type filter hook prerouting priority -310; {drops} }}; \
             chain out {{ type filter hook output priority -310; {drops} }};"
        );
        ruled(&now, &format!("cut-{address}"), &chains)
    }

    /// Drops every packet between two pods, through a Service too.
    ///
    /// # Panics
    /// If one of them has no address or node.
    pub fn cut_between(&self, one: &Value, other: &Value) -> Broken {
        let (one_address, other_address) = (address(one), address(other));
        // Where a Service's address has become a pod's already.
        let chain = format!(
            "chain between {{ type filter hook forward priority 0; ip saddr {one_address} ip daddr {other_address} drop; \
             ip saddr {other_address} ip daddr {one_address} drop; }};"
        );
        ruled(one, &format!("cut-{one_address}-{other_address}"), &chain)
    }
}

/// A pod's address.
fn address(pod: &Value) -> &str {
    pod["status"]["podIP"].as_str().expect("a pod that runs has an address")
}

/// Adds a table with these chains on the node of a pod.
fn ruled(pod: &Value, table: &str, chains: &str) -> Broken {
    let node = pod["spec"]["nodeName"].as_str().expect("a pod with an address has a node");
    let (table, nft) = (table.replace('.', "-"), [node, "enter", "nft"]);
    let words = |words: &[&str]| [&nft, words].concat().iter().map(|word| (*word).to_owned()).collect();
    let rules = format!("table ip {table} {{ {chains} }}");
    Broken::by(words(&[&rules]), words(&["delete", "table", "ip", &table]))
}

impl Deref for Alone {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.namespace
    }
}

/// Something that is broken until this value is dropped.
#[derive(Debug)]
pub struct Broken {
    mend: Vec<String>,
}

impl Broken {
    fn by(breaks: Vec<String>, mend: Vec<String>) -> Self {
        part(&breaks.iter().map(String::as_str).collect::<Vec<_>>());
        Self { mend }
    }

    /// Mends it.
    pub fn mend(self) {
        drop(self);
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        part(&self.mend.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// The folder in which the cluster keeps its parts.
///
/// # Panics
/// In a cluster that `tests/cluster/run` did not start.
pub(super) fn cluster() -> PathBuf {
    let cluster = std::env::var_os("REEVE_CLUSTER");
    PathBuf::from(cluster.expect("only parts of a cluster that tests/cluster/run started can be made to fail"))
}

/// Runs `tests/cluster/part`, which must succeed; gives its output.
pub(super) fn part(arguments: &[&str]) -> String {
    cluster();
    let output = Command::new(root().join("tests/cluster/part")).args(arguments).output();
    let output = output.expect("tests/cluster/part can be run");
    assert!(output.status.success(), "part {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
