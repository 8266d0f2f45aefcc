//! What the operator is told when it is started: flags, each with an environment variable of the same name.
//!
//! One parser for both. Everything is a value afterwards, so that what is made of it can be tested without a process.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use reeve_policy::time::parse_duration;
use reeve_process::logging;

use crate::tls::Lifetimes;
use crate::webhook::inject;

/// The settings of one replica.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// How much is logged.
    #[arg(long, env = "REEVE_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: logging::Level,
    /// How the log looks.
    #[arg(long, env = "REEVE_LOG_FORMAT", value_name = "FORMAT", default_value = "json")]
    pub log_format: logging::Format,
    #[command(flatten)]
    /// Who this replica is.
    pub replica: ReplicaSettings,
    #[command(flatten)]
    /// Where it listens, and how it ends.
    pub serving: ServingSettings,
    #[command(flatten)]
    /// How it is known.
    pub tls: TlsSettings,
    #[command(flatten)]
    /// What it puts into pods.
    pub sidecar: SidecarSettings,
    #[command(flatten)]
    /// What it gives to sidecars.
    pub delivery: DeliverySettings,
}

/// Who this replica is.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Replica")]
pub struct ReplicaSettings {
    /// The namespace that the operator is installed in.
    #[arg(long, env = "REEVE_NAMESPACE", value_name = "NAME", default_value = "reeve-system")]
    pub namespace: String,
    /// The name of this replica's pod.
    #[arg(long, env = "REEVE_POD_NAME", value_name = "NAME")]
    pub pod_name: String,
    /// The address of this replica's pod, at which other replicas find it.
    #[arg(long, env = "REEVE_POD_IP", value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub pod_ip: IpAddr,
    /// The ServiceAccount that the operator runs as: who shows its token is another replica.
    #[arg(long, env = "REEVE_SERVICE_ACCOUNT", value_name = "NAME", default_value = "reeve-operator")]
    pub service_account: String,
    /// The Deployment of the operator: owns the Lease. Empty: nothing does.
    #[arg(long, env = "REEVE_DEPLOYMENT", value_name = "NAME", default_value = "")]
    pub deployment: String,
    /// The Lease that says which replica leads.
    #[arg(long, env = "REEVE_LEASE", value_name = "NAME", default_value = "reeve-operator")]
    pub lease: String,
}

/// Where the operator listens, and how it ends.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Serving")]
pub struct ServingSettings {
    /// Where webhooks and sidecars are served, with TLS.
    #[arg(long, env = "REEVE_LISTEN", value_name = "ADDRESS", default_value = "[::]:9443")]
    pub listen: SocketAddr,
    /// Where probes and metrics are served, without.
    #[arg(long, env = "REEVE_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "[::]:9090")]
    pub admin_listen: SocketAddr,
    /// The most connections at once, of sidecars and the API server.
    #[arg(long, env = "REEVE_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = 20_000)]
    pub max_connections: u32,
    /// After SIGTERM, how long everything goes on as before, until the whole cluster has heard that this replica goes. The port of
    /// webhooks closes later still: once nobody has come for two seconds.
    #[arg(long, env = "REEVE_LEAVE_DELAY", value_name = "DURATION", default_value = "6s", value_parser = parse_duration)]
    pub leave_delay: Duration,
    /// After that, how long requests in flight may take, and over how long sidecars are asked to go to another replica.
    #[arg(long, env = "REEVE_GRACE_PERIOD", value_name = "DURATION", default_value = "20s", value_parser = parse_duration)]
    pub grace_period: Duration,
}

/// How the operator is known to the API server and to sidecars.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsSettings {
    /// The Service through which the API server and sidecars reach the operator.
    #[arg(long, env = "REEVE_SERVICE", value_name = "NAME", default_value = "reeve-operator")]
    pub service: String,
    /// Another name or address by which the operator is reached; may be given several times, or separated by commas.
    #[arg(long, env = "REEVE_TLS_NAME", value_name = "NAME", value_delimiter = ',')]
    pub tls_name: Vec<String>,
    /// The Secret of the operator's own authority.
    #[arg(long, env = "REEVE_CA_SECRET", value_name = "NAME", default_value = "reeve-operator-ca")]
    pub ca_secret: String,
    /// How long the operator's own authority is valid. Another is prepared after two thirds of it, and signs after three quarters.
    #[arg(long, env = "REEVE_CA_LIFETIME", value_name = "DURATION", default_value = "365d", value_parser = parse_duration)]
    pub ca_lifetime: Duration,
    /// How long a replica's certificate is valid. Another is made after two thirds of it.
    #[arg(
        long,
        env = "REEVE_CERTIFICATE_LIFETIME",
        value_name = "DURATION",
        default_value = "7d",
        value_parser = parse_duration
    )]
    pub certificate_lifetime: Duration,
    /// A folder with tls.crt, tls.key and ca.crt that someone else keeps, as cert-manager does: no authority of the operator's own is
    /// made.
    #[arg(long, env = "REEVE_CERTIFICATE_FOLDER", value_name = "FOLDER")]
    pub certificate_folder: Option<PathBuf>,
    /// The MutatingWebhookConfiguration whose caBundle is kept. Empty: none.
    #[arg(long, env = "REEVE_MUTATING_WEBHOOK", value_name = "NAME", default_value = "")]
    pub mutating_webhook: String,
    /// The ValidatingWebhookConfiguration whose caBundle is kept. Empty: none.
    #[arg(long, env = "REEVE_VALIDATING_WEBHOOK", value_name = "NAME", default_value = "")]
    pub validating_webhook: String,
}

/// What the webhook puts into pods.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Sidecars")]
pub struct SidecarSettings {
    /// The sidecar's image, best with its digest.
    #[arg(long, env = "REEVE_SIDECAR_IMAGE", value_name = "IMAGE")]
    pub sidecar_image: String,
    /// When the image is pulled.
    #[arg(long, env = "REEVE_SIDECAR_PULL_POLICY", value_name = "POLICY", default_value = "IfNotPresent")]
    pub sidecar_pull_policy: PullPolicy,
    /// The processor time that is kept for a sidecar, where its pod does not say.
    #[arg(long, env = "REEVE_SIDECAR_CPU_REQUEST", value_name = "QUANTITY", default_value = "10m")]
    pub sidecar_cpu_request: String,
    /// The most processor time. Empty: whatever is free.
    #[arg(long, env = "REEVE_SIDECAR_CPU_LIMIT", value_name = "QUANTITY", default_value = "")]
    pub sidecar_cpu_limit: String,
    /// The memory that is kept for a sidecar.
    #[arg(long, env = "REEVE_SIDECAR_MEMORY_REQUEST", value_name = "QUANTITY", default_value = "32Mi")]
    pub sidecar_memory_request: String,
    /// The most memory.
    #[arg(long, env = "REEVE_SIDECAR_MEMORY_LIMIT", value_name = "QUANTITY", default_value = "256Mi")]
    pub sidecar_memory_limit: String,
    /// How much a sidecar logs, where its pod does not say.
    #[arg(long, env = "REEVE_SIDECAR_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub sidecar_log_level: logging::Level,
    /// The sidecars' variables of OpenTelemetry, which say whether and where calls are traced: a JSON object of names and texts.
    #[arg(
        long,
        env = "REEVE_SIDECAR_OPEN_TELEMETRY",
        value_name = "JSON",
        default_value = "{}",
        value_parser = open_telemetry
    )]
    pub sidecar_open_telemetry: BTreeMap<String, String>,
    /// Who assigns users to containers.
    #[arg(long, env = "REEVE_PLATFORM", value_name = "PLATFORM", default_value = "kubernetes")]
    pub platform: Platform,
    /// Where sidecars find the operator. [default: the Service, by its name]
    #[arg(long, env = "REEVE_OPERATOR_URL", value_name = "URL")]
    pub operator_url: Option<String>,
}

/// What sidecars are given.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Delivery")]
pub struct DeliverySettings {
    /// To be raised after the cluster's state was restored from a backup, which sets the versions of all objects back: sidecars would
    /// refuse what is made from them.
    #[arg(long, env = "REEVE_EPOCH", value_name = "NUMBER", default_value_t = 0)]
    pub epoch: u64,
    /// How long a sidecar stays with one replica, so that load spreads anew.
    #[arg(long, env = "REEVE_STREAM_LIFE", value_name = "DURATION", default_value = "30m", value_parser = parse_duration)]
    pub stream_life: Duration,
    /// The file with this replica's own token, of the sidecars' audience: by which it reports to the leader.
    #[arg(long, env = "REEVE_TOKEN_FILE", value_name = "FILE", default_value = reeve_wire::pod::TOKEN_FILE)]
    pub token_file: PathBuf,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "Kubernetes' own words")]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

impl PullPolicy {
    /// Kubernetes' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// Who assigns users to containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// The pod: a sidecar has a user of its own.
    Kubernetes,
    /// The namespace.
    Openshift,
}

/// Reads variables of OpenTelemetry. No others: they would configure the sidecar beside the operator.
fn open_telemetry(text: &str) -> Result<BTreeMap<String, String>, String> {
    let example = r#"write one such as {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}"#;
    let variables: BTreeMap<String, String> =
        serde_json::from_str(text).map_err(|error| format!("no JSON object of texts: {error}; {example}"))?;
    match variables.keys().find(|name| !name.starts_with("OTEL_")) {
        Some(name) => Err(format!("{name:?} is no variable of OpenTelemetry, whose names begin with OTEL_: {example}")),
        None => Ok(variables),
    }
}

impl Settings {
    /// What no single flag's parser can see.
    ///
    /// # Errors
    /// A sentence that names the flags and what to do.
    pub fn check(&self) -> Result<(), String> {
        let Lifetimes { authority, certificate } = self.lifetimes();
        if certificate < Duration::from_secs(30) {
            return Err("--certificate-lifetime is less than 30s: no renewal is in time; give a longer one".into());
        }
        if authority < certificate * 4 {
            return Err("--ca-lifetime must be at least four times --certificate-lifetime, so that a renewed authority is known \
                        before it signs"
                .into());
        }
        if self.delivery.stream_life < Duration::from_secs(30) {
            return Err(
                "--stream-life is less than 30s: sidecars would do little else than connect; give a longer one".into(),
            );
        }
        if let Some((resource, why)) = self.injection().resources.fault() {
            return Err(format!("--sidecar-{resource} {why}"));
        }
        if let Some(url) = &self.sidecar.operator_url
            && !url.starts_with("https://")
        {
            return Err(format!("--operator-url: {url:?} must begin with https://"));
        }
        Ok(())
    }

    /// How long certificates are valid.
    pub fn lifetimes(&self) -> Lifetimes {
        Lifetimes { authority: self.tls.ca_lifetime, certificate: self.tls.certificate_lifetime }
    }

    /// The names and addresses by which this replica is found.
    pub fn names(&self) -> Vec<String> {
        let (service, namespace) = (&self.tls.service, &self.replica.namespace);
        let mut names = vec![
            self.service_name(),
            format!("{service}.{namespace}"),
            format!("{service}.{namespace}.svc.cluster.local"),
            service.clone(),
            self.replica.pod_ip.to_string(),
        ];
        names.extend(self.tls.tls_name.iter().filter(|name| !name.is_empty()).cloned());
        names
    }

    /// The name by which the operator is known to the API server, and one replica to another.
    pub fn service_name(&self) -> String {
        format!("{}.{}.svc", self.tls.service, self.replica.namespace)
    }

    /// Where sidecars find the operator.
    pub fn operator_url(&self) -> String {
        self.sidecar.operator_url.clone().unwrap_or_else(|| format!("https://{}", self.service_name()))
    }

    /// What the webhook puts into pods.
    pub fn injection(&self) -> inject::Settings {
        let SidecarSettings { platform, sidecar_cpu_limit, .. } = &self.sidecar;
        inject::Settings {
            image: self.sidecar.sidecar_image.clone(),
            pull_policy: self.sidecar.sidecar_pull_policy.as_str().to_owned(),
            operator: self.operator_url(),
            resources: inject::Resources {
                cpu_request: self.sidecar.sidecar_cpu_request.clone(),
                cpu_limit: (!sidecar_cpu_limit.is_empty()).then(|| sidecar_cpu_limit.clone()),
                memory_request: self.sidecar.sidecar_memory_request.clone(),
                memory_limit: self.sidecar.sidecar_memory_limit.clone(),
            },
            log_level: self.sidecar.sidecar_log_level.as_str().to_owned(),
            platform: match platform {
                Platform::Kubernetes => inject::Platform::Kubernetes,
                Platform::Openshift => inject::Platform::OpenShift,
            },
            open_telemetry: self.sidecar.sidecar_open_telemetry.clone(),
        }
    }

    /// Where other replicas find this one.
    pub fn address(&self, port: u16) -> String {
        SocketAddr::new(self.replica.pod_ip, port).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(flags: &[&str]) -> Settings {
        let needed = ["reeve-operator", "--pod-name", "reeve-0", "--sidecar-image", "reeve@sha256:0"];
        Program::parse_from(needed.iter().chain(flags)).settings
    }

    #[test]
    fn a_replica_is_found_by_its_service_and_its_address() {
        let settings = parse(&["--namespace", "r", "--pod-ip", "fd00::7", "--tls-name", "a,b"]);
        assert_eq!(settings.check(), Ok(()));
        let expected = [
            "reeve-operator.r.svc",
            "reeve-operator.r",
            "reeve-operator.r.svc.cluster.local",
            "reeve-operator",
            "fd00::7",
            "a",
            "b",
        ];
        assert_eq!(settings.names(), expected);
        assert_eq!(
            (settings.operator_url(), settings.address(9443)),
            ("https://reeve-operator.r.svc".into(), "[fd00::7]:9443".into())
        );
    }

    #[test]
    fn only_variables_of_open_telemetry_are_handed_on() {
        let given =
            parse(&["--sidecar-open-telemetry", r#"{"OTEL_SERVICE_NAME": "agents"}"#]).injection().open_telemetry;
        assert_eq!(given, BTreeMap::from([("OTEL_SERVICE_NAME".to_owned(), "agents".to_owned())]));
        assert!(parse(&[]).injection().open_telemetry.is_empty());
        for (text, word) in [
            (r#"{"REEVE_OPERATOR": "https://x"}"#, "REEVE_OPERATOR"),
            (r#"{"OTEL_X": 1}"#, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ] {
            assert!(open_telemetry(text).unwrap_err().contains(word), "{text}");
        }
    }

    #[test]
    fn settings_at_odds_are_refused_in_a_sentence_that_names_them() {
        for (flags, words) in [
            (["--ca-lifetime", "8d"], "--ca-lifetime must be at least four times"),
            (["--certificate-lifetime", "5s"], "--certificate-lifetime is less than 30s"),
            (["--sidecar-memory-limit", "16Mi"], "--sidecar-memory-limit "),
            (["--stream-life", "1s"], "--stream-life is less than 30s"),
            (["--operator-url", "http://x"], "--operator-url: \"http://x\" must begin with https://"),
        ] {
            let error = parse(&flags).check().unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
