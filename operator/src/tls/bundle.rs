//! The webhook configurations' `caBundle`: by which the API server knows the operator.
//!
//! The configurations are the chart's. This one field of each entry is the operator's, and it is **patched, not applied**: who applies a
//! field of an entry owns the entry too. When an upgrade that is applied itself, as Helm's are, renames a webhook or takes one out,
//! such an entry stays, with a bundle and no service; the API server refuses that, and the upgrade with it. A patch owns the bundle
//! alone, which goes with its entry. What earlier versions of the operator applied is struck from `managedFields`, else no upgrade
//! could change it:
//!
//! ```text
//! look ─► a webhook does not know the operator ─► patch every entry's caBundle, by its name  ─► look again
//!      ─► the operator applied something       ─► strike that from managedFields             ─► look again
//!      ─► neither: known
//! ```
//!
//! Both writes are of the object as it was seen (its `resourceVersion`); a conflict has it looked at anew. A configuration that is absent, as
//! when an administrator has deleted it to let pods start, needs no bundle: whoever serves sidecars does not wait for it. Never is one
//! made here: after an uninstallation it would stop every pod from starting.
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
/// Who owns the field. Versions that applied it, and two more, were called so too.
const MANAGER: &str = "reeve-operator-ca-bundle";
/// How often a configuration is looked at in a row: to write, to strike what was applied, to see that it is so, and after some conflicts.
const MOST_LOOKS: usize = 8;
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
    /// Each of its webhooks knows the operator, which has applied nothing.
    Known,
    /// A webhook does not: what to merge, by strategy, so that each does.
    Unknown(Value),
    /// Each does, and an earlier version has applied fields: what to merge so that they are the chart's alone.
    Applied(Value),
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
    let parameters = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    let name = &configuration.name;
    for _ in 0..MOST_LOOKS {
        let live: Value = within(client.request(request.get(name, &GetParams::default())?)).await?;
        let (patch, done) = match standing(&live, bundle, Timestamp::now()) {
            Standing::Known => return Ok(true),
            Standing::Unknown(patch) => (Patch::Strategic(patch), "the API server knows the operator's authority"),
            Standing::Applied(patch) => {
                (Patch::Merge(patch), "what an earlier version of the operator applied is the chart's alone")
            }
        };
        match within(client.request::<Value>(request.patch(name, &parameters, &patch)?)).await {
            Ok(_) => tracing::info!(%name, kind = configuration.kind, "{done}"),
            // Another replica, or whoever applies the chart, was faster.
            Err(error) if error.is_conflict() => {
                tracing::debug!(%name, kind = configuration.kind, %error, "the configuration is looked at again");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// A bundle that holds all that is trusted is left alone, even if it holds more: during a renewal one replica knows of it before
/// another. Only what has expired is taken out, and of what others have put there the oldest if it is too much.
fn standing(live: &Value, bundle: &str, now: Timestamp) -> Standing {
    let webhooks = live["webhooks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = Certificate::together([bundle], now);
    let is_known = |webhook: &Value| {
        let held = held(webhook).and_then(|held| Certificate::read_all(&held).ok()).unwrap_or_default();
        own.iter().all(|one| held.contains(one)) && !held.iter().any(|one| one.has_expired(now))
    };
    if webhooks.iter().all(is_known) {
        return disowned(&live["metadata"]).map_or(Standing::Known, Standing::Applied);
    }
    let held: Vec<_> = webhooks.iter().filter_map(held).collect();
    let mut others = Certificate::together(held.iter().map(String::as_str), now);
    others.retain(|one| !own.contains(one));
    others.sort_by_key(|one| std::cmp::Reverse(one.not_before));
    let all: String = own.iter().chain(others.iter().take(MOST_OTHERS)).map(|one| one.pem.as_str()).collect();
    let encoded = STANDARD.encode(all);
    // All of them, in their order, so that it stays.
    let entry = |webhook: &Value| json!({"name": webhook["name"], "clientConfig": {"caBundle": encoded}});
    let entries: Vec<_> = webhooks.iter().map(entry).collect();
    Standing::Unknown(json!({"metadata": as_seen(&live["metadata"]), "webhooks": entries}))
}

/// What gives up all that the operator has applied; none if that is nothing.
fn disowned(metadata: &Value) -> Option<Value> {
    let owners = metadata["managedFields"].as_array()?;
    let is_applied = |owner: &&Value| owner["manager"] == MANAGER && owner["operation"] == "Apply";
    let mut others: Vec<_> = owners.iter().filter(|owner| !is_applied(owner)).cloned().collect();
    if others.len() == owners.len() {
        return None;
    }
    if others.is_empty() {
        // An empty list would leave what is there; one of an empty entry takes all.
        others.push(json!({}));
    }
    let mut metadata = as_seen(metadata);
    metadata["managedFields"] = others.into();
    Some(json!({"metadata": metadata}))
}

/// By which the API server tells that it is the object that was seen: one that was changed meanwhile, or made anew, is a conflict.
fn as_seen(metadata: &Value) -> Value {
    json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]})
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
            "metadata": {"name": "reeve", "uid": "u-1", "resourceVersion": "7"},
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
    fn only_the_bundle_is_patched_and_only_in_the_object_that_was_seen() {
        let bundle = Authority::create(day(0), &LIFETIMES).unwrap().bundle();
        let Standing::Unknown(patch) = standing(&live(None), &bundle, day(0)) else { panic!() };
        assert_eq!(
            patch,
            json!({
                "metadata": {"uid": "u-1", "resourceVersion": "7"},
                "webhooks": [{"name": "inject.reeve.dev", "clientConfig": {"caBundle": STANDARD.encode(&bundle)}}],
            })
        );
        assert_eq!(standing(&live(Some(&bundle)), &bundle, day(0)), Standing::Known);
    }

    #[test]
    fn what_an_earlier_version_applied_is_given_up_and_what_others_own_is_theirs() {
        let bundle = Authority::create(day(0), &LIFETIMES).unwrap().bundle();
        let owner = |manager: &str, operation: &str| {
            let fields = json!({"f:webhooks": {"k:{\"name\":\"inject.reeve.dev\"}": {"f:sideEffects": {}}}});
            json!({"manager": manager, "operation": operation, "fieldsV1": fields})
        };
        let owned_by = |owners: Value| {
            let mut live = live(Some(&bundle));
            live["metadata"]["managedFields"] = owners;
            standing(&live, &bundle, day(0))
        };
        let (helm, people) = (owner("helm", "Apply"), owner("kubectl-edit", "Update"));
        let (applied, patched) = (owner(MANAGER, "Apply"), owner(MANAGER, "Update"));
        assert_eq!(owned_by(json!([helm, people, patched])), Standing::Known);
        let given_up = |others: Value| {
            let metadata = json!({"uid": "u-1", "resourceVersion": "7", "managedFields": others});
            Standing::Applied(json!({"metadata": metadata}))
        };
        assert_eq!(owned_by(json!([helm, applied, people, patched])), given_up(json!([helm, people, patched])));
        assert_eq!(owned_by(json!([applied])), given_up(json!([{}])));
    }

    #[test]
    fn a_replica_that_lags_behind_takes_nothing_away_but_what_has_expired() {
        let first = Authority::create(day(0), &LIFETIMES).unwrap();
        let renewing = first.renewed(day(201), &LIFETIMES).unwrap().unwrap();
        let both = live(Some(&renewing.bundle()));
        assert_eq!(standing(&both, &first.bundle(), day(201)), Standing::Known);
        assert!(matches!(standing(&live(Some(&first.bundle())), &renewing.bundle(), day(201)), Standing::Unknown(_)));
        let next = renewing.next.unwrap().certificate.pem;
        assert!(matches!(standing(&both, &next, day(301)), Standing::Unknown(_)));
    }

    /// What is to be applied to a webhook that holds this.
    fn applied(held: &str, bundle: &str, now: Timestamp) -> Vec<Certificate> {
        let Standing::Unknown(patch) = standing(&live(Some(held)), bundle, now) else { panic!("it is known") };
        Certificate::read_all(&super::held(&patch["webhooks"][0]).unwrap()).unwrap()
    }

    #[test]
    fn replicas_of_two_authorities_are_known_beside_each_other_and_neither_takes_the_other_out() {
        let [own, others] = [0, 1].map(|at| Authority::create(day(at), &LIFETIMES).unwrap());
        let both = applied(&others.bundle(), &own.bundle(), day(2));
        assert_eq!(both, [own.signing.certificate.clone(), others.signing.certificate.clone()]);
        let both: String = both.into_iter().map(|one| one.pem).collect();
        for authority in [&own, &others] {
            let standing = standing(&live(Some(&both)), &authority.bundle(), day(2));
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
        assert!(matches!(standing(&live(Some("\n")), &bundle, day(0)), Standing::Unknown(_)));
    }
}
