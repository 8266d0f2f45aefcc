//! A Prometheus in the cluster, as `examples/prometheus` has it: its pod, its rights, its configuration, and the chart's rules.
//!
//! Only times differ: it scrapes and evaluates each second, so that a test need not wait for half a minute.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Namespace, kubectl};
use crate::http::{self, Exchange};
use crate::monitoring::rules::{RULES, hastened};
use crate::monitoring::{files, read};

/// Where the page's configuration is, in the repository and in the pod.
const CONFIGURATION: &str = "examples/prometheus";
/// What the page calls what it makes, and where.
const PAGE: [(&str, &str); 2] = [("name: reeve-prometheus", "name: "), ("namespace: monitoring", "namespace: ")];

/// What the rules' times are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As they are written.
    AsWritten,
    /// [`hastened`]: a minute is a second.
    Hastened,
    /// An hour is a second, for what waits for days. Rules of minutes see too little of anything to tell of it.
    Rushed,
}

/// A Prometheus, in a namespace of its own, until the value is dropped.
#[derive(Debug)]
pub struct Prometheus {
    namespace: Namespace,
    address: String,
}

/// A series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Prometheus {
    /// Starts it beside a test's namespace, and waits until it answers.
    ///
    /// # Panics
    /// If its program was not built.
    pub fn start(beside: &Namespace, pace: Pace) -> Self {
        let namespace = beside.another(&[]);
        let made = format!("prometheus-{}", namespace.name);
        let access = PAGE
            .iter()
            .zip([&made, &namespace.name])
            .fold(read(&format!("{CONFIGURATION}/access.yaml")), |text, ((page, key), ours)| {
                text.replace(page, &format!("{key}{ours}"))
            });
        namespace.apply(access);
        namespace.apply(config_map("configuration", vec![("prometheus.yaml".to_owned(), configuration())]));
        namespace.apply(config_map("rules", rules(pace)));
        namespace.pod(pod(&made));
        let address = format!("{}:9090", super::pod::Pod::named(&namespace, "prometheus").address());
        Self { namespace, address }
    }

    /// What a query is answered now.
    ///
    /// # Panics
    /// If it is no query.
    pub fn ask(&self, query: &str) -> Vec<Series> {
        let data = self.try_ask(query).unwrap_or_else(|error| panic!("{query}\n{error}"));
        let number = |value: &Value| value.as_str().and_then(|value| value.parse().ok()).expect("a value is a number");
        if data["resultType"] == "scalar" {
            return vec![Series { labels: BTreeMap::new(), value: number(&data["result"][1]) }];
        }
        let all = data["result"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|one| Series { labels: labels(&one["metric"]), value: number(&one["value"][1]) }).collect()
    }

    /// The value of a query that is answered with one series, or none.
    ///
    /// # Panics
    /// If it is answered with several.
    pub fn value(&self, query: &str) -> Option<f64> {
        let answer = self.ask(query);
        assert!(answer.len() < 2, "{query}\nis answered with {answer:#?}");
        answer.first().map(|series| series.value)
    }

    fn try_ask(&self, query: &str) -> Result<Value, Value> {
        let body = format!("query={}", escaped(query));
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = self.answer(&http::request("POST", &self.url("query"), &form, &body));
        if answer["status"] == "success" { Ok(answer["data"].clone()) } else { Err(answer) }
    }

    /// The labels of the alerts of this name that fire now.
    pub fn firing(&self, alert: &str) -> Vec<BTreeMap<String, String>> {
        let data = self.page("alerts");
        let all = data["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let fires = |one: &&Value| one["state"] == "firing" && one["labels"]["alertname"] == alert;
        all.iter().filter(fires).map(|one| labels(&one["labels"])).collect()
    }

    /// Each rule that is loaded, with what is wrong with it; nothing if it is evaluated well.
    pub fn rules(&self) -> Vec<(String, String)> {
        let data = self.page("rules");
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        rules.map(|rule| (text(&rule["name"]), text(&rule["lastError"]))).collect()
    }

    fn page(&self, name: &str) -> Value {
        let answer = self.answer(&http::request("GET", &self.url(name), &[], ""));
        answer["data"].clone()
    }

    fn url(&self, name: &str) -> String {
        format!("http://{}/api/v1/{name}", self.address)
    }

    fn answer(&self, request: &[u8]) -> Value {
        Exchange::begin(&self.address, request).expect("Prometheus is there").rest().json()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let made = format!("prometheus-{}", self.namespace.name);
        let _ = kubectl::kubectl(&["delete", "clusterrolebinding,clusterrole", &made, "--ignore-not-found"]);
    }
}

/// The page's configuration, with other times.
fn configuration() -> String {
    let written = read(&format!("{CONFIGURATION}/prometheus.yaml"));
    let ours = written.replace("_interval: 30s", "_interval: 1s");
    assert_eq!(ours.matches("_interval: 1s").count(), 2, "scraping and evaluating have a time each:\n{written}");
    ours
}

/// The files of rules, by their names.
fn rules(pace: Pace) -> Vec<(String, String)> {
    let named = files(RULES, "yaml").into_iter().map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = read(&format!("{RULES}/{name}"));
        let text = match pace {
            Pace::AsWritten => text,
            Pace::Hastened => hastened(&text, 60),
            Pace::Rushed => hastened(&text, 3_600),
        };
        (name, text)
    });
    named.collect()
}

fn config_map(name: &str, data: Vec<(String, String)>) -> Value {
    let data: BTreeMap<String, String> = data.into_iter().collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// Its pod: the program of this machine, the files where they are in the repository.
fn pod(account: &str) -> Value {
    let program = program();
    let folder = program.parent().expect("a program is in a folder");
    let mut pod = super::pod::shell("prometheus", "");
    let spec = &mut pod["spec"];
    spec["serviceAccountName"] = json!(account);
    spec["nodeName"] = json!("node1");
    let container = &mut spec["containers"][0];
    container["command"] = json!([
        "/programs/prometheus",
        format!("--config.file=/reeve/{CONFIGURATION}/prometheus.yaml"),
        "--storage.tsdb.path=/data",
        "--web.listen-address=:9090",
    ]);
    container["readinessProbe"] = json!({"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1});
    container["volumeMounts"] = json!([
        {"name": "programs", "mountPath": "/programs", "readOnly": true},
        {"name": "configuration", "mountPath": format!("/reeve/{CONFIGURATION}")},
        {"name": "rules", "mountPath": format!("/reeve/{RULES}")},
        {"name": "data", "mountPath": "/data"},
    ]);
    spec["volumes"] = json!([
        {"name": "programs", "hostPath": {"path": folder}},
        {"name": "configuration", "configMap": {"name": "configuration"}},
        {"name": "rules", "configMap": {"name": "rules"}},
        {"name": "data", "emptyDir": {}},
    ]);
    pod
}

fn program() -> PathBuf {
    let programs = std::env::var_os("REEVE_CLUSTER_PROGRAMS");
    let programs = PathBuf::from(programs.expect("tests/cluster/run says where programs are"));
    let found = programs.join("prometheus").canonicalize();
    found.expect("Prometheus is missing: run `tests/cluster/install --prometheus`")
}

fn labels(metric: &Value) -> BTreeMap<String, String> {
    let pairs = metric.as_object().into_iter().flatten();
    pairs.map(|(label, value)| (label.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// As a form wants it.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
