//! The official conformance suites, and how what they find directly is compared with what they find through a sidecar.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::agent::{LEGACY, MODERN};
use crate::clients::Era;
use crate::process::{node, peer};

/// A suite, and which of its scenarios.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    program: &'static str,
    flags: &'static [&'static str],
    /// The era of the revision that the scenarios are about.
    pub era: Era,
}

const RELEASED: &str = "node/node_modules/.bin/conformance";
const NEXT: &str = "node-conformance/node_modules/.bin/conformance";

impl Suite {
    /// Of servers: the released suite, and what the newer one requires of each revision.
    pub const SERVERS: [Self; 3] = [
        Self { program: RELEASED, flags: &[], era: Era::Legacy },
        Self { program: NEXT, flags: &["--requirements", "2025-11-25"], era: Era::Legacy },
        Self { program: NEXT, flags: &["--requirements", "2026-07-28"], era: Era::Modern },
    ];
    /// Of clients, one scenario at a time: the released suite, and the newer one at each revision.
    pub const CLIENTS: [Self; 3] = [
        Self { program: RELEASED, flags: &["--spec-version", LEGACY], era: Era::Legacy },
        Self { program: NEXT, flags: &["--spec-version", LEGACY], era: Era::Legacy },
        Self { program: NEXT, flags: &["--spec-version", MODERN], era: Era::Modern },
    ];

    /// Runs every scenario against a server.
    pub fn server(self, url: &str) -> Scores {
        self.run(&["server", "--url", url])
    }

    /// The scenarios that the suite has for clients: those of this revision, and those of neither (such as extensions).
    ///
    /// # Panics
    /// If it prints no list.
    pub fn client_scenarios(self) -> Vec<String> {
        let output = Command::new(node()).arg(peer(self.program)).args(["list", "--client"]).output();
        let output = output.expect("the suite starts").stdout;
        let revision = self.flags.last().copied().unwrap_or_default();
        // A line is `  - name [revision,revision]`.
        let scenario = |line: &str| {
            let (name, of) = line.trim().strip_prefix("- ")?.split_once(" [")?;
            let of: Vec<&str> = of.trim_end_matches(']').split(',').collect();
            let of_another = of.contains(&LEGACY) || of.contains(&MODERN);
            (of.contains(&revision) || !of_another).then(|| name.to_owned())
        };
        let scenarios: Vec<String> = String::from_utf8_lossy(&output).lines().filter_map(scenario).collect();
        assert!(!scenarios.is_empty(), "{self:?} lists no scenario");
        scenarios
    }

    /// Runs one scenario with a client: a command that is given the URL of the suite's server.
    pub fn client(self, command: &str, scenario: &str) -> Scores {
        self.run(&["client", "--command", command, "--scenario", scenario])
    }

    fn run(self, arguments: &[&str]) -> Scores {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut command = Command::new("timeout");
        command.arg("180").arg(node()).arg(peer(self.program)).args(arguments).args(self.flags);
        let output = command.arg("--output-dir").arg(folder.path()).output().expect("the suite starts");
        Scores::read(folder.path(), &output)
    }
}

/// A check: its scenario, id and name, and how many of the same came before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check {
    /// The scenario, as the suite names its folder.
    pub scenario: String,
    id: String,
    name: String,
    before: usize,
}

/// The verdict on every check: `SUCCESS`, `FAILURE`, `WARNING` or `SKIPPED`. What a suite only notes (`INFO`) is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scores(BTreeMap<Check, String>);

impl Scores {
    fn read(folder: &Path, output: &Output) -> Self {
        let mut scores = Self::default();
        for scenario in folder.read_dir().expect("the folder is there").flatten() {
            scores.read_scenario(&scenario.path());
        }
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!scores.0.is_empty(), "the suite ran nothing: {}{log}", String::from_utf8_lossy(&output.stdout));
        scores
    }

    fn read_scenario(&mut self, folder: &Path) {
        let scenario = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let scenario = scenario[..scenario.len() - "-2026-11-24T09-29-38-920Z".len()].to_owned();
        let Ok(text) = std::fs::read_to_string(folder.join("checks.json")) else { return };
        let checks: Vec<Value> = serde_json::from_str(&text).expect("checks.json is a list");
        for check in checks {
            let text = |key: &str| check.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut key = Check { scenario: scenario.clone(), id: text("id"), name: text("name"), before: 0 };
            while self.0.contains_key(&key) {
                key.before += 1;
            }
            if text("status") != "INFO" {
                self.0.insert(key, text("status"));
            }
        }
    }

    /// How many checks have this verdict.
    pub fn count(&self, verdict: &str) -> usize {
        self.0.values().filter(|found| *found == verdict).count()
    }

    /// The checks that have this verdict.
    pub fn with(&self, verdict: &str) -> Vec<&Check> {
        self.0.iter().filter(|(_, found)| *found == verdict).map(|(check, _)| check).collect()
    }
}

/// Compares what a suite finds `directly` and `through` a sidecar, check by check; gives what it found directly and a line
/// for each difference that is not `permitted` (given the check, its verdicts directly and its verdict through the sidecar).
///
/// Some checks depend on timing. Where the two differ both are run once more: a check that differs between two direct runs
/// may have either verdict through the sidecar, any other must have the same one both times.
pub fn compare(
    directly: impl Fn() -> Scores,
    through: impl Fn() -> Scores,
    permitted: impl Fn(&Check, &BTreeSet<&str>, &str) -> bool,
) -> (Scores, Vec<String>) {
    let first = directly();
    let mut found = [Verdicts::default(), Verdicts::default()];
    found[0].add(&first);
    found[1].add(&through());
    if !differences(&found, &permitted).is_empty() {
        found[0].add(&directly());
        found[1].add(&through());
    }
    (first, differences(&found, &permitted))
}

/// The verdicts on each check over some runs.
#[derive(Debug, Default)]
struct Verdicts {
    runs: usize,
    of: BTreeMap<Check, Vec<String>>,
}

impl Verdicts {
    fn add(&mut self, scores: &Scores) {
        self.runs += 1;
        for (check, verdict) in &scores.0 {
            self.of.entry(check.clone()).or_default().push(verdict.clone());
        }
    }

    fn of(&self, check: &Check) -> BTreeSet<&str> {
        let seen = self.of.get(check).map(Vec::as_slice).unwrap_or_default();
        let absent = (seen.len() < self.runs).then_some("absent");
        seen.iter().map(String::as_str).chain(absent).collect()
    }
}

fn differences(
    [direct, through]: &[Verdicts; 2],
    permitted: &impl Fn(&Check, &BTreeSet<&str>, &str) -> bool,
) -> Vec<String> {
    let checks: BTreeSet<&Check> = direct.of.keys().chain(through.of.keys()).collect();
    let differ = checks.into_iter().filter_map(|check| {
        let (expected, seen) = (direct.of(check), through.of(check));
        let differs = seen.iter().any(|verdict| !expected.contains(verdict) && !permitted(check, &expected, verdict));
        differs.then(|| format!("{check:?}: {expected:?} directly, {seen:?} through the sidecar"))
    });
    differ.collect()
}
