//! What harm a tool can do, by published rules.
//!
//! | sign | category |
//! |---|---|
//! | a word of the name, or one of the first words of the description, is a verb of [`VERBS`] | the verb's |
//! | the name is one long word that begins with a verb of more than read and write | the verb's |
//! | an argument is called as one of [`ARGUMENTS`] | the argument's |
//! | `readOnlyHint: false` | Write |
//! | `destructiveHint: true`, without `readOnlyHint: true` | Destructive |
//! | none of these | Write: a tool that says nothing of itself is not taken for harmless |
//!
//! A tool has every category that a sign gives it; its severity is that of the worst. Annotations only ever add: they come
//! from the server, and a rule must not become laxer by what a server says of itself. So do descriptions.

use std::collections::BTreeSet;
use std::fmt;

use reeve_crds::v1alpha1::{RiskCategory, Severity};

use super::words;
use crate::json::Value;

/// What harm a tool can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    /// Its categories; never empty.
    pub categories: BTreeSet<RiskCategory>,
    /// The worst of them.
    pub severity: Severity,
}

/// Verbs, and what a tool does that is named by one.
pub const VERBS: &[(RiskCategory, &[&str])] = &[
    (
        RiskCategory::Destructive,
        &[
            "delete",
            "destroy",
            "drop",
            "erase",
            "kill",
            "overwrite",
            "prune",
            "purge",
            "remove",
            "reset",
            "revoke",
            "rm",
            "shred",
            "terminate",
            "truncate",
            "uninstall",
            "unlink",
            "wipe",
        ],
    ),
    (
        RiskCategory::Financial,
        &[
            "buy",
            "charge",
            "checkout",
            "invoice",
            "pay",
            "payout",
            "purchase",
            "refund",
            "reimburse",
            "sell",
            "trade",
            "transfer",
            "withdraw",
        ],
    ),
    (
        RiskCategory::Execute,
        &[
            "bash", "cmd", "compile", "eval", "evaluate", "exec", "execute", "invoke", "run", "script", "shell",
            "spawn", "sudo",
        ],
    ),
    (
        RiskCategory::Write,
        &[
            "add",
            "append",
            "apply",
            "approve",
            "archive",
            "assign",
            "attach",
            "book",
            "cancel",
            "clone",
            "close",
            "commit",
            "configure",
            "copy",
            "create",
            "deploy",
            "detach",
            "disable",
            "edit",
            "enable",
            "export",
            "fork",
            "grant",
            "import",
            "insert",
            "install",
            "invite",
            "merge",
            "modify",
            "move",
            "patch",
            "post",
            "provision",
            "publish",
            "push",
            "put",
            "register",
            "rename",
            "reopen",
            "replace",
            "reply",
            "restart",
            "restore",
            "save",
            "schedule",
            "send",
            "set",
            "share",
            "start",
            "stop",
            "store",
            "submit",
            "sync",
            "tag",
            "toggle",
            "untag",
            "update",
            "upload",
            "upsert",
            "write",
        ],
    ),
    (
        RiskCategory::Read,
        &[
            "browse",
            "calculate",
            "check",
            "compare",
            "convert",
            "count",
            "describe",
            "diff",
            "download",
            "echo",
            "explain",
            "fetch",
            "find",
            "get",
            "head",
            "inspect",
            "list",
            "lookup",
            "ls",
            "peek",
            "ping",
            "preview",
            "query",
            "read",
            "resolve",
            "retrieve",
            "search",
            "show",
            "stat",
            "status",
            "summarize",
            "tail",
            "validate",
            "verify",
            "view",
        ],
    ),
];

/// Names of arguments that say what a tool does, whatever it is called.
pub const ARGUMENTS: &[(RiskCategory, &[&str])] = &[
    (RiskCategory::Destructive, &["overwrite"]),
    (RiskCategory::Execute, &["bash", "cmd", "command", "script", "shell", "sql"]),
];

/// How many words of a description are looked at: what comes later tells of circumstances, or of other tools.
const WORDS_OF_DESCRIPTION: usize = 4;

impl Risk {
    /// A risk of these categories; Write if there are none.
    pub fn of(categories: impl IntoIterator<Item = RiskCategory>) -> Self {
        let mut categories: BTreeSet<_> = categories.into_iter().collect();
        if categories.is_empty() {
            categories.insert(RiskCategory::Write);
        }
        let severity = categories.iter().map(|category| severity(*category)).max().unwrap_or(Severity::Critical);
        Self { categories, severity }
    }

    /// The risk of a tool, from its definition as its server lists it.
    pub fn assess(name: &str, definition: Value<'_>) -> Self {
        let mut categories = BTreeSet::new();
        let parts = words::of_name(name);
        categories.extend(parts.iter().filter_map(|word| verb(word)));
        if let [only] = parts.as_slice() {
            categories.extend(leading_verb(only));
        }
        if let Some(description) = definition.get("description").and_then(Value::as_str) {
            let first = words::of_text(&description).take(WORDS_OF_DESCRIPTION);
            categories.extend(first.filter_map(|word| words::stems(&word).find_map(|stem| verb(&stem))));
        }
        if let Some(properties) = definition.get("inputSchema").and_then(|schema| schema.get("properties")) {
            categories.extend(properties.members().filter_map(|(argument, _)| find(ARGUMENTS, &argument)));
        }
        if let Some(annotations) = definition.get("annotations") {
            let hint = |hint: &str| annotations.get(hint).and_then(Value::as_bool);
            if hint("readOnlyHint") == Some(false) {
                categories.insert(RiskCategory::Write);
            }
            if hint("destructiveHint") == Some(true) && hint("readOnlyHint") != Some(true) {
                categories.insert(RiskCategory::Destructive);
            }
        }
        Self::of(categories)
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, category) in self.categories.iter().enumerate() {
            write!(f, "{}{category:?}", if number > 0 { ", " } else { "" })?;
        }
        write!(f, " ({:?})", self.severity)
    }
}

/// How bad the harm of a category can be.
pub fn severity(category: RiskCategory) -> Severity {
    match category {
        RiskCategory::Read => Severity::Low,
        RiskCategory::Write => Severity::Medium,
        RiskCategory::Execute => Severity::High,
        RiskCategory::Destructive | RiskCategory::Financial => Severity::Critical,
    }
}

fn verb(word: &str) -> Option<RiskCategory> {
    find(VERBS, word)
}

/// The category of a verb that one long word begins with, such as `deleteuser`; only of those that do more than read and
/// write, as many nouns begin with `get` or `set`.
fn leading_verb(word: &str) -> Option<RiskCategory> {
    let harmful = VERBS.iter().filter(|(category, _)| severity(*category) >= Severity::High);
    let begins = |verb: &&str| verb.len() >= 5 && word.len() > verb.len() && word.starts_with(*verb);
    harmful.filter(|(_, verbs)| verbs.iter().any(begins)).map(|(category, _)| *category).max()
}

fn find(table: &[(RiskCategory, &[&str])], word: &str) -> Option<RiskCategory> {
    table.iter().find(|(_, words)| words.contains(&word)).map(|(category, _)| *category)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::json::{Document, Limits};

    fn assess(name: &str, definition: &str) -> Risk {
        let document = Document::parse(Bytes::from(definition.to_owned()), Limits::default()).unwrap();
        Risk::assess(name, document.root())
    }

    fn categories(name: &str, definition: &str) -> Vec<RiskCategory> {
        assess(name, definition).categories.into_iter().collect()
    }

    #[test]
    fn names_tell_what_a_tool_does() {
        use RiskCategory::{Destructive, Execute, Financial, Read, Write};
        for (name, expected) in [
            ("get_datastore", Read),
            ("list-datastores", Read),
            ("searchImageSets", Read),
            ("start_dicom_export_job", Write),
            ("create_datastore", Write),
            ("delete_datastore", Destructive),
            ("deleteDatastore", Destructive),
            ("DELETE_DATASTORE", Destructive),
            ("deleteuser", Destructive),
            ("aws.datastore.delete", Destructive),
            ("run_command", Execute),
            ("shell", Execute),
            ("transfer_funds", Financial),
            ("getHTTPStatus", Read),
        ] {
            assert_eq!(categories(name, "{}"), [expected], "{name}");
        }
    }

    #[test]
    fn a_tool_that_does_two_things_has_both_categories_and_the_worse_severity() {
        let risk = assess("get_or_delete", "{}");
        assert_eq!(risk, Risk::of([RiskCategory::Read, RiskCategory::Destructive]));
        assert_eq!(risk.severity, Severity::Critical);
    }

    #[test]
    fn a_tool_that_says_nothing_of_itself_writes() {
        assert_eq!(categories("frobnicate", "{}"), [RiskCategory::Write]);
    }

    #[test]
    fn a_description_adds_by_its_first_words_only() {
        let deletes = r#"{"description":"Permanently deletes a datastore."}"#;
        assert_eq!(categories("datastore", deletes), [RiskCategory::Destructive]);
        let mentions = r#"{"description":"Get a datastore. To delete one, use delete_datastore."}"#;
        assert_eq!(categories("get_datastore", mentions), [RiskCategory::Read]);
    }

    #[test]
    fn arguments_tell_of_commands() {
        let schema = r#"{"inputSchema":{"properties":{"command":{"type":"string"}}}}"#;
        assert_eq!(categories("get_output", schema), [RiskCategory::Read, RiskCategory::Execute]);
    }

    #[test]
    fn annotations_raise_a_risk_and_never_lower_it() {
        let harmless = r#"{"annotations":{"readOnlyHint":true,"destructiveHint":false}}"#;
        assert_eq!(categories("delete_datastore", harmless), [RiskCategory::Destructive]);
        assert_eq!(categories("frobnicate", harmless), [RiskCategory::Write]);
        let harmful = r#"{"annotations":{"readOnlyHint":false,"destructiveHint":true}}"#;
        let expected = [RiskCategory::Read, RiskCategory::Write, RiskCategory::Destructive];
        assert_eq!(categories("get_datastore", harmful), expected);
    }

    #[test]
    fn no_verb_stands_for_two_categories() {
        let mut verbs: Vec<_> = VERBS.iter().flat_map(|(_, verbs)| verbs.iter()).collect();
        let all = verbs.len();
        verbs.sort_unstable();
        verbs.dedup();
        assert_eq!(verbs.len(), all);
    }
}
