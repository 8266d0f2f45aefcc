//! What injection costs: at the operator, and whoever creates a pod.

mod direct;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reeve_bench::figures::{figure, micros, millis};
use reeve_bench::load::Taken;
use reeve_bench::sidecar::bars::Bars;
use reeve_bench::table::Table;
use serde_json::{Value, json};

use self::direct::Connection;
use crate::cluster::Cluster;
use crate::ground::{Ground, bare_namespace};
use crate::objects;
use crate::operator::value;
use crate::pods;

/// Pods that are created at once.
const AT_ONCE: usize = 200;
/// Pods that are created one after the other in each round.
const IN_TURN: usize = 100;
/// The bounds of the operator's histogram that are told, in seconds, as it writes them.
const BOUNDS: [&str; 4] = ["0.0005", "0.001", "0.0025", "0.005"];

/// Pods with a sidecar, and without.
const NAMESPACES: [(&str, Option<&str>); 2] = [("without", None), ("with", Some("enabled"))];

/// Measures and prints.
///
/// # Panics
/// If a pod is refused.
pub async fn run(ground: &Ground, rounds: usize, bars: &mut Bars) {
    for (namespace, inject) in NAMESPACES {
        bare_namespace(&ground.cluster, namespace, inject).await;
    }
    ground.namespace("with").await;
    let authorities = pods::make(&ground.cluster, "with", 0..1).await.remove(0).authorities;
    creations(ground, rounds, bars).await;
    inside(ground, &authorities, rounds, bars).await;
}

/// How long the API server takes to create a pod.
async fn creations(ground: &Ground, rounds: usize, bars: &mut Bars) {
    let (mut in_turn, mut at_once) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut counted = Histogram::default();
    let mut processor = Duration::ZERO;
    for round in 0..=rounds {
        for (index, (namespace, _)) in NAMESPACES.into_iter().enumerate() {
            let turn = created_in_turn(&ground.cluster, namespace).await;
            let (before, used) = (Histogram::of(&ground.operator.metrics().await), ground.operator.used());
            let once = created_at_once(&ground.cluster, namespace).await;
            let after = Histogram::of(&ground.operator.metrics().await);
            // The first round opens connections and warms caches.
            if round > 0 {
                in_turn[index].extend(turn);
                at_once[index].extend(once);
                if namespace == "with" {
                    counted.add(&after.since(&before));
                    processor += ground.operator.since(used);
                }
            }
            empty(&ground.cluster, namespace).await;
        }
    }
    let mut table = Table::new(&["CREATE of a pod", "p50 ms", "× without", "p99 ms", "× without"]);
    for (name, [without, with]) in [("one after the other", in_turn), ("200 at once", at_once)] {
        let [without, with] = [without, with].map(|each| Taken::new(Duration::ZERO, each));
        for (title, taken) in [("without a webhook", &without), ("with injection", &with)] {
            let half = (millis(taken.percentile(0.5)), millis(without.percentile(0.5)));
            let most = (millis(taken.percentile(0.99)), millis(without.percentile(0.99)));
            let cells = [half.0, half.0 / half.1, most.0, most.0 / most.1].map(|value| figure(value, ""));
            table.row([format!("{name}, {title}")].into_iter().chain(cells));
        }
    }
    table.print(&format!(
        "**Creating pods** ({rounds} rounds of {IN_TURN} and {AT_ONCE}; the API server asks the webhook twice for each pod, as \
         `reinvocationPolicy: IfNeeded` says)"
    ));
    counted.print(processor);
    bars.at_least("answers to 200 pods at once within 5 ms in the operator", counted.within(3) * 100.0, 99.0, " %");
}

/// How long the operator takes to answer, asked without the API server.
async fn inside(ground: &Ground, authorities: &str, rounds: usize, bars: &mut Bars) {
    let mut connection = Connection::open(ground.place.address(), authorities).await;
    let labels = json!({objects::APP.0: objects::APP.1});
    let question = objects::review("with", &objects::pod("asked", &labels));
    let bytes: bytes::Bytes = serde_json::to_vec(&question).expect("JSON can be written").into();
    let (mut in_turn, mut at_once) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let mut turn = Vec::new();
        for _ in 0..AT_ONCE {
            turn.push(connection.ask(bytes.clone()).await);
        }
        let once = join_all((0..AT_ONCE).map(|_| connection.clone().ask_once(bytes.clone()))).await;
        if round > 0 {
            in_turn.extend(turn);
            at_once.extend(once);
        }
    }
    let mut table = Table::new(&["AdmissionReview, posted directly", "p50 µs", "p99 µs", "max µs"]);
    let taken = [in_turn, at_once].map(|each| Taken::new(Duration::ZERO, each));
    for (name, taken) in ["one after the other", "200 at once"].into_iter().zip(&taken) {
        let cells = [taken.percentile(0.5), taken.percentile(0.99), taken.longest()].map(micros);
        table.row([name.to_owned()].into_iter().chain(cells.map(|value| figure(value, ""))));
    }
    table.print(&format!(
        "**From the question to the whole answer, over one TLS connection as the API server keeps** ({rounds} rounds of {AT_ONCE}; \
         of those at once, each also waits for the ones before it)"
    ));
    bars.at_most("injection, one after the other, p99", millis(taken[0].percentile(0.99)), 5.0, " ms");
}

async fn create(cluster: &Cluster, namespace: &str, name: String) -> Duration {
    let pod = objects::pod(&name, &json!({objects::APP.0: objects::APP.1}));
    let began = Instant::now();
    let created = cluster.create(&objects::pods(namespace), &pod).await;
    let taken = began.elapsed();
    let has_sidecar = created["spec"]["initContainers"].as_array().is_some_and(|containers| !containers.is_empty());
    assert_eq!(has_sidecar, namespace == "with", "{created}");
    taken
}

async fn created_in_turn(cluster: &Cluster, namespace: &str) -> Vec<Duration> {
    let mut taken = Vec::new();
    for number in 0..IN_TURN {
        taken.push(create(cluster, namespace, format!("turn-{number}")).await);
    }
    taken
}

async fn created_at_once(cluster: &Cluster, namespace: &str) -> Vec<Duration> {
    let created = (0..AT_ONCE).map(|number| {
        let (cluster, namespace) = (cluster.clone(), namespace.to_owned());
        tokio::spawn(async move { create(&cluster, &namespace, format!("once-{number}")).await })
    });
    let created = join_all(created.collect::<Vec<_>>()).await;
    created.into_iter().map(|taken| taken.expect("every pod is created")).collect()
}

async fn empty(cluster: &Cluster, namespace: &str) {
    let path = objects::pods(namespace);
    cluster.delete_all(&path).await;
    while cluster.get(&path).await["items"].as_array().is_some_and(|pods: &Vec<Value>| !pods.is_empty()) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the operator's own histogram says of injections.
#[derive(Clone, Debug, Default)]
struct Histogram {
    within: [f64; BOUNDS.len()],
    count: f64,
    seconds: f64,
}

impl Histogram {
    fn of(page: &str) -> Self {
        let name = "reeve_webhook_duration_seconds";
        let within = BOUNDS.map(|bound| value(page, &format!(r#"{name}_bucket{{webhook="inject",le="{bound}"}}"#)));
        let [count, seconds] =
            ["count", "sum"].map(|part| value(page, &format!(r#"{name}_{part}{{webhook="inject"}}"#)));
        Self { within, count, seconds }
    }

    fn since(&self, before: &Self) -> Self {
        let mut since = self.clone();
        since.within.iter_mut().zip(before.within).for_each(|(now, before)| *now -= before);
        since.count -= before.count;
        since.seconds -= before.seconds;
        since
    }

    fn add(&mut self, other: &Self) {
        self.within.iter_mut().zip(other.within).for_each(|(sum, other)| *sum += other);
        self.count += other.count;
        self.seconds += other.seconds;
    }

    /// The share of answers within the bound of this number.
    fn within(&self, number: usize) -> f64 {
        self.within[number] / self.count
    }

    fn print(&self, processor: Duration) {
        let mut table =
            Table::new(&["", "mean µs", "≤ 0.5 ms, %", "≤ 1 ms, %", "≤ 2.5 ms, %", "≤ 5 ms, %", "CPU µs/answer"]);
        let shares = (0..BOUNDS.len()).map(|number| figure(self.within(number) * 100.0, ""));
        let mean = figure(self.seconds / self.count * 1e6, "");
        let cpu = figure(micros(processor) / self.count, "");
        table.row([format!("{:.0} answers", self.count), mean].into_iter().chain(shares).chain([cpu]));
        table.print("**In the operator, 200 pods created at once** (its own histogram: from the whole question to the whole answer)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_of_a_time_is_what_came_since_its_beginning() {
        let page = |within: u32, count: u32| {
            let name = "reeve_webhook_duration_seconds";
            format!(
                "{name}_bucket{{webhook=\"inject\",le=\"0.005\"}} {within}\n{name}_sum{{webhook=\"inject\"}} 0.5\n{name}_count{{webhook=\"inject\"}} {count}\n"
            )
        };
        let since = Histogram::of(&page(109, 120)).since(&Histogram::of(&page(10, 20)));
        assert!((since.within(3) - 0.99).abs() < 1e-9);
    }
}
