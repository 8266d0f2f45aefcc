//! What Prometheus and Grafana are given: the rules of the chart, its dashboards, and every query that is in them.
//!
//! | module | reads |
//! |---|---|
//! | [`dashboards`] | `charts/reeve/files/dashboards`: panels and variables |
//! | [`rules`] | `charts/reeve/files/rules`: recorded series and alerts |
//! | [`promql`] | a query: what it asks for, and what stands for Grafana's variables in it |

pub mod dashboards;
pub mod promql;
pub mod rules;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::process::root;

/// A file of the project.
///
/// # Panics
/// If it cannot be read.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of a folder that end so, sorted.
///
/// # Panics
/// If there is no such folder.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = root().join(folder).read_dir().unwrap_or_else(|error| panic!("{folder}: {error}"));
    let paths: BTreeSet<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.into_iter().filter(|path| path.extension().is_some_and(|end| end == ending)).collect()
}

/// The queries of a page: what stands in its blocks of PromQL.
pub fn queries_of(page: &str) -> Vec<String> {
    let blocks = page.split("```promql\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(|query| query.trim().to_owned()).collect()
}
