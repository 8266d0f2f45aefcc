//! The API server, asked all the time whether it would take a policy: for what must hold at every instant while the operator
//! changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::json;

use super::{Alone, kubectl};

/// Whether the API server would take a policy, by asking the operator.
///
/// # Errors
/// What it said instead.
pub fn would_admit() -> Result<(), String> {
    let policy = json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "ClusterMcpPolicy", "metadata": {"name": "dry-run"},
        "spec": {"tier": "Boundary", "podSelector": {"matchLabels": {"app": "none"}}}});
    kubectl::fed(&["apply", "--dry-run=server", "--filename", "-"], policy).map(|_| ())
}

/// Whether the API server would make a pod that asks for a sidecar, by asking the operator.
///
/// # Errors
/// What it said instead.
pub fn would_inject() -> Result<(), String> {
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "dry-run", "namespace": "default", "labels": {"reeve.dev/inject": "true"}},
        "spec": {"containers": [{"name": "main", "image": "reeve.test/pause:1"}]}});
    kubectl::fed(&["create", "--dry-run=server", "--filename", "-"], pod).map(|_| ())
}

/// A thread that asks, one question after the other, until this value is dropped.
#[derive(Debug)]
pub struct Asked {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Result<(), String>>>>,
}

impl Asked {
    /// Begins. No other test may change the operator meanwhile.
    pub fn begin(_alone: &Alone) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut answers = Vec::new();
            while !end.load(Ordering::Relaxed) {
                answers.push(would_admit());
            }
            answers
        });
        Self { is_over, thread: Some(thread) }
    }

    /// Ends; gives how often was asked.
    ///
    /// # Panics
    /// If the policy was refused once, with what was said.
    pub fn was_always_admitted(mut self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is taken once");
        let answers = thread.join().expect("a thread that asks ends");
        let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        assert!(refused.is_empty(), "{} of {} times refused: {refused:#?}", refused.len(), answers.len());
        answers.len()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
