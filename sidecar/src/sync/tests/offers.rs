//! Configurations as an operator would make them.

use reeve_crds::v1alpha1::{McpServerSpec, ServerTimeouts};
use reeve_wire::document::{Document, Mounts, PolicyEntry, Server};
use reeve_wire::message::{Configuration, Identity};
use reeve_wire::{Origin, World};
use serde_json::{Value, json};

/// The spec of a policy under which every call passes.
pub(crate) const ALLOW_ALL: &str =
    r#"{"serverRefs": [{"name": "*"}], "rules": [{"name": "all", "tools": ["*"], "action": "Allow"}]}"#;

/// The spec of a policy under which no call passes.
pub(crate) const NOTHING: &str = r#"{"serverRefs": [{"name": "*"}]}"#;

/// A configuration in the making: a server `aws` that does not listen, and the policies that govern it.
#[derive(Clone)]
pub(crate) struct Offer {
    servers: Vec<Server>,
    policies: Vec<PolicyEntry>,
    world: World,
}

impl Offer {
    pub(crate) fn new() -> Self {
        Self { servers: Vec::new(), policies: Vec::new(), world: World::default() }.server("aws", &json!({}))
    }

    /// Adds a server, or replaces the one of this name. `spec` adds to the URL.
    pub(crate) fn server(mut self, name: &str, spec: &Value) -> Self {
        let mut whole = json!({"url": "http://127.0.0.1:9/mcp"});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let spec: McpServerSpec = serde_json::from_value(whole).unwrap();
        let tls = spec.tls.as_ref();
        let server = Server {
            name: name.into(),
            uid: format!("uid-of-{name}").as_str().into(),
            generation: 1,
            url: spec.url.clone(),
            policies: Vec::new(),
            mounts: Mounts::of(&spec),
            ca_bundle: tls.is_some_and(|tls| tls.ca_bundle.is_some()),
            client_certificate: tls.is_some_and(|tls| tls.client_certificate.is_some()),
            credentials: spec.credentials.as_ref().map(|credentials| reeve_wire::document::Header {
                header: credentials.header.clone().unwrap_or_else(|| "Authorization".into()),
                prefix: credentials.prefix.clone().unwrap_or_default(),
            }),
            timeouts: ServerTimeouts::default(),
        };
        self.servers.retain(|other| other.name != name);
        self.servers.push(server);
        self
    }

    /// Adds an McpPolicy that governs every server.
    pub(crate) fn policy(self, name: &str, generation: i64, spec: &str) -> Self {
        let spec: Value = serde_json::from_str(spec).unwrap();
        let metadata =
            json!({"name": name, "namespace": "clinic", "uid": format!("uid-of-{name}"), "generation": generation});
        self.object(generation, json!({"kind": "McpPolicy", "metadata": metadata, "spec": spec}))
    }

    /// Adds a ClusterMcpPolicy that governs every server.
    pub(crate) fn boundary(self, name: &str, generation: i64, spec: &Value) -> Self {
        let metadata = json!({"name": name, "uid": format!("uid-of-{name}"), "generation": generation});
        self.object(generation, json!({"kind": "ClusterMcpPolicy", "metadata": metadata, "spec": spec}))
    }

    fn object(mut self, generation: i64, mut object: Value) -> Self {
        object["apiVersion"] = json!("reeve.dev/v1alpha1");
        let uid = object["metadata"]["uid"].as_str().unwrap().into();
        let object = serde_json::value::to_raw_value(&object).unwrap();
        self.policies.push(PolicyEntry { uid, generation, object });
        self
    }

    /// What its maker had seen.
    pub(crate) fn seen(mut self, world: World) -> Self {
        self.world = world;
        self
    }

    fn document(&self) -> Document {
        let mut document = Document { servers: self.servers.clone(), policies: self.policies.clone() };
        for server in &mut document.servers {
            server.policies = (0..u32::try_from(document.policies.len()).unwrap()).collect();
        }
        document
    }

    pub(crate) fn origin(&self) -> Origin {
        self.document().origin(self.document().encode().unwrap().hash, self.world)
    }

    pub(crate) fn configuration(&self) -> Configuration {
        let encoded = self.document().encode().unwrap();
        let document = serde_json::from_slice(&encoded.bytes).unwrap();
        Configuration { identity: identity(), hash: encoded.hash, world: self.world, document: Some(document) }
    }

    /// The word for what a server of this offer names of Secrets and ConfigMaps.
    pub(crate) fn mounts(&self, server: &str) -> String {
        self.servers.iter().find(|other| other.name == server).unwrap().mounts.as_str().to_owned()
    }
}

fn identity() -> Identity {
    Identity {
        namespace: "clinic".into(),
        service_account: "agent".into(),
        pod: "agent-0".into(),
        uid: "uid-of-the-pod".into(),
        labels: [("app".to_owned(), "imaging".to_owned())].into(),
    }
}
