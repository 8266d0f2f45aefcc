//! A namespace for one test, and what a test does in it.

use std::fmt::Display;
use std::sync::RwLockReadGuard;
use std::time::Duration;

use serde_json::{Value, json};

use super::kubectl::{self, Said};
use super::pod::Pod;
use super::{alone, report, watch};

/// How long a condition may take to come true: generous, as the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(90);

/// A namespace that is deleted with this value. What it holds is told if the test fails.
#[derive(Debug)]
pub struct Namespace {
    /// Its name: of the test, with something that makes it unique.
    pub name: String,
    /// While a test has this, no other test is [`alone::Alone`].
    shared: Option<RwLockReadGuard<'static, ()>>,
}

impl Namespace {
    /// A namespace in which pods can be made, with these labels. A test that needs a second one asks the first for
    /// [`another`](Self::another).
    pub fn new(labels: &[(&str, &str)]) -> Self {
        let shared = alone::share();
        let mut namespace = Self::made(labels);
        namespace.shared = Some(shared);
        namespace
    }

    /// One more, for a test that has one.
    pub fn another(&self, labels: &[(&str, &str)]) -> Self {
        Self::made(labels)
    }

    /// Makes it, in a cluster that the caller sees to be shared rightly.
    pub(super) fn made(labels: &[(&str, &str)]) -> Self {
        let namespace = Self { name: unique_name(), shared: None };
        let labels: serde_json::Map<_, _> = labels.iter().map(|(key, value)| ((*key).into(), json!(value))).collect();
        namespace.apply(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace.name, "labels": labels}}));
        // Without it the API server makes no pod.
        namespace.wait("there is a ServiceAccount", "serviceaccount/default", |account| Some(account.clone()));
        namespace
    }

    /// Runs `kubectl` in this namespace; an error is what it wrote to standard error.
    ///
    /// # Errors
    /// If it ends with another code than 0.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Said, String> {
        kubectl::kubectl(&[&["--namespace", &self.name], arguments].concat())
    }

    /// Runs `kubectl` in this namespace, which must succeed; gives its output.
    pub fn told(&self, arguments: &[&str]) -> String {
        kubectl::told(&[&["--namespace", &self.name], arguments].concat())
    }

    /// What `kubectl apply` says of a manifest, in JSON or YAML.
    ///
    /// # Errors
    /// If it is refused: the words that a user reads.
    pub fn try_apply(&self, manifest: impl Display) -> Result<Said, String> {
        kubectl::fed(&["--namespace", &self.name, "apply", "--filename", "-"], manifest)
    }

    /// Applies a manifest, in JSON or YAML.
    ///
    /// # Panics
    /// If it is refused, with the words that a user reads.
    pub fn apply(&self, manifest: impl Display) -> Said {
        self.try_apply(&manifest).unwrap_or_else(|error| panic!("{manifest}\nis refused: {error}"))
    }

    /// The words with which a manifest is refused.
    ///
    /// # Panics
    /// If it is not.
    pub fn refused(&self, manifest: impl Display) -> String {
        match self.try_apply(&manifest) {
            Ok(said) => panic!("{manifest}\nis not refused: {}", said.output),
            Err(words) => words,
        }
    }

    /// Applies the manifest of a pod, and waits until it is ready.
    pub fn pod(&self, manifest: impl Display) -> Pod<'_> {
        self.apply(&manifest);
        let read: Value = serde_json::from_str(&manifest.to_string()).expect("a pod is written in JSON");
        let pod = Pod::named(self, read["metadata"]["name"].as_str().expect("a pod has a name"));
        pod.ready();
        pod
    }

    /// An object as it is now, such as `pod/agent`; none if there is none.
    pub fn get(&self, object: &str) -> Option<Value> {
        let said = self.kubectl(&["get", object, "--output", "json", "--ignore-not-found"]);
        let output = said.unwrap_or_else(|error| panic!("{object}: {error}")).output;
        serde_json::from_str(&output).ok()
    }

    /// All objects of a kind.
    pub fn list(&self, kind: &str) -> Vec<Value> {
        let list = kubectl::json(&["--namespace", &self.name, "get", kind]);
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Watches an object, such as `pod/agent`, until `condition` gives a value.
    ///
    /// # Panics
    /// After a minute and a half: with what was awaited and what the object was last.
    pub fn wait<T>(&self, what: &str, object: &str, condition: impl FnMut(&Value) -> Option<T>) -> T {
        watch::until(&self.name, object, what, DEADLINE, condition)
    }

    /// Waits until there is no such object.
    pub fn wait_gone(&self, object: &str) {
        self.told(&["wait", "--for=delete", object, &format!("--timeout={}s", DEADLINE.as_secs())]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", report::of(&self.name));
        }
        // A test does not wait for it: nobody meets the name again.
        let _ = kubectl::kubectl(&["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"]);
    }
}

/// The test's name, as far as a name may hold it, and five letters of chance.
fn unique_name() -> String {
    let thread = std::thread::current();
    let test = thread.name().and_then(|name| name.rsplit("::").next()).unwrap_or("test").replace('_', "-");
    let short: String = test.chars().take(40).collect();
    let mut chance = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
    let letters = (0..5).map(|_| {
        let letter = b'a' + (chance % 26) as u8;
        chance /= 26;
        char::from(letter)
    });
    format!("{}-{}", short.trim_end_matches('-'), letters.collect::<String>())
}
