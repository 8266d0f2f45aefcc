//! The language as its users meet it.

use bytes::Bytes;

use super::*;
use crate::json::{Document, Limits};

/// 2026-01-01T00:00:00Z, a Thursday.
const NOW: WallTime = WallTime(1_767_225_600_000_000_000);

fn document(json: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(json.as_bytes()), Limits::default()).expect(json)
}

fn subject() -> Subject {
    Subject {
        server: "aws".to_owned(),
        namespace: "clinic".to_owned(),
        service_account: "imaging".to_owned(),
        pod: "agent-0".to_owned(),
        labels: [("app".to_owned(), "imaging-agent".to_owned())].into(),
    }
}

/// Compiles a condition and evaluates it on these arguments.
fn condition(source: &str, args: &str) -> Result<bool, EvalError> {
    let expression = Expression::compile(source, Purpose::Condition).expect(source);
    let (document, subject) = (document(args), subject());
    expression.condition(&Variables {
        args: Some(document.root()),
        name: "start_export",
        tool: None,
        subject: &subject,
        session: None,
        now: NOW,
    })
}

#[test]
fn a_condition_reads_the_arguments() {
    assert_eq!(condition("args.uri.startsWith('s3://clinic/')", r#"{"uri":"s3://clinic/x"}"#), Ok(true));
}
