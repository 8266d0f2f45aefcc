//! The bytes of a file → its documents.

use super::node::{Mark, Node};
use super::{Finding, json, yaml};

/// The largest file that is read, in bytes.
const MAX_BYTES: usize = 4 << 20;

/// The documents of a file, and why there are not more.
pub(super) struct File {
    pub(super) documents: Vec<Node>,
    pub(super) findings: Vec<Finding>,
}

impl File {
    fn refused(finding: Finding) -> Self {
        Self { documents: Vec::new(), findings: vec![finding] }
    }
}

/// Reads a file: JSON if it begins like JSON and is JSON, else YAML.
pub(super) fn read(name: &str, bytes: &[u8]) -> File {
    let refused = |mark, message: String| File::refused(Finding::new(mark, String::new(), message));
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, and may have {MAX_BYTES}", bytes.len());
        return refused(Mark::START, message);
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return refused(Mark::START, "the file begins with a byte order mark: save it as UTF-8 without one".into());
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let valid = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
            return refused(json::mark_of(valid, at), format!("the file is not UTF-8 at byte {at}: save it as UTF-8"));
        }
    };
    let not_json = match text.trim_start().starts_with(['{', '[']) {
        true => match json::read(text) {
            Ok(document) => return File { documents: vec![document], findings: Vec::new() },
            Err(json::Failure::Refused(finding)) => return File::refused(finding),
            Err(json::Failure::NotJson(finding)) => Some(finding),
        },
        false => None,
    };
    let yaml = yaml::read(text);
    match not_json {
        // What the author took for JSON is better explained as JSON.
        Some(finding) if !yaml.findings.is_empty() && name.ends_with(".json") => File::refused(finding),
        _ => File { documents: yaml.documents, findings: yaml.findings },
    }
}
