//! What Prometheus is told on a real cluster, by the configuration of `examples/prometheus`, is what happened; and the queries of
//! every panel, rule and page answer with it.

mod alarms;
mod answers;
mod books;
mod figures;
mod reasons;
mod rollout;
mod ward;

use std::time::{Duration, Instant};

use reeve_tests::cluster::Alone;
use reeve_tests::eventually::eventually;

use books::by_labels;
use ward::Ward;

/// By when a sidecar has been asked again, on a busy machine.
const SCRAPED: Duration = Duration::from_secs(20);

#[test]
fn what_prometheus_is_told_is_what_happened() {
    let alone = Alone::new(&[]);
    let mut ward = Ward::open(&alone);
    ward.calls_of_every_kind(1);
    // What is called once is called early: of a few seconds rates say too much.
    ward.use_up_the_exports();
    ward.call_at_once();
    ward.fill_the_table_of_counters();
    calls_are_counted(&ward);
    ward.books.scraped();
    ward.the_operator_fails();
    ward.a_policy_is_wrong();
    ward.a_sidecar_is_behind();
    ward.calls_of_every_kind(2);
    let failed = ward.call_a_server_that_is_not_there();
    calls_are_counted(&ward);
    figures::what_is_shown_of_calls_is_what_was_made(&ward);
    figures::every_figure_is_right(&ward);
    figures::limits_are_as_full_as_they_are(&ward);
    figures::causes_are_counted(&ward, failed);
    figures::times_of_calls_are_those_of_the_server(&ward);
    figures::times_to_decide_are_those_of_the_audit_log(&ward);
    answers::every_rule_is_evaluated(&ward);
    answers::every_query_of_a_page_is_one(&ward);
    answers::every_query_answers_or_it_is_known_why_not(&ward);
    reasons::every_one_is_made_or_it_is_known_where(&ward);
    ward.a_sidecar_is_restarted();
    calls_are_counted(&ward);
    figures::tables_have_what_was_made_since_a_moment(&ward);
}

/// Waits until Prometheus knows of the calls that were made, and of no others, to the last label.
fn calls_are_counted(ward: &Ward<'_>) {
    let labels = "workload, server, tool, decision, reason, policy, rule, mode";
    let query = format!("sum by ({labels}) (reeve_calls_total{{namespace=\"{}\"}}) > 0", ward.alone.name);
    let expected = ward.books.all();
    let begun = Instant::now();
    eventually("the calls that were made are counted", || {
        let counted = by_labels(ward.prometheus.ask(&query));
        let [beside, missing] = [(&counted, &expected), (&expected, &counted)].map(|(these, others)| {
            these.iter().filter(|(labels, count)| others.get(*labels) != Some(count)).collect::<Vec<_>>()
        });
        let is_so = beside.is_empty() && missing.is_empty();
        assert!(is_so || begun.elapsed() < SCRAPED, "counted {beside:#?}\nwhere there are {missing:#?}");
        is_so.then_some(())
    });
}
