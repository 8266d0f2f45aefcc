//! The five kinds that are watched, and how each is read.

use reeve_crds::GROUP;
use reeve_policy::compile::Drafts;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::watch::{Fate, Kind};
use crate::control::Input;
use crate::world::{Change, NamespaceView, PodObject, PodView, PolicyView, ServerView, SharedWorld};

/// What an object without name, UID or version is; no API server sends one.
const NAMELESS: &str = "it lacks a name, a uid or a resourceVersion that is a number";

/// McpPolicies, of which those that are in the world are compiled only when they change.
pub fn policies(world: &SharedWorld) -> Kind<PolicyView> {
    policy_kind("mcppolicies", Input::Policies, world)
}

/// ClusterMcpPolicies, as [`policies`].
pub fn cluster_policies(world: &SharedWorld) -> Kind<PolicyView> {
    policy_kind("clustermcppolicies", Input::ClusterPolicies, world)
}

/// McpServers.
pub fn servers() -> Kind<ServerView> {
    Kind {
        name: "mcpservers",
        path: own_path("mcpservers"),
        fields: "",
        change: Box::new(|object, fate| change(ServerView::of(&read::<Value>(object)?), fate)),
        input: Input::Servers,
    }
}

/// Namespaces.
pub fn namespaces() -> Kind<NamespaceView> {
    #[derive(Deserialize)]
    struct Namespace {
        metadata: ObjectMeta,
    }
    Kind {
        name: "namespaces",
        path: "/api/v1/namespaces".into(),
        fields: "",
        change: Box::new(|object, fate| change(NamespaceView::of(&read::<Namespace>(object)?.metadata), fate)),
        input: Input::Namespaces,
    }
}

/// Pods that have not finished: one that finishes is told of as gone.
pub fn pods() -> Kind<PodView> {
    Kind {
        name: "pods",
        path: "/api/v1/pods".into(),
        fields: "status.phase!=Succeeded,status.phase!=Failed",
        change: Box::new(|object, fate| {
            let pod: PodObject = read(object)?;
            let change = match fate {
                Fate::Present => Change::set_pod(&pod),
                Fate::Gone => Change::gone_pod(&pod),
            };
            change.map(Some).ok_or_else(|| NAMELESS.to_owned())
        }),
        input: Input::Pods,
    }
}

fn policy_kind(name: &'static str, input: fn(Change<PolicyView>) -> Input, world: &SharedWorld) -> Kind<PolicyView> {
    let (mut drafts, world) = (Drafts::default(), SharedWorld::clone(world));
    Kind {
        name,
        path: own_path(name),
        fields: "",
        change: Box::new(move |object, fate| {
            change(PolicyView::read(&read::<Value>(object)?, &world, &mut drafts), fate)
        }),
        input,
    }
}

fn own_path(plural: &str) -> String {
    format!("/apis/{GROUP}/v1alpha1/{plural}")
}

fn read<'a, T: Deserialize<'a>>(object: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(object.get()).map_err(|error| error.to_string())
}

fn change<View>(view: Option<View>, fate: Fate) -> Result<Option<Change<View>>, String> {
    let view = view.ok_or_else(|| NAMELESS.to_owned())?;
    Ok(Some(match fate {
        Fate::Present => Change::Set(view),
        Fate::Gone => Change::Gone(view),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_pod_that_finishes_is_gone_though_the_api_server_shows_its_last_state() {
        let pod = raw(
            r#"{"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"7"},"spec":{},"status":{"phase":"Succeeded"}}"#,
        );
        let mut pods = pods();
        for fate in [Fate::Present, Fate::Gone] {
            let change = (pods.change)(&pod, fate).unwrap();
            assert!(matches!(&change, Some(Change::Gone(view)) if view.version == 7), "{fate:?} {change:?}");
        }
    }

    #[test]
    fn an_object_that_cannot_be_read_says_why() {
        let error = (pods().change)(&raw(r#"{"metadata":7}"#), Fate::Present).unwrap_err();
        assert!(error.contains("invalid type: integer `7`"), "{error}");
        assert_eq!((servers().change)(&raw(r#"{"metadata":{}}"#), Fate::Present).unwrap_err(), NAMELESS);
    }
}
