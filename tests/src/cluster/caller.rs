//! An agent that never stops calling, for what must hold at every instant while something fails: one of its containers makes
//! calls that are permitted, another makes calls that are not, twenty a second each. What came of them is in their logs, so
//! that it is known even if nobody could look meanwhile.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::Namespace;
use super::clinic::{ARGUMENTS, agent};
use super::clock::{second_of_day, seconds_between};
use super::pod::Pod;

const PERMITTED: &str = "main";
const FORBIDDEN: &str = "forbidden";
const PAUSE: &str = "0.05";

/// The agent.
#[derive(Clone, Debug)]
pub struct Caller<'n> {
    /// Its pod; the container `main` is that of every agent.
    pub pod: Pod<'n>,
}

/// What came of its calls until now.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// How many were to be permitted, and were.
    pub permitted: usize,
    /// How many were to be refused, and were.
    pub refused: usize,
    /// The longest time between two that were permitted.
    pub longest_pause: Duration,
}

impl<'n> Caller<'n> {
    /// Starts it under this name and label `app`, on the first node. `list_datastores` must be permitted by then, and
    /// `delete_datastore` not.
    pub fn start(namespace: &'n Namespace, name: &str) -> Self {
        let mut pod = agent(namespace, name);
        let calls = |tool: &str| json!(["call", "$(IMAGING_URL)", tool, "--args", ARGUMENTS, "--every", PAUSE]);
        let containers = pod["spec"]["containers"].as_array_mut().expect("an agent has containers");
        let mut forbidden = containers[0].clone();
        containers[0]["args"] = calls("list_datastores");
        forbidden["name"] = json!(FORBIDDEN);
        forbidden["args"] = calls("delete_datastore");
        containers.push(forbidden);
        pod["spec"]["nodeName"] = json!("node1");
        Self { pod: namespace.pod(pod) }
    }

    /// What came of the calls until now.
    ///
    /// # Panics
    /// If one that must not pass was not refused, or one that must pass did not.
    pub fn calls(&self) -> Calls {
        let (permitted, forbidden) = (self.lines(PERMITTED), self.lines(FORBIDDEN));
        let unlike = |lines: &[(f64, String)], begin: &str| -> Vec<_> {
            lines.iter().map(|(_, line)| line.clone()).filter(|line| !line.starts_with(begin)).take(5).collect()
        };
        let passed = unlike(&forbidden, "deny: ");
        assert!(passed.is_empty(), "a forbidden call was not refused: {passed:#?}");
        let stopped = unlike(&permitted, "allow: ");
        assert!(stopped.is_empty(), "a permitted call did not pass: {stopped:#?}");
        let pauses = permitted.windows(2).map(|two| seconds_between(two[0].0, two[1].0));
        let longest_pause = Duration::from_secs_f64(pauses.fold(0.0, f64::max));
        Calls { permitted: permitted.len(), refused: forbidden.len(), longest_pause }
    }

    /// The lines that a container has logged, each with the second of the day.
    fn lines(&self, container: &str) -> Vec<(f64, String)> {
        let logs = self.pod.logs_with_times(container);
        logs.lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(at, line)| (second_of_day(at), line.to_owned()))
            .collect()
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { permitted, refused, longest_pause } = self;
        write!(f, "{permitted} calls permitted, {refused} refused, longest pause {} ms", longest_pause.as_millis())
    }
}
