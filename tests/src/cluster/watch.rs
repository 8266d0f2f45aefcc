//! Waiting for an object to become something, by watching it: `kubectl get --watch` tells each change as it happens.

use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Deserializer, Value};

use super::kubectl;

/// Watches an object, such as `pod/agent`, until `condition` gives a value.
pub(super) fn until<T>(
    namespace: &str,
    object: &str,
    what: &str,
    patience: Duration,
    mut condition: impl FnMut(&Value) -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    let mut last = Value::Null;
    // A watch ends when the API server ends, and while it is down cannot begin: then there is another one.
    while Instant::now() < deadline {
        let watch = Watch::begin(namespace, object);
        while let Some(seen) = watch.next(deadline) {
            if let Some(value) = condition(&seen) {
                return value;
            }
            last = seen;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("waited {} s in vain: {what}. {object} was last: {last:#}", patience.as_secs())
}

/// A running `kubectl get --watch`, which ends with this value.
struct Watch {
    child: Child,
    changes: Receiver<Value>,
}

impl Watch {
    fn begin(namespace: &str, object: &str) -> Self {
        let (kind, name) = object.split_once('/').expect("an object is written as kind/name");
        // By a selector: an object that there is not yet is no error then.
        let field = format!("metadata.name={name}");
        let mut command = kubectl::command(&[
            "--namespace",
            namespace,
            "get",
            kind,
            "--field-selector",
            &field,
            "--watch",
            "-o",
            "json",
        ]);
        let mut child = command.stderr(std::process::Stdio::null()).spawn().expect("kubectl is on the PATH");
        let output = child.stdout.take().expect("standard output is a pipe");
        let (sender, changes) = channel();
        std::thread::spawn(move || {
            let mut objects = Deserializer::from_reader(output).into_iter::<Value>();
            while let Some(Ok(seen)) = objects.next() {
                if sender.send(seen).is_err() {
                    return;
                }
            }
        });
        Self { child, changes }
    }

    /// The object at its next change; none if the watch has ended, or at the deadline.
    fn next(&self, deadline: Instant) -> Option<Value> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.changes.recv_timeout(left).ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
