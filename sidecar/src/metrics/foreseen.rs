//! Series of `reeve_calls_total` that are there, at zero, before a call is counted in them.
//!
//! `rate()` and `increase()` see no change with which a series begins, and so would miss the first refusal by a rule. What the
//! policies in force can say is therefore shown from the moment on in which they are in force. What they can no longer say is
//! shown no more, unless it was counted: that stays, as a counter may not vanish between two looks at it.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use reeve_policy::compile::pointer::split;
use reeve_policy::decide::Foreseen;

use super::server::{DecisionKey, OTHER, ServerMetrics, labels};

/// The most series that are shown before anything is counted in them, over all servers: some 0.7 MiB of memory, and a tenth of a
/// MiB of each scrape. What is beyond begins with its first call.
pub const FORESEEN_SERIES: usize = 512;

impl ServerMetrics {
    /// Shows what can be said of calls, as far as there is room, and nothing else that was not counted. Takes some microseconds
    /// for each.
    pub fn foresee(&self, decisions: impl Iterator<Item = Foreseen>) {
        // A policy may name a tool as those are called that nobody knows.
        let wanted = decisions.filter(|it| it.tool.as_deref() != Some(OTHER));
        let wanted: Vec<Foreseen> = wanted.take(FORESEEN_SERIES).collect();
        let mut shown = self.shown();
        let kept: HashSet<&Foreseen> = wanted.iter().collect();
        shown.retain(|it| kept.contains(it) || self.forget(it));
        for it in wanted {
            if !shown.contains(&it) {
                let room = |shown: usize| (shown < FORESEEN_SERIES).then_some(shown + 1);
                if self.foreseen_series.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
                    return;
                }
                self.calls.with_label_values(&self.labels_of(&it));
                shown.insert(it);
            }
        }
    }

    fn shown(&self) -> MutexGuard<'_, HashSet<Foreseen>> {
        self.foreseen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn labels_of<'l>(&'l self, it: &'l Foreseen) -> [&'l str; 7] {
        let tool = it.tool.as_deref().unwrap_or(OTHER);
        labels(&self.server, tool, it.reason, split(it.pointer.as_deref().unwrap_or_default()), it.mode)
    }

    /// Shows it no more, unless calls were counted in it. Always false: it is none of those that wait for their first call.
    fn forget(&self, it: &Foreseen) -> bool {
        self.foreseen_series.fetch_sub(1, Ordering::Relaxed);
        // Both are held to the end, so that no call begins to count in what is taken away.
        let tools = self.tools.write().unwrap_or_else(PoisonError::into_inner);
        let tool = it.tool.as_ref().map_or(Some(&self.other), |name| tools.get(name));
        let decisions = tool.map(|tool| tool.decisions.write().unwrap_or_else(PoisonError::into_inner));
        if !decisions.is_some_and(|decisions| decisions.keys().any(|key| is_of(key, it))) {
            // It fails only if there is no such series.
            let _ = self.calls.remove_label_values(&self.labels_of(it));
        }
        false
    }
}

/// Whether calls with this key are counted in that series: the part of a rule makes no difference.
fn is_of(key: &DecisionKey, it: &Foreseen) -> bool {
    let [key_parts, parts] = [&key.pointer, &it.pointer].map(|pointer| split(pointer.as_deref().unwrap_or_default()));
    key.reason == it.reason && key.mode == it.mode && (key_parts.policy, key_parts.rule) == (parts.policy, parts.rule)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use reeve_crds::v1alpha1::Mode;
    use reeve_policy::decide::Foreseen;
    use reeve_policy::reason::Reason;
    use reeve_policy::time::{Instant, WallTime};

    use super::FORESEEN_SERIES;
    use crate::clock::Clock;
    use crate::metrics::Metrics;
    use crate::metrics::server::CALL_SERIES;

    fn metrics() -> Arc<Metrics> {
        Metrics::new(Clock::manual(Instant(0), WallTime(0))).unwrap()
    }

    fn denied(tool: Option<&str>, rule: &str) -> Foreseen {
        let pointer = Some(format!("n/p#{rule}").into());
        Foreseen { tool: tool.map(Into::into), reason: Reason::DeniedByRule, pointer, mode: Mode::Enforce }
    }

    /// Rule, tool and value of each series.
    fn series(metrics: &Metrics) -> Vec<String> {
        let text = String::from_utf8(metrics.encode().unwrap()).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("reeve_calls_total{"));
        let label = |line: &str, name: &str| {
            line.split_once(&format!("{name}=\"")).unwrap().1.split('"').next().unwrap().to_owned()
        };
        let mut told: Vec<String> = lines
            .map(|line| format!("{} {} {}", label(line, "rule"), label(line, "tool"), line.rsplit(' ').next().unwrap()))
            .collect();
        told.sort();
        told
    }

    #[test]
    fn what_is_foreseen_is_zero_until_it_is_counted_and_one_then() {
        let metrics = metrics();
        let server = metrics.server("s");
        server.foresee([denied(None, "a"), denied(Some("t"), "b")].into_iter());
        assert_eq!(series(&metrics), ["a _other 0", "b t 0"]);
        server.known("t").decided(Reason::DeniedByRule, Some(&"n/p#b".into()), Mode::Enforce);
        assert_eq!(series(&metrics), ["a _other 0", "b t 1"]);
    }

    #[test]
    fn what_is_gone_goes_away_unless_it_was_counted() {
        let metrics = metrics();
        let server = metrics.server("s");
        server.foresee([denied(None, "a"), denied(None, "b"), denied(Some("t"), "c")].into_iter());
        // By a part of the rule, as a limit is.
        server.unknown().decided(Reason::DeniedByRule, Some(&"n/p#b/limits/x".into()), Mode::Enforce);
        server.foresee([denied(Some("t"), "d")].into_iter());
        assert_eq!(series(&metrics), ["b _other 1", "d t 0"]);
        server.unknown().decided(Reason::DeniedByRule, Some(&"n/p#b/limits/x".into()), Mode::Enforce);
        server.unknown().decided(Reason::DeniedByRule, Some(&"n/p#a".into()), Mode::Enforce);
        assert_eq!(series(&metrics), ["a _other 1", "b _other 2", "d t 0"], "no call is lost");
        metrics.keep_servers(|name| name != "s");
        assert_eq!(series(&metrics), ["a _other 1", "b _other 2"]);
    }

    #[test]
    fn policies_that_change_without_end_leave_no_zeros_behind_and_never_show_more_than_a_bounded_number() {
        let metrics = metrics();
        let (one, other) = (metrics.server("s"), metrics.server("t"));
        for round in 0..20 {
            let rules = |server: &str| {
                (0..300).map(|rule| denied(None, &format!("{server}{round}-{rule}"))).collect::<Vec<_>>()
            };
            one.foresee(rules("a").into_iter());
            other.foresee(rules("b").into_iter());
            let shown = series(&metrics);
            assert_eq!(shown.len(), FORESEEN_SERIES);
            assert!(shown.iter().all(|line| line[1..].starts_with(&format!("{round}-"))), "{shown:?}");
        }
        // Room that one server leaves is another's.
        one.foresee(std::iter::empty());
        other.foresee((0..300).map(|rule| denied(None, &format!("c{rule}"))));
        assert_eq!(series(&metrics).len(), 300);
    }

    #[test]
    fn a_tool_that_is_called_as_unknown_ones_are_shown_is_one_of_them_and_its_calls_stay() {
        let metrics = metrics();
        let server = metrics.server("s");
        server.foresee([denied(None, "a"), denied(Some("_other"), "a")].into_iter());
        server.foresee([denied(None, "a")].into_iter());
        assert_eq!(series(&metrics), ["a _other 0"]);
        server.known("_other").decided(Reason::DeniedByRule, Some(&"n/p#a".into()), Mode::Enforce);
        server.foresee(std::iter::empty());
        assert_eq!(series(&metrics), ["a _other 1"]);
    }

    #[test]
    fn what_is_beyond_the_bound_shares_no_series_with_a_policy_and_its_rule_whatever_they_are_called() {
        let metrics = metrics();
        let server = metrics.server("s");
        let of_rule = |rule: &str| Foreseen { pointer: Some(format!("other#{rule}").into()), ..denied(None, "") };
        server.foresee([of_rule("other")].into_iter());
        for number in 0..=CALL_SERIES {
            server.unknown().decided(
                Reason::DeniedByRule,
                of_rule(&format!("r{number}")).pointer.as_ref(),
                Mode::Enforce,
            );
        }
        server.foresee(std::iter::empty());
        let shown = series(&metrics);
        assert!(shown.contains(&"_other _other 1".into()) && !shown.iter().any(|line| line.starts_with("other ")));
    }
}
