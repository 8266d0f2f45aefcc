//! Follows the files of a configuration: a good edit is put into force, a bad one leaves the last good configuration there.

use std::sync::Arc;
use std::time::Duration;

use reeve_policy::compile::Severity;
use reeve_policy::load::Diagnostic;
use serde::Serialize;
use serde_json::Value;

use super::aside::{aside, give_up};
use super::{Enforcer, Live, Prepared};
use crate::config::source::{Inputs, Loaded, Rejected, load};
use crate::config::watch::Watcher;
use crate::config::{Audit, Files, Listener, Server, SidecarConfig};
use crate::upstream::Environment;

/// The watcher still sees the change that could not be read: this keeps it from being tried again at once, for ever.
const AFTER_A_PANIC: Duration = Duration::from_secs(10);

/// What a reload works with.
#[derive(Debug)]
pub struct Reloader {
    /// What puts configurations into force.
    pub enforcer: Enforcer,
    /// Where configurations come from.
    pub inputs: Inputs,
    /// What is read at start only.
    pub fixed: Fixed,
    /// The process's proxies and certificate authorities.
    pub environment: Arc<Environment>,
}

/// The settings that are read at start only.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    /// Where and how agents connect.
    pub listener: Listener,
    /// What is recorded of decisions.
    pub audit: Audit,
}

impl Fixed {
    /// Those of the configuration that the sidecar starts with.
    pub fn of(config: &SidecarConfig) -> Self {
        Self { listener: config.listener.clone(), audit: config.audit.clone() }
    }

    /// Puts them into a later configuration, which so says what is in force. Gives the names of those that were others.
    fn hold(&self, config: &mut SidecarConfig) -> Vec<String> {
        let listener = std::mem::replace(&mut config.listener, self.listener.clone());
        let audit = std::mem::replace(&mut config.audit, self.audit.clone());
        let mut changed = differing("listener", &self.listener, &listener);
        changed.extend(differing("audit", &self.audit, &audit));
        changed
    }
}

/// The names of the fields in which two values of a section differ.
fn differing<T: Serialize>(section: &str, before: &T, after: &T) -> Vec<String> {
    let fields = |value: &T| match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let changed = after.iter().filter(|(field, value)| before.get(*field) != Some(*value));
    changed.map(|(field, _)| format!("{section}.{field}")).collect()
}

impl Reloader {
    /// Puts a configuration into force; gives the one before.
    pub fn enforce(&self, loaded: &Loaded) -> Option<Arc<Live>> {
        report(&loaded.warnings);
        self.enforcer.metrics.configuration_connected(true);
        self.enforcer.enforce(&Prepared::from(loaded))
    }

    /// Tells what the tools that were seen say of the policies. It takes as long as compiling these: they are in force before.
    fn hint(&self, loaded: &Loaded) {
        let Some(live) = self.enforcer.current.load() else { return };
        let tools = |server: &Server| live.of(&server.name).map(|route| route.tools.load_full());
        report(&loaded.hints(|server| tools(server).filter(|tools| tools.tools().next().is_some())));
    }

    /// Follows the files for ever. Reading and compiling happen aside, so that calls are served meanwhile. `loaded`: what is in
    /// force.
    pub async fn follow(self, loaded: Loaded) {
        let mut watcher = Watcher::new(loaded.files.clone());
        let this = Arc::new(self);
        let work = Arc::clone(&this);
        aside(move || work.hint(&loaded)).await;
        loop {
            watcher.changed().await;
            let work = Arc::clone(&this);
            match aside(move || work.reload()).await {
                Some((files, replaced)) => {
                    watcher.watch(files);
                    tokio::spawn(give_up(replaced));
                }
                None => {
                    tracing::error!("reading the configuration failed; the last good one stays in force");
                    tokio::time::sleep(AFTER_A_PANIC).await;
                }
            }
        }
    }

    /// Gives what was read, and the configuration that is no longer in force.
    fn reload(&self) -> (Files, Option<Arc<Live>>) {
        match load(&self.inputs, &self.environment) {
            Ok(mut loaded) => {
                for setting in self.fixed.hold(&mut loaded.config) {
                    tracing::warn!("{setting} has changed, and is read at start only: restart the sidecar to have it");
                }
                let replaced = self.enforce(&loaded);
                self.hint(&loaded);
                (loaded.files, replaced)
            }
            Err(Rejected { diagnostics, files }) => {
                report(&diagnostics);
                self.enforcer.metrics.configuration_connected(files.could_be_read());
                self.enforcer.metrics.configuration_refused();
                let mistakes = diagnostics.iter().filter(|told| told.severity == Severity::Error).count();
                tracing::error!(mistakes, "the new configuration has mistakes: the last good one stays in force");
                (files, None)
            }
        }
    }
}

fn report(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        match diagnostic.severity {
            Severity::Error => tracing::error!("{diagnostic}"),
            Severity::Warning => tracing::warn!("{diagnostic}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_at_start_only_stays_and_is_named_if_it_changes() {
        let fixed = Fixed::of(&SidecarConfig::default());
        let mut changed = SidecarConfig::default();
        assert_eq!(fixed.hold(&mut changed), Vec::<String>::new());
        changed.listener.max_body_bytes = 1;
        changed.listener.allowed_hosts = vec!["reeve.internal".into()];
        changed.audit.to = "off".into();
        changed.identity.service_account = "other".into();
        assert_eq!(fixed.hold(&mut changed), ["listener.allowedHosts", "listener.maxBodyBytes", "audit.to"]);
        assert_eq!((&changed.listener, &changed.audit), (&Listener::default(), &Audit::default()));
        assert_eq!(changed.identity.service_account, "other", "what can change does");
    }
}
