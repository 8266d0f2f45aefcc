//! Refusals as agents get them, by deciding calls.

use std::sync::Arc;

use super::tables::rows;
use bytes::Bytes;
use reeve_policy::compile::{Ruleset, Source, compile};
use reeve_policy::decide::{Call, Subject, Target, Verdict};
use reeve_policy::json::{Document, Limits};
use reeve_policy::limit::{Capacity, Limiter};
use reeve_policy::load;
use reeve_policy::reason::Outcome;
use reeve_policy::time::{Instant, WallTime};
use reeve_sidecar::mcp::answer::{Refusal, refused_call, refused_request};
use reeve_sidecar::mcp::version::Era;

/// The policy under which the refusals are made.
pub(crate) const POLICY: &str = "\
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: imaging, namespace: clinic}
spec:
  serverRefs: [{name: aws}]
  rules:
  - name: exports
    tools: [start_dicom_export_job]
    action: Allow
    limits: [{counter: exports, window: 1m, max: 1}]
  - name: imports
    tools: [start_dicom_import_job]
    action: Allow
    require:
    - expression: args.output_s3_uri.startsWith(\"s3://clinic-exports/\")
      message: Imports write to s3://clinic-exports/ only.
  - name: searches
    tools: [search_image_sets]
    action: Allow
    concurrency: {max: 1}
  - {name: no-deletes, tools: [\"delete_*\"], action: Deny, message: Datastores are deleted through the change process.}
  - {name: updates, tools: [\"update_*\"], action: RequireApproval}
";

/// The calls, one after the other, each with its arguments.
const CALLS: [(&str, &str); 8] = [
    ("start_dicom_export_job", "{}"),
    ("start_dicom_export_job", "{}"),
    ("start_dicom_import_job", r#"{"output_s3_uri": "s3://somewhere/"}"#),
    ("start_dicom_import_job", "{}"),
    ("search_image_sets", "{}"),
    ("search_image_sets", "{}"),
    ("delete_datastore", "{}"),
    ("update_datastore", "{}"),
];

struct World {
    ruleset: Ruleset,
    limiter: Limiter,
    held: Vec<reeve_policy::decide::Held>,
}

impl World {
    fn new() -> Self {
        let policies = load::policies("policy.yaml", POLICY.as_bytes()).expect("the policy loads");
        let sources: Vec<_> = policies.into_iter().map(|policy| Source::Readable(Arc::new(policy.value))).collect();
        let subject = Subject {
            server: "aws".into(),
            namespace: "clinic".into(),
            service_account: "agent".into(),
            ..Subject::default()
        };
        let limiter = Limiter::new(Capacity::default());
        Self { ruleset: compile(&sources, &subject, &limiter), limiter, held: Vec::new() }
    }

    /// Decides a call and takes what it needs; gives the refusal, if it is one.
    fn call(&mut self, target: Target<'_>, arguments: &str) -> Option<Verdict> {
        let document = Document::parse(Bytes::from(arguments.to_owned()), Limits::default()).unwrap();
        let call = Call { target, arguments: Some(document.root()), session: None, tool: None, now: WallTime(0) };
        let verdict = self.ruleset.decide(&call);
        if verdict.outcome() != Outcome::Allow {
            return Some(verdict);
        }
        let now = Instant(1_000_000_000);
        let mut held = match verdict.demands.acquire(now) {
            Ok(held) => held,
            Err(refusal) => return Some(refusal),
        };
        let refused = verdict.demands.reserve(&self.limiter, now, &mut held).err();
        self.held.push(held);
        refused
    }
}

/// What the model reads of each refused call.
pub(crate) fn sentences() -> String {
    let mut world = World::new();
    let mut lines = Vec::new();
    let tools = CALLS.map(|(tool, arguments)| (Target::Tool(tool), arguments));
    for (target, arguments) in
        tools.into_iter().chain([(Target::Tool("get_datastore"), "{}"), (Target::Resource("file:///etc/../x"), "{}")])
    {
        let Some(verdict) = world.call(target, arguments) else { continue };
        lines.push(vec![format!("`{}`", verdict.reason), verdict.sentence("aws", target)]);
    }
    rows("reason | text", lines)
}

/// The bodies of refusals, in both eras and of a resource.
pub(crate) fn shapes() -> String {
    let mut world = World::new();
    let tool = Target::Tool("start_dicom_export_job");
    assert!(world.call(tool, "{}").is_none());
    let limited = world.call(tool, "{}").expect("the second export is refused");
    let text = limited.sentence("aws", tool);
    let limited = Refusal { verdict: &limited, text: &text };
    let resource = Target::Resource("file:///etc/passwd");
    let denied = world.call(resource, "{}").expect("no rule permits a resource");
    let text = denied.sentence("aws", resource);
    let denied = Refusal { verdict: &denied, text: &text };
    let seconds = limited.retry_after_seconds().expect("it can be told when the next call passes");
    let modern = refused_call(b"7", Era::Modern, &limited);
    let legacy = String::from_utf8_lossy(&modern).replace("\"resultType\":\"complete\",", "");
    assert_eq!(refused_call(b"7", Era::Legacy, &limited), legacy.as_bytes());
    format!(
        "A refused `tools/call`, HTTP 200, `Retry-After: {seconds}`. In the legacy era `resultType` is left out:\n\n{}\n\
         A refused `resources/read`, HTTP 200, in both eras:\n\n{}",
        json(&modern),
        json(&refused_request(b"7", &denied)),
    )
}

/// JSON with a line for each member and element, in the order in which it was written.
fn json(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).expect("an answer is text");
    let mut lines = String::from("```json\n");
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let turn = |depth: usize| format!("\n{}", "  ".repeat(depth));
    for character in text.chars() {
        match character {
            '{' | '[' if !quoted => {
                depth += 1;
                lines += &format!("{character}{}", turn(depth));
            }
            '}' | ']' if !quoted => {
                depth -= 1;
                lines += &format!("{}{character}", turn(depth));
            }
            ',' if !quoted => lines += &format!(",{}", turn(depth)),
            ':' if !quoted => lines += ": ",
            _ => lines.push(character),
        }
        quoted ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
    }
    lines + "\n```\n"
}
