//! `docs/` says what the code does: generated tables are compared with the code, examples are loaded.
//!
//! `REEVE_WRITE_DOCS=1 cargo test -p reeve-sidecar --test docs` writes the tables anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "docs/commands.rs"]
mod commands;
#[path = "docs/console.rs"]
mod console;
#[path = "docs/expressions.rs"]
mod expressions;
#[path = "docs/fields.rs"]
mod fields;
#[path = "docs/policies.rs"]
mod policies;
#[path = "docs/proofs.rs"]
mod proofs;
#[path = "docs/refusals.rs"]
mod refusals;
#[path = "docs/tables.rs"]
mod tables;

use std::path::{Path, PathBuf};

use reeve_policy::compile::{Severity, check};
use reeve_policy::expr::{Expression, Purpose};
use reeve_policy::load;
use reeve_sidecar::config::SidecarConfig;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pages() -> Vec<(PathBuf, String)> {
    let folder = root().join("docs").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let pages = folder.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let others = ["README.md", "CHANGELOG.md", "examples/README.md"].map(|page| root().join(page));
    pages.chain(others).map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The fenced blocks of a page in this language.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|block| block.split("```").next().unwrap_or_default()).collect()
}

/// The page with each `<!-- generated: NAME -->` … `<!-- end -->` filled from the code.
fn generated(page: &str) -> String {
    let mut whole = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- generated: ") {
        let (name, after) = after.split_once(" -->").expect("a generated part names its table");
        let (_, after) = after.split_once("<!-- end -->").expect("a generated part has an end");
        let table = tables::table(name).unwrap_or_else(|| panic!("no table is called {name}"));
        whole += &format!("{before}<!-- generated: {name} -->\n{}\n<!-- end -->", table.trim_end());
        rest = after;
    }
    whole + rest
}

#[test]
fn every_table_in_the_documentation_is_what_the_code_says() {
    let mut tables = 0;
    for (path, page) in pages() {
        let fresh = generated(&page);
        tables += page.matches("<!-- generated: ").count();
        if std::env::var_os("REEVE_WRITE_DOCS").is_some() {
            std::fs::write(&path, fresh).unwrap();
        } else {
            assert_eq!(
                page,
                fresh,
                "{} is stale: REEVE_WRITE_DOCS=1 cargo test -p reeve-sidecar --test docs",
                path.display()
            );
        }
    }
    assert!(tables >= tables::NAMES.len(), "every table is shown somewhere");
}

#[test]
fn every_policy_and_configuration_in_the_documentation_loads() {
    let mut loaded = 0;
    for (path, page) in pages() {
        let seed = |text: &&str| text.contains("\"tools\": {") || text.contains("\"tools\":{");
        let yaml = blocks(&page, "yaml").into_iter().map(|text| ("yaml", text));
        for (form, text) in yaml.chain(blocks(&page, "json").into_iter().filter(seed).map(|text| ("json", text))) {
            let place = format!("{}: {}", path.display(), text.lines().next().unwrap_or_default());
            loaded += 1;
            if form == "yaml" && !text.contains("kind: ") && !text.contains("tools:") {
                load::document::<SidecarConfig>("config.yaml", text.as_bytes())
                    .unwrap_or_else(|found| panic!("{place}: {found:?}"));
                continue;
            }
            let policies = load::policies(&format!("example.{form}"), text.as_bytes());
            for policy in policies.unwrap_or_else(|found| panic!("{place}: {found:?}")) {
                let problems = check(&policy.value, None);
                assert!(problems.iter().all(|problem| problem.severity != Severity::Error), "{place}: {problems:?}");
            }
        }
    }
    assert!(loaded > 20, "the documentation has examples: {loaded}");
}

#[test]
fn every_expression_in_the_documentation_compiles() {
    let mut compiled = 0;
    for (path, page) in pages() {
        for block in blocks(&page, "cel") {
            let lines = block.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
            for line in lines {
                let purposes = [Purpose::Condition, Purpose::Cost, Purpose::Key];
                let results = purposes.map(|purpose| Expression::compile(line, purpose));
                assert!(results.iter().any(Result::is_ok), "{}: {line}: {:?}", path.display(), results[0]);
                compiled += 1;
            }
        }
    }
    assert!(compiled > 10, "the documentation has expressions: {compiled}");
}

#[test]
fn every_link_in_the_documentation_leads_to_a_file() {
    for (path, page) in pages() {
        for link in page.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                assert!(path.parent().unwrap().join(target).exists(), "{} links to {target}", path.display());
            }
        }
    }
}
