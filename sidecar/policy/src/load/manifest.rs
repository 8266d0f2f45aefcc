//! Documents → policies: manifests as `kubectl apply` takes them and `kubectl get` writes them, and the seed's dialects.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use reeve_crds::v1alpha1::Policy;
use serde_json::{Value, json};

use super::node::{Data, Node, Step, pointer};
use super::structure::Schema;
use super::suggest::nearest;
use super::{Diagnostic, Finding, Loaded, Positions, seed};
use crate::compile::Severity;

/// The policies of one file, as far as they were read.
pub(super) struct Policies {
    file: Arc<str>,
    loaded: Vec<Loaded<Policy>>,
    mistakes: Vec<Diagnostic>,
    /// Kinds and keys of the policies so far.
    seen: BTreeSet<(&'static str, String)>,
    names: seed::PolicyNames,
}

impl Policies {
    pub(super) fn new(file: Arc<str>) -> Self {
        let names = seed::PolicyNames::of_file(&file);
        Self { file, loaded: Vec::new(), mistakes: Vec::new(), seen: BTreeSet::new(), names }
    }

    /// Reads one document of the file.
    pub(super) fn add(&mut self, mut document: Node) {
        let form = Form::of(&document);
        if form == Form::Manifest {
            leave_status_out(&mut document);
        }
        let document = Arc::new(document);
        match form {
            Form::Manifest => self.manifest(&document, &document, String::new()),
            Form::List => {
                for (index, item) in document.get("items").map(Node::items).unwrap_or_default().iter().enumerate() {
                    let base = pointer([Step::Key("items"), Step::Index(index)]);
                    let mut item = item.clone();
                    leave_status_out(&mut item);
                    self.manifest(&document, &item, base);
                }
            }
            Form::Seed => {
                let positions = Positions::new(self.file.clone(), document.clone(), String::new());
                match seed::read(&document, positions, self.names.next()) {
                    Ok(loaded) => self.keep(loaded),
                    Err(mistakes) => self.mistakes.extend(mistakes),
                }
            }
            Form::Unknown => {
                let message = "this is no policy: a manifest has apiVersion, kind, metadata and spec, a policy in JSON form \
                               has version, default and tools";
                self.refuse(Finding::new(document.mark, String::new(), message.into()));
            }
        }
    }

    /// What was read, and every mistake.
    pub(super) fn finish(self) -> (Vec<Loaded<Policy>>, Vec<Diagnostic>) {
        (self.loaded, self.mistakes)
    }

    fn manifest(&mut self, root: &Arc<Node>, object: &Node, base: String) {
        let mut findings = check(object);
        if findings.is_empty() {
            match object.read() {
                Ok(value) => {
                    let positions = Positions::new(self.file.clone(), root.clone(), base);
                    return self.keep(Loaded { value, positions, warnings: Vec::new() });
                }
                Err(error) => findings.push(Finding::new(object.mark, String::new(), error.to_string())),
            }
        }
        for mut finding in findings {
            finding.pointer.insert_str(0, &base);
            self.refuse(finding);
        }
    }

    fn keep(&mut self, loaded: Loaded<Policy>) {
        let kind = match loaded.value {
            Policy::McpPolicy(_) => "McpPolicy",
            Policy::ClusterMcpPolicy(_) => "ClusterMcpPolicy",
        };
        let key = loaded.value.key();
        if !self.seen.insert((kind, key.clone())) {
            let message = format!("the {kind} {key} stands twice in this file: remove or rename one");
            self.mistakes.push(loaded.positions.diagnose("/metadata/name", message, Severity::Error));
        }
        self.loaded.push(loaded);
    }

    fn refuse(&mut self, finding: Finding) {
        self.mistakes.push(finding.in_file(&self.file));
    }
}

/// What a document is, by its fields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Manifest,
    /// What `kubectl get -o yaml` writes for several objects.
    List,
    Seed,
    Unknown,
}

impl Form {
    fn of(document: &Node) -> Self {
        let keys = || document.members().iter().map(|member| member.key.as_str());
        let like = |names: &[&'static str]| keys().any(|key| nearest(key, names.iter().copied()).is_some());
        if document.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"))
            && document.get("items").is_some()
        {
            Self::List
        } else if keys().any(|key| ["apiVersion", "kind", "metadata", "spec"].contains(&key)) {
            Self::Manifest
        } else if like(&seed::FIELDS) {
            Self::Seed
        } else if like(&["apiVersion", "kind", "metadata", "spec"]) {
            Self::Manifest
        } else {
            Self::Unknown
        }
    }
}

/// The API server writes `status`; a file does not say what it is.
fn leave_status_out(object: &mut Node) {
    if let Data::Object(members) = &mut object.data {
        members.retain(|member| member.key != "status");
    }
}

/// Everything in a manifest that its schema does not permit.
pub(super) fn check(object: &Node) -> Vec<Finding> {
    policy_schema().check(object)
}

fn policy_schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(Schema::of::<Policy>)
}

/// The schema of a policy, with what the API server adds.
pub(super) fn schema() -> Value {
    let mut schema = Schema::of::<Policy>().into_value();
    for kind in schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(fields) = kind.get_mut("properties").and_then(Value::as_object_mut) {
            fields.insert("status".into(), json!({"description": "Written by the operator; ignored in a file."}));
        }
    }
    schema["title"] = json!("Reeve policy");
    schema["description"] = json!("A policy file of Reeve: an McpPolicy or a ClusterMcpPolicy.");
    schema
}
