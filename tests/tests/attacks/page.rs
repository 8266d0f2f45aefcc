//! The page that shows what the forms do to servers that stand alone: `docs/attacks.md`.
//!
//! `REEVE_WRITE_DOCS=1 tests/run attacks` writes its tables anew.

use std::collections::BTreeSet;
use std::fmt::Write;

use reeve_tests::process::root;

use crate::forms::{self, Aim, Form};
use crate::run::{Outcome, outcomes};
use crate::targets::TARGETS;

/// A table of the page, without its name.
fn table(name: &str) -> String {
    match name {
        "attacks" => {
            let aims = [
                (Aim::Run, "the denied tool runs"),
                (Aim::Argue, "a tool runs with arguments that it may not have"),
                (Aim::Reach, "a tool runs for somebody who may not call any"),
                (Aim::Harm, "a tool that may be called as long as it only reads does harm"),
                (Aim::Exceed, "a tool that may run once, or once with an argument, runs twice"),
                (Aim::See, "the denied tool is listed, or one that does more than it may"),
                (Aim::Keep, "a list may be kept by whoever passes it on"),
                (Aim::Read, "a denied resource or prompt is given out"),
            ];
            let mut text = String::new();
            for (aim, achieved) in aims {
                let _ = writeln!(text, "**Without the sidecar {achieved}:**\n");
                text += "| form | seen in | by |\n|---|---|---|\n";
                for form in forms::all().filter(|form| form.aim == aim) {
                    let _ = writeln!(text, "{}{} |", row(form), by(form));
                }
                text.push('\n');
            }
            text
        }
        "variants" => {
            let mut text = "| form | taken by |\n|---|---|\n".to_owned();
            for form in forms::all().filter(|form| form.aim == Aim::Pass) {
                let _ = writeln!(text, "{}{} |", row(form), by(form));
            }
            text
        }
        _ => panic!("no table is called {name}"),
    }
}

/// The beginning of a form's row.
fn row(form: &Form) -> String {
    let Form { name, seen, .. } = form;
    if form.aim == Aim::Pass { format!("| {name} | ") } else { format!("| {name} | {seen} | ") }
}

/// The servers on which a form achieves what it is after by itself.
fn by(form: &Form) -> String {
    let of_form = || outcomes().iter().filter(|outcome| std::ptr::eq(outcome.form, form));
    if !form.of_changes && of_form().all(|outcome| outcome.directly) {
        return "every server".to_owned();
    }
    let labels = TARGETS.iter().filter_map(|target| {
        let of_target: Vec<&Outcome> = of_form().filter(|outcome| outcome.target.label == target.label).collect();
        let eras: BTreeSet<String> =
            of_target.iter().filter(|outcome| outcome.directly).map(|outcome| format!("{:?}", outcome.era)).collect();
        match eras.len() {
            0 => None,
            some if some == of_target.len() => Some(target.label.to_owned()),
            _ => Some(format!("{} ({})", target.label, eras.first()?.to_lowercase())),
        }
    });
    let labels: Vec<String> = labels.collect();
    if labels.is_empty() { "none of these".to_owned() } else { labels.join(", ") }
}

/// The page with each `<!-- measured: NAME -->` … `<!-- end -->` filled.
fn measured(page: &str) -> String {
    let mut parts = page.split("<!-- measured: ");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(" -->").expect("a measured part has a name");
        let (_, rest) = rest.split_once("<!-- end -->").expect("a measured part has an end");
        let _ = write!(whole, "<!-- measured: {name} -->\n{}\n<!-- end -->{rest}", table(name).trim_end());
    }
    whole
}

#[test]
fn the_page_of_attacks_has_a_row_for_each_form_and_no_other() {
    let path = root().join("docs/attacks.md");
    let page = std::fs::read_to_string(&path).unwrap();
    // On which servers a form works is what was measured when the page was written: some depend on who is faster.
    if std::env::var_os("REEVE_WRITE_DOCS").is_some() {
        std::fs::write(&path, measured(&page)).unwrap();
        return;
    }
    let has_no_row = |form: &&Form| !page.lines().any(|line| line.starts_with(&row(form)));
    let missing: Vec<String> = forms::all().filter(has_no_row).map(row).collect();
    assert!(
        missing.is_empty(),
        "docs/attacks.md is stale (REEVE_WRITE_DOCS=1 tests/run attacks):\n{}",
        missing.join("\n")
    );
    let measured = page.split("<!-- measured: ").skip(1).filter_map(|part| part.split("<!-- end -->").next());
    let rows =
        measured.flat_map(str::lines).filter(|line| line.starts_with("| ") && !line.starts_with("| form |")).count();
    assert_eq!(rows, forms::all().count(), "docs/attacks.md has rows of forms that are no longer tried");
}

#[test]
fn most_forms_achieve_what_they_are_after_where_there_is_no_sidecar() {
    let attacks: Vec<&Form> = forms::all().filter(|form| form.aim != Aim::Pass).collect();
    let real = attacks.iter().filter(|form| by(form) != "none of these").count();
    assert!(real * 2 > attacks.len(), "{real} of {}", attacks.len());
}
