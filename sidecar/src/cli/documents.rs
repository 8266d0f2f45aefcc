//! `reeve-sidecar schema` and `reeve-sidecar convert`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use reeve_policy::load::{self, convert};

use super::{Exit, check, output};
use crate::{audit, config};

/// What `schema` is told.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Of what.
    #[arg(value_enum)]
    document: Kind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// McpPolicy and ClusterMcpPolicy.
    Policy,
    /// The file that --config names.
    Config,
    /// A line of the audit log.
    Audit,
}

/// What `convert` is told.
#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    /// The policy file; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn schema(arguments: &SchemaArgs) -> Exit {
    let schema = match arguments.document {
        Kind::Policy => load::schema(),
        Kind::Config => config::schema(),
        Kind::Audit => audit::schema(),
    };
    match serde_json::to_string_pretty(&schema) {
        Ok(json) => {
            output::line(json);
            Exit::Success
        }
        Err(error) => {
            output::error(error);
            Exit::Internal
        }
    }
}

pub(super) fn convert(arguments: &ConvertArgs) -> Exit {
    let Some(policies) = check::load_all(std::slice::from_ref(&arguments.file), None) else {
        return Exit::Configuration;
    };
    for (number, policy) in policies.iter().enumerate() {
        if number > 0 {
            output::line("---");
        }
        output::text(convert::to_manifest_yaml(policy));
    }
    Exit::Success
}
