//! Images on the nodes, by the names under which pods ask for them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::alone::cluster;

/// The version before the present one.
pub const BEFORE: &str = "0.0.9";

/// Gives an image of every node another name as well.
///
/// # Panics
/// If a node does not have it.
pub fn named_as_well(image: &str, other: &str) {
    on_every_node(&["images", "tag", "--force", image, other]);
}

/// Brings the sidecar's image of the version [`BEFORE`] to every node. It is the present program, in whose file the version was
/// replaced by that one when `tests/cluster/reeve-images` made the image.
///
/// # Panics
/// If there is no such image.
pub fn sidecar_before() {
    let images = std::env::var_os("REEVE_CLUSTER_IMAGES").expect("tests/cluster/run says where images are");
    let archive = PathBuf::from(images).join("before/reeve-sidecar.tar");
    on_every_node(&["images", "import", archive.to_str().expect("a path is text")]);
}

fn on_every_node(arguments: &[&str]) {
    for node in cluster().read_dir().expect("a cluster has a folder") {
        let socket = node.expect("a folder can be read").path().join("containerd.sock");
        if socket.exists() {
            on_node(&socket, arguments);
        }
    }
}

fn on_node(socket: &Path, arguments: &[&str]) {
    let mut ctr = Command::new("ctr");
    let output = ctr.args(["--namespace", "k8s.io", "--address"]).arg(socket).args(arguments).output();
    let output = output.expect("ctr is on the PATH");
    assert!(output.status.success(), "ctr {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
