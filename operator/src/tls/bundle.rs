//! The webhook configurations' `caBundle`: by which the API server knows the operator.
//!
//! The configurations are the chart's; only this one field is the operator's, written by server-side apply under a field manager of
//! its own. One that is absent, as when an administrator has deleted it to let pods start, needs no bundle: whoever serves sidecars does
//! not wait for it. Never is a configuration made here: after an uninstallation it would stop every pod from starting. Applying with the
//! object's UID makes sure of that, since the API server refuses it for an object that is gone.
//!
//! What others have put there stays beside the operator's own until it expires: while one release replaces another, replicas of both
//! answer, and they may be known by different authorities.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube::Client;
use kube::api::{GetParams, Patch, PatchParams};
use kube::core::Request;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::certificate::Certificate;
use super::{Trust, TrustReceiver};
use crate::kubernetes::{KubernetesError, within};
use crate::metrics::Metrics;
use crate::readiness::Awaited;

/// How often the configurations are looked at: someone may have taken the bundle away.
const EVERY: Duration = Duration::from_secs(5);
/// Who owns the field.
const MANAGER: &str = "reeve-operator-ca-bundle";
/// The most authorities of others that are kept beside the operator's own.
const MOST_OTHERS: usize = 8;
const API: &str = "/apis/admissionregistration.k8s.io/v1";

/// A webhook configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Its kind.
    pub kind: &'static str,
    /// The last part of its path.
    pub plural: &'static str,
    /// Its name.
    pub name: String,
}

impl Configuration {
    /// A MutatingWebhookConfiguration.
    pub fn mutating(name: impl Into<String>) -> Self {
        Self { kind: "MutatingWebhookConfiguration", plural: "mutatingwebhookconfigurations", name: name.into() }
    }

    /// A ValidatingWebhookConfiguration.
    pub fn validating(name: impl Into<String>) -> Self {
        Self { kind: "ValidatingWebhookConfiguration", plural: "validatingwebhookconfigurations", name: name.into() }
    }
}

/// How a configuration stands to what is trusted.
#[derive(Clone, Debug, PartialEq)]
enum Standing {
    /// Each of its webhooks knows the operator.
    Known,
    /// What to apply so that it does.
    Apply(Value),
}

/// Keeps the bundles for ever. `known` is told of what each was seen to hold, and `ready` is reached the first time.
pub async fn keep(
    client: Client,
    configurations: Vec<Configuration>,
    mut trust: TrustReceiver,
    known: watch::Sender<Trust>,
    metrics: Arc<Metrics>,
    ready: Awaited,
) {
    let mut ready = Some(ready);
    loop {
        let bundle = trust.borrow_and_update().clone();
        if !bundle.is_empty() {
            let mut is_known = true;
            for configuration in &configurations {
                is_known &= match known_or_absent(keep_one(&client, configuration, &bundle).await) {
                    Ok(is_known) => is_known,
                    Err(error) => {
                        metrics.failed(configuration.plural, "ca_bundle");
                        tracing::warn!(name = %configuration.name, kind = configuration.kind, %error, "the caBundle cannot be kept");
                        false
                    }
                };
            }
            if is_known {
                known.send_replace(bundle);
                if let Some(ready) = ready.take() {
                    ready.reached();
                }
            }
        }
        // An error says that the keeper has ended, and the process with it.
        let _ = tokio::time::timeout(EVERY, trust.changed()).await;
    }
}

/// Who is not asked by the API server need not be known to it. Comes the configuration back, it is given the bundle.
fn known_or_absent(kept: Result<bool, KubernetesError>) -> Result<bool, KubernetesError> {
    match kept {
        Err(error) if error.is_missing() => Ok(true),
        kept => kept,
    }
}

/// Whether the configuration was seen to know the operator; writes the bundle if not.
async fn keep_one(client: &Client, configuration: &Configuration, bundle: &str) -> Result<bool, KubernetesError> {
    let request = Request::new(format!("{API}/{}", configuration.plural));
    let live: Value = within(client.request(request.get(&configuration.name, &GetParams::default())?)).await?;
    let patch = match standing(configuration, &live, bundle, Timestamp::now()) {
        Standing::Known => return Ok(true),
        Standing::Apply(patch) => patch,
    };
    let parameters = PatchParams::apply(MANAGER).force();
    let applied: Value =
        within(client.request(request.patch(&configuration.name, &parameters, &Patch::Apply(&patch))?)).await?;
    tracing::info!(name = %configuration.name, kind = configuration.kind, "the API server knows the operator's authority");
    Ok(standing(configuration, &applied, bundle, Timestamp::now()) == Standing::Known)
}

/// A bundle that holds all that is trusted is left alone, even if it holds more: during a renewal one replica knows of it before
/// another. Only what has expired is taken out, and of what others have put there the oldest if it is too much.
fn standing(configuration: &Configuration, live: &Value, bundle: &str, now: Timestamp) -> Standing {
    let webhooks = live["webhooks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = Certificate::together([bundle], now);
    let is_known = |webhook: &Value| {
        let held = held(webhook).and_then(|held| Certificate::read_all(&held).ok()).unwrap_or_default();
        own.iter().all(|one| held.contains(one)) && !held.iter().any(|one| one.has_expired(now))
    };
    if webhooks.iter().all(is_known) {
        return Standing::Known;
    }
    let held: Vec<_> = webhooks.iter().filter_map(held).collect();
    let mut others = Certificate::together(held.iter().map(String::as_str), now);
    others.retain(|one| !own.contains(one));
    others.sort_by_key(|one| std::cmp::Reverse(one.not_before));
    let all: String = own.iter().chain(others.iter().take(MOST_OTHERS)).map(|one| one.pem.as_str()).collect();
    let encoded = STANDARD.encode(all);
    let entries: Vec<_> = webhooks
        .iter()
        .map(|webhook| {
            json!({
                "name": webhook["name"],
                // The API server asks for these in each entry that is applied.
                "sideEffects": webhook["sideEffects"],
                "admissionReviewVersions": webhook["admissionReviewVersions"],
                "clientConfig": {"caBundle": encoded},
            })
        })
        .collect();
    Standing::Apply(json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": configuration.kind,
        "metadata": {"name": configuration.name, "uid": live["metadata"]["uid"]},
        "webhooks": entries,
    }))
}

/// The bundle of a webhook, PEM.
fn held(webhook: &Value) -> Option<String> {
    let encoded = webhook["clientConfig"]["caBundle"].as_str()?;
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{Authority, Lifetimes};

    const LIFETIMES: Lifetimes =
        Lifetimes { authority: Duration::from_secs(300 * 86_400), certificate: Duration::from_secs(86_400) };

    fn day(days: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + days * 86_400).unwrap()
    }

    fn live(bundle: Option<&str>) -> Value {
        let mut config = json!({"service": {"name": "reeve-operator", "namespace": "reeve-system", "path": "/inject"}});
        if let Some(bundle) = bundle {
            config["caBundle"] = STANDARD.encode(bundle).into();
        }
        json!({
            "metadata": {"name": "reeve", "uid": "u-1"},
            "webhooks": [{
                "name": "inject.reeve.dev", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "failurePolicy": "Fail", "clientConfig": config,
            }],
        })
    }

    #[test]
    fn a_configuration_that_is_absent_keeps_nobody_from_being_ready_and_one_that_cannot_be_read_does() {
        let answered = |code: u16| {
            let status = kube::core::Status { code, ..kube::core::Status::default() };
            known_or_absent(Err(KubernetesError::Client(kube::Error::Api(Box::new(status)))))
        };
        assert!(answered(404).unwrap());
        for code in [403, 409, 500] {
            assert!(answered(code).is_err(), "{code}");
        }
        assert!(known_or_absent(Err(KubernetesError::Timeout)).is_err());
        assert!(!known_or_absent(Ok(false)).unwrap());
    }

    #[test]
    fn only_the_bundle_is_applied_and_only_to_the_object_that_was_seen() {
        let bundle = Authority::create(day(0), &LIFETIMES).unwrap().bundle();
        let configuration = Configuration::mutating("reeve");
        let Standing::Apply(patch) = standing(&configuration, &live(None), &bundle, day(0)) else { panic!() };
        assert_eq!(
            patch,
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": "reeve", "uid": "u-1"},
                "webhooks": [{
                    "name": "inject.reeve.dev", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                    "clientConfig": {"caBundle": STANDARD.encode(&bundle)},
                }],
            })
        );
        assert_eq!(standing(&configuration, &live(Some(&bundle)), &bundle, day(0)), Standing::Known);
    }

    #[test]
    fn a_replica_that_lags_behind_takes_nothing_away_but_what_has_expired() {
        let configuration = Configuration::validating("reeve");
        let first = Authority::create(day(0), &LIFETIMES).unwrap();
        let renewing = first.renewed(day(201), &LIFETIMES).unwrap().unwrap();
        let both = live(Some(&renewing.bundle()));
        assert_eq!(standing(&configuration, &both, &first.bundle(), day(201)), Standing::Known);
        assert!(matches!(
            standing(&configuration, &live(Some(&first.bundle())), &renewing.bundle(), day(201)),
            Standing::Apply(_)
        ));
        let next = renewing.next.unwrap().certificate.pem;
        assert!(matches!(standing(&configuration, &both, &next, day(301)), Standing::Apply(_)));
    }

    /// What is to be applied to a webhook that holds this.
    fn applied(held: &str, bundle: &str, now: Timestamp) -> Vec<Certificate> {
        let Standing::Apply(patch) = standing(&Configuration::mutating("reeve"), &live(Some(held)), bundle, now) else {
            panic!("it is known")
        };
        Certificate::read_all(&super::held(&patch["webhooks"][0]).unwrap()).unwrap()
    }

    #[test]
    fn replicas_of_two_authorities_are_known_beside_each_other_and_neither_takes_the_other_out() {
        let [own, others] = [0, 1].map(|at| Authority::create(day(at), &LIFETIMES).unwrap());
        let both = applied(&others.bundle(), &own.bundle(), day(2));
        assert_eq!(both, [own.signing.certificate.clone(), others.signing.certificate.clone()]);
        let both: String = both.into_iter().map(|one| one.pem).collect();
        for authority in [&own, &others] {
            let standing = standing(&Configuration::mutating("reeve"), &live(Some(&both)), &authority.bundle(), day(2));
            assert_eq!(standing, Standing::Known);
        }
        assert_eq!(applied(&both, &others.bundle(), day(300)), [others.signing.certificate], "the other has expired");
    }

    #[test]
    fn of_many_authorities_of_others_the_youngest_are_kept() {
        let authorities: Vec<_> = (0..20).map(|at| Authority::create(day(at), &LIFETIMES).unwrap()).collect();
        let held: String = authorities[1..].iter().map(Authority::bundle).collect();
        let kept = applied(&held, &authorities[0].bundle(), day(20));
        let expected: Vec<_> = authorities[..1].iter().chain(authorities[12..].iter().rev()).collect();
        assert_eq!(kept, expected.into_iter().map(|one| one.signing.certificate.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn nonsense_in_the_bundle_is_replaced() {
        let bundle = Authority::create(day(0), &LIFETIMES).unwrap().bundle();
        let configuration = Configuration::mutating("reeve");
        assert!(matches!(standing(&configuration, &live(Some("\n")), &bundle, day(0)), Standing::Apply(_)));
    }
}
