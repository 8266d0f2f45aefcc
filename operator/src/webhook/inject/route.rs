//! Points an agent at its sidecar: variables that hold a server's URL are given the sidecar's URL for that server.
//!
//! Only what stands in the pod can be seen. What a container takes from ConfigMaps and Secrets, or has in its arguments and
//! files, stays as it is; it is told of, and `REEVE_SERVER_<NAME>_URL` is there for it.

mod hints;
mod variables;

use std::collections::{BTreeMap, BTreeSet};

use reeve_wire::pod::agent_url;
use serde_json::Value;

use self::hints::Hints;
use self::variables::Known;
use super::address::Address;
use super::{Context, Server, pod};

/// What was routed.
#[derive(Debug, Default)]
pub(super) struct Routed {
    /// The servers that a variable leads to through the sidecar, by name.
    pub(super) servers: Vec<String>,
    /// What whoever made the pod should know.
    pub(super) warnings: Vec<String>,
}

/// A server, as variables tell of it.
#[derive(Debug)]
struct Target<'a> {
    name: &'a str,
    url: &'a str,
    address: Option<Address>,
    /// The sidecar's URL for it.
    agent_url: String,
    /// The variable that is added for it; none if another server would have the same.
    variable: Option<String>,
}

/// The variable with the sidecar's URL for a server.
pub(super) fn variable(server: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("REEVE_SERVER_{}_URL", server.chars().map(plain).collect::<String>())
}

/// Rewrites the variables of every container.
pub(super) fn route(pod: &mut Value, context: &Context<'_>) -> Routed {
    let mut warnings = Vec::new();
    let targets = targets(context, &mut warnings);
    if targets.is_empty() {
        return Routed { servers: Vec::new(), warnings };
    }
    let mut servers = BTreeSet::new();
    for container in pod::containers_mut(pod) {
        warnings.extend(Hints::of(container, &targets).sentences());
        rewrite(container, &targets, context.namespace);
        let of_pod = pod::list(container, "env").iter().filter(|variable| !is_added(variable, &targets));
        let values = of_pod.filter_map(|variable| pod::text(variable, "/value"));
        servers.extend(values.filter_map(|value| targets.iter().position(|target| target.agent_url == value)));
    }
    Routed { servers: servers.into_iter().map(|place| targets[place].name.to_owned()).collect(), warnings }
}

fn targets<'a>(context: &Context<'a>, warnings: &mut Vec<String>) -> Vec<Target<'a>> {
    let mut by_variable: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for Server { name, .. } in context.servers {
        by_variable.entry(variable(name)).or_default().push(name);
    }
    for (variable, names) in by_variable.iter().filter(|(_, names)| names.len() > 1) {
        warnings.push(format!(
            "the servers {} would share the variable {variable}, so none has it: rename all but one",
            names.join(", ")
        ));
    }
    let target = |Server { name, spec }: &'a Server| Target {
        name,
        url: &spec.url,
        address: Address::of(&spec.url, context.namespace),
        agent_url: agent_url(name),
        variable: Some(variable(name))
            .filter(|variable| by_variable.get(variable).is_some_and(|names| names.len() == 1)),
    };
    let mut targets: Vec<_> = context.servers.iter().map(target).collect();
    targets.sort_by_key(|target| target.name);
    targets
}

/// Whether a variable is one that is added to every container.
fn is_added(variable: &Value, targets: &[Target<'_>]) -> bool {
    targets.iter().any(|target| target.variable.as_deref() == Some(pod::name(variable)))
}

/// Rewrites the variables of one container, and puts ours before them, so that they can refer to ours.
fn rewrite(container: &mut Value, targets: &[Target<'_>], namespace: &str) {
    let Some(container) = container.as_object_mut() else { return };
    let Some(variables) = pod::list_made(container, "env") else { return };
    variables.retain(|variable| !is_added(variable, targets));
    let mut known = Known::default();
    for variable in variables.iter_mut() {
        let Some(value) = pod::text(variable, "/value").map(str::to_owned) else { continue };
        let meant = known.expand(&value);
        let value = match leads_to(&meant, targets, namespace) {
            Some(target) => {
                if let Some(variable) = variable.as_object_mut() {
                    variable.insert("value".into(), target.agent_url.as_str().into());
                }
                target.agent_url.clone()
            }
            None => meant,
        };
        known.add(pod::name(variable), value);
    }
    let added = targets.iter().filter_map(|target| {
        let name = target.variable.as_deref()?;
        Some(serde_json::json!({"name": name, "value": target.agent_url}))
    });
    variables.splice(0..0, added.collect::<Vec<_>>());
    if variables.is_empty() {
        container.remove("env");
    }
}

/// The server whose URL this is. Of several with one URL the first by name.
fn leads_to<'t, 's>(value: &str, targets: &'t [Target<'s>], namespace: &str) -> Option<&'t Target<'s>> {
    let begins_like_one = value.trim_start().get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case("http"));
    let address = begins_like_one.then(|| Address::of(value, namespace)).flatten()?;
    targets.iter().find(|target| target.address.as_ref() == Some(&address))
}
