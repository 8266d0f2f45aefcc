//! Documents → policies: manifests as `kubectl apply` takes them and `kubectl get` writes them, and the seed's dialects.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use reeve_crds::v1alpha1::Policy;
use serde_json::{Value, json};

use super::node::{self, Node, Step, pointer};
use super::salvage::{self, Wrong};
use super::structure::Schema;
use super::suggest::nearest;
use super::{Diagnostic, Finding, Loaded, MAX_MISTAKES, Positions, seed};
use crate::compile::Severity;

/// The policies of one file.
pub(super) struct Policies {
    file: Arc<str>,
    /// Policies without mistakes of structure.
    pub(super) sound: Vec<Loaded<Policy>>,
    /// The others as far as they can be read, and what is wrong in them.
    pub(super) salvaged: Vec<(Loaded<Policy>, Wrong)>,
    pub(super) mistakes: Vec<Diagnostic>,
    /// Kinds and keys of the policies so far.
    seen: BTreeSet<(&'static str, String)>,
    names: seed::PolicyNames,
}

impl Policies {
    pub(super) fn new(file: Arc<str>) -> Self {
        let names = seed::PolicyNames::of_file(&file);
        Self { file, sound: Vec::new(), salvaged: Vec::new(), mistakes: Vec::new(), seen: BTreeSet::new(), names }
    }

    /// Reads one document of the file.
    pub(super) fn add(&mut self, mut document: Node) {
        let form = Form::of(&document);
        if form == Form::Manifest {
            leave_status_out(&mut document);
        }
        let document = Arc::new(document);
        match form {
            Form::Manifest => self.manifest(&document, &document, ""),
            Form::List => {
                for (index, item) in document.get("items").map(Node::items).unwrap_or_default().iter().enumerate() {
                    let base = pointer([Step::Key("items"), Step::Index(index)]);
                    let mut item = item.clone();
                    leave_status_out(&mut item);
                    self.manifest(&document, &item, &base);
                }
            }
            Form::Seed => {
                let seed::Reading { loaded, wrong, mistakes } = seed::read(&document, &self.file, self.names.next());
                let is_sound = mistakes.is_empty();
                self.mistakes.extend(mistakes);
                if let Some(loaded) = loaded {
                    self.keep(loaded, (!is_sound).then_some(wrong));
                }
            }
            Form::Unknown => {
                let message = "this is no policy: a manifest has apiVersion, kind, metadata and spec, a policy in JSON form \
                               has version, default and tools";
                self.mistakes.push(Finding::new(document.mark, String::new(), message.into()).in_file(&self.file));
            }
        }
    }

    fn manifest(&mut self, root: &Arc<Node>, object: &Node, base: &str) {
        let positions = Positions::new(self.file.clone(), root.clone(), base.to_owned());
        let mut findings = match read(object) {
            Ok(value) => return self.keep(Loaded { value, positions, warnings: Vec::new() }, None),
            Err(findings) => findings,
        };
        if findings.len() > MAX_MISTAKES {
            // Nobody will read more.
            return self.mistakes.extend(super::locate(&self.file, findings));
        }
        let mended = mended(object, &Wrong::of(&findings));
        for finding in &mut findings {
            finding.pointer.insert_str(0, base);
        }
        if let Some(mut value) = mended {
            let wrong = Wrong::of(&findings);
            salvage::settle(&mut value, &wrong, &positions);
            self.keep(Loaded { value, positions, warnings: Vec::new() }, Some(wrong));
        }
        self.mistakes.extend(super::locate(&self.file, findings));
    }

    /// Keeps a policy, and if it is not sound, what is wrong in it.
    fn keep(&mut self, loaded: Loaded<Policy>, wrong: Option<Wrong>) {
        let kind = match loaded.value {
            Policy::McpPolicy(_) => "McpPolicy",
            Policy::ClusterMcpPolicy(_) => "ClusterMcpPolicy",
        };
        let key = loaded.value.key();
        let is_lost = |field| wrong.as_ref().is_some_and(|wrong| wrong.has(&loaded.positions.source(field)));
        let is_known = !["/kind", "/metadata/name", "/metadata/namespace"].into_iter().any(is_lost);
        if is_known && !self.seen.insert((kind, key.clone())) {
            let message = format!("the {kind} {key} stands twice in this file: remove or rename one");
            self.mistakes.push(loaded.positions.diagnose("/metadata/name", message, Severity::Error));
        }
        match wrong {
            None => self.sound.push(loaded),
            Some(wrong) => self.salvaged.push((loaded, wrong)),
        }
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
        // A document that does not begin like one of ours is none.
        let keys = || document.members().iter().map(|member| member.key.as_str()).take(32);
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

/// Reads a manifest.
///
/// # Errors
/// Everything in it that its schema does not permit.
pub(super) fn read(object: &Node) -> Result<Policy, Vec<Finding>> {
    let findings = check(object);
    if !findings.is_empty() {
        return Err(findings);
    }
    policy(object).map_err(|error| vec![Finding::new(object.mark, String::new(), error.to_string())])
}

/// A manifest without what is wrong in it, as far as that leaves anything.
pub(super) fn mended(object: &Node, wrong: &Wrong) -> Option<Policy> {
    policy(&policy_schema().mend(object, wrong.lost())).ok()
}

/// Looks at the kind first: serde would copy everything before it did.
fn policy(object: &Node) -> Result<Policy, node::Error> {
    match object.get("kind").and_then(Node::as_str) {
        Some("McpPolicy") => object.read_without("kind").map(Policy::McpPolicy),
        Some("ClusterMcpPolicy") => object.read_without("kind").map(Policy::ClusterMcpPolicy),
        _ => object.read(),
    }
}

/// The API server writes `status`; a file does not say what it is.
pub(super) fn leave_status_out(object: &mut Node) {
    object.leave_out(&["status"]);
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
