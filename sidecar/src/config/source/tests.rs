//! Configurations in real files: what is accepted, what it becomes, and each mistake with its place.

use std::fs;

use reeve_policy::catalogue::Extent;
use reeve_policy::compile::{Severity, Source};
use reeve_policy::json::{Document, Limits};

use super::*;
use crate::upstream::Cause;

const POLICY: &str = r#"{"version":"1","default":"deny","tools":{"get_datastore":{}}}"#;

struct Place(tempfile::TempDir);

impl Place {
    fn with(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            fs::write(place.path(name), text).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn document(&self, name: &str) -> Result<Loaded, Rejected> {
        read(Origin::File(self.path(name)))
    }

    fn flags(&self, policies: &[&str], upstream: &str) -> Result<Loaded, Rejected> {
        let policies = policies.iter().map(|name| self.path(name)).collect();
        read(Origin::Flags { policies, upstream: upstream.into() })
    }
}

fn read(origin: Origin) -> Result<Loaded, Rejected> {
    load(&Inputs { origin, grant: None, audit: None, audit_on_full: None }, &Environment::default())
}

/// What is told, without the directory of the test.
fn told(place: &Place, result: Result<Loaded, Rejected>) -> Vec<String> {
    let directory = format!("{}/", place.0.path().display());
    let diagnostics = result.expect_err("this is refused").diagnostics;
    diagnostics.iter().map(|diagnostic| diagnostic.to_string().replace(&directory, "")).collect()
}

fn policy(name: &str) -> String {
    format!(
        "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {{name: {name}}}\nspec:\n  serverRefs: [{{name: '*'}}]\n"
    )
}

#[test]
fn flags_make_one_server_at_the_path_of_its_url_that_every_policy_governs() {
    let place = Place::with(&[("seed.json", POLICY), ("more.yaml", &policy("more"))]);
    let loaded = place.flags(&["seed.json", "more.yaml"], "http://127.0.0.1:3924/a/mcp?x=1").unwrap();
    let server = &loaded.config.servers[0];
    assert_eq!((server.name.as_str(), server.path.as_deref()), ("upstream", Some("/a/mcp")));
    assert_eq!(loaded.sources(server).len(), 2);
    assert_eq!(loaded.upstreams.len(), 1);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn a_document_brings_servers_policies_and_files_beside_it() {
    let config = r#"
servers:
- name: imaging
  url: https://imaging.internal/mcp
  tls: {caBundle: ca.pem}
  credentials: {file: token, prefix: "Bearer "}
  policies: [default/here, beside]
- {name: aws, url: "http://127.0.0.1:3924/mcp", path: /tools}
policies:
- {apiVersion: reeve.dev/v1alpha1, kind: McpPolicy, metadata: {name: here}, spec: {serverRefs: [{name: '*'}]}}
policyFiles: [beside.yaml, seed.json]
audit: {to: audit.log}
"#;
    let params = rcgen::generate_simple_self_signed(["authority".into()]).unwrap();
    let place = Place::with(&[
        ("config.yaml", config),
        ("beside.yaml", &policy("beside")),
        ("seed.json", POLICY),
        ("ca.pem", &params.cert.pem()),
        ("token", "secret"),
    ]);
    let mut loaded = place.document("config.yaml").unwrap();
    let [imaging, aws] = loaded.config.servers.as_slice() else { panic!() };
    assert_eq!((imaging.agent_path().as_str(), aws.agent_path().as_str()), ("/imaging", "/tools"));
    assert_eq!(loaded.sources(imaging).len(), 2);
    assert_eq!(loaded.sources(aws).len(), 3);
    assert_eq!(loaded.config.audit.to, place.path("audit.log").display().to_string());
    assert_eq!(
        loaded.upstreams.iter().map(|upstream| upstream.error(Cause::Reset, "").server.to_string()).collect::<Vec<_>>(),
        ["imaging", "aws"]
    );
    for name in ["config.yaml", "beside.yaml", "seed.json", "ca.pem"] {
        let before = fs::read(place.path(name)).unwrap();
        fs::write(place.path(name), "changed").unwrap();
        assert!(!loaded.files.are_unchanged(), "{name} is one of the files");
        fs::write(place.path(name), before).unwrap();
        assert!(loaded.files.are_unchanged());
    }
}

#[test]
fn the_flags_for_grant_and_audit_go_with_either_origin() {
    let place = Place::with(&[("seed.json", POLICY)]);
    let origin = Origin::Flags { policies: vec![place.path("seed.json")], upstream: "http://127.0.0.1/mcp".into() };
    let with = |grant: &str, audit: &str| {
        let inputs = Inputs {
            origin: origin.clone(),
            grant: Some(grant.into()),
            audit: Some(audit.into()),
            audit_on_full: Some(OnFull::Drop),
        };
        load(&inputs, &Environment::default())
    };
    let config = with("clinic/agent", "off").unwrap().config;
    assert_eq!((config.identity.namespace.as_str(), config.identity.service_account.as_str()), ("clinic", "agent"));
    assert_eq!((config.audit.to.as_str(), config.audit.on_full), ("off", OnFull::Drop));
    assert_eq!(with("agent", "off").unwrap().config.identity.namespace, "default");
    let told = told(&place, with("a b", "STDOUT"));
    assert!(told.iter().any(|line| line.starts_with("--grant: \"a b\" cannot be a grant")), "{told:?}");
    assert!(told.iter().any(|line| line.contains("--audit: \"STDOUT\" would be a file: write stdout")), "{told:?}");
}

#[test]
fn a_policy_file_that_cannot_be_read_is_named_with_the_reason() {
    let place = Place::with(&[("empty.yaml", ""), ("seed.json", POLICY)]);
    fs::create_dir(place.path("directory")).unwrap();
    fs::write(place.path("latin.yaml"), b"name: caf\xE9\n").unwrap();
    for (file, reason) in [
        ("missing.yaml", "missing.yaml: there is no such file: correct the path, or put the file there"),
        ("directory", "directory: this is a directory: name a file in it"),
        ("empty.yaml", "the file is empty"),
        ("latin.yaml", "not UTF-8"),
    ] {
        for files in [&[file, "seed.json"][..], &[file]] {
            let told = told(&place, place.flags(files, "http://127.0.0.1/mcp"));
            assert!(told.len() == 1 && told[0].starts_with(file) && told[0].contains(reason), "{told:?}");
        }
    }
}

#[test]
fn an_upstream_that_is_not_a_url_is_told_with_what_one_looks_like() {
    let place = Place::with(&[("seed.json", POLICY)]);
    let lines = told(&place, place.flags(&["seed.json"], "imaging"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("--upstream: \"imaging\" is not a URL: write one such as https://"), "{lines:?}");
}

#[test]
fn every_mistake_is_told_at_once_with_its_line() {
    let config = "\
servers:
- name: imaging
  url: imaging.internal/mcp
- name: imaging
  url: ws://imaging.internal/mcp
  path: tools
- name: no spaces
  url: http://imaging.example/mcp
  credentials: {file: /run/token}
  limits: {connectTimeout: 0s, responseTimeout: soon}
  policies: [impaging]
- name: secure
  url: http://127.0.0.1/mcp
  path: /imaging
  tls: {caBundle: /none/ca.pem}
policyFiles: [missing.yaml, policy.yaml]
listener: {headerTimeout: never, allowedHosts: ['http://x'], allowedOrigins: ['*'], maxTotalBodyBytes: 1}
identity: {namespace: 'a b'}
audit: {to: 'Off'}
";
    let place = Place::with(&[("config.yaml", config), ("policy.yaml", &policy("imaging"))]);
    let told = told(&place, place.document("config.yaml"));
    for expected in [
        "config.yaml:3:8: /servers/0/url: \"imaging.internal/mcp\" has no scheme: did you mean http://imaging.internal/mcp",
        "config.yaml:4:9: /servers/1/name: servers[0] is called \"imaging\" too",
        "config.yaml:5:8: /servers/1/url: the scheme ws:// is not supported",
        "config.yaml:6:9: /servers/1/path: \"tools\" does not begin with /",
        "config.yaml:7:9: /servers/2/name: \"no spaces\" cannot be a server's name",
        "/servers/2/credentials: the credential would cross the network readable",
        "/servers/2/limits/connectTimeout: \"0s\" is no time at all",
        "/servers/2/limits/responseTimeout: `soon` is not a duration",
        "config.yaml:11:14: /servers/2/policies/0: no policy is called \"impaging\": write one of default/imaging",
        "config.yaml:14:9: /servers/3/path: agents already find servers[0] at /imaging",
        "/servers/3/tls: http://127.0.0.1/mcp is reached without TLS",
        "config.yaml:16:15: /policyFiles/0: missing.yaml: there is no such file",
        "/listener/headerTimeout: `never` is not a duration",
        "/listener/allowedHosts/0: \"http://x\" is not a host",
        "/listener/allowedOrigins/0: \"*\" is not a web origin",
        "/listener/maxTotalBodyBytes: all bodies together",
        "/identity/namespace: \"a b\" cannot be a name",
        "/audit/to: \"Off\" would be a file: write off",
    ] {
        assert!(told.iter().any(|line| line.contains(expected)), "{expected}\nnot in:\n{}", told.join("\n"));
    }
}

#[test]
fn an_unknown_field_is_told_with_the_nearest_one_and_a_wrong_size_with_its_bounds() {
    let config =
        "servers:\n- {name: a, url: 'http://127.0.0.1/mcp', credential: {file: x}}\nlistener: {maxBodyBytes: 0}\n";
    let place = Place::with(&[("config.yaml", config)]);
    let told = told(&place, place.document("config.yaml"));
    assert!(told.iter().any(|line| line.contains("credential") && line.contains("credentials")), "{told:?}");
    assert!(told.iter().any(|line| line.contains("/listener/maxBodyBytes")), "{told:?}");
}

#[test]
fn mistakes_in_policies_are_told_where_the_policy_stands() {
    let wrong = "{action: Allow, name: r, tools: [a], require: [{expression: 'args.(', message: m}]}";
    let inline = format!(
        "servers: [{{name: a, url: 'http://127.0.0.1/mcp'}}]\npolicyFiles: [twice.yaml]\npolicies:\n- apiVersion: \
         reeve.dev/v1alpha1\n  kind: McpPolicy\n  metadata: {{name: here}}\n  spec:\n    serverRefs: [{{name: '*'}}]\n    \
         rules:\n    - {wrong}\n"
    );
    let place = Place::with(&[("config.yaml", &inline), ("twice.yaml", &policy("here"))]);
    let told = told(&place, place.document("config.yaml"));
    let expression = "config.yaml:10:";
    assert!(
        told.iter().any(|line| line.starts_with(expression) && line.contains("/policies/0/spec/rules/0/require/0")),
        "{told:?}"
    );
    let twice = "/metadata/name: a policy default/here stands in config.yaml too";
    assert!(told.iter().any(|line| line.starts_with("twice.yaml:3:") && line.contains(twice)), "{told:?}");
}

#[test]
fn what_is_legal_but_unlikely_is_a_warning() {
    let config = "servers:\n- {name: a, url: 'http://127.0.0.1/mcp', policies: [], credentials: {file: none}}\n";
    let place = Place::with(&[("config.yaml", config)]);
    let loaded = place.document("config.yaml").unwrap();
    let told: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    for expected in ["there is no policy", "no policy governs this server", "none cannot be read now"] {
        assert!(told.iter().any(|line| line.contains(expected)), "{expected}: {told:?}");
    }
}

#[test]
fn a_name_that_several_policies_have_must_be_written_in_full() {
    let config =
        "servers:\n- {name: a, url: 'http://127.0.0.1/mcp', policies: [imaging]}\npolicyFiles: [policies.yaml]\n";
    let policies = format!("{}---\n{}", policy("imaging"), policy("imaging, namespace: clinic"));
    let place = Place::with(&[("config.yaml", config), ("policies.yaml", &policies)]);
    let told = told(&place, place.document("config.yaml"));
    assert!(told[0].contains("several policies: write one of default/imaging, clinic/imaging"), "{told:?}");
    let full = config.replace("[imaging]", "[clinic/imaging, clinic/imaging]");
    fs::write(place.path("config.yaml"), full).unwrap();
    let loaded = place.document("config.yaml").unwrap();
    let sources = loaded.sources(&loaded.config.servers[0]);
    assert!(matches!(sources.as_slice(), [Source::Readable(policy)] if policy.key() == "clinic/imaging"));
}

#[test]
fn the_schema_describes_every_field() {
    let schema = crate::config::schema();
    let mut bare = Vec::new();
    let definitions = schema["$defs"].as_object().unwrap().iter().map(|(name, object)| (name.as_str(), object));
    for (name, object) in definitions.chain([("SidecarConfig", &schema)]) {
        for (field, property) in object["properties"].as_object().into_iter().flatten() {
            if property.get("description").is_none() {
                bare.push(format!("{name}.{field}"));
            }
        }
    }
    assert!(bare.is_empty(), "{bare:?}");
}

/// A server's tools.
fn tools(names: &[&str]) -> Arc<Catalogue> {
    let tools: Vec<_> = names.iter().map(|name| serde_json::json!({"name": name})).collect();
    let list = serde_json::json!({"tools": tools}).to_string();
    let document = Document::parse(list.into(), Limits::default()).unwrap();
    Arc::new(Catalogue::default().with_listed(document.root(), Extent::Whole))
}

#[test]
fn what_all_servers_of_a_policy_agree_to_be_a_mistake_is_told_with_its_place_and_nothing_before_all_were_seen() {
    let config = "servers: [{name: one, url: 'http://127.0.0.1:1/mcp'}, {name: two, url: 'http://127.0.0.1:2/mcp'}]\n\
                  policyFiles: [policy.yaml]\n";
    let rules = "  rules: [{name: r, tools: [get_datastor, read_file, get_datastore], action: Allow}]\n";
    let place = Place::with(&[("sidecar.yaml", config), ("policy.yaml", &(policy("p") + rules))]);
    let loaded = place.document("sidecar.yaml").unwrap();
    let told = |one: Option<&[&str]>, two: Option<&[&str]>| {
        let hints = loaded.hints(|server| if server.name == "one" { one } else { two }.map(tools));
        hints.into_iter().map(|hint| (hint.line, hint.pointer, hint.severity)).collect::<Vec<_>>()
    };
    let (one, two): (&[&str], &[&str]) = (&["get_datastore"], &["read_file"]);
    assert_eq!(told(Some(one), Some(two)), [(6, "/spec/rules/0/tools/0".to_owned(), Severity::Warning)]);
    assert_eq!(told(Some(one), None), []);
    assert_eq!(told(None, None), []);
}
