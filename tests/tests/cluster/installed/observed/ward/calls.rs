//! The calls of the ward's agents, each entered in the books as it is to be decided.

use std::time::Instant;

use reeve_tests::cluster::clinic;
use reeve_tests::cluster::pod::Pod;
use reeve_tests::eventually::eventually;
use serde_json::json;

use super::setting::{ASKS_BACK, EXPORTS, FEWER_EXPORTS};
use super::{LISTENER, Ward, raw};

/// How a call is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decided<'d>(pub &'d str, pub &'d str, pub &'d str);

/// Who calls, by the name of its workload, and what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'c> {
    by: &'c str,
    server: &'c str,
    tool: &'c str,
    arguments: &'c str,
}

impl<'c> Call<'c> {
    pub(super) fn new(by: &'c str, server: &'c str, tool: &'c str) -> Self {
        Self { by, server, tool, arguments: clinic::ARGUMENTS }
    }
}

impl<'a> Ward<'a> {
    /// All calls that can be made again and again.
    pub fn calls_of_every_kind(&mut self, times: usize) {
        let calls: [(&str, &str, usize, Decided<'_>); 11] = [
            ("imaging", "list_datastores", 3, Decided("allow", "AllowedByRule", "imaging#reads")),
            ("imaging", "search_image_sets", 4, Decided("allow", "AllowedByRule", "imaging#searches")),
            ("imaging", "nobody-knows-this", 2, Decided("deny", "NoRule", "imaging")),
            ("imaging", "delete_datastore", 1, Decided("deny", "DeniedByRule", "imaging#no-deletes")),
            ("imaging", "start_dicom_import_job", 2, Decided("deny", "RequirementFailed", "imaging#imports")),
            ("imaging", "fails", 1, Decided("deny", "ExpressionError", "imaging#fails")),
            ("imaging", "asks", 1, Decided("approval_required", "ApprovalRequired", "imaging#asks")),
            ("imaging", "costs", 1, Decided("deny", "CostInvalid", "imaging#costs")),
            ("imaging", "create_datastore", 1, Decided("deny", "ArgumentsInvalid", "imaging#validated")),
            ("imaging", "unlisted", 1, Decided("deny", "SchemaUnknown", "imaging#validated")),
            ("slow", "scan", 3, Decided("allow", "AllowedByRule", "imaging#scans")),
        ];
        for (server, tool, often, decided) in calls {
            self.calls(Call::new("agent", server, tool), often * times, decided);
        }
        let ambiguous = r#"{"datastore_name": "a", "Datastore_name": "b"}"#;
        let call = Call { arguments: ambiguous, ..Call::new("agent", "imaging", "create_datastore") };
        self.calls(call, times, Decided("deny", "ArgumentsAmbiguous", "imaging#validated"));
        self.calls(
            Call::new("open", "imaging", "list_datastores"),
            2 * times,
            Decided("allow", "AllowedByDefault", "open"),
        );
        self.calls(Call::new("open", "slow", "scan"), times, Decided("deny", "NoPolicy", ""));
        let boundary = format!("={}", self.boundary.name);
        let call = Call::new("bounded", "imaging", "list_datastores");
        self.calls(call, times, Decided("deny", "DeniedByBoundary", &boundary));
        self.trial_calls(times);
        self.calls_that_ask_back(times);
        self.raw_requests(times);
    }

    /// Calls that are permitted, before whose answer the server asks for what is not.
    fn calls_that_ask_back(&mut self, times: usize) {
        let [call, asked] = [ASKS_BACK, "sampling/createMessage"].map(|what| Call::new("agent", "slow", what));
        let lines = self.made(call, times);
        assert!(lines.iter().all(|line| line.contains(" asks for sampling ")), "{lines:#?}");
        self.enter(call, "Enforce", times, Decided("allow", "AllowedByRule", "imaging#scans"));
        self.enter(asked, "Enforce", times, Decided("deny", "ServerRequestDenied", "imaging"));
    }

    /// An Audit policy alone: everything passes, and what it would have done is counted.
    fn trial_calls(&mut self, times: usize) {
        let only = Decided("allow", "AuditOnly", "");
        for (tool, often) in [("list_datastores", 3 * times), ("delete_datastore", times)] {
            self.calls(Call::new("trial", "imaging", tool), often, only);
        }
        let [list, delete] = ["list_datastores", "delete_datastore"].map(|tool| Call::new("trial", "imaging", tool));
        self.enter(list, "Audit", 3 * times, Decided("allow", "AllowedByRule", "trial#reads"));
        self.enter(delete, "Audit", times, Decided("deny", "NoRule", "trial"));
    }

    /// Exports until their limit is used up, and one more.
    pub fn use_up_the_exports(&mut self) {
        let call = Call::new("agent", "imaging", "start_dicom_export_job");
        self.calls(call, EXPORTS, Decided("allow", "AllowedByRule", "imaging#exports"));
        self.calls(call, 1, Decided("limited", "LimitExceeded", "imaging#exports"));
        // What was refused is not counted by the rule that is tried: by itself it would have permitted that one.
        self.enter(call, "Audit", FEWER_EXPORTS + 1, Decided("allow", "AllowedByRule", "imaging#fewer-exports"));
        let beyond = Decided("limited", "LimitExceeded", "imaging#fewer-exports");
        self.enter(call, "Audit", EXPORTS - FEWER_EXPORTS, beyond);
    }

    /// Calls of a limit that counts each moment apart, until it has no room for another.
    pub fn fill_the_table_of_counters(&mut self) {
        let call = Call::new("agent", "imaging", "get_datastore");
        let lines = self.made(call, 4_200);
        let full = lines.iter().filter(|line| line.starts_with("limited: ")).count();
        assert!(full > 0, "a counter has at most 4,096 keys: {:?}", lines.last());
        self.enter(call, "Enforce", lines.len() - full, Decided("allow", "AllowedByRule", "imaging#keyed"));
        self.enter(call, "Enforce", full, Decided("limited", "CounterTableFull", "imaging#keyed"));
    }

    /// Two that call at once what one at a time may call.
    pub fn call_at_once(&mut self) {
        let call = Call::new("agent", "slow", "one-at-a-time");
        let lines = std::thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| self.made(call, 5)));
            both.map(|one| one.join().unwrap()).concat()
        });
        let refused = lines.iter().filter(|line| line.starts_with("limited: ")).count();
        assert!(refused > 0, "two call at once: {lines:#?}");
        self.enter(call, "Enforce", lines.len() - refused, Decided("allow", "AllowedByRule", "imaging#one-at-a-time"));
        self.enter(call, "Enforce", refused, Decided("limited", "ConcurrencyExceeded", "imaging#one-at-a-time"));
    }

    /// A call to a server that there is not. Gives how often the sidecar looked for it: a client greets before it calls.
    pub fn call_a_server_that_is_not_there(&mut self) -> usize {
        let call = Call::new("agent", "broken", "scan");
        let url = format!("{LISTENER}/{}", call.server);
        let error = clinic::calls_at(&self.agent, ("main", &url), call.tool, 1).unwrap_err();
        assert!(error.contains("broken"), "{error}");
        self.enter(call, "Enforce", 1, Decided("allow", "AllowedByRule", "imaging#scans"));
        3
    }

    pub(super) fn calls(&mut self, call: Call<'_>, times: usize, decided: Decided<'_>) {
        let lines = self.made(call, times);
        let begin = format!("{}: ", decided.0);
        assert!(lines.len() == times && lines.iter().all(|line| line.starts_with(&begin)), "{call:?}: {lines:#?}");
        self.enter(call, "Enforce", times, decided);
    }

    /// Calls until it is told in these words that things have changed.
    pub(super) fn calls_until(&mut self, words: &str, call: Call<'_>, before: Decided<'_>, after: Decided<'_>) {
        eventually(words, || {
            let told = self.made(call, 1).concat();
            let decided = if told.contains(words) { after } else { before };
            assert!(told.starts_with(&format!("{}: ", decided.0)), "{call:?}: {told}");
            self.enter(call, "Enforce", 1, decided);
            (decided == after).then_some(())
        });
    }

    fn made(&self, call: Call<'_>, times: usize) -> Vec<String> {
        let url = format!("{LISTENER}/{}", call.server);
        let (times, pod) = (times.to_string(), self.pod(call.by));
        let words =
            ["/usr/local/bin/reeve-sidecar", "call", &url, call.tool, "--args", call.arguments, "--times", &times];
        let begun = Instant::now();
        let said = pod.exec("main", &words).unwrap_or_else(|error| panic!("{call:?}: {error}"));
        if call.server == "slow" {
            let mut slowest = self.slowest.lock().unwrap();
            *slowest = slowest.max(begun.elapsed());
        }
        said.lines().map(str::to_owned).collect()
    }

    fn pod(&self, workload: &str) -> &Pod<'a> {
        match workload {
            "agent" => &self.agent,
            "trial" => &self.trial,
            "open" => &self.open,
            "early" => &self.early,
            _ => &self.bounded,
        }
    }

    fn enter(&mut self, call: Call<'_>, mode: &str, times: usize, Decided(decision, reason, rule): Decided<'_>) {
        let (policy, rule) = rule.split_once('#').unwrap_or((rule, ""));
        let policy = match policy.strip_prefix('=') {
            Some(of_cluster) => of_cluster.to_owned(),
            None if policy.is_empty() => String::new(),
            None => self.policy(policy),
        };
        // What neither a policy names nor the server has listed.
        let is_known = call.tool != "nobody-knows-this" && reason != "NoPolicy";
        let tool = if is_known { call.tool } else { "_other" };
        let labels = [
            ("workload", call.by),
            ("server", call.server),
            ("tool", tool),
            ("decision", decision),
            ("reason", reason),
            ("policy", &policy),
            ("rule", rule),
            ("mode", mode),
        ];
        self.books.enter(&labels, times);
    }

    /// What is no message, and what names a resource in a way that servers read differently.
    fn raw_requests(&mut self, times: usize) {
        for _ in 0..times {
            assert!(raw(&self.agent, "{").contains(" 400 ") && raw(&self.agent, "[]").contains(" 400 "));
            let read =
                json!({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "file:///srv/../a"}});
            let answer = raw(&self.agent, &read.to_string());
            assert!(answer.contains("UriNotCanonical"), "{answer}");
        }
        self.rejected[..2].iter_mut().for_each(|(_, count)| *count += times);
        let read = Call::new("agent", "imaging", "resources/read");
        self.enter(read, "Enforce", times, Decided("deny", "UriNotCanonical", "imaging"));
    }
}
