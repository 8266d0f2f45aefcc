//! What is told of a container whose calls may go around the sidecar.

use serde_json::Value;

use super::{Target, is_added};
use crate::webhook::inject::pod;

/// What one container has that is not rewritten.
#[derive(Debug, Default)]
pub(super) struct Hints<'a> {
    container: &'a str,
    /// Whether a value comes from a ConfigMap or a Secret, which nobody can see here.
    has_unseen: bool,
    /// A variable that holds a server's URL among other things, and the server.
    inside: Option<(&'a str, &'a Target<'a>)>,
    /// An argument that holds a server's URL.
    argument: Option<&'a Target<'a>>,
    /// A variable that names a proxy, to which also the calls to the sidecar would go.
    proxy: Option<&'a str>,
    /// What the example of a remedy names.
    example: &'a str,
}

impl<'a> Hints<'a> {
    /// Looks at a container before its variables are rewritten.
    pub(super) fn of(container: &'a Value, targets: &'a [Target<'a>]) -> Self {
        let variables = || pod::list(container, "env").iter().filter(|variable| !is_added(variable, targets));
        let value = |variable: &'a Value| pod::text(variable, "/value");
        let inside = |variable: &'a Value| {
            let target = targets.iter().find(|target| value(variable).is_some_and(|value| names(value, target.url)))?;
            Some((pod::name(variable), target))
        };
        let arguments = ["command", "args"].into_iter().flat_map(|field| pod::list(container, field));
        let mut arguments = arguments.filter_map(Value::as_str);
        Self {
            container: pod::name(container),
            has_unseen: !pod::list(container, "envFrom").is_empty() || variables().any(is_unseen),
            inside: variables().find_map(inside),
            argument: arguments.find_map(|argument| targets.iter().find(|target| names_or_is(argument, target.url))),
            proxy: proxy(container),
            example: targets.iter().find_map(|target| target.variable.as_deref()).unwrap_or("REEVE_SERVER_<NAME>_URL"),
        }
    }

    /// What to tell, each thing in a sentence.
    pub(super) fn sentences(&self) -> Vec<String> {
        let Self { container, example, .. } = self;
        let remedy = |target: &Target<'_>| target.variable.clone().unwrap_or_else(|| "REEVE_SERVER_<NAME>_URL".into());
        let mut sentences = Vec::new();
        if self.has_unseen {
            sentences.push(format!(
                "container {container}: values from ConfigMaps and Secrets are not seen: if one is a server's URL, use {example} instead"
            ));
        }
        if let Some((variable, target)) = self.inside {
            sentences.push(format!(
                "container {container}: {variable} holds the URL of {} among other things and is not rewritten: use $({}) in it",
                target.name,
                remedy(target)
            ));
        }
        if let Some(target) = self.argument {
            sentences.push(format!(
                "container {container}: an argument holds the URL of {} and is not rewritten: use $({}) in it",
                target.name,
                remedy(target)
            ));
        }
        if let Some(proxy) = self.proxy {
            sentences.push(format!(
                "container {container}: {proxy} is set and NO_PROXY does not name 127.0.0.1, so calls may go to the proxy instead of the sidecar"
            ));
        }
        sentences
    }
}

fn is_unseen(variable: &Value) -> bool {
    ["/valueFrom/configMapKeyRef", "/valueFrom/secretKeyRef"].iter().any(|source| pod::at(variable, source).is_some())
}

/// Whether a text holds a URL among other things.
fn names(text: &str, url: &str) -> bool {
    let url = url.trim_end_matches('/');
    text.trim().trim_end_matches('/') != url && names_or_is(text, url)
}

/// Whether a text holds a URL, and not only the beginning of a longer one.
fn names_or_is(text: &str, url: &str) -> bool {
    let url = url.trim_end_matches('/');
    let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c));
    text.match_indices(url).any(|(at, _)| !goes_on(&text[at + url.len()..]))
}

/// The variable that names a proxy for calls to `http://127.0.0.1`, unless another excepts that address.
fn proxy(container: &Value) -> Option<&'static str> {
    let has = |name: &str| pod::list(container, "env").iter().find(|variable| pod::name(variable) == name);
    let proxy = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].into_iter().find(|name| has(name).is_some())?;
    let is_excepted = ["NO_PROXY", "no_proxy"].into_iter().filter_map(has).any(|variable| {
        let value = pod::text(variable, "/value");
        value.is_none_or(|value| value.split(',').any(|host| ["127.0.0.1", "127.0.0.0/8", "*"].contains(&host.trim())))
    });
    (!is_excepted).then_some(proxy)
}
