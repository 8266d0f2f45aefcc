//! What the ward consists of before anybody is in it: servers, and policies with a rule for each reason that a rule can have.

use std::net::TcpListener;
use std::time::Duration;

use reeve_tests::cluster::Alone;
use reeve_tests::cluster::clinic::{self, policy};
use reeve_tests::cluster::cluster_policy::ClusterPolicy;
use reeve_tests::upstream::Upstream;
use serde_json::{Value, json};

/// How long the server `slow` takes to answer a call.
pub const SLOW: Duration = Duration::from_millis(300);
/// The tool of that server which asks for the agent's model before it answers.
pub const ASKS_BACK: &str = "asks-back";
/// What the limit of exports permits.
pub const EXPORTS: usize = 4;
/// What the limit of searches permits.
pub const SEARCHES: usize = 15;
/// For how long the Boundary lets a configuration hold: for longer than a sidecar waits for the operator's next word.
const AGE: &str = "20s";
/// What the Audit rule beside it would permit.
pub const FEWER_EXPORTS: usize = 2;

/// The servers: one that answers, one that takes its time, and one that is not there.
pub fn servers(alone: &Alone) {
    clinic::server(alone);
    let broken = format!("http://broken.{}.svc/mcp", alone.name);
    for (name, url) in [("slow", slow()), ("broken", broken)] {
        alone.apply(json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": name},
            "spec": {"url": url}}));
    }
}

/// Starts the server that takes its time, on this machine; gives where pods reach it.
fn slow() -> String {
    let upstream = Upstream::on(TcpListener::bind("10.200.0.1:0").unwrap());
    let url = upstream.url.clone();
    std::thread::spawn(move || {
        loop {
            let Some(request) = upstream.arrived() else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            let message = request.json();
            std::thread::spawn(move || {
                std::thread::sleep(if message["method"] == "tools/call" { SLOW } else { Duration::ZERO });
                if message["params"]["name"] == ASKS_BACK {
                    let asked = json!({"what": {"method": "sampling/createMessage", "params": {}}});
                    request.result(json!({"resultType": "input_required", "inputRequests": asked}));
                } else {
                    request.text("done");
                }
            });
        }
    });
    url
}

/// The policies; gives the Boundary, which ends with its value.
pub fn policies(alone: &Alone) -> ClusterPolicy {
    let mut imaging = policy("imaging", "agent", &rules());
    imaging["spec"]["serverRefs"] = json!([{"name": "*"}]);
    alone.apply(imaging);
    let mut trial = policy("trial", "trial", &json!([{"name": "reads", "tools": ["list_*"], "action": "Allow"}]));
    trial["spec"]["mode"] = json!("Audit");
    alone.apply(trial);
    alone.apply(open_to_all(&json!([])));
    let spec = json!({"default": "Deny", "configMaxAge": AGE, "podSelector": {"matchLabels": {"app": "bounded"}}});
    ClusterPolicy::new(alone, "Boundary", spec)
}

/// The policy that permits whatever these rules do not refuse.
pub fn open_to_all(rules: &Value) -> Value {
    let mut open = policy("open", "open", rules);
    open["spec"]["default"] = json!("Allow");
    open
}

/// A rule for each reason that a rule can have.
fn rules() -> Value {
    json!([
        {"name": "reads", "tools": ["list_*"], "action": "Allow"},
        {"name": "searches", "tools": ["search_image_sets"], "action": "Allow",
            "limits": [{"counter": "searches", "window": "1h", "max": SEARCHES}]},
        {"name": "no-deletes", "tools": ["delete_*"], "action": "Deny"},
        {"name": "imports", "tools": ["start_dicom_import_job"], "action": "Allow",
            "require": [{"expression": "args.output_s3_uri.startsWith('s3://other/')"}]},
        {"name": "fails", "tools": ["fails"], "action": "Allow", "when": "args.missing == 1"},
        {"name": "asks", "tools": ["asks"], "action": "RequireApproval"},
        {"name": "costs", "tools": ["costs"], "action": "Allow", "limits": [{"counter": "costs", "window": "1h", "max": 10,
            "cost": "size(args.datastore_id) - 100"}]},
        {"name": "validated", "tools": ["create_datastore", "unlisted"], "action": "Allow", "validateArguments": true},
        {"name": "scans", "tools": ["scan", ASKS_BACK], "action": "Allow"},
        {"name": "one-at-a-time", "tools": ["one-at-a-time"], "action": "Allow", "concurrency": {"max": 1}},
        {"name": "keyed", "tools": ["get_datastore"], "action": "Allow", "limits": [{"counter": "keyed", "window": "1h",
            "max": 1_000, "scope": "Key", "key": "string(now)"}]},
        {"name": "exports", "tools": ["start_dicom_export_job"], "action": "Allow",
            "limits": [{"counter": "exports", "window": "1h", "max": EXPORTS}]},
        {"name": "fewer-exports", "tools": ["start_dicom_export_job"], "action": "Allow", "mode": "Audit",
            "limits": [{"counter": "fewer", "window": "1h", "max": FEWER_EXPORTS}]},
        {"name": "files", "resources": ["file:///srv/**"], "action": "Allow"},
    ])
}
