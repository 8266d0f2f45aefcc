//! Every test and fuzz target that `docs/security.md` names as a proof exists.

use std::collections::BTreeSet;
use std::path::Path;

use super::root;

/// What stands in backticks and is named as tests are: words joined by underscores.
fn named(page: &str) -> BTreeSet<&str> {
    let quoted = page.split('`').skip(1).step_by(2);
    let is_claim = |text: &&str| {
        text.matches('_').count() >= 2 && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    quoted.filter(is_claim).filter(|name| !name.starts_with("reeve_")).collect()
}

fn sources(folder: &Path, into: &mut String) {
    for entry in folder.read_dir().unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_proof_of_the_threat_model_is_a_test() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let mut code = String::new();
    for folder in
        ["sidecar/src", "sidecar/policy/src", "sidecar/tests", "operator/src", "operator/tests", "tests/tests"]
    {
        sources(&root().join(folder), &mut code);
    }
    let proofs = named(&page);
    assert!(proofs.len() > 50, "the page names its tests in backticks: {proofs:?}");
    let missing: Vec<_> = proofs.into_iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/security.md names tests that do not exist: {missing:?}");
}

#[test]
fn every_fuzz_target_of_the_threat_model_exists_and_has_inputs_to_begin_with() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let named = page.split("the fuzz target `").skip(1).filter_map(|rest| rest.split('`').next());
    let named: BTreeSet<&str> = named.collect();
    assert!(named.len() >= 5, "the page names fuzz targets: {named:?}");
    for name in named {
        let fuzz = root().join("tests/fuzz");
        assert!(fuzz.join(format!("targets/{name}.rs")).exists(), "{name}");
        assert!(fuzz.join("seeds").join(name).read_dir().is_ok_and(|seeds| seeds.count() > 0), "{name} has seeds");
    }
}
