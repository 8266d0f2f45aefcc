//! The audit log's reader stands still: what the log has no room for is refused, told and counted.

use std::collections::BTreeMap;

use reeve_tests::cluster::clinic::{agent, programmed};
use reeve_tests::cluster::pod::{Pod, shell_container};
use reeve_tests::eventually::{eventually, within};
use serde_json::json;

use super::{PATIENCE, Watched};

/// Some hundred calls a second, every other of them permitted, of which nothing is written but into memory: what an agent itself says
/// would not be taken either, and would stop it. When it is told to end it does, and every answer has come.
const SILENT_CALLS: &str = r#"
    cd /dev/shm
    call() {
      call="{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"tools/call\", \"params\": {\"name\": \"$1\", \"arguments\": {}}}"
      printf 'POST /imaging HTTP/1.1\r\nHost: 127.0.0.1:14001\r\nContent-Type: application/json\r\n'
      printf 'MCP-Protocol-Version: 2025-11-25\r\nAccept: application/json, text/event-stream\r\n'
      printf 'Content-Length: %s\r\n\r\n%s' ${#call} "$call"
    }
    while ! [ -e end ]; do
      call delete_datastore && call list_datastores && usleep 3000 || break
    done | (cat; sleep 5) | nc 127.0.0.1 14001 | grep -o 'HTTP/1.1 200\|"reason":"[A-Za-z]*"' > answers
    touch ended
    sleep 3600"#;

/// How often the calls came to each reason, by the answers that the caller had.
fn answers(agent: &Pod<'_>) -> BTreeMap<String, f64> {
    let shell = |script: &str| agent.exec("caller", &["sh", "-c", script]).unwrap();
    shell("touch /dev/shm/end");
    within(PATIENCE, "every answer has come", || agent.exec("caller", &["ls", "/dev/shm/ended"]).ok());
    let told = shell("sort /dev/shm/answers | uniq -c");
    let line = |line: &str| line.trim().split_once(' ').map(|(count, what)| (what.to_owned(), count.parse().unwrap()));
    let mut counted: BTreeMap<String, f64> = told.lines().filter_map(line).collect();
    let answered = counted.remove("HTTP/1.1 200").unwrap_or_default();
    let reason = |(what, count): (String, f64)| (what.replace("\"reason\":", "").replace('"', ""), count);
    let mut reasons: BTreeMap<String, f64> = counted.into_iter().map(reason).collect();
    reasons.insert("AllowedByRule".to_owned(), answered - reasons.values().sum::<f64>());
    reasons
}

#[test]
fn a_log_that_nobody_takes_is_told_and_so_are_records_that_it_has_no_room_for_until_it_is_taken() {
    let watched = Watched::new();
    let (alone, namespace) = (&watched.alone, watched.name());
    watched.govern();
    let mut pod = agent(alone, "agent");
    pod["spec"]["nodeName"] = json!("node2");
    pod["spec"]["containers"] = json!([shell_container("caller", SILENT_CALLS)]);
    let agent = alone.pod(pod);
    programmed(alone, "mcppolicy/imaging", "True", "Programmed");
    let own = [("namespace", namespace.as_str()), ("workload", "agent")];
    // It is containerd that writes what containers say.
    let containerd = alone.freeze("containerd-node2");
    watched.fires("ReeveAuditLogLagging", &own);
    watched.fires("ReeveAuditRecordsLost", &own);
    containerd.mend();
    watched.resolves("ReeveAuditLogLagging", &own);
    watched.resolves("ReeveAuditRecordsLost", &own);
    let made = answers(&agent);
    println!("made: {made:?}");
    assert!(made["AuditUnavailable"] > 0.0 && made["AllowedByRule"] > 0.0, "{made:?}");
    let query = format!("sum by (reason) (reeve_calls_total{{namespace=\"{namespace}\"}}) > 0");
    eventually("the calls that were made are counted", || {
        let counted = watched.prometheus.ask(&query).into_iter();
        let counted: BTreeMap<_, _> = counted.map(|one| (one.labels["reason"].clone(), one.value)).collect();
        println!("counted: {counted:?}");
        (counted == made).then_some(())
    });
}
