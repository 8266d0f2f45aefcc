//! A server that keeps books, agents that do, and a sidecar between them whose books must agree.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::eventually::eventually;
use crate::http;
use crate::ledger::Ledger;
use crate::load::{Agents, Load, Outcome, Told};
use crate::process::free_port;
use crate::sidecar::{Setup, Sidecar};

/// `echo` is permitted and counted, `scarce` fifty times an hour; what deletes is denied by a rule, and `wipe` by no rule.
pub const POLICY: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: under-load}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - name: echo
    tools: [echo]
    action: Allow
    limits: [{counter: echoes, window: 1h, max: 100000000}]
  - name: scarce
    tools: [scarce]
    action: Allow
    limits: [{counter: scarce, window: 1h, max: 50}]
  - {name: no-deletes, tools: ['delete_*'], action: Deny}
";

/// The calls of `scarce` that `POLICY` permits.
pub const SCARCE: usize = 50;

/// What agents call, in turn.
pub const TOOLS: &[&str] = &["echo", "delete_everything", "echo", "scarce", "echo", "wipe"];

/// Those of them that no policy of these tests permits.
pub const FORBIDDEN: [&str; 2] = ["delete_everything", "wipe"];

/// Agents as most tests have them.
pub const AGENTS: Agents = Agents { count: 8, tools: TOOLS, patience: Duration::from_secs(20) };

/// A server, and a sidecar before it that may be started again at the same address with what it has kept.
#[derive(Debug)]
pub struct Scene {
    /// The server.
    pub ledger: Ledger,
    /// What the sidecar is started with.
    pub setup: Setup,
    /// Where agents connect, whichever process serves there.
    pub url: String,
    /// Where the audit log goes.
    pub audit: PathBuf,
}

impl Scene {
    /// With these bounds of the server, and more of the configuration.
    pub fn with(limits: &str, more: &str) -> Self {
        let ledger = Ledger::start();
        let config = format!(
            "servers: [{{name: upstream, path: /mcp, url: '{}', limits: {limits}}}]\npolicyFiles: [policy.yaml]\n{more}\n",
            ledger.url
        );
        Self::configured(ledger, &config)
    }

    /// With this server, and this configuration.
    pub fn configured(ledger: Ledger, config: &str) -> Self {
        let setup = Setup::config(config);
        setup.write("policy.yaml", POLICY);
        let (audit, cache) = (setup.file("audit.jsonl"), setup.file("cache"));
        let address = format!("127.0.0.1:{}", free_port());
        let flags = ["--audit", &audit.display().to_string(), "--cache-dir", &cache.display().to_string()];
        let setup = setup.flags(&flags).flags(&["--listen", &address]);
        Self { ledger, setup, url: format!("http://{address}/mcp"), audit }
    }

    /// As it is without any of that.
    #[allow(clippy::new_without_default, reason = "a server that starts is no default value")]
    pub fn new() -> Self {
        Self::with("{}", "")
    }

    /// The decisions of the audit log that are whole lines, of all runs or of one.
    pub fn decisions(&self) -> Vec<Value> {
        lines(&std::fs::read_to_string(&self.audit).unwrap_or_default())
            .into_iter()
            .filter(|line| line["decision"].is_string())
            .collect()
    }
}

/// The whole lines of an audit log.
pub fn lines(text: &str) -> Vec<Value> {
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What a running sidecar has counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counted {
    /// Calls that it let pass.
    pub allowed: usize,
    /// Calls that it refused.
    pub refused: usize,
    /// Quota that is taken.
    pub used: usize,
    /// Failures on the way to the server before anything was sent, which give quota back.
    pub unsent: usize,
}

impl Counted {
    /// Reads its metrics and limits.
    pub fn by(sidecar: &Sidecar) -> Self {
        let metrics = sidecar.metrics();
        let sum = |name: &str, labels: &[&str]| -> usize {
            let series = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
            let value = |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
            metrics.lines().filter(series).filter_map(value).sum::<f64>() as usize
        };
        let allow = "decision=\"allow\"";
        let all = sum("reeve_calls_total{", &["mode=\"Enforce\""]);
        let allowed = sum("reeve_calls_total{", &[allow, "mode=\"Enforce\""]);
        let causes = ["dns", "connect", "connect_timeout", "busy", "refused"];
        let unsent = causes.map(|cause| sum("reeve_upstream_errors_total{", &[&format!("cause=\"{cause}\"")]));
        Self { allowed, refused: all - allowed, used: used(sidecar), unsent: unsent.iter().sum() }
    }
}

/// The quota that is taken, of all limits of the server. A limit that several servers share is told of each.
pub fn used(sidecar: &Sidecar) -> usize {
    let limits = http::get(&format!("{}/limits", sidecar.inspect)).unwrap().json();
    let limits = limits["limits"].as_array().unwrap().iter().filter(|limit| limit["server"] == "upstream");
    let keys = limits.flat_map(|limit| limit["keys"].as_array().unwrap());
    keys.map(|key| key["used"].as_f64().unwrap() as usize).sum()
}

/// Waits until no call is in flight.
pub fn settled(sidecar: &Sidecar) {
    eventually("no call is in flight", || {
        (sidecar.metric("reeve_inflight_calls{server=\"upstream\"}") == 0.0).then_some(())
    });
}

/// That nothing forbidden was executed, nothing twice, and that each agent was told the truth.
pub fn the_truth_was_told(ledger: &Ledger, told: &[Told]) {
    let executed = ledger.by_number();
    for tool in FORBIDDEN {
        assert_eq!(ledger.executed(tool), 0, "{tool} is forbidden");
    }
    let twice: Vec<_> = executed.iter().filter(|(_, tools)| tools.len() > 1).collect();
    assert!(twice.is_empty(), "executed more than once: {twice:?}");
    let mut seen = BTreeSet::new();
    for Told { number, tool, outcome, .. } in told {
        assert!(seen.insert(number), "a call ends once: {number}");
        let times = executed.get(number).map_or(0, Vec::len);
        match outcome {
            Outcome::Answered => {
                assert!(
                    times == 1 && !FORBIDDEN.contains(tool),
                    "{tool} {number} was answered, and executed {times} times"
                );
            }
            Outcome::Refused(reason) => assert_eq!(times, 0, "{tool} {number} was refused ({reason})"),
            Outcome::Unsent => assert_eq!(times, 0, "{tool} {number} was never sent"),
            Outcome::Failed(_, text) => {
                assert!(!FORBIDDEN.contains(tool), "policy comes first: {tool} {number}: {text}")
            }
            Outcome::Broken(_) | Outcome::GivenUp => {}
            Outcome::Other(status, text) => panic!("{tool} {number} was answered {status}: {text}"),
        }
    }
}

/// That every call came to an answer or a refusal.
pub fn none_was_lost(told: &[Told]) {
    let lost: Vec<_> =
        told.iter().filter(|told| !matches!(told.outcome, Outcome::Answered | Outcome::Refused(_))).take(5).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// That the server executed no more than was counted, and nothing forbidden. Who hangs up before a byte is sent has its quota
/// back, so that less may be taken than was allowed.
pub fn the_server_did_no_more(ledger: &Ledger, counted: Counted) {
    let executed = ledger.executed_in_all();
    let Counted { allowed, used, unsent, .. } = counted;
    assert!(executed <= used && used <= allowed - unsent, "limits and server: {executed} executed, {counted:?}");
    assert!(ledger.executed("scarce") <= SCARCE, "a limit holds");
    for tool in FORBIDDEN {
        assert_eq!(ledger.executed(tool), 0, "{tool} is forbidden");
    }
}

/// That metrics, limits, audit log and server have counted the same, once no call is in flight. Every agent must have waited for
/// the end of its calls.
pub fn the_books_agree(scene: &Scene, sidecar: &Sidecar) -> Counted {
    settled(sidecar);
    let counted = Counted::by(sidecar);
    let Counted { allowed, refused, used, unsent } = counted;
    let recorded = eventually("every decision is recorded", || {
        let decisions = scene.decisions();
        (decisions.len() >= allowed + refused).then_some(decisions)
    });
    let passed = recorded.iter().filter(|line| line["decision"] == "allow").count();
    assert_eq!((passed, recorded.len() - passed), (allowed, refused), "audit log and metrics");
    assert_eq!(used, allowed - unsent, "limits and metrics: {counted:?}");
    the_server_did_no_more(&scene.ledger, counted);
    let text = std::fs::read_to_string(&scene.audit).unwrap();
    let numbers: BTreeSet<u64> = lines(&text).iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert_eq!(numbers.last().copied(), Some(numbers.len() as u64), "no record is missing");
    counted
}

/// That the same process serves on: new calls of a new load are answered, and refused where they must be.
pub fn serves_on(scene: &Scene, sidecar: &mut Sidecar) -> Vec<Told> {
    assert_eq!(sidecar.process.exit_code(), None, "the process runs: {}", sidecar.process.log());
    let load = Load::start(&scene.url, AGENTS);
    load.goes_on(50);
    let told = load.finish();
    none_was_lost(&told);
    told
}
