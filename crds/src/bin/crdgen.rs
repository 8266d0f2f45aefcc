//! Writes the definitions of Reeve's kinds to `crds/*.yaml`, and again for the Helm chart, which can read no file outside of its
//! folder. With `--check`, says which of the files are not what it would write.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use reeve_crds::definition;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let checking = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--check"] => true,
        _ => return say("usage: crdgen [--check]", 64),
    };
    match run(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), checking) {
        Ok(stale) if stale.is_empty() => ExitCode::SUCCESS,
        Ok(stale) => {
            let message = format!(
                "{} differ from the types in crds/src: run cargo run -p reeve-crds --features kube --bin crdgen",
                stale.join(", ")
            );
            say(&message, 1)
        }
        Err(message) => say(&message, 1),
    }
}

/// Where the files are, from the root of the repository.
const FOLDERS: [&str; 2] = ["crds", "charts/reeve/files/crds"];

/// Writes the files; if only checking, the names of those that differ.
fn run(root: &Path, checking: bool) -> Result<Vec<String>, String> {
    let mut stale = Vec::new();
    let definitions = definition::definitions().map_err(|error| format!("a definition cannot be written: {error}"))?;
    for (folder, definition) in FOLDERS.iter().flat_map(|folder| definitions.iter().map(move |each| (folder, each))) {
        let name = format!("{folder}/{}.yaml", definition.plural);
        let path = root.join(&name);
        let text = definition.to_yaml();
        if !checking {
            fs::write(&path, text).map_err(|error| format!("{name} cannot be written: {error}"))?;
        } else if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            stale.push(name);
        }
    }
    Ok(stale)
}

#[expect(clippy::print_stderr, reason = "a program of the build that has nothing else to say it with")]
fn say(message: &str, code: u8) -> ExitCode {
    eprintln!("crdgen: {message}");
    ExitCode::from(code)
}
