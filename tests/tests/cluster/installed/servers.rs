//! What reaches a server, what it is told of the agent, and what the agent can see of that.

use std::path::Path;
use std::process::Command;

use reeve_tests::clients::{Client, Era, Outcome, Sdk, Step};
use reeve_tests::cluster::clinic::{agent, call, no_call, policy, programmed, resolved, url, variable};
use reeve_tests::cluster::pod::{Pod, shell_container, status};
use reeve_tests::cluster::{Namespace, kubectl};
use reeve_tests::eventually::eventually;
use reeve_tests::front::Front;
use reeve_tests::process::root;
use reeve_tests::servers::{Kind, Server};
use reeve_tests::sidecar::{built, example, program};
use reeve_tests::sink::Sink;
use serde_json::{Value, json};

use super::{ENABLED, clinic, watched};

/// This machine, as pods reach it.
const NODE: &str = "10.200.0.1";
/// The header that a server wants its credential in.
const CREDENTIAL: &str = "x-api-key: Key ";

/// The agent's manifest with another URL, and a second container of the agent's: a shell that shares a folder with it.
fn agent_with_shell(namespace: &Namespace, url: &str) -> Value {
    let mut pod = agent(namespace, "agent");
    let mut shell = shell_container("shell", "exec sleep 600");
    let mount = json!([{"name": "shared", "mountPath": "/shared"}]);
    shell["volumeMounts"] = mount.clone();
    let spec = &mut pod["spec"];
    spec["containers"][0]["env"][0]["value"] = json!(url);
    spec["containers"][0]["volumeMounts"] = mount;
    spec["containers"].as_array_mut().unwrap().push(shell);
    spec["volumes"] = json!([{"name": "shared", "emptyDir": {}}]);
    pod
}

/// The SDK's client, in the agent's pod.
fn client_in(agent: &Pod<'_>) -> impl Fn() -> Command {
    let stripped = tempfile::NamedTempFile::new().unwrap();
    let client = built("reeve-peer-client");
    let strip = Command::new("strip").arg("-o").arg(stripped.path()).arg(client).status();
    assert!(strip.is_ok_and(|status| status.success()), "strip (binutils) is installed");
    agent.give("shell", stripped.path(), "/shared/client");
    let agent = agent.clone();
    move || agent.command("main", "/shared/client")
}

/// A policy file of the seed's, as a manifest.
fn converted(file: &Path) -> String {
    let output = program(&["convert", file.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn import(bucket: &str) -> Step {
    Step::Call(
        "start_dicom_import_job",
        json!({
            "datastore_id": "0123456789abcdef0123456789abcdef",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/import",
            "input_s3_uri": "s3://clinic-inbox/",
            "output_s3_uri": format!("s3://{bucket}/"),
        }),
    )
}

#[test]
fn the_seed_policy_binds_an_agent_on_an_official_sdk_before_the_real_healthimaging_server() {
    let namespace = watched(&[ENABLED]);
    let aws = Sink::start();
    let server = Server::start_at(NODE, Kind::HealthImaging, &[("AWS_ENDPOINT_URL", &aws.url)]);
    namespace.apply(json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": "aws"},
        "spec": {"url": server.url}}));
    resolved(&namespace, "aws", "True", "Resolved");
    namespace.apply(converted(&root().join("examples/start-dicom-export-job.json")));
    let agent = namespace.pod(agent_with_shell(&namespace, &server.url));
    programmed(&namespace, "mcppolicy/start-dicom-export-job", "True", "Programmed");
    let (start, url) = (client_in(&agent), variable(&agent.now(), "IMAGING_URL").unwrap());
    let run = |steps: &[Step]| Client { sdk: Sdk::Rust, era: Era::Modern }.run_by(start(), &url, steps);

    let datastore = json!({"datastore_id": "0123456789abcdef0123456789abcdef"});
    // The server itself turns it away, as its role is missing.
    let export = Step::Call("start_dicom_export_job", datastore.clone());
    let mut steps = vec![Step::List, Step::Call("delete_datastore", datastore), import("clinic-exports")];
    steps.extend(vec![export; 11]);
    let outcomes = run(&steps);
    assert_eq!(outcomes[0], Outcome::Tools(vec!["start_dicom_export_job".into()]));
    assert!(outcomes[1..3].iter().all(Outcome::is_refusal), "{outcomes:?}");
    assert!(outcomes[3..13].iter().all(Outcome::is_from_server), "{outcomes:?}");
    assert!(outcomes[13].is_refusal() && outcomes[13].retry_after().is_some(), "{:?}", outcomes[13]);
    assert_eq!(aws.requests(), Vec::<String>::new(), "what is refused does not reach the server, nor so AWS");

    namespace.apply(example("bucket-rule.yaml"));
    programmed(&namespace, "mcppolicy/bucket-rule", "True", "Programmed");
    let outcomes = run(&[import("attacker"), import("clinic-exports")]);
    assert!(outcomes[0].is_refusal() && outcomes[1].is_from_server(), "{outcomes:?}");
    let requests = aws.requests();
    assert_eq!(requests.len(), 1, "only the permitted import reaches AWS: {requests:#?}");
    assert!(requests[0].contains("s3://clinic-exports/"), "{requests:#?}");
}

fn secret(value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "imaging-key"}, "stringData": {"key": value}})
}

/// A server with a certificate of a private authority, that wants a credential.
fn private(url: &str) -> Value {
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": "imaging"}, "spec": {
        "url": url,
        "tls": {"caBundle": {"kind": "ConfigMap", "name": "imaging-authority", "key": "authority.pem"}},
        "credentials": {"secretRef": {"name": "imaging-key", "key": "key"}, "header": "X-Api-Key", "prefix": "Key "}}})
}

/// The server behind TLS, and its authority in a ConfigMap. It is not declared yet.
fn front(namespace: &Namespace) -> Front {
    let front = Front::start(NODE, &format!("imaging.{}.svc.cluster.local:80", namespace.name));
    namespace.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "imaging-authority"},
        "data": {"authority.pem": front.authority}}));
    namespace.apply(policy("imaging", "agent", &json!([{"name": "lists", "tools": ["list_*"], "action": "Allow"}])));
    front
}

/// The agent of a server that was declared before it.
fn agent_of<'n>(namespace: &'n Namespace, front: &Front) -> Pod<'n> {
    namespace.apply(private(&front.url));
    resolved(namespace, "imaging", "Unknown", "NotReported");
    let agent = namespace.pod(agent_with_shell(namespace, &front.url));
    programmed(namespace, "mcppolicy/imaging", "True", "Programmed");
    agent
}

#[test]
fn a_credential_reaches_its_server_by_a_private_authority_and_nothing_that_the_agent_can_see() {
    let namespace = clinic(&[ENABLED]);
    let front = front(&namespace);
    let value = "seen-by-the-server-alone";
    namespace.apply(secret(value));
    let agent = agent_of(&namespace, &front);
    resolved(&namespace, "imaging", "True", "Resolved");
    let list = call(&agent, "list_datastores");
    assert!(list.starts_with("allow: "), "{list}");
    assert!(front.came().contains(&format!("{CREDENTIAL}{value}\r\n")), "{}", front.came());

    for container in agent.now()["spec"]["containers"].as_array().unwrap() {
        let mounts = container["volumeMounts"].to_string();
        assert!(!mounts.contains("reeve-"), "no container of the agent mounts what is the sidecar's: {mounts}");
    }
    let missing = agent.exec("shell", &["ls", "/var/run/reeve"]).unwrap_err();
    assert!(missing.contains("No such file or directory"), "{missing}");
    let found =
        format!("grep -rlsF {value} /etc /home /run /shared /tmp /var /dev/shm; cat /proc/[0-9]*/environ; true");
    let sidecar = |page: &str| format!("exec wget -q -O - http://127.0.0.1:{page}");
    for (script, shows) in [
        (found, "REEVE_SERVER_IMAGING_URL"),
        ("cat /proc/mounts".into(), " /shared "),
        (sidecar("14021/policy"), "X-Api-Key"),
        (sidecar("14021/limits"), "{"),
        (sidecar("14020/metrics"), "reeve_calls_total"),
    ] {
        let output = agent.exec("shell", &["sh", "-c", &script]).unwrap_or_else(|error| panic!("{script}: {error}"));
        assert!(output.contains(shows), "{script} shows what it should: {output}");
        assert!(!output.contains(value), "{script} shows the credential: {output}");
    }
    let log = agent.logs("reeve-sidecar");
    assert!(log.contains("list_datastores") && !log.contains(value), "the audit log shows the call alone: {log}");
}

#[test]
fn a_credential_that_is_rotated_is_used_without_a_restart() {
    let namespace = clinic(&[ENABLED]);
    let front = front(&namespace);
    namespace.apply(secret("first"));
    let agent = agent_of(&namespace, &front);
    call(&agent, "list_datastores");
    assert!(front.came().contains(&format!("{CREDENTIAL}first\r\n")), "{}", front.came());
    namespace.apply(secret("second"));
    eventually("the server is shown the new credential", || {
        call(&agent, "list_datastores");
        front.came().contains(&format!("{CREDENTIAL}second\r\n")).then_some(())
    });
    let before = front.came().len();
    let list = call(&agent, "list_datastores");
    let last = front.came().split_off(before);
    assert!(list.starts_with("allow: ") && !last.contains("first"), "the old one is gone: {list}\n{last}");
    let now = agent.now();
    assert_eq!(status(&now, "reeve-sidecar").unwrap()["restartCount"], 0, "{now:#}");
}

#[test]
fn a_secret_that_is_missing_is_named_in_the_servers_status_and_taken_up_when_it_comes() {
    let namespace = clinic(&[ENABLED]);
    let front = front(&namespace);
    let agent = agent_of(&namespace, &front);
    let words = resolved(&namespace, "imaging", "False", "SecretMissing");
    assert!(words.contains("agent: the Secret of credentials.secretRef is not there"), "{words}");
    assert!(words.contains("Secret imaging-key (key key) as credentials.secretRef"), "{words}");
    let refused = no_call(&agent, "list_datastores");
    assert!(refused.contains("credential"), "{refused}");
    assert_eq!(front.came(), "", "nothing goes without its credential");
    namespace.apply(secret("late"));
    resolved(&namespace, "imaging", "True", "Resolved");
    let list = call(&agent, "list_datastores");
    assert!(list.starts_with("allow: ") && front.came().contains(&format!("{CREDENTIAL}late\r\n")), "{list}");
}

#[test]
fn a_pod_that_is_older_than_what_a_server_names_is_named_in_its_status_until_it_is_made_anew() {
    let namespace = clinic(&[ENABLED]);
    let front = front(&namespace);
    namespace.apply(secret("value"));
    // Made while the server named nothing.
    let old = namespace.pod(agent_with_shell(&namespace, &url(&namespace)));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    namespace.apply(private(&front.url));
    let words = resolved(&namespace, "imaging", "False", "RestartNeeded");
    assert!(words.contains("1 pod started before") && words.contains("once they are restarted: agent"), "{words}");
    let server = namespace.get("mcpserver/imaging").unwrap();
    assert_eq!(server["status"]["stalePods"], 1, "{server:#}");
    let refused = no_call(&old, "list_datastores");
    assert!(refused.contains("The status of the McpServer says what"), "{refused}");
    namespace.told(&["delete", "pod/agent"]);
    let new = namespace.pod(agent_with_shell(&namespace, &front.url));
    resolved(&namespace, "imaging", "True", "Resolved");
    eventually("the new pod's calls go to the server", || {
        call(&new, "list_datastores").starts_with("allow: ").then_some(())
    });
    assert!(front.came().contains(&format!("{CREDENTIAL}value\r\n")), "{}", front.came());
}

#[test]
fn a_server_that_names_a_secret_is_taken_only_from_who_may_read_it() {
    let namespace = clinic(&[ENABLED]);
    let front = front(&namespace);
    namespace.apply(secret("value"));
    namespace.apply(private(&front.url));
    let role = |rules: Value| {
        let metadata = json!({"name": "eve"});
        namespace.apply(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": rules}));
    };
    let servers = json!({"apiGroups": ["reeve.dev"], "resources": ["mcpservers"], "verbs": ["get", "create", "patch"]});
    let authority = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]});
    role(json!([servers, authority]));
    namespace.told(&["create", "rolebinding", "eve", "--role=eve", "--user=eve"]);
    let apply = |server: &Value| {
        kubectl::fed(&["--as", "eve", "--namespace", &namespace.name, "apply", "--filename", "-"], server)
    };
    // The same Secret, but sent to where eve listens; and a server of eve's own that names it.
    let mut elsewhere = private("https://eve.example/mcp");
    let mut another = elsewhere.clone();
    another["metadata"]["name"] = json!("another");
    for server in [&elsewhere, &another] {
        let refused = apply(server).expect_err("it is refused");
        let words = format!(
            "spec.credentials.secretRef: eve may not read secrets/imaging-key in namespace {}, and so not have a sidecar \
             use it: ask for the verb get on it",
            namespace.name
        );
        assert!(refused.contains(&words), "{words}\nis not in\n{refused}");
    }
    elsewhere["spec"].as_object_mut().unwrap().remove("credentials");
    elsewhere["metadata"]["name"] = json!("third");
    apply(&elsewhere).expect("what names no Secret is eve's to write");
    role(json!([servers, authority, {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["imaging-key"],
        "verbs": ["get"]}]));
    eventually("who may read the Secret may name it", || apply(&another).ok());
}
