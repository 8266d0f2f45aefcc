//! The language as its users meet it.

mod destinations;
mod expectations;
mod functions;
mod generated;
mod language;
mod numbers;
mod outcome;
mod patterns;
mod refused;
mod times;
mod types;

use bytes::Bytes;
use reeve_crds::v1alpha1::{RiskCategory, Severity};

use super::*;
use crate::catalogue::Risk;
use crate::json::{Document, Limits};

/// 2026-01-01T00:00:00Z, a Thursday.
const NOW: WallTime = WallTime(1_767_225_600_000_000_000);

fn document(json: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(json.as_bytes()), Limits::default()).expect(json)
}

fn tool() -> Tool {
    let definition = document(r#"{"name":"delete_bucket","annotations":{"destructiveHint":true}}"#);
    let risk =
        Risk { categories: [RiskCategory::Write, RiskCategory::Destructive].into(), severity: Severity::Critical };
    let mut tool = Tool::read(definition.root()).expect("a definition");
    tool.risk = risk;
    tool
}

/// Compiles an expression and hands it over with the variables of a call that has these arguments.
fn with<T>(source: &str, purpose: Purpose, args: &str, read: impl FnOnce(&Expression, &Variables<'_>) -> T) -> T {
    let expression = Expression::compile(source, purpose).unwrap_or_else(|error| panic!("{source}: {error}"));
    let (document, tool) = (document(args), tool());
    let subject = Subject {
        server: "aws".to_owned(),
        namespace: "clinic".to_owned(),
        service_account: "imaging".to_owned(),
        pod: "agent-0".to_owned(),
        labels: [("app".to_owned(), "imaging-agent".to_owned())].into(),
    };
    let variables = Variables {
        args: Some(document.root()),
        name: "delete_bucket",
        tool: Some(&tool),
        subject: &subject,
        session: Some("s1"),
        now: NOW,
    };
    read(&expression, &variables)
}

fn condition(source: &str, args: &str) -> Result<bool, EvalError> {
    with(source, Purpose::Condition, args, Expression::condition)
}

/// Each expression must be true on these arguments.
fn all_true(args: &str, sources: &[&str]) {
    for source in sources {
        assert_eq!(condition(source, args), Ok(true), "{source}");
    }
}

/// Each expression must fail on these arguments with these words at this column.
fn all_fail(args: &str, cases: &[(&str, usize, &str)]) {
    for (source, column, words) in cases {
        let error = condition(source, args).expect_err(source);
        assert_eq!((error.column, error.what), (*column, *words), "{source}");
    }
}
