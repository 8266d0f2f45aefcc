//! How much memory the process may take before its kernel ends it: the limit of its control group.
//!
//! A container's `resources.limits.memory` is such a limit, of the container's group or of the pod's above it (cgroups(7)). The first
//! version has a hierarchy for memory alone, the second one hierarchy for everything.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Where control groups are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// The process' limit, in bytes, as it was when it was first asked for; none if it has no limit, or if the kernel tells of none.
pub fn memory_limit() -> Option<u64> {
    static LIMIT: LazyLock<Option<u64>> = LazyLock::new(|| {
        let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        least(&groups, |file| std::fs::read_to_string(file).ok())
    });
    *LIMIT
}

/// The least limit of the groups that `/proc/self/cgroup` names and of those above them.
fn least(groups: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    groups.lines().filter_map(limits_of).flatten().filter_map(|file| limit(&read(&file)?)).min()
}

/// The files that bound memory, for a line of `/proc/self/cgroup`: `ID:CONTROLLERS:PATH`, where the second version names no controller.
///
/// A container may see the path that its group has on the machine while only the group itself is mounted, at the top.
fn limits_of(line: &str) -> Option<Vec<PathBuf>> {
    let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
    let (mount, file) = match controllers {
        "" => (PathBuf::from(MOUNT), "memory.max"),
        _ if controllers.split(',').any(|controller| controller == "memory") => {
            (Path::new(MOUNT).join("memory"), "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let group = mount.join(path.trim_start_matches('/'));
    let groups = group.ancestors().take_while(|group| group.starts_with(&mount));
    Some(groups.map(|group| group.join(file)).collect())
}

/// What such a file says. The first version says a number near the largest where there is no limit, the second `max`.
fn limit(text: &str) -> Option<u64> {
    const NONE: u64 = 1 << 60;
    text.trim().parse().ok().filter(|limit| *limit < NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least_of(groups: &str, files: &[(&str, &str)]) -> Option<u64> {
        least(groups, |file| files.iter().find(|(path, _)| Path::new(path) == file).map(|(_, text)| (*text).to_owned()))
    }

    #[test]
    fn the_least_limit_of_the_group_and_those_above_it_holds() {
        let files = [
            ("/sys/fs/cgroup/kubepods/memory.max", "max\n"),
            ("/sys/fs/cgroup/kubepods/pod1/memory.max", "134217728\n"),
            ("/sys/fs/cgroup/kubepods/pod1/sidecar/memory.max", "268435456\n"),
        ];
        assert_eq!(least_of("0::/kubepods/pod1/sidecar\n", &files), Some(134_217_728));
        assert_eq!(least_of("0::/kubepods\n", &files), None);
    }

    #[test]
    fn a_container_that_sees_its_group_at_the_top_has_its_limit() {
        assert_eq!(least_of("0::/\n", &[("/sys/fs/cgroup/memory.max", "67108864\n")]), Some(67_108_864));
        let first = [("/sys/fs/cgroup/memory/memory.limit_in_bytes", "33554432\n")];
        assert_eq!(least_of("9:cpu:/\n4:memory:/kubepods/pod1\n", &first), Some(33_554_432));
    }

    #[test]
    fn what_is_no_limit_is_none() {
        let unlimited = [("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")];
        assert_eq!(least_of("4:memory:/\n", &unlimited), None);
        for groups in ["", "nonsense", "0::", "4:cpu:/"] {
            assert_eq!(least_of(groups, &[]), None, "{groups:?}");
        }
    }
}
