//! What expressions give, and what is refused at load: by compiling and evaluating them.

use bytes::Bytes;
use reeve_policy::catalogue::Catalogue;
use reeve_policy::compile::Severity;
use reeve_policy::decide::Subject;
use reeve_policy::expr::{Expression, Purpose, Variables};
use reeve_policy::json::{Document, Limits};
use reeve_policy::load;
use reeve_policy::time::WallTime;

use super::tables::rows;

/// Expressions that do not load.
const REFUSED: [&str; 14] = [
    "arg.bucket == 'ours'",
    "args.name.startWith('a')",
    "args.name = 'a'",
    "server == 5 && tool.risk.sevrity == 'Low'",
    "size(args.tags)",
    "args.name.matches(args.pattern)",
    "args.name.matches('(')",
    "args.filter == {'bucket': 'ours'}",
    "args.a-b == 1 && args.`a-b` == 1",
    "args.items.map(x, x.tags).all(t, t != '')",
    "args.items.all(x, args.others.all(y, x == y))",
    "args.items.all(args, true)",
    "cidr('10.1.0.0/8').contains(args.address)",
    "now.getHours('Europe/Berlin') < 18",
];

/// Conditions, and arguments to evaluate them on.
const RESULTS: [(&str, &str); 18] = [
    ("has(args.note)", r#"{"note": null}"#),
    ("has(args.note) && args.note != null", r#"{"note": null}"#),
    ("has(args.filter.bucket)", r#"{}"#),
    ("has(args.filter) && has(args.filter.bucket)", r#"{}"#),
    ("args.count <= 5", r#"{"count": 3}"#),
    ("args.count <= 5", r#"{"count": "3"}"#),
    ("args.count <= 5", r#"{}"#),
    ("args.count != 5", r#"{"count": "5"}"#),
    ("args.ratio >= 1", r#"{"ratio": 1.5}"#),
    ("args.id == 9007199254740993", r#"{"id": 9007199254740993}"#),
    ("args.id == 9007199254740993", r#"{"id": 9007199254740992}"#),
    ("args.url.startsWith('https://api.example.com')", r#"{"url": "https://api.example.com.evil.net/"}"#),
    ("url(args.url).host == 'api.example.com'", r#"{"url": "https://api.example.com.evil.net/"}"#),
    ("url(args.url).host == 'api.example.com'", r#"{"url": "https://api.example.com@evil.net/"}"#),
    ("args.name.matches('prod')", r#"{"name": "nonprod-1"}"#),
    ("args.name.matches('^prod-[0-9]+$')", r#"{"name": "nonprod-1"}"#),
    ("args.tags.all(t, t.startsWith('team-'))", r#"{"tags": []}"#),
    ("args.missing || args.count == 3", r#"{"count": 3}"#),
];

/// Conditions, and arguments of a tool `start_job` as its schema has them: what is required, and what may be left out.
const WARNED: [(&str, &str, &str); 11] = [
    ("args.s != 5", r#""s": {"type": "string"}"#, ""),
    ("args.tags.contains('x')", r#""tags": {"type": "array"}"#, ""),
    ("args.n > '5'", r#""n": {"type": "integer"}"#, ""),
    ("args.id == 5", r#""id": {"type": ["integer", "string"]}"#, ""),
    ("args.id <= 5", r#""id": {"type": ["integer", "string"]}"#, ""),
    ("args.n % 2 == 0", r#""n": {"type": "number"}"#, ""),
    ("has(args.note)", r#""note": {"type": ["string", "null"]}"#, ""),
    ("has(args.a.b)", "", r#""a": {"type": "object"}"#),
    ("args.bucket == 'ours'", "", r#""bucket": {"type": "string"}"#),
    ("has(args.n) && args.n <= 5", "", r#""n": {"type": ["integer", "null"]}"#),
    ("args.buckte == 'ours'", r#""bucket": {"type": "string"}"#, ""),
];

/// What is said of each expression that does not load.
pub(crate) fn refused() -> String {
    rows(
        "expression | what is said",
        REFUSED.iter().map(|source| {
            let error = Expression::compile(source, Purpose::Condition).expect_err(source);
            vec![code(source), error.to_string()]
        }),
    )
}

/// What each condition gives.
pub(crate) fn results() -> String {
    rows(
        "expression | arguments | gives",
        RESULTS.iter().map(|(source, arguments)| {
            let given = match evaluate(source, arguments) {
                Ok(value) => value.to_string(),
                Err(error) => format!("error: {error}"),
            };
            vec![code(source), code(arguments), given]
        }),
    )
}

/// What is said of each condition where the schema is known.
pub(crate) fn warnings() -> String {
    rows(
        "expression | in the tool's schema | what is said",
        WARNED.iter().map(|(source, required, optional)| {
            let mut shown = code(&format!("{required}{optional}"));
            shown.push_str(if optional.is_empty() { ", required" } else { "" });
            vec![code(source), shown, warning(source, required, optional)]
        }),
    )
}

fn warning(source: &str, required: &str, optional: &str) -> String {
    let name = required.split('"').nth(1).map(|name| format!("\"{name}\"")).unwrap_or_default();
    let schema = format!(r#"{{"type": "object", "properties": {{{required}{optional}}}, "required": [{name}]}}"#);
    let tools = format!(r#"[{{"name": "start_job", "inputSchema": {schema}}}]"#);
    let policy = format!(
        r#"{{"apiVersion": "reeve.dev/v1alpha1", "kind": "McpPolicy", "metadata": {{"name": "p"}}, "spec": {{"serverRefs": [{{"name": "*"}}],
        "rules": [{{"name": "r", "tools": ["start_job"], "action": "Allow", "when": "{source}"}}]}}}}"#
    );
    let found = load::check("p.json", policy.as_bytes(), Some(&Catalogue::read(tools.as_bytes())));
    let [only] = found.as_slice() else { panic!("{source}: {found:?}") };
    assert_eq!((only.pointer.as_str(), only.severity), ("/spec/rules/0/when", Severity::Warning));
    only.message.clone()
}

fn evaluate(source: &str, arguments: &str) -> Result<bool, String> {
    let document = Document::parse(Bytes::from(arguments.to_owned()), Limits::default()).unwrap();
    let subject = Subject::default();
    let variables = Variables {
        args: Some(document.root()),
        name: "tool",
        tool: None,
        subject: &subject,
        session: None,
        now: WallTime(0),
    };
    let expression = Expression::compile(source, Purpose::Condition).expect(source);
    expression.condition(&variables).map_err(|error| error.to_string())
}

fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
