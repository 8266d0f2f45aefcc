//! Files that commands read, with errors that say what to do.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use reeve_policy::catalogue::{Catalogue, Extent};
use reeve_policy::compile::Severity;
use reeve_policy::json::{Document, Limits};
use reeve_policy::load::Diagnostic;

use crate::config::unreadable;

/// Larger than any policy or list of tools; what is larger was not meant.
const LARGEST: u64 = 64 << 20;

/// The content of a file; `-` is standard input.
///
/// # Errors
/// A sentence without the file's name.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("the file is larger than {} MiB", LARGEST >> 20));
    }
    Ok(bytes)
}

/// A file's name as messages show it.
pub(super) fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".into() } else { path.display().to_string() }
}

/// A mistake that has no place in a file.
pub(super) fn mistake(path: &Path, message: String) -> Diagnostic {
    Diagnostic { file: name(path), line: 0, column: 0, pointer: String::new(), message, severity: Severity::Error }
}

/// The tools of a `tools/list` result, alone or as the whole response.
///
/// # Errors
/// A sentence that names the file.
pub(super) fn catalogue(path: &Path) -> Result<Catalogue, String> {
    let wrong = |why: String| format!("the catalogue {}: {why}", name(path));
    let bytes = read(path).map_err(wrong)?;
    let limits = Limits { depth: 128, tokens: 4 << 20 };
    let document = Document::parse(Bytes::from(bytes), limits).map_err(|error| wrong(error.to_string()))?;
    let root = document.root();
    let list = root.get("result").unwrap_or(root);
    let catalogue = Catalogue::default().with_listed(list, Extent::Whole);
    if catalogue.tools().next().is_none() {
        return Err(wrong("has no tools: write a tools/list result, {\"tools\": [...]}".into()));
    }
    Ok(catalogue)
}
