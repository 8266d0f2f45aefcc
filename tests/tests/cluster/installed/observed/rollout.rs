//! The story of `docs/rollout.md`, told by the page itself: its manifests are applied, its commands are run and its queries are asked
//! in the order in which they stand there, and each has the answer that the page promises.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use reeve_tests::cluster::clinic::{self, calls, programmed};
use reeve_tests::cluster::pod::Pod;
use reeve_tests::cluster::prometheus::{Pace, Prometheus};
use reeve_tests::cluster::workload::{deployment, pods, rolled_out};
use reeve_tests::cluster::{Namespace, installed};
use reeve_tests::eventually::eventually;
use reeve_tests::monitoring::read;
use reeve_tests::process::root;

use super::super::ENABLED;
use super::SCRAPED;
use super::books::{Labels, by_labels};
use super::ward::{idle, know_the_tools};

/// The page's agent.
const AGENT: &str = "imaging-agent";

/// The page, with the test's namespace instead of its own, as blocks of a language each, in their order.
struct Page {
    blocks: Vec<(String, String)>,
}

impl Page {
    fn of(namespace: &Namespace) -> Self {
        let text = read("docs/rollout.md");
        let ours = [("namespace: clinic", "namespace: "), ("--namespace clinic", "--namespace ")];
        let text =
            ours.iter().fold(text, |text, (theirs, begin)| text.replace(theirs, &format!("{begin}{}", namespace.name)));
        let text = text.replace("\"clinic/", &format!("\"{}/", namespace.name));
        let text = text.replace("namespace=\"clinic\"", &format!("namespace=\"{}\"", namespace.name));
        let fenced = text.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
        let mut blocks: Vec<_> = fenced.map(|(kind, text)| (kind.to_owned(), text.trim().to_owned())).collect();
        blocks.reverse();
        Self { blocks }
    }

    /// The next block, which must be of this language.
    fn next(&mut self, kind: &str) -> String {
        let (found, text) = self.blocks.pop().unwrap_or_else(|| panic!("the page ends before its next {kind}"));
        assert_eq!(found, kind, "the page goes on with\n{text}");
        text
    }

    /// The next block: an answer of a query, as lines of labels and a value.
    fn answer(&mut self) -> BTreeMap<Labels, f64> {
        let lines = self.next("text");
        let pair = |pair: &str| {
            let (label, value) = pair.split_once('=').unwrap();
            (label.trim().to_owned(), value.trim_matches('"').to_owned())
        };
        let line = |line: &str| {
            let (labels, value) = line.trim_start_matches('{').split_once('}').unwrap();
            let labels: Labels = labels.split(',').map(pair).filter(|(_, value)| !value.is_empty()).collect();
            (labels, value.trim().parse().unwrap())
        };
        lines.lines().map(line).collect()
    }
}

/// A namespace in which the page's agent is at work, before the page begins.
struct Story<'n> {
    namespace: &'n Namespace,
    prometheus: Prometheus,
    page: Page,
    agent: Pod<'n>,
}

impl<'n> Story<'n> {
    fn begin(namespace: &'n Namespace) -> Self {
        clinic::server(namespace);
        let prometheus = Prometheus::start(namespace, Pace::AsWritten);
        Self { namespace, prometheus, page: Page::of(namespace), agent: Pod::named(namespace, "none yet") }
    }

    fn apply(&mut self) {
        let manifest = self.page.next("yaml");
        self.namespace.apply(manifest);
    }

    /// Runs the page's next command, in the repository, with the tools that the page takes for granted.
    fn run(&mut self) -> String {
        let command = self.page.next("sh");
        let tools = root().join("target/tools");
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
        let said = Command::new("sh").args(["-ec", &command]).current_dir(root()).env("PATH", path).output().unwrap();
        assert!(said.status.success(), "{command}\n{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    }

    /// Waits until the page's next query has this answer.
    fn answers(&mut self, expected: &BTreeMap<Labels, f64>) {
        let query = self.page.next("promql");
        self.is_answered(&query, |answer| answer == expected);
    }

    fn is_answered(&self, query: &str, is: impl Fn(&BTreeMap<Labels, f64>) -> bool) {
        self.is_answered_in_time(|| query.to_owned(), is);
    }

    /// The same of a query that is another at each time.
    fn is_answered_in_time(&self, query: impl Fn() -> String, is: impl Fn(&BTreeMap<Labels, f64>) -> bool) {
        let begun = Instant::now();
        eventually("the page's query has the page's answer", || {
            let query = query();
            let answer = by_labels(self.prometheus.ask(&query));
            assert!(is(&answer) || begun.elapsed() < SCRAPED, "{query}\nis answered with {answer:#?}");
            is(&answer).then_some(())
        });
    }

    fn calls(&self, tool: &str, times: usize, decision: &str) {
        let lines = calls(&self.agent, tool, times);
        assert!(lines.iter().all(|line| line.starts_with(&format!("{decision}: "))), "{tool}: {lines:#?}");
    }

    fn in_force(&self) {
        programmed(self.namespace, "mcppolicy/imaging", "True", "Programmed");
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_policy_goes_from_audit_to_enforce_as_the_page_tells_it() {
    let namespace = Namespace::new(&[ENABLED]);
    installed::reeve();
    let mut story = Story::begin(&namespace);
    story.watch();
    story.read_what_it_would_have_refused();
    story.tighten();
    story.enforce();
    story.see_what_is_refused();
    story.try_one_rule();
    assert!(story.page.blocks.is_empty(), "the page has more: {:?}", story.page.blocks);
}

impl Story<'_> {
    fn watch(&mut self) {
        self.apply();
        self.namespace.apply(deployment(&idle(self.namespace, AGENT), 1));
        rolled_out(self.namespace, &format!("deployment/{AGENT}"));
        self.agent = pods(self.namespace, AGENT).remove(0);
        self.in_force();
        know_the_tools(&self.agent);
        let states = [("programmed", 1.0), ("reconciling", 0.0), ("unprotected", 0.0), ("unrouted", 0.0)];
        self.answers(&states.map(|(state, pods)| (labels(&[("state", state)]), pods)).into());
    }

    fn read_what_it_would_have_refused(&mut self) {
        self.calls("list_datastores", 20, "allow");
        self.calls("start_dicom_export_job", 31, "allow");
        self.calls("delete_datastore", 1, "allow");
        let query = self.page.next("promql");
        let promised = self.page.answer();
        self.is_answered(&query, |answer| *answer == promised);
        self.answers(&[(labels(&[("reason", "AuditOnly")]), 52.0)].into());
        let told = self.run();
        assert_eq!(told.lines().count(), 32, "{told}");
    }

    fn tighten(&mut self) {
        let begun = Instant::now();
        self.apply();
        self.in_force();
        for (tool, times) in [("delete_datastore", 3), ("list_datastores", 5), ("start_dicom_export_job", 13)] {
            self.calls(tool, times, "allow");
        }
        let is_promised = |answer: &BTreeMap<Labels, f64>| {
            let told = answer.keys().map(|labels| (labels["rule"].as_str(), labels["reason"].as_str()));
            told.eq([("no-deletes", "DeniedByRule"), ("exports", "LimitExceeded")])
        };
        // When an hour has passed since; here it is as long as it took.
        let query = self.page.next("promql");
        self.is_answered_in_time(
            || query.replace("1h", &format!("{}s", begun.elapsed().as_secs().max(1))),
            is_promised,
        );
        self.answers(&[(Labels::new(), 38.0 / 73.0)].into());
    }

    fn enforce(&mut self) {
        self.run();
        let query = self.page.next("promql");
        self.is_answered(&query, |answer| {
            answer.values().all(|seconds| *seconds > 0.0 && *seconds < 30.0) && !answer.is_empty()
        });
    }

    fn see_what_is_refused(&mut self) {
        self.calls("delete_datastore", 1, "deny");
        self.calls("start_dicom_export_job", 4, "allow");
        let query = self.page.next("promql");
        let promised = self.page.answer();
        self.is_answered(&query, |answer| *answer == promised);
        self.answers(&[(labels(&[("rule", "exports"), ("counter", "exports")]), 0.4)].into());
        let mode = |mode: &str| format!("{{\"spec\": {{\"mode\": \"{mode}\"}}}}");
        self.namespace.told(&["patch", "mcppolicy", "imaging", "--type", "merge", "--patch", &mode("Audit")]);
        self.in_force();
        self.calls("delete_datastore", 1, "allow");
    }

    fn try_one_rule(&mut self) {
        self.apply();
        self.in_force();
        self.calls("start_dicom_export_job", 6, "allow");
        self.answers(&[(labels(&[("reason", "LimitExceeded")]), 1.0)].into());
    }
}
