//! `reeve-sidecar explain`: what would happen to a call, with every rule that takes part and why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clap::{ArgGroup, Args, ValueEnum};
use reeve_policy::catalogue::Catalogue;
use reeve_policy::compile::{Source, compile};
use reeve_policy::decide::{Call, Explanation, State, Subject, Target};
use reeve_policy::json::{Document, Kind, Limits};
use reeve_policy::limit::{Capacity, Limiter};

use super::{Exit, check, files, output};
use crate::clock::Clock;
use crate::config::source::FLAG_SERVER;

/// What `explain` is told.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").args(["tool", "resource", "prompt"]).required(true))]
pub(super) struct ExplainArgs {
    /// A policy file, as for serving. May repeat.
    #[arg(long, value_name = "FILE", required = true)]
    policy: Vec<PathBuf>,
    /// The tool that is called.
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// The URI of a resource that is read, instead of a tool.
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
    /// The prompt that is asked for, instead of a tool.
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// The call's arguments, a JSON object; - reads them from standard input.
    #[arg(long, value_name = "JSON|-")]
    args: Option<String>,
    /// The MCP session that the call belongs to.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Whom the call is charged to: a name, or namespace/name.
    #[arg(long, value_name = "NAME", default_value = "default/default")]
    grant: String,
    /// The server's name, as expressions see it.
    #[arg(long, value_name = "NAME", default_value = FLAG_SERVER)]
    server: String,
    /// The server's tools, a tools/list result: what rules by risk and validateArguments decide on.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// How the answer looks.
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Form,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

pub(super) fn run(arguments: &ExplainArgs) -> Exit {
    let read = arguments
        .catalogue
        .as_deref()
        .map_or_else(|| Ok(Catalogue::default()), files::catalogue)
        .and_then(|catalogue| Ok((catalogue, call_arguments(arguments.args.as_deref())?)));
    let (catalogue, document) = match read {
        Ok(read) => read,
        Err(error) => {
            output::error(error);
            return Exit::Usage;
        }
    };
    let Some(policies) = check::load_all(&arguments.policy, Some(&catalogue)) else {
        return Exit::Configuration;
    };
    let sources: Vec<_> = policies.into_iter().map(|policy| Source::Readable(Arc::new(policy))).collect();
    let ruleset = compile(&sources, &arguments.subject(), &Limiter::new(Capacity::default()));
    let target = arguments.target();
    let call = Call {
        target,
        arguments: document.as_ref().map(Document::root),
        session: arguments.session.as_deref(),
        tool: catalogue.tool(target.name()).filter(|_| matches!(target, Target::Tool(_))),
        now: Clock::system().wall(),
    };
    let explanation = ruleset.explain(&call);
    match arguments.output {
        Form::Text => output::text(in_words(&explanation)),
        Form::Json => match serde_json::to_string_pretty(&explanation) {
            Ok(json) => output::line(json),
            Err(error) => {
                output::error(error);
                return Exit::Internal;
            }
        },
    }
    Exit::Success
}

impl ExplainArgs {
    fn target(&self) -> Target<'_> {
        match (&self.resource, &self.prompt) {
            (Some(uri), _) => Target::Resource(uri),
            (None, Some(prompt)) => Target::Prompt(prompt),
            (None, None) => Target::Tool(self.tool.as_deref().unwrap_or_default()),
        }
    }

    fn subject(&self) -> Subject {
        let (namespace, name) = self.grant.split_once('/').unwrap_or(("default", &self.grant));
        Subject {
            server: self.server.clone(),
            namespace: namespace.into(),
            service_account: name.into(),
            pod: "explain".into(),
            labels: BTreeMap::new(),
        }
    }
}

fn call_arguments(text: Option<&str>) -> Result<Option<Document>, String> {
    let bytes = match text {
        None => return Ok(None),
        Some("-") => files::read(Path::new("-"))?,
        Some(text) => text.as_bytes().to_vec(),
    };
    let document =
        Document::parse(Bytes::from(bytes), Limits::default()).map_err(|error| format!("--args: {error}"))?;
    if document.root().kind() == Kind::Object { Ok(Some(document)) } else { Err("--args: write a JSON object".into()) }
}

/// The explanation as text: the decision first, then who said what.
fn in_words(explanation: &Explanation) -> String {
    let Explanation { kind, name, decision, reason, pointer, sentence, policies, yielding, rules, demands, shadow } =
        explanation;
    let mut lines = vec![format!("{kind} {name}: {decision} ({reason})")];
    lines.extend(pointer.iter().map(|pointer| format!("  decided by {pointer}")));
    if !sentence.is_empty() {
        lines.push(format!("  {sentence}"));
    }
    section(&mut lines, "to pass, the call must also take", demands.iter().map(|demand| vec![demand.clone()]));
    section(
        &mut lines,
        "rules whose patterns match",
        rules.iter().map(|rule| {
            let heading = format!("{} ({:?}, {:?}): {}", rule.pointer, rule.action, rule.mode, state(rule.state));
            std::iter::once(heading).chain(rule.why.iter().map(|why| format!("  {why}"))).collect()
        }),
    );
    section(
        &mut lines,
        "in Audit mode, nothing of it happens",
        shadow.iter().map(|shadow| vec![format!("{}: {} ({})", shadow.pointer, shadow.decision, shadow.reason)]),
    );
    section(
        &mut lines,
        "policies",
        policies.iter().map(|policy| {
            let heading = format!("{} ({}, {:?}, default {})", policy.policy, policy.part, policy.mode, policy.default);
            std::iter::once(heading).chain(policy.errors.iter().map(|error| format!("  {error}"))).collect()
        }),
    );
    section(
        &mut lines,
        "Baselines that yield to a policy of the namespace",
        yielding.iter().map(|policy| vec![policy.clone()]),
    );
    lines.join("\n") + "\n"
}

fn section(lines: &mut Vec<String>, heading: &str, entries: impl Iterator<Item = Vec<String>>) {
    let entries: Vec<_> = entries.flatten().collect();
    if !entries.is_empty() {
        lines.push(format!("\n{heading}:"));
        lines.extend(entries.into_iter().map(|entry| format!("  {entry}")));
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::NotSelected => "does not select the call",
        State::DoesNotApply => "does not apply",
        State::Applies => "applies",
        State::Refuses => "refuses",
        State::Fails => "cannot be evaluated",
    }
}
