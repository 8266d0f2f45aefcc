//! A pod → the same pod with a sidecar, or why it gets none. No client, no clock: values in, values out.
//!
//! ```text
//! pod ──► eligible? ──no──► Skipped, with a reason
//!           │ yes
//!           ▼
//!         reserve: what the pod brought under our names is taken out
//!           ▼
//!         conflicts: what would let another container be the sidecar, or see into it ──► Refused, in a sentence
//!           ▼
//!         exposed: does the agent have a server's credential itself? ──► a warning
//!         resolver: does the pod ask other name servers than the cluster's? ──► a warning
//!           ▼
//!         overrides: annotations → what this pod's sidecar may use ──► Refused, in a sentence
//!           ▼
//!         route: variables with a server's URL → the sidecar's URL
//!           ▼
//!         sidecar, volumes, resources, marks ──► Injected
//! ```
//!
//! A pod that went through is left as it is when it comes again: the API server calls every webhook again after another one has
//! changed the pod. Whatever others put in between stays.

mod address;
mod conflicts;
mod eligible;
mod exposed;
#[cfg(test)]
mod laws;
mod marks;
mod overrides;
mod pod;
mod quantity;
mod reserve;
mod resolver;
mod resources;
mod route;
mod settings;
mod sidecar;
#[cfg(test)]
mod tests;
mod volumes;

use std::sync::Arc;

use reeve_crds::v1alpha1::McpServerSpec;
use reeve_wire::pod::Inject;
use serde_json::Value;

pub use self::settings::{Platform, Resources, Settings};
pub use self::sidecar::ADMIN_PORT_NAME;

/// What a pod is injected by, beside itself.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// What the namespace's label says of injection.
    pub namespace_label: Option<&'a str>,
    /// The servers of the namespace, by name.
    pub servers: &'a [Server],
    /// What is the same for all pods.
    pub settings: &'a Settings,
    /// The authorities, PEM, by which a sidecar knows the operator. Empty: the public ones.
    pub authorities: &'a str,
}

impl Context<'_> {
    /// Whether the namespace wants a sidecar in every pod, whatever the pod says.
    fn is_required(&self) -> bool {
        Inject::of_namespace(self.namespace_label) == Some(Inject::Required)
    }
}

/// A server that the pod's sidecar will be given.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name.
    pub name: Arc<str>,
    /// What it says.
    pub spec: Arc<McpServerSpec>,
}

/// What became of a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It has a sidecar.
    Injected(Injected),
    /// It is admitted without one.
    Skipped(Skipped),
    /// It is not admitted.
    Refused(Refused),
}

/// A pod with its sidecar.
#[derive(Clone, Debug, PartialEq)]
pub struct Injected {
    /// The pod.
    pub pod: Value,
    /// The servers whose URL was put in place of the agent's, by name.
    pub routed: Vec<String>,
    /// What whoever made the pod should know.
    pub warnings: Vec<String>,
}

/// Why a pod is admitted without a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The reason, one word.
    pub reason: SkipReason,
    /// The reason in a sentence.
    pub message: String,
}

/// Why a pod is not admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The reason, one word.
    pub reason: RefusalReason,
    /// What is wrong and what to do.
    pub message: String,
}

/// Why a pod is admitted without a sidecar, as metrics and Events say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// Neither the namespace nor the pod asks for one.
    NotSelected,
    /// The pod declines, and its namespace lets it.
    OptedOut,
    /// It uses the node's network: the sidecar's ports would be the node's, and shared by all such pods.
    HostNetwork,
    /// It runs on Windows.
    Windows,
    /// It mirrors a static pod, which runs already as the node's files say.
    MirrorPod,
}

impl SkipReason {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSelected => "NotSelected",
            Self::OptedOut => "OptedOut",
            Self::HostNetwork => "HostNetwork",
            Self::Windows => "Windows",
            Self::MirrorPod => "MirrorPod",
        }
    }
}

/// Why a pod is not admitted, as metrics say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// An annotation cannot be followed.
    InvalidAnnotation,
    /// A container runs as the sidecar's user.
    UserTaken,
    /// A container declares a port of the sidecar's.
    PortTaken,
    /// Another container could get a token that only the sidecar may have.
    TokenAudience,
    /// The pod shares more with the node, or among its containers, than its namespace permits.
    Isolation,
    /// Nothing but containers with reserved names.
    ReservedNames,
    /// Its namespace requires a sidecar, and none can run in it.
    Unsupported,
}

impl RefusalReason {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidAnnotation => "InvalidAnnotation",
            Self::UserTaken => "UserTaken",
            Self::PortTaken => "PortTaken",
            Self::TokenAudience => "TokenAudience",
            Self::Isolation => "Isolation",
            Self::ReservedNames => "ReservedNames",
            Self::Unsupported => "Unsupported",
        }
    }
}

/// Puts a sidecar into a pod that is about to be created.
pub fn inject(pod: &Value, context: &Context<'_>) -> Outcome {
    match try_inject(pod, context) {
        Ok(outcome) => outcome,
        Err(refused) => Outcome::Refused(refused),
    }
}

fn try_inject(pod: &Value, context: &Context<'_>) -> Result<Outcome, Refused> {
    if let Some(skipped) = eligible::check(pod, context)? {
        return Ok(Outcome::Skipped(skipped));
    }
    let mut pod = pod.clone();
    let mut warnings = reserve::take_back(&mut pod);
    warnings.extend(conflicts::check(&pod, context)?);
    warnings.extend(exposed::check(&pod, context));
    warnings.extend(resolver::check(&pod));
    let fit = overrides::fit(&pod, context.settings)?;
    let routed = route::route(&mut pod, context);
    warnings.extend(routed.warnings);
    volumes::add(&mut pod, context);
    sidecar::add(&mut pod, &fit, context);
    resources::make_room(&mut pod);
    marks::add(&mut pod, &routed.servers, context);
    Ok(Outcome::Injected(Injected { pod, routed: routed.servers, warnings }))
}
