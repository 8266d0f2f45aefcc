//! `reeve-sidecar call`: calls a tool as an agent would. To try a policy by hand, from inside a pod too, where nothing else is.

use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{Exit, files, output, serve};
use crate::client::{Answer, Client};

/// The shortest pause between two calls of an agent that never ends.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// What `call` is told.
#[derive(Debug, Args)]
pub(super) struct CallArgs {
    /// Where: a sidecar's URL for a server, or the server's own. http:// alone.
    url: String,
    /// The tool.
    tool: String,
    /// The call's arguments, a JSON object; - reads them from standard input.
    #[arg(long, value_name = "JSON|-", default_value = "{}")]
    args: String,
    /// How many calls, one after the other.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    times: u32,
    /// Call for ever, with this pause between two calls, and tell of each. Parts of a second are written as in 0.05.
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["times", "expect"], value_parser = pause)]
    every: Option<Duration>,
    /// Fail (exit code 1) unless the last call was decided so.
    #[arg(long, value_name = "DECISION")]
    expect: Option<Decision>,
}

/// What a call can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Decision {
    Allow,
    Deny,
    Limited,
    ApprovalRequired,
}

impl Decision {
    const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Limited => "limited",
            Self::ApprovalRequired => "approval_required",
        }
    }
}

pub(super) fn run(arguments: &CallArgs) -> Exit {
    let tool_arguments = match tool_arguments(&arguments.args) {
        Ok(tool_arguments) => tool_arguments,
        Err(error) => {
            output::error(error);
            return Exit::Usage;
        }
    };
    let runtime = match serve::runtime(1) {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(format_args!("the runtime cannot be started: {error}"));
            return Exit::Internal;
        }
    };
    runtime.block_on(async {
        match arguments.every {
            Some(pause) => forever(arguments, &tool_arguments, pause).await,
            None => some(arguments, &tool_arguments).await,
        }
    })
}

async fn some(arguments: &CallArgs, tool_arguments: &Value) -> Exit {
    let mut client = Client::new(&arguments.url);
    let mut last = None;
    let greeted = client.greet().await;
    for _ in 0..arguments.times {
        let answer = match &greeted {
            Ok(()) => client.call(&arguments.tool, tool_arguments.clone()).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(answer) => {
                tell(&answer);
                last = Some(answer.decision);
            }
            Err(error) => {
                output::error(error);
                return Exit::Failure;
            }
        }
    }
    match (arguments.expect, last) {
        (Some(expected), Some(decision)) if expected.word() != decision => {
            output::error(format_args!("the call was to come to {}, and came to {decision}", expected.word()));
            Exit::Failure
        }
        _ => Exit::Success,
    }
}

/// An agent that never ends: what cannot be reached now may be later.
async fn forever(arguments: &CallArgs, tool_arguments: &Value, pause: Duration) -> Exit {
    let mut greeted: Option<Client> = None;
    loop {
        let client = match greeted.take() {
            Some(client) => Ok(client),
            None => {
                let mut client = Client::new(&arguments.url);
                client.greet().await.map(|()| client)
            }
        };
        match client {
            Ok(client) => match client.call(&arguments.tool, tool_arguments.clone()).await {
                Ok(answer) => {
                    tell(&answer);
                    greeted = Some(client);
                }
                Err(error) => output::error(error),
            },
            Err(error) => output::error(error),
        }
        tokio::time::sleep(pause).await;
    }
}

fn tell(Answer { text, decision }: &Answer) {
    output::line(format_args!("{decision}: {text}"));
}

/// A pause that leaves others room: a hundredth of a second at least.
fn pause(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write seconds, such as 10 or 0.05".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(pause) if pause >= SHORTEST_PAUSE => Ok(pause),
        _ => Err("write seconds from 0.01 on".into()),
    }
}

fn tool_arguments(text: &str) -> Result<Value, String> {
    let bytes = if text == "-" { files::read(Path::new("-"))? } else { text.as_bytes().to_vec() };
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| format!("--args: {error}"))?;
    if value.is_object() { Ok(value) } else { Err("--args: write a JSON object".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_given_in_seconds_and_parts_of_them() {
        assert_eq!(pause("10"), Ok(Duration::from_secs(10)));
        assert_eq!(pause("0.05"), Ok(Duration::from_millis(50)));
        for text in ["0", "0.001", "-1", "inf", "NaN", "1e30", "1m", ""] {
            assert!(pause(text).is_err(), "{text}");
        }
    }
}
