//! What the test itself has counted, by the labels of `reeve_calls_total`.

use std::collections::BTreeMap;

use reeve_tests::cluster::prometheus::Series;

/// Names and values, without those that are empty: Prometheus has no such labels.
pub type Labels = BTreeMap<String, String>;

/// Calls, by their labels.
#[derive(Debug, Default)]
pub struct Books {
    counted: BTreeMap<Labels, Count>,
    is_later: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: f64,
    /// Those after [`Books::scraped`], where there were some before: what a rate knows of at least.
    later: f64,
}

impl Books {
    /// So many more calls.
    pub fn enter(&mut self, labels: &[(&str, &str)], times: usize) {
        let labels = labels.iter().filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        let count = self.counted.entry(labels).or_default();
        count.later += if self.is_later && count.all > 0.0 { times as f64 } else { 0.0 };
        count.all += times as f64;
    }

    /// Prometheus knows of everything until now.
    pub fn scraped(&mut self) {
        self.is_later = true;
    }

    /// Everything, by all labels.
    pub fn all(&self) -> BTreeMap<Labels, f64> {
        self.counted.iter().map(|(labels, count)| (labels.clone(), count.all)).collect()
    }

    /// The sums by these labels of what a query selects, and the least of each that a rate knows of.
    pub fn sums(&self, by: &[&str], selects: impl Fn(&Labels) -> bool) -> BTreeMap<Labels, (f64, f64)> {
        let mut sums = BTreeMap::new();
        for (labels, count) in self.counted.iter().filter(|(labels, _)| selects(labels)) {
            let mut group = labels.clone();
            group.retain(|label, _| by.contains(&label.as_str()));
            let sum: &mut (f64, f64) = sums.entry(group).or_default();
            *sum = (sum.0 + count.all, sum.1 + count.later);
        }
        sums
    }
}

/// An answer by its labels.
pub fn by_labels(answer: Vec<Series>) -> BTreeMap<Labels, f64> {
    answer.into_iter().map(|series| (series.labels, series.value)).collect()
}
