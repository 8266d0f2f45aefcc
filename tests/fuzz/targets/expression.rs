//! The loader of expressions, and their evaluation. Law: whatever is written, the outcome is a value or an error, never an abort.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use reeve_policy::decide::Subject;
use reeve_policy::expr::{Expression, Purpose, Variables};
use reeve_policy::json::{Document, Limits};
use reeve_policy::time::WallTime;

const ARGUMENTS: &str = r#"{"s":"s3://clinic/a","n":7,"f":1.5,"b":true,"none":null,"l":[1,2,3],"o":{"a":{"b":"c"}},"u":"https://example.com:8443/x?y=z"}"#;

fuzz_target!(|data: &[u8]| {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let arguments =
        Document::parse(Bytes::from_static(ARGUMENTS.as_bytes()), Limits::default()).expect("the arguments are JSON");
    for purpose in [Purpose::Condition, Purpose::Key, Purpose::Cost] {
        if let Ok(expression) = Expression::compile(source, purpose) {
            let subject = Subject::default();
            let variables = Variables {
                args: Some(arguments.root()),
                name: "tool",
                tool: None,
                subject: &subject,
                session: None,
                now: WallTime(1_700_000_000_000_000_000),
            };
            let _ = (expression.condition(&variables), expression.key(&variables), expression.cost(&variables));
        }
    }
});
