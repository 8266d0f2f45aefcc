//! What the webhooks ask the API server while an answer waits: seldom, and always something that must not be stale.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec, SubjectAccessReviewStatus,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};

use super::review::UserInfo;

/// What is asked of the cluster.
pub trait Cluster: Send + Sync {
    /// Whether a user may read an object. An error says why nobody knows.
    fn may_read<'a>(
        &'a self,
        user: &'a UserInfo,
        namespace: &'a str,
        object: &'a Named,
    ) -> BoxFuture<'a, Result<bool, String>>;

    /// The labels that a namespace has now. An error says why nobody knows.
    fn namespace_labels<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<BTreeMap<String, String>, String>>;
}

/// An object whose content a server's sidecars send, or trust.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// `secrets` or `configmaps`.
    pub resource: &'static str,
    /// The object's name.
    pub name: String,
}

/// The API server itself.
pub struct ApiServer(pub Client);

impl Cluster for ApiServer {
    fn may_read<'a>(
        &'a self,
        user: &'a UserInfo,
        namespace: &'a str,
        object: &'a Named,
    ) -> BoxFuture<'a, Result<bool, String>> {
        let review = review(user, namespace, object);
        let api: Api<SubjectAccessReview> = Api::all(self.0.clone());
        async move {
            let answered = api.create(&PostParams::default(), &review).await.map_err(|error| error.to_string())?;
            match answered.status {
                Some(SubjectAccessReviewStatus { allowed, denied, .. }) => Ok(allowed && denied != Some(true)),
                None => Err("the API server gave no answer to the SubjectAccessReview".into()),
            }
        }
        .boxed()
    }

    fn namespace_labels<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<BTreeMap<String, String>, String>> {
        let api: Api<Namespace> = Api::all(self.0.clone());
        async move {
            if !is_dns_name(name) {
                return Err(format!("{name:?} cannot be a namespace's name"));
            }
            // A list of the one, as the operator may list namespaces and needs no further right. It is read from the store.
            let one = ListParams::default().fields(&format!("metadata.name={name}"));
            let found = api.list_metadata(&one).await.map_err(|error| error.to_string())?;
            let namespace = found.items.into_iter().next().ok_or("there is no such namespace")?;
            Ok(namespace.metadata.labels.unwrap_or_default())
        }
        .boxed()
    }
}

/// Whether a text can be the name of an object, so that it may be a part of a path or of a selector.
pub(super) fn is_dns_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        part.bytes().all(|byte| is_word(byte) || byte == b'-')
            && part.bytes().next().is_some_and(is_word)
            && part.bytes().next_back().is_some_and(is_word)
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

fn review(user: &UserInfo, namespace: &str, object: &Named) -> SubjectAccessReview {
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.username.clone()),
            uid: user.uid.clone(),
            groups: Some(user.groups.clone()),
            extra: Some(user.extra.clone()),
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                verb: Some("get".into()),
                version: Some("v1".into()),
                resource: Some(object.resource.into()),
                name: Some(object.name.clone()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_name_becomes_part_of_a_path() {
        for name in ["clinic", "a", "0-a.b", "agent-7f9"] {
            assert!(is_dns_name(name), "{name}");
        }
        let long = "a".repeat(254);
        for name in
            ["", ".", "..", "../secrets/x", "a/b", "a..b", "-a", "a-", "A", "a b", "a?x=1", "a,b!=c", "é", &long]
        {
            assert!(!is_dns_name(name), "{name}");
        }
    }

    #[test]
    fn the_question_is_about_the_requester_and_one_object() {
        let user = UserInfo {
            username: "alice".into(),
            uid: Some("7".into()),
            groups: vec!["devs".into()],
            extra: [("scopes".to_owned(), vec!["some".to_owned()])].into(),
        };
        let spec = review(&user, "clinic", &Named { resource: "secrets", name: "aws".into() }).spec;
        assert_eq!((spec.user.as_deref(), spec.uid.as_deref()), (Some("alice"), Some("7")));
        assert_eq!(spec.groups, Some(user.groups));
        assert_eq!(spec.extra, Some(user.extra));
        let attributes = spec.resource_attributes.unwrap();
        assert_eq!(attributes.group.unwrap_or_default(), "");
        assert_eq!(
            [attributes.namespace, attributes.verb, attributes.resource, attributes.name].map(Option::unwrap),
            ["clinic", "get", "secrets", "aws"]
        );
    }
}
