//! What the schema cannot say of a configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::uri::PathAndQuery;
use reeve_crds::v1alpha1::Policy;
use reeve_policy::compile::{Problem, Severity};
use reeve_policy::time::parse_duration;
use url::Url;

use super::{Server, SidecarConfig};

/// Collects problems, each at its place in the document.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<Problem>);

impl Problems {
    fn error(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { pointer: pointer.into(), message: message.into(), severity: Severity::Error });
    }

    fn warning(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { pointer: pointer.into(), message: message.into(), severity: Severity::Warning });
    }

    /// The names of servers, and the paths at which agents find them.
    pub(super) fn servers(&mut self, servers: &[Server]) {
        let mut names = BTreeMap::new();
        let mut paths = BTreeMap::new();
        for (index, server) in servers.iter().enumerate() {
            let at = |field: &str| format!("/servers/{index}/{field}");
            if !is_name(&server.name) {
                let message = format!(
                    "{:?} cannot be a server's name: it has letters, digits, `-`, `_` and `.`, begins and ends with a letter \
                     or digit, and has at most 63 of them",
                    server.name
                );
                self.error(at("name"), message);
            } else if let Some(first) = names.insert(server.name.as_str(), index) {
                let message = format!("servers[{first}] is called {:?} too: give each its own name", server.name);
                self.error(at("name"), message);
            }
            let path = server.agent_path();
            if let Some(wrong) = server.path.as_deref().and_then(path_fault) {
                self.error(at("path"), format!("{path:?} {wrong}: write one such as /imaging"));
            } else if let Some(first) = paths.insert(path.clone(), index) {
                let field = if server.path.is_some() { "path" } else { "name" };
                let message = format!("agents already find servers[{first}] at {path}: give each its own path");
                self.error(at(field), message);
            }
        }
    }

    /// Which policies each server names, and whether every policy governs one.
    pub(super) fn policies(&mut self, servers: &[Server], policies: &[Arc<Policy>]) {
        if policies.is_empty() {
            self.warning("/policies", "there is no policy: every call will be refused (NoPolicy)");
        }
        for (index, server) in servers.iter().enumerate() {
            let Some(named) = &server.policies else { continue };
            if named.is_empty() {
                let message =
                    "no policy governs this server, so every call will be refused: leave `policies` out for all";
                self.warning(format!("/servers/{index}/policies"), message);
            }
            for (position, name) in named.iter().enumerate() {
                let found = called(policies, name);
                let pointer = format!("/servers/{index}/policies/{position}");
                match found.as_slice() {
                    [_] => {}
                    [] => self.error(pointer, format!("no policy is called {name:?}: {}", choices(policies.iter()))),
                    several => {
                        let message =
                            format!("{name:?} is the name of several policies: {}", choices(several.iter().copied()));
                        self.error(pointer, message);
                    }
                }
            }
        }
    }

    /// The listener, the audit log and the identity.
    pub(super) fn rest(&mut self, config: &SidecarConfig) {
        let listener = &config.listener;
        for (field, text) in [("headerTimeout", &listener.header_timeout), ("bodyTimeout", &listener.body_timeout)] {
            match parse_duration(text) {
                Ok(duration) if duration.is_zero() => {
                    self.error(format!("/listener/{field}"), format!("{text:?} is no time at all: write 1s or more"));
                }
                Ok(_) => {}
                Err(message) => self.error(format!("/listener/{field}"), message),
            }
        }
        if let Some(total) = listener.max_total_body_bytes.filter(|total| *total < listener.max_body_bytes) {
            let message = format!(
                "all bodies together may have {total} bytes, and one alone {} (maxBodyBytes): it would never be taken",
                listener.max_body_bytes
            );
            self.error("/listener/maxTotalBodyBytes", message);
        }
        for (index, host) in listener.allowed_hosts.iter().enumerate() {
            if !is_host(host) {
                let message = format!("{host:?} is not a host: write one such as imaging.local or imaging.local:14001");
                self.error(format!("/listener/allowedHosts/{index}"), message);
            }
        }
        for (index, origin) in listener.allowed_origins.iter().enumerate() {
            if !is_origin(origin) {
                let message = format!("{origin:?} is not a web origin: write one such as https://console.example");
                self.error(format!("/listener/allowedOrigins/{index}"), message);
            }
        }
        if let Some(message) = audit_fault(&config.audit.to) {
            self.error("/audit/to", message);
        }
        let identity = &config.identity;
        for (field, text) in [("namespace", &identity.namespace), ("serviceAccount", &identity.service_account)] {
            if !is_name(text) {
                let message = format!("{text:?} cannot be a name: it has letters, digits, `-`, `_` and `.`");
                self.error(format!("/identity/{field}"), message);
            }
        }
    }
}

/// Why the audit log cannot be meant to go there.
pub(crate) fn audit_fault(to: &str) -> Option<String> {
    if to.is_empty() {
        return Some("the audit log goes nowhere: write stdout, off or the path of a file".into());
    }
    let word = ["stdout", "off"].into_iter().find(|word| to.eq_ignore_ascii_case(word) && to != *word)?;
    Some(format!("{to:?} would be a file: write {word}, or ./{to} if the file is meant"))
}

/// The policies that a name stands for: the one with this key, else those with this name in any namespace.
pub(super) fn called<'p>(policies: &'p [Arc<Policy>], name: &str) -> Vec<&'p Arc<Policy>> {
    match policies.iter().find(|policy| policy.key() == name) {
        Some(policy) => vec![policy],
        None => policies.iter().filter(|policy| policy.metadata().name == name).collect(),
    }
}

/// The keys of policies, as far as they fit a message.
fn choices<'p>(policies: impl Iterator<Item = &'p Arc<Policy>>) -> String {
    const SHOWN: usize = 8;
    let keys: Vec<_> = policies.map(|policy| policy.key()).collect();
    let more = keys.len().saturating_sub(SHOWN);
    let shown = keys.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match (keys.is_empty(), more) {
        (true, _) => "there is none".into(),
        (false, 0) => format!("write one of {shown}"),
        (false, more) => format!("write one of {shown} and {more} more"),
    }
}

/// A word that is safe in metrics, paths and rule pointers.
pub(super) fn is_name(text: &str) -> bool {
    let ends = |character: Option<char>| character.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Why a text is not a path at which agents could find a server.
fn path_fault(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        Some("does not begin with /")
    } else if path.contains(['?', '#']) {
        Some("has a query or fragment")
    } else if path.split('/').any(|segment| segment == "." || segment == "..") {
        Some("has a segment . or .., which clients resolve")
    } else if path.parse::<PathAndQuery>().is_err() {
        Some("holds characters that no path may hold")
    } else {
        None
    }
}

fn is_host(text: &str) -> bool {
    let bare = !text.contains(['/', '@', '*']) && !text.is_empty();
    bare && Url::parse(&format!("http://{text}/")).is_ok_and(|url| url.has_host())
}

fn is_origin(text: &str) -> bool {
    let web = text.starts_with("http://") || text.starts_with("https://");
    web && !text.ends_with('/')
        && !text.contains('*')
        && Url::parse(text).is_ok_and(|url| {
            url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
        })
}
