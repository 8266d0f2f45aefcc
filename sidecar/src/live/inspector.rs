//! What is in force and how full the limits are, for `/policy`, `/limits` and the metric of usage.

use std::sync::Arc;

use reeve_crds::v1alpha1::{Mode, Scope};
use reeve_policy::compile::LimitInfo;
use reeve_policy::limit::{Limiter, Units};
use reeve_policy::time::format_duration;
use serde_json::{Value, json};

use super::{Current, Route};
use crate::audit::SessionTag;
use crate::clock::Clock;
use crate::inspect::secrets::{without_secret, without_secrets};
use crate::metrics::LimitUsage;

/// The most keys of one counter that `/limits` shows.
const SHOWN_KEYS: usize = 100;

/// Looks, and changes nothing. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inspector {
    /// The configuration in force.
    pub live: Arc<Current>,
    /// What counts.
    pub limiter: Arc<Limiter>,
    /// The time.
    pub clock: Clock,
}

impl Inspector {
    /// The effective configuration: each server with the policies that govern it, and the document. Without secrets.
    pub fn policy(&self) -> Value {
        let Some(live) = self.live.load() else { return json!({"generation": 0, "servers": []}) };
        let servers: Vec<Value> = live.routes().iter().map(|route| server(route)).collect();
        json!({"generation": live.number, "servers": servers, "configuration": without_secrets(&live.config)})
    }

    /// Every limit and what its counter holds.
    pub fn limits(&self) -> Value {
        let now = self.clock.now();
        let limits = self.each_limit(|route, limit| {
            let mut keys = self.limiter.usage(limit.handle, now);
            keys.sort_by(|(key, used), (other, more)| more.cmp(used).then_with(|| key.cmp(other)));
            let shown: Vec<Value> = keys
                .iter()
                .take(SHOWN_KEYS)
                .map(|(key, used)| json!({"key": shown(limit.scope, key), "used": number(*used)}))
                .collect();
            json!({
                "server": &*route.name,
                "rule": &**limit.pointer,
                "counter": &**limit.counter,
                "window": format_duration(limit.window),
                "max": number(limit.max),
                "scope": limit.scope,
                "mode": if limit.shadow { Mode::Audit } else { Mode::Enforce },
                "keys": shown,
                "keysOmitted": keys.len().saturating_sub(SHOWN_KEYS),
            })
        });
        json!({"limits": limits})
    }

    /// How full the limits are that bind.
    pub fn usage(&self) -> Vec<LimitUsage> {
        let now = self.clock.now();
        let usage = self.each_limit(|_, limit| {
            (!limit.shadow).then(|| LimitUsage {
                policy: limit.policy.to_string(),
                rule: limit.rule.to_string(),
                counter: limit.counter.to_string(),
                ratio: ratio(self.limiter.highest_usage(limit.handle, now), limit.max),
            })
        });
        let mut usage: Vec<_> = usage.into_iter().flatten().collect();
        // A policy that governs several servers has one counter, which each of them shows.
        usage.sort_by(|one, other| one.identity().cmp(&other.identity()));
        usage.dedup_by(|one, other| one.identity() == other.identity());
        usage
    }

    fn each_limit<T>(&self, tell: impl Fn(&Route, &LimitInfo<'_>) -> T) -> Vec<T> {
        let Some(live) = self.live.load() else { return Vec::new() };
        let routes = live.routes().iter();
        routes.flat_map(|route| route.ruleset.limits().map(|limit| tell(route, &limit)).collect::<Vec<_>>()).collect()
    }
}

fn server(route: &Route) -> Value {
    let policies = route.ruleset.policies().map(|policy| {
        json!({
            "name": &**policy.key,
            "mode": policy.mode,
            "generation": policy.generation(),
            "errors": policy.errors,
            "object": policy.object.map(|object| &**object),
        })
    });
    json!({
        "name": &*route.name,
        "path": &*route.path,
        "url": without_secret(&route.server.url),
        "grant": &*route.grant,
        "policies": policies.collect::<Vec<_>>(),
        "yielding": route.ruleset.yielding_policies().iter().map(|key| &**key).collect::<Vec<_>>(),
        "tools": route.tools.load().tools().count(),
    })
}

/// A key as it may be shown: whoever knows a session's id can act in it, so it is shown by its tag, as in the audit log. What
/// counts calls without a session has a space, which no id can have.
fn shown(scope: Scope, key: &str) -> String {
    if scope == Scope::Session && !key.contains(' ') { SessionTag::of(key).to_string() } else { key.to_owned() }
}

/// Units as people write them.
#[allow(clippy::cast_precision_loss, reason = "shown to people, who read no more digits than a double has")]
fn number(units: Units) -> Value {
    let (whole, rest) = (units.0 / Units::ONE.0, units.0 % Units::ONE.0);
    if rest == 0 { json!(whole) } else { json!(units.0 as f64 / Units::ONE.0 as f64) }
}

/// Of a limit of zero nothing can be used: it never fills, and what it refuses is counted as `LimitExceeded`.
#[allow(clippy::cast_precision_loss, reason = "a ratio needs no more digits than a double has")]
fn ratio(used: Units, max: Units) -> f64 {
    if max.0 == 0 { 0.0 } else { used.0 as f64 / max.0 as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_zero_is_never_nearly_exhausted() {
        let ratios = [(0, 0), (0, 4), (1, 4), (4, 4)].map(|(used, max)| ratio(Units(used), Units(max)));
        assert!(
            ratios.iter().zip([0.0, 0.0, 0.25, 1.0]).all(|(is, expected)| (is - expected).abs() < 1e-9),
            "{ratios:?}"
        );
    }
}
