//! What the README shows of commands is what they print.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::{blocks, root};

/// The file that the README has checked: each of its mistakes stands where the README says.
const MISTAKEN: &str = "\
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: imaging, namespace: clinic}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - name: reads
    tols: [get_*]
    action: Alow
  - name: exports
    tools: [start_dicom_export_job]
    action: Allow
    limits: [{counter: exports, window: 0s, max: 10}]
    require:
    - expression: arg.output_s3_uri.startsWith('s3://clinic-exports/')
";

#[test]
fn what_the_readme_shows_of_a_command_is_what_it_prints() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let shown = blocks(&readme, "console");
    assert!(shown.len() >= 2, "the README shows commands");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), MISTAKEN).unwrap();
    symlink(root().join("examples").canonicalize().unwrap(), folder.path().join("examples")).unwrap();
    symlink(env!("CARGO_BIN_EXE_reeve-sidecar"), folder.path().join("reeve-sidecar")).unwrap();
    for block in shown {
        let (command, expected) = block.split_once('\n').unwrap();
        let command = command.strip_prefix("$ ").unwrap_or_else(|| panic!("{command} begins with a prompt"));
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default()))
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        assert_eq!(String::from_utf8(printed).unwrap(), expected, "{command}");
    }
}
