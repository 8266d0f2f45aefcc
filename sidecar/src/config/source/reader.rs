//! Reads the documents of a configuration, and collects what is wrong with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reeve_crds::v1alpha1::Policy;
use reeve_policy::compile::{self, Problem, Severity};
use reeve_policy::load::{self, Diagnostic, Loaded as Located, Positions};

use super::{FLAG_SERVER, Inputs, Loaded, Origin, Place, Rejected};
use crate::config::check::{self, Problems};
use crate::config::{Files, Server, SidecarConfig, unreadable};
use crate::upstream::{Environment, Target, Upstream};

/// What has been read so far.
#[derive(Default)]
pub(super) struct Reader {
    files: Files,
    /// The names of the files, in the order in which they were read.
    order: Vec<String>,
    policies: Vec<ReadPolicy>,
    /// Whether a policy file could not be read, so that there may be more policies than are known.
    may_be_more: bool,
    /// Where the parts of the document stand; unset if flags take its place.
    positions: Option<Positions>,
    diagnostics: Vec<Diagnostic>,
}

struct ReadPolicy {
    policy: Arc<Policy>,
    place: Place,
    file: String,
}

impl Reader {
    /// Reads everything; see [`super::load`].
    pub(super) fn load(mut self, inputs: &Inputs, environment: &Environment) -> Result<Loaded, Rejected> {
        let read = match &inputs.origin {
            Origin::Flags { policies, upstream } => Some(self.flags(policies, upstream)),
            Origin::File(path) => self.document(path),
        };
        let Some(mut config) = read else {
            return Err(self.rejected());
        };
        self.apply(inputs, &mut config);
        for server in &mut config.servers {
            server.path = Some(server.agent_path());
        }
        let upstreams = self.upstreams(&config.servers, environment);
        let policies: Vec<_> = self.policies.iter().map(|read| Arc::clone(&read.policy)).collect();
        if !(policies.is_empty() && self.may_be_more) {
            self.report(|problems| problems.policies(&config.servers, &policies));
        }
        self.check_policies();
        if self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            return Err(self.rejected());
        }
        let places = self.policies.iter().map(|read| read.place.clone()).collect();
        Ok(Loaded { config, policies, upstreams, warnings: self.in_order(), files: self.files, places })
    }

    fn flags(&mut self, policies: &[PathBuf], upstream: &str) -> SidecarConfig {
        for path in policies {
            if let Err(message) = self.policy_file(path) {
                self.unplaced(&path.display().to_string(), message, Severity::Error);
            }
        }
        let mut server = Server::new(FLAG_SERVER, upstream);
        // What is wrong with the URL is told with everything else that is wrong with the server.
        server.path = Target::parse(upstream).ok().map(|target| target.path().to_owned());
        SidecarConfig { servers: vec![server], ..SidecarConfig::default() }
    }

    fn document(&mut self, path: &Path) -> Option<SidecarConfig> {
        let file = path.display().to_string();
        let bytes = match self.read(path) {
            Ok(bytes) => bytes,
            Err(message) => {
                self.unplaced(&file, message, Severity::Error);
                return None;
            }
        };
        let Located { value: mut config, positions, warnings } =
            self.keep(load::document::<SidecarConfig>(&file, &bytes))?;
        self.diagnostics.extend(warnings);
        for (index, policy) in config.policies.iter().enumerate() {
            let place = Place { positions: positions.clone(), base: format!("/policies/{index}") };
            self.policies.push(ReadPolicy { policy: Arc::new(policy.clone()), place, file: file.clone() });
        }
        self.positions = Some(positions);
        self.report(|problems| {
            problems.servers(&config.servers);
            problems.rest(&config);
        });
        resolve_paths(&mut config, path.parent().unwrap_or(Path::new("")));
        for (index, file) in config.policy_files.iter().enumerate() {
            if let Err(message) = self.policy_file(Path::new(file)) {
                self.at(&format!("/policyFiles/{index}"), "--config", format!("{file}: {message}"), Severity::Error);
            }
        }
        Some(config)
    }

    fn policy_file(&mut self, path: &Path) -> Result<(), String> {
        let bytes = self.read(path).inspect_err(|_| self.may_be_more = true)?;
        let file = path.display().to_string();
        let Ok(policies) = load::policies(&file, &bytes) else {
            self.may_be_more = true;
            // Beside what makes it unreadable, whatever is wrong in the rest of it.
            self.diagnostics.extend(load::check(&file, &bytes, None));
            return Ok(());
        };
        for Located { value, positions, warnings } in policies {
            self.diagnostics.extend(warnings);
            let (policy, place) = (Arc::new(value), Place { positions, base: String::new() });
            self.policies.push(ReadPolicy { policy, place, file: file.clone() });
        }
        Ok(())
    }

    fn read(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        self.order.push(path.display().to_string());
        self.files.read(path).map_err(|error| unreadable(&error))
    }

    fn keep<T>(&mut self, result: Result<T, Vec<Diagnostic>>) -> Option<T> {
        result.map_err(|diagnostics| self.diagnostics.extend(diagnostics)).ok()
    }

    /// Applies the flags that go with either origin.
    fn apply(&mut self, inputs: &Inputs, config: &mut SidecarConfig) {
        if let Some(grant) = &inputs.grant {
            let (namespace, name) = grant.split_once('/').unwrap_or((&config.identity.namespace, grant));
            if check::is_name(namespace) && check::is_name(name) {
                config.identity.namespace = namespace.to_owned();
                config.identity.service_account = name.to_owned();
            } else {
                let message =
                    format!("{grant:?} cannot be a grant: write a name such as imaging-agent, or clinic/imaging-agent");
                self.unplaced("--grant", message, Severity::Error);
            }
        }
        if let Some(to) = &inputs.audit {
            if let Some(message) = check::audit_fault(to) {
                self.unplaced("--audit", message, Severity::Error);
            }
            config.audit.to.clone_from(to);
        }
        config.audit.on_full = inputs.audit_on_full.unwrap_or(config.audit.on_full);
    }

    fn upstreams(&mut self, servers: &[Server], environment: &Environment) -> Vec<Arc<Upstream>> {
        let mut upstreams = Vec::new();
        for (index, server) in servers.iter().enumerate() {
            for path in server.tls.iter().flat_map(|tls| [&tls.ca_bundle, &tls.client_certificate, &tls.client_key]) {
                // Remembered, so that a renewed certificate is noticed; whether it can be used is told next.
                let _ = path.as_ref().map(|path| self.files.read(Path::new(path)));
            }
            match Upstream::new(server, environment) {
                Ok(upstream) => upstreams.push(Arc::new(upstream)),
                Err(errors) => {
                    for error in errors {
                        self.at(
                            &format!("/servers/{index}{}", error.pointer),
                            "--upstream",
                            error.message,
                            Severity::Error,
                        );
                    }
                }
            }
            if let Some(credentials) = &server.credentials
                && let Err(error) = std::fs::metadata(&credentials.file)
            {
                let message = format!("{} cannot be read now, and calls fail until it can: {error}", credentials.file);
                self.at(&format!("/servers/{index}/credentials/file"), "--upstream", message, Severity::Warning);
            }
        }
        upstreams
    }

    /// What is wrong in each policy, and policies of one name.
    fn check_policies(&mut self) {
        let mut seen = BTreeMap::new();
        for read in &self.policies {
            let mut problems = compile::check(&read.policy, None);
            let key = (matches!(*read.policy, Policy::McpPolicy(_)), read.policy.key());
            match seen.get(&key) {
                None => drop(seen.insert(key, &read.file)),
                Some(first) => problems.push(Problem {
                    pointer: "/metadata/name".into(),
                    message: format!("a policy {} stands in {first} too: remove or rename one", key.1),
                    severity: Severity::Error,
                }),
            }
            self.diagnostics.extend(problems.into_iter().map(|problem| read.place.diagnose(problem)));
        }
    }

    fn report(&mut self, check: impl FnOnce(&mut Problems)) {
        let mut problems = Problems::default();
        check(&mut problems);
        for Problem { pointer, message, severity } in problems.0 {
            self.at(&pointer, "--policy", message, severity);
        }
    }

    /// Something at a place of the document, or of the flag that stands for it.
    fn at(&mut self, pointer: &str, flag: &str, message: String, severity: Severity) {
        match &self.positions {
            Some(positions) => self.diagnostics.push(positions.diagnose(pointer, message, severity)),
            None => self.unplaced(flag, message, severity),
        }
    }

    /// Something about a flag, or a file as a whole.
    fn unplaced(&mut self, file: &str, message: String, severity: Severity) {
        let (file, pointer) = (file.to_owned(), String::new());
        self.diagnostics.push(Diagnostic { file, line: 0, column: 0, pointer, message, severity });
    }

    /// The diagnostics, those of flags first, then file by file from top to bottom.
    fn in_order(&mut self) -> Vec<Diagnostic> {
        let mut diagnostics = std::mem::take(&mut self.diagnostics);
        let rank = |file: &str| self.order.iter().position(|read| read == file).map_or(0, |place| place + 1);
        diagnostics.sort_by_key(|diagnostic| (rank(&diagnostic.file), diagnostic.line, diagnostic.column));
        diagnostics
    }

    fn rejected(mut self) -> Rejected {
        Rejected { diagnostics: self.in_order(), files: self.files }
    }
}

/// Makes the paths of a document independent of the directory that the sidecar runs in.
fn resolve_paths(config: &mut SidecarConfig, directory: &Path) {
    let resolve = |path: &mut String| *path = directory.join(&*path).display().to_string();
    config.policy_files.iter_mut().for_each(resolve);
    for server in &mut config.servers {
        if let Some(tls) = &mut server.tls {
            let paths = [&mut tls.ca_bundle, &mut tls.client_certificate, &mut tls.client_key];
            paths.into_iter().flatten().for_each(resolve);
        }
        server.credentials.iter_mut().for_each(|credentials| resolve(&mut credentials.file));
    }
    if config.audit.is_file() {
        resolve(&mut config.audit.to);
    }
}
