//! What the documentation says of the operator, compared with the chart and the code.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use reeve_crds::conditions::{PolicyCondition, PolicyReason, ServerCondition, ServerReason};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A verb on a resource: whether in the whole cluster, its group, its name, and whether on named objects alone.
type Right = (bool, String, String, bool, String);

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(|word| word.trim().trim_matches(['"', '`', ' '])).filter(|word| !word.is_empty())
}

/// What the chart gives the operator.
fn given() -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    let text = read("charts/reeve/templates/rbac.yaml");
    for document in text.split("\n---\n").filter(|document| document.contains("\nrules:")) {
        let is_of_cluster = document.contains("kind: ClusterRole\n");
        for rule in document.split("- apiGroups:").skip(1) {
            let list = |key: &str| -> Vec<&str> {
                let list = rule.split_once(key).map(|(_, rest)| rest);
                let list = list.and_then(|rest| rest.trim_start().strip_prefix('[')?.split_once(']'));
                list.map(|(list, _)| list).into_iter().flat_map(words).collect()
            };
            let group = rule.trim_start().trim_start_matches('[').split(']').next().unwrap().trim_matches('"');
            let group = if group.is_empty() { "core" } else { group };
            for (resource, verb) in
                list("resources:").iter().flat_map(|of| list("verbs:").into_iter().map(move |verb| (of, verb)))
            {
                let named = rule.contains("resourceNames:");
                rights.insert((is_of_cluster, group.to_owned(), (*resource).to_owned(), named, verb.to_owned()));
            }
        }
    }
    rights
}

/// What the page says that it has.
fn documented() -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    let text = read("docs/rbac.md");
    let (_, text) = text.split_once("## In the whole cluster").unwrap();
    let (of_cluster, rest) = text.split_once("## In its own namespace").unwrap();
    let (own, _) = rest.split_once("## For people").unwrap();
    for (part, is_of_cluster) in [(of_cluster, true), (own, false)] {
        for row in part.lines().filter(|line| line.starts_with("| ")).skip(1) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let [_, group, resources, verbs, ..] = cells[..] else { panic!("{row}") };
            let (resources, names) = resources.split_once('(').map_or((resources, ""), |(list, names)| (list, names));
            for (resource, verb) in words(resources).flat_map(|of| words(verbs).map(move |verb| (of, verb))) {
                let group = group.trim_matches('`').to_owned();
                rights.insert((is_of_cluster, group, resource.to_owned(), names.contains("alone"), verb.to_owned()));
            }
        }
    }
    rights
}

#[test]
fn the_operator_has_the_rights_that_are_documented_and_no_others() {
    let (given, documented) = (given(), documented());
    assert!(given.len() > 20, "{given:?}");
    assert_eq!(given, documented);
}

#[test]
fn it_reads_no_secret_but_its_own() {
    let reads = |(_, _, resource, named, verb): &&Right| {
        resource == "secrets" && !named && ["get", "list", "watch"].contains(&verb.as_str())
    };
    assert_eq!(given().iter().find(reads), None);
}

#[test]
fn every_condition_and_reason_is_explained_and_no_others_are() {
    let text = read("docs/status.md");
    let (conditions, events) = text.split_once("## Events").unwrap();
    let conditions: BTreeSet<_> = conditions.split('`').skip(1).step_by(2).filter(|word| is_word(word)).collect();
    let reasons = PolicyReason::ALL.iter().map(|reason| reason.as_str());
    let reasons: BTreeSet<_> = reasons.chain(ServerReason::ALL.iter().map(|reason| reason.as_str())).collect();
    assert_eq!(conditions, reasons);
    for condition in PolicyCondition::ALL.iter().map(|condition| condition.as_str()) {
        assert!(text.contains(&format!("\n| {condition} | ")), "{condition}");
    }
    for condition in ServerCondition::ALL.iter().map(|condition| condition.as_str()) {
        assert!(text.contains(&format!("\n| {condition} | ")), "{condition}");
    }
    for reason in ["Injected", "InjectionSkipped"] {
        assert!(events.contains(&format!("`{reason}`")), "{reason}");
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(|c| c.is_ascii_alphanumeric())
}

#[test]
fn every_metric_that_a_page_names_is_exported() {
    let mut code = String::new();
    for part in ["operator/src", "sidecar/src"] {
        sources(&root().join(part), &mut code);
    }
    for page in ["docs/kubernetes.md", "docs/metrics.md"] {
        let text = read(page);
        let names = text
            .split('`')
            .skip(1)
            .step_by(2)
            .flat_map(|code| code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
        for name in names.filter(|name| name.starts_with("reeve_")) {
            let is_exported = |name: &str| code.contains(&format!("\"{name}\""));
            let plain = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            assert!(is_exported(name) || is_exported(plain), "{page}: {name}");
        }
    }
}

fn sources(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
