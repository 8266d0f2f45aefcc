//! What the test itself has counted, by the labels of `reeve_calls_total`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;
use std::time::Instant;

use reeve_tests::cluster::prometheus::Series;

/// Names and values, without those that are empty: Prometheus has no such labels.
pub type Labels = BTreeMap<String, String>;

/// Calls, by their labels.
#[derive(Debug, Default)]
pub struct Books {
    counted: BTreeMap<Labels, Count>,
    scraped: Option<Instant>,
}

/// How many calls there were.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// From the beginning.
    pub all: f64,
    /// After [`Books::scraped`].
    pub since: f64,
    /// Of those, where there were some before: what a rate knows of at least.
    pub later: f64,
    /// What the counter stands at, which began anew with its sidecar.
    stands: f64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.since += other.since;
        self.later += other.later;
        self.stands += other.stands;
    }
}

impl Books {
    /// So many more calls.
    pub fn enter(&mut self, labels: &[(&str, &str)], times: usize) {
        let labels = labels.iter().filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        let (count, more) = (self.counted.entry(labels).or_default(), times as f64);
        let since = if self.scraped.is_some() { more } else { 0.0 };
        *count += Count { all: more, since, later: if count.all > 0.0 { since } else { 0.0 }, stands: more };
    }

    /// Prometheus knows of everything until now.
    pub fn scraped(&mut self) {
        self.scraped = Some(Instant::now());
    }

    /// How many whole seconds ago that was.
    pub fn seconds_since_scraped(&self) -> u64 {
        self.scraped.expect("the books were scraped").elapsed().as_secs()
    }

    /// The sidecar of this workload counts from 0 on again.
    pub fn restarted(&mut self, workload: &str) {
        let own = self.counted.iter_mut().filter(|(labels, _)| labels["workload"] == workload);
        own.for_each(|(_, count)| count.stands = 0.0);
    }

    /// What counters stand at, by all labels.
    pub fn all(&self) -> BTreeMap<Labels, f64> {
        let counted = self.counted.iter().filter(|(_, count)| count.stands > 0.0);
        counted.map(|(labels, count)| (labels.clone(), count.stands)).collect()
    }

    /// The values of a label.
    pub fn values(&self, label: &str) -> BTreeSet<&str> {
        self.counted.keys().filter_map(|labels| labels.get(label)).map(String::as_str).collect()
    }

    /// The sums by these labels of what a query selects.
    pub fn sums(&self, by: &[&str], selects: impl Fn(&Labels) -> bool) -> BTreeMap<Labels, Count> {
        let mut sums: BTreeMap<Labels, Count> = BTreeMap::new();
        for (labels, count) in self.counted.iter().filter(|(labels, _)| selects(labels)) {
            let mut group = labels.clone();
            group.retain(|label, _| by.contains(&label.as_str()));
            *sums.entry(group).or_default() += *count;
        }
        sums
    }
}

/// An answer by its labels.
pub fn by_labels(answer: Vec<Series>) -> BTreeMap<Labels, f64> {
    answer.into_iter().map(|series| (series.labels, series.value)).collect()
}
