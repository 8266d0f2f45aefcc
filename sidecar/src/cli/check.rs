//! `reeve-sidecar check FILE…`: every mistake at once, each where editors and terminals find it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use reeve_policy::catalogue::Catalogue;
use reeve_policy::compile::Severity;
use reeve_policy::load::{self, Diagnostic};

use super::{Exit, files, output};
use crate::config::source::{self, Inputs, Origin};
use crate::upstream::Environment;

/// What `check` is told.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Policy files: McpPolicy and ClusterMcpPolicy manifests, or the JSON policy format and its YAML form; - is standard
    /// input.
    #[arg(value_name = "FILE", required_unless_present = "config")]
    files: Vec<PathBuf>,
    /// A configuration of the sidecar, with the policy files that it names.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The server's tools, a tools/list result, to check names and arguments against.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

pub(super) fn run(arguments: &CheckArgs) -> Exit {
    let catalogue = match arguments.catalogue.as_deref().map(files::catalogue).transpose() {
        Ok(catalogue) => catalogue,
        Err(error) => {
            output::error(error);
            return Exit::Usage;
        }
    };
    let mut diagnostics = Vec::new();
    for path in &arguments.files {
        match files::read(path) {
            Ok(bytes) => diagnostics.extend(load::check(&files::name(path), &bytes, catalogue.as_ref())),
            Err(error) => diagnostics.push(files::mistake(path, error)),
        }
    }
    diagnostics.extend(arguments.config.iter().flat_map(|path| check_configuration(path)));
    report(&diagnostics);
    let checked = arguments.files.len() + usize::from(arguments.config.is_some());
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let files = counted(checked, "file");
    output::remark(match (errors, diagnostics.len() - errors) {
        (0, 0) => format!("{files}: no mistakes"),
        (errors, warnings) => format!("{files}: {}, {}", counted(errors, "error"), counted(warnings, "warning")),
    });
    if errors == 0 { Exit::Success } else { Exit::Failure }
}

fn check_configuration(path: &Path) -> Vec<Diagnostic> {
    let inputs = Inputs { origin: Origin::File(path.to_owned()), grant: None, audit: None, audit_on_full: None };
    match source::load(&inputs, &Environment::from_process()) {
        Ok(loaded) => loaded.warnings,
        Err(rejected) => rejected.diagnostics,
    }
}

/// Reads policy files for a command that needs them whole, or prints every mistake in them.
pub(super) fn load_all(paths: &[PathBuf], catalogue: Option<&Catalogue>) -> Option<Vec<reeve_crds::v1alpha1::Policy>> {
    let (mut policies, mut mistakes) = (Vec::new(), Vec::new());
    for path in paths {
        match files::read(path) {
            Ok(bytes) => {
                let name = files::name(path);
                let found = load::check(&name, &bytes, catalogue);
                mistakes.extend(found.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error));
                if let Ok(loaded) = load::policies(&name, &bytes) {
                    policies.extend(loaded.into_iter().map(|loaded| loaded.value));
                }
            }
            Err(error) => mistakes.push(files::mistake(path, error)),
        }
    }
    if mistakes.is_empty() {
        return Some(policies);
    }
    mistakes.iter().for_each(|mistake| output::remark(sentence(mistake)));
    None
}

/// Prints what was found.
pub(super) fn report(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        output::line(sentence(diagnostic));
    }
}

/// `policy.yaml:12:9: error: /spec/rules/0/tols: unknown field …`.
pub(super) fn sentence(diagnostic: &Diagnostic) -> String {
    let Diagnostic { file, line, column, pointer, message, severity } = diagnostic;
    let mut text = file.clone();
    if *line > 0 {
        let _ = write!(text, ":{line}:{column}");
    }
    text.push_str(match severity {
        Severity::Error => ": error: ",
        Severity::Warning => ": warning: ",
    });
    if !pointer.is_empty() {
        let _ = write!(text, "{pointer}: ");
    }
    text + message
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
