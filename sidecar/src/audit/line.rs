//! The shape of a line, as a type: the reference that `docs/audit.md` shows, and what tests read lines with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// One line of the audit log. A member without a value is left out.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Line {
    /// Numbers the records of a run from 1, without a gap; lines may stand in another order. A number that is missing is a
    /// record that was lost.
    pub seq: u64,
    /// Tells the runs of the process apart: `seq` begins anew in each.
    pub run: String,
    /// When the decision was made: RFC 3339, UTC, microseconds.
    pub time: String,
    /// `call`, `server_request` (of the server to the agent), or `started`,
    /// `configured`, `stopped`, which are no decisions.
    pub event: String,
    /// Whom the call is charged to: `namespace/name` of the ServiceAccount, or of the grant in the configuration.
    /// Left out, as is `server`, before any configuration has come.
    pub grant: Option<String>,
    /// The pod that the call comes from.
    pub pod: Option<String>,
    /// The server that it is for.
    pub server: Option<String>,
    /// Stands for the session: the first 16 hexadecimal digits of the SHA-256 of its id. The id itself would let a reader of
    /// the log act in the session.
    pub session: Option<String>,
    /// The JSON-RPC method.
    pub method: Option<String>,
    /// The tool that is called. Like every name from outside, cut and ended with `…` if it is too long.
    pub tool: Option<String>,
    /// The URI of the resource that is read.
    pub resource: Option<String>,
    /// The prompt that is asked for.
    pub prompt: Option<String>,
    /// The names of the top-level arguments, in the order of the call.
    pub argument_keys: Option<Vec<String>>,
    /// How many further names had no room.
    pub argument_keys_omitted: Option<u64>,
    /// SHA-256 of the arguments in canonical form (RFC 8785, with whole numbers kept to the last digit): equal arguments have
    /// equal hashes, however they were written.
    pub arguments_sha256: Option<String>,
    /// The values of those arguments that a policy names in `audit.argumentValues`.
    pub arguments: Option<BTreeMap<String, serde_json::Value>>,
    /// Those of them that had no room.
    pub arguments_omitted: Option<Vec<String>>,
    /// The trace that the call belongs to: of its `traceparent` in `params._meta`, else in the header, else of the span that
    /// the sidecar began.
    pub trace_id: Option<String>,
    /// `allow`, `deny`, `limited` or `approval_required`.
    pub decision: Option<String>,
    /// Why, in one word; the same as in refusals and metrics.
    pub reason: Option<String>,
    /// The rule that decided, `namespace/policy#rule`, with the part of it.
    pub rule: Option<String>,
    /// The generation of that rule's policy; left out for policies from a file.
    pub policy_generation: Option<i64>,
    /// `Audit` if only policies in Audit mode govern the call, else `Enforce`.
    pub mode: Option<String>,
    /// Milliseconds from the request's last byte, or from its turn if it had to wait, to the decision. How long the server took is
    /// in the metrics.
    pub latency_ms: Option<f64>,
    /// What policies and rules in Audit mode would have done.
    pub shadow: Option<Vec<ShadowLine>>,
    /// How many more of them had no room.
    pub shadow_omitted: Option<u64>,
    /// Of `started`: Reeve's version.
    pub version: Option<String>,
    /// Of `configured`: the number of the configuration that is in force from here on, as in `reeve_config_generation`.
    pub config_generation: Option<u64>,
}

/// What one rule in Audit mode would have done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShadowLine {
    /// What it would have decided, by itself.
    pub decision: String,
    /// Why.
    pub reason: String,
    /// The rule, or the policy.
    pub rule: String,
}

/// The JSON Schema of a line.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Line).to_value()
}
