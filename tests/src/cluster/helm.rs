//! Running `helm`, as people do who install Reeve.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::root;

/// The chart of this repository.
pub fn chart() -> PathBuf {
    root().join("charts/reeve")
}

/// Runs `helm`; gives its standard output.
///
/// # Errors
/// If it ends with another code than 0: what it wrote to standard error.
///
/// # Panics
/// If it cannot be started.
pub fn helm(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("helm").args(arguments).output().expect("helm is on the PATH");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Runs `helm`, which must succeed; gives its output.
///
/// # Panics
/// If it does not, with what it said.
pub fn told(arguments: &[&str]) -> String {
    helm(arguments).unwrap_or_else(|error| panic!("helm {}: {error}", arguments.join(" ")))
}

/// What a chart comes to with these flags.
///
/// # Errors
/// Why it comes to nothing.
pub fn rendered(flags: &[&str]) -> Result<String, String> {
    let chart = chart();
    helm(&[&["template", "reeve", path(&chart), "--namespace", super::installed::NAMESPACE], flags].concat())
}

/// A path as an argument.
///
/// # Panics
/// If it is no text.
pub fn path(path: &Path) -> &str {
    path.to_str().expect("a path of a test is text")
}
