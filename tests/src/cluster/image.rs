//! Images on the nodes, by the names under which pods ask for them.

use std::process::Command;

use super::alone::cluster;

/// Gives an image of every node another name as well.
///
/// # Panics
/// If a node does not have it.
pub fn named_as_well(image: &str, other: &str) {
    for node in cluster().read_dir().expect("a cluster has a folder") {
        let socket = node.expect("a folder can be read").path().join("containerd.sock");
        if !socket.exists() {
            continue;
        }
        let mut ctr = Command::new("ctr");
        ctr.args(["--namespace", "k8s.io", "--address"]).arg(socket).args(["images", "tag", "--force", image, other]);
        let output = ctr.output().expect("ctr is on the PATH");
        assert!(output.status.success(), "{image} as {other}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
