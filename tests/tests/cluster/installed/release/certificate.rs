//! Certificates that someone else provides. cert-manager itself is not in the cluster: the test writes what cert-manager would, a
//! Secret of its form, and the kinds are there without what works on them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reeve_tests::cluster::admission::Asked;
use reeve_tests::cluster::clinic::agent;
use reeve_tests::cluster::kubectl;
use reeve_tests::eventually::eventually;
use tempfile::TempDir;

use super::*;

const SERVICE: &str = "reeve-operator.reeve-system.svc";

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let output = output.expect("openssl is on the PATH");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An issuer of cert-manager's, in a folder.
struct Issuer(TempDir);

impl Issuer {
    fn new() -> Self {
        let issuer = Self(tempfile::tempdir().unwrap());
        std::fs::write(issuer.path("openssl.cnf"), "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\n").unwrap();
        issuer.sign("ca", &["-subj", "/CN=issuer", "-addext", "basicConstraints=critical,CA:TRUE"]);
        issuer
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn sign(&self, name: &str, more: &[&str]) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        openssl(self.0.path(), &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &key]);
        let request = ["req", "-x509", "-config", "openssl.cnf", "-key", &key, "-days", "2", "-out", &certificate];
        openssl(self.0.path(), &[&request, more].concat());
    }

    /// Writes a new certificate and its key into the Secret that the chart asks for; gives its serial number.
    fn issue(&self) -> String {
        let names = format!("subjectAltName=DNS:{SERVICE},DNS:{SERVICE}.cluster.local");
        self.sign("tls", &["-subj", "/", "-CA", "ca.crt", "-CAkey", "ca.key", "-addext", &names]);
        let data: serde_json::Map<_, _> =
            ["tls.crt", "tls.key", "ca.crt"].into_iter().map(|name| (name.into(), self.encoded(name).into())).collect();
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "reeve-operator-tls"},
            "type": "kubernetes.io/tls", "data": data});
        kubectl::fed(&["--namespace", NAMESPACE, "apply", "--filename", "-"], secret).unwrap();
        openssl(self.0.path(), &["x509", "-in", "tls.crt", "-noout", "-serial"])
    }

    fn encoded(&self, name: &str) -> String {
        STANDARD.encode(std::fs::read(self.path(name)).unwrap())
    }

    /// The serial number of what a replica shows whom this issuer is known; none if it is not of this issuer.
    fn shown(&self, address: &str) -> Option<String> {
        let script = format!(
            "openssl s_client -connect {address}:9443 -verify_hostname {SERVICE} -verify_return_error -CAfile ca.crt \
             </dev/null 2>/dev/null | openssl x509 -noout -serial 2>/dev/null"
        );
        let shown = Command::new("sh").args(["-c", &script]).current_dir(self.0.path()).output().unwrap();
        shown.status.success().then(|| String::from_utf8_lossy(&shown.stdout).into_owned())
    }

    /// Waits until every replica shows the certificate of this number.
    fn is_shown(&self, serial: &str) {
        for replica in installed::pods() {
            let address = replica["status"]["podIP"].as_str().unwrap_or_default().to_owned();
            let shown = || self.shown(&address).filter(|shown| shown == serial).map(|_| ());
            eventually(&format!("{} shows {serial}", installed::name(&replica)), shown);
        }
    }
}

/// cert-manager's kinds, as long as this value lives.
struct Kinds;

impl Kinds {
    fn installed() -> Self {
        for (kind, plural) in [("Certificate", "certificates"), ("Issuer", "issuers")] {
            let any = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
            let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("{plural}.cert-manager.io")},
                "spec": {"group": "cert-manager.io", "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                    "versions": [{"name": "v1", "served": true, "storage": true, "schema": any}]}});
            kubectl::fed(&["apply", "--filename", "-"], definition).unwrap();
            kubectl::told(&[
                "wait",
                "--for=condition=Established",
                &format!("crd/{plural}.cert-manager.io"),
                "--timeout=60s",
            ]);
        }
        Self
    }
}

impl Drop for Kinds {
    fn drop(&mut self) {
        let _ = kubectl::kubectl(&["delete", "crd", "certificates.cert-manager.io", "issuers.cert-manager.io"]);
        let _ = kubectl::kubectl(&["-n", NAMESPACE, "delete", "secret", "reeve-operator-tls"]);
    }
}

#[test]
fn with_cert_manager_the_chart_asks_for_a_certificate_and_keeps_no_authority() {
    let provided = ["--set", "certManager.enabled=true"];
    for flags in [&[][..], &provided] {
        let webhooks = helm::rendered(&[&["--show-only", "templates/webhooks.yaml"], flags].concat()).unwrap();
        // The bundle is the operator's: an injector would fight with it, and the API server know one authority of two.
        for words in ["cert-manager.io/inject-ca-from", "caBundle"] {
            assert!(!webhooks.contains(words), "{flags:?}: {webhooks}");
        }
    }
    let provided = helm::rendered(&provided).unwrap();
    let names = format!("dnsNames: [{SERVICE}, ");
    for words in ["isCA: true", "secretName: reeve-operator-tls", "REEVE_CERTIFICATE_FOLDER", &names] {
        assert!(provided.contains(words), "{words}\nis not in\n{provided}");
    }
    let theirs = [
        "--set",
        "certManager.enabled=true,certManager.issuerRef.kind=ClusterIssuer,certManager.issuerRef.name=corporate",
    ];
    let theirs = helm::rendered(&theirs).unwrap();
    assert!(!theirs.contains("kind: Issuer\n") && theirs.contains("name: corporate"), "{theirs}");
}

#[test]
fn a_certificate_that_someone_else_keeps_is_shown_and_read_anew_when_it_is_replaced() {
    let alone = Alone::new(&[ENABLED]);
    let _kinds = Kinds::installed();
    let changed = installed::changed(&alone);
    let issuer = Issuer::new();
    let first = issuer.issue();
    let asked = Asked::begin(&alone);
    installed::release(&helm::chart(), &["--set", "certManager.enabled=true"]).unwrap();
    issuer.is_shown(&first);
    let caller = calling(&alone);

    let second = issuer.issue();
    assert_ne!(first, second);
    issuer.is_shown(&second);
    is_followed(&alone, &caller, &["create_*"]);

    // Another issuer all at once, as cert-manager does it: who is connected is told, and follows.
    let other = Issuer::new();
    let third = other.issue();
    other.is_shown(&third);
    println!("asked {} times, a policy was always admitted", asked.was_always_admitted());
    for replica in installed::pods() {
        installed::kill_replica(&alone, installed::name(&replica));
        installed::await_restart(&replica);
    }
    installed::await_webhooks();
    is_followed(&alone, &caller, &[]);
    alone.pod(agent(&alone, "second"));

    let asked = Asked::begin(&alone);
    drop(changed);
    println!("asked {} times, a policy was always admitted", asked.was_always_admitted());
}
