//! A pod of a test's namespace.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::container::Container;
use super::namespace::Namespace;

/// A pod, by its name.
#[derive(Clone, Debug)]
pub struct Pod<'n> {
    namespace: &'n Namespace,
    /// Its name.
    pub name: String,
}

impl<'n> Pod<'n> {
    /// The pod of this name.
    pub fn named(namespace: &'n Namespace, name: &str) -> Self {
        Self { namespace, name: name.to_owned() }
    }

    /// How `kubectl` names it.
    pub fn object(&self) -> String {
        format!("pod/{}", self.name)
    }

    /// The pod as it is now.
    ///
    /// # Panics
    /// If there is none.
    pub fn now(&self) -> Value {
        self.namespace.get(&self.object()).unwrap_or_else(|| panic!("there is no {}", self.object()))
    }

    /// Watches the pod until `condition` gives a value.
    pub fn wait<T>(&self, what: &str, condition: impl FnMut(&Value) -> Option<T>) -> T {
        self.namespace.wait(what, &self.object(), condition)
    }

    /// Waits until it is ready; gives it as it is then.
    pub fn ready(&self) -> Value {
        self.wait("the pod is ready", |pod| (condition(pod, "Ready") == Some("True")).then(|| pod.clone()))
    }

    /// Lets a pod start that was applied [`held`], and waits until it is ready; gives it as it is then.
    pub fn released(&self) -> Value {
        let ungated = json!([{"op": "remove", "path": "/spec/schedulingGates"}]).to_string();
        self.namespace.told(&["patch", "pod", &self.name, "--type=json", "--patch", &ungated]);
        self.ready()
    }

    /// Waits until all of its main containers have ended; gives its phase, `Succeeded` or `Failed`.
    pub fn ended(&self) -> String {
        self.wait("the pod has ended", |pod| {
            pod["status"]["phase"].as_str().filter(|phase| ["Succeeded", "Failed"].contains(phase)).map(str::to_owned)
        })
    }

    /// Its address.
    ///
    /// # Panics
    /// If it has none yet.
    pub fn address(&self) -> String {
        self.now()["status"]["podIP"].as_str().expect("a pod that runs has an address").to_owned()
    }

    /// One of its containers.
    pub fn container(&self, name: &str) -> Container {
        let pod = self.now();
        Container::of(&pod, name).unwrap_or_else(|| panic!("{} runs no container {name}: {}", self.name, pod["status"]))
    }

    /// Runs a command in one of its containers; gives its output.
    ///
    /// # Errors
    /// If it fails, or cannot be run: what was written to standard error.
    pub fn exec(&self, container: &str, command: &[&str]) -> Result<String, String> {
        let exec = ["exec", self.name.as_str(), "--container", container, "--"];
        self.namespace.kubectl(&[&exec, command].concat()).map(|said| said.output)
    }

    /// What runs a program in one of its containers, with more arguments and the standard input that the command is given.
    pub fn command(&self, container: &str, program: &str) -> Command {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.namespace.name, "exec", "--stdin", &self.name, "--container", container]);
        command.args(["--", program]);
        command
    }

    /// Writes a program of this machine to a path in one of its containers, which has a shell.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn give(&self, container: &str, program: &Path, path: &str) {
        let program = File::open(program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let written = self
            .command(container, "sh")
            .args(["-c", &format!("cat > {path} && chmod 755 {path}")])
            .stdin(program)
            .output();
        let written = written.expect("kubectl is on the PATH");
        assert!(written.status.success(), "{path}: {}", String::from_utf8_lossy(&written.stderr));
    }

    /// What one of its containers has logged.
    pub fn logs(&self, container: &str) -> String {
        self.namespace.told(&["logs", &self.name, "--container", container])
    }

    /// The same, each line after the time at which it was written, as in `2026-11-29T15:19:45.123456789Z text`.
    pub fn logs_with_times(&self, container: &str) -> String {
        self.namespace.told(&["logs", &self.name, "--timestamps", "--container", container])
    }
}

/// The status of a condition of an object.
pub fn condition<'o>(object: &'o Value, name: &str) -> Option<&'o str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == name)?["status"].as_str()
}

/// The state of a container, or init container, of a pod: an object of the API's `ContainerStatus`.
pub fn status<'p>(pod: &'p Value, container: &str) -> Option<&'p Value> {
    let all = ["initContainerStatuses", "containerStatuses"].into_iter();
    all.flat_map(|list| pod["status"][list].as_array().into_iter().flatten()).find(|status| status["name"] == container)
}

/// The same pod, which is admitted when it is applied and started only when it is [`Pod::released`].
pub fn held(mut pod: Value) -> Value {
    pod["spec"]["schedulingGates"] = json!([{"name": "tests.reeve.dev/held"}]);
    pod
}

/// The manifest of a pod of one busybox that runs a script in a shell, in a way that any namespace admits.
pub fn shell(name: &str, script: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": {
        "terminationGracePeriodSeconds": 1, "containers": [shell_container("main", script)]}})
}

/// A container that runs a script in busybox' shell, in a way that any namespace admits.
pub fn shell_container(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "reeve.test/busybox:1", "command": ["sh", "-c", script], "securityContext": {
        "runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"}}})
}
