//! The commands and flags of the program, from the command line's own definition.

use clap::Arg;
use reeve_sidecar::cli;

use super::tables::rows;

/// Every command.
pub(crate) fn commands() -> String {
    let command = cli::command();
    let lines = command.get_subcommands().map(|command| {
        vec![format!("`{}`", command.get_name()), sentence(&command.get_about().unwrap_or_default().to_string())]
    });
    rows("command | what it does", lines)
}

/// Every flag of the default command.
pub(crate) fn flags() -> String {
    let command = cli::command();
    let flags = command.get_arguments().filter(|flag| flag.get_env().is_some());
    rows("flag | variable | meaning", flags.map(|flag| vec![usage(flag), variable(flag), meaning(flag)]))
}

fn usage(flag: &Arg) -> String {
    let values = flag.get_value_names().unwrap_or_default().join(" ");
    format!("`--{} {values}`", flag.get_long().unwrap_or_default())
}

fn variable(flag: &Arg) -> String {
    format!("`{}`", flag.get_env().unwrap_or_default().to_string_lossy())
}

fn meaning(flag: &Arg) -> String {
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    // Defaults that depend on something else stand in the help itself.
    let (text, stated) = help.split_once(" [default: ").unwrap_or((&help, ""));
    let mut text = sentence(text);
    let given: Vec<_> = flag.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    match (given.as_slice(), stated.strip_suffix(']')) {
        ([], None) => {}
        ([], Some(stated)) => text += &format!(" Default: {stated}."),
        (given, _) => text += &format!(" Default: `{}`.", given.join(" ")),
    }
    text
}

/// `clap` drops the dot at the end of a help text.
fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}
