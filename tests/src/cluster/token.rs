//! Tokens of ServiceAccounts: what the API server gives out, and what only looks like it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Namespace;
use super::pod::Pod;

/// A token of a pod for this audience, as the kubelet projects it into the pod.
///
/// # Panics
/// If there is no such pod.
pub fn of_pod(namespace: &Namespace, pod: &Pod<'_>, audience: &str) -> String {
    let now = pod.now();
    let text = |pointer| now.pointer(pointer).and_then(Value::as_str).expect("a pod has a ServiceAccount and a UID");
    let (account, uid) = (text("/spec/serviceAccountName"), text("/metadata/uid"));
    let bound = ["--bound-object-kind", "Pod", "--bound-object-name", &pod.name, "--bound-object-uid", uid];
    made(namespace, &[&[account, "--audience", audience][..], &bound].concat())
}

/// A token of a ServiceAccount that is bound to no pod.
pub fn of_account(namespace: &Namespace, account: &str, audience: &str) -> String {
    made(namespace, &[account, "--audience", audience])
}

fn made(namespace: &Namespace, arguments: &[&str]) -> String {
    namespace.told(&[&["create", "token"], arguments].concat()).trim().to_owned()
}

/// The token with other claims, under the signature that it had.
///
/// # Panics
/// If it is no token.
pub fn altered(token: &str, alter: impl FnOnce(&mut Value)) -> String {
    let [header, claims, signature] = parts(token);
    let mut read: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("a token is base64"))
        .expect("the claims of a token are JSON");
    alter(&mut read);
    format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(read.to_string()))
}

/// The token with a signature that is another's: of as many bytes, and of nobody's key.
pub fn signed_by_nobody(token: &str) -> String {
    let [header, claims, signature] = parts(token);
    let length = URL_SAFE_NO_PAD.decode(signature).expect("a signature is base64").len();
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(vec![0x5a; length]))
}

/// The token without a signature, which says of itself that it needs none.
pub fn unsigned(token: &str) -> String {
    let [_, claims, _] = parts(token);
    format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#))
}

fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().expect("a token has three parts")
}
