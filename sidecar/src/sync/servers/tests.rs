use reeve_crds::v1alpha1::ServerTimeouts;
use reeve_wire::document::{Header, Mounts};
use serde_json::json;

use super::*;
use crate::sync::Mounted;

fn described(mounts: &str) -> document::Server {
    document::Server {
        name: "aws".into(),
        uid: "uid".into(),
        generation: 3,
        url: "https://imaging.internal/mcp".into(),
        policies: Vec::new(),
        mounts: serde_json::from_value::<Mounts>(json!(mounts)).unwrap(),
        ca_bundle: false,
        client_certificate: false,
        credentials: None,
        timeouts: ServerTimeouts::default(),
    }
}

fn state(described: &document::Server, folder: &Path, mounts: &str) -> (ServerReason, String) {
    let settings = Settings {
        operator: String::new(),
        authorities: String::new(),
        token: folder.into(),
        servers: folder.into(),
        mounts: Mounted::parse(mounts).unwrap(),
    };
    let server = server(described, folder);
    let (_, state) = upstream(described, &server, &settings, &Environment::default(), &mut Files::default());
    assert_eq!((state.uid.as_str(), state.generation), ("uid", 3));
    (state.reason, state.message)
}

#[test]
fn a_server_is_found_at_its_name_and_has_its_files_in_its_own_folder() {
    let mut described = described("none");
    described.ca_bundle = true;
    described.client_certificate = true;
    described.credentials = Some(Header { header: "X-Key".into(), prefix: "Key ".into() });
    described.timeouts.response = Some("30s".into());
    let server = server(&described, Path::new("/var/run/reeve/servers"));
    assert_eq!(server.agent_path(), "/aws");
    let tls = server.tls.unwrap();
    assert_eq!(tls.ca_bundle.as_deref(), Some("/var/run/reeve/servers/aws/ca.crt"));
    assert_eq!(tls.client_certificate.as_deref(), Some("/var/run/reeve/servers/aws/tls.crt"));
    assert_eq!(tls.client_key.as_deref(), Some("/var/run/reeve/servers/aws/tls.key"));
    let credentials = server.credentials.unwrap();
    assert_eq!((&*credentials.header, &*credentials.prefix), ("X-Key", "Key "));
    assert_eq!(credentials.file, "/var/run/reeve/servers/aws/credential");
    assert_eq!((&*server.limits.response_timeout, &*server.limits.connect_timeout), ("30s", "5s"));
}

#[test]
fn what_a_pod_was_given_must_be_what_the_server_names() {
    let folder = tempfile::tempdir().unwrap();
    let plain = |mut described: document::Server| {
        described.url = "http://127.0.0.1:9/mcp".into();
        described
    };
    for (needed, given, reason) in [
        ("none", "", ServerReason::Resolved),
        ("none", "aws=0123", ServerReason::Resolved),
        ("0123", "aws=0123", ServerReason::Resolved),
        ("0123", "aws=4567", ServerReason::RestartNeeded),
        ("0123", "other=0123", ServerReason::RestartNeeded),
        ("0123", "", ServerReason::RestartNeeded),
    ] {
        assert_eq!(state(&plain(described(needed)), folder.path(), given).0, reason, "{needed} {given}");
    }
}

#[test]
fn half_of_a_client_certificate_is_a_missing_key_and_none_a_missing_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut described = described("none");
    described.client_certificate = true;
    assert_eq!(state(&described, folder.path(), "").0, ServerReason::SecretMissing);
    std::fs::create_dir(folder.path().join("aws")).unwrap();
    std::fs::write(folder.path().join("aws/tls.crt"), "").unwrap();
    let (reason, message) = state(&described, folder.path(), "");
    assert_eq!(reason, ServerReason::KeyMissing);
    assert!(message.contains("lacks tls.key"), "{message}");
    std::fs::write(folder.path().join("aws/tls.key"), "").unwrap();
    assert_eq!(state(&described, folder.path(), "").0, ServerReason::CertificateInvalid);
}

#[test]
fn a_url_that_cannot_be_called_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut described = described("none");
    described.url = "ftp://imaging.internal/".into();
    let (reason, message) = state(&described, folder.path(), "");
    assert!(reason == ServerReason::UrlInvalid && message.contains("ftp"), "{message}");
}

#[test]
fn a_credential_with_which_calls_would_fail_is_not_resolved() {
    let folder = tempfile::tempdir().unwrap();
    let mut described = described("none");
    described.credentials = Some(Header { header: "X-Key".into(), prefix: "Key ".into() });
    std::fs::create_dir(folder.path().join("aws")).unwrap();
    let long = "x".repeat((64 << 10) + 1);
    for (content, told) in [("to\nken", "line break"), (" \n", "empty"), (&long, "64 KiB")] {
        std::fs::write(folder.path().join("aws/credential"), content).unwrap();
        let (reason, message) = state(&described, folder.path(), "");
        assert!(reason == ServerReason::KeyMissing && message.contains(told), "{reason:?} {message}");
    }
    std::fs::write(folder.path().join("aws/credential"), "s3cret\n").unwrap();
    assert_eq!(state(&described, folder.path(), "").0, ServerReason::Resolved);
}
