//! Whether a pattern can match anything that may exist: a rule that never selects is a mistake, and a silent one.

use super::uri;

/// What is wrong with a pattern of names.
pub(super) fn name_fault(pattern: &str) -> Option<&'static str> {
    if pattern.trim() != pattern {
        return Some("no name begins or ends with white space; remove it");
    }
    pattern.contains(char::is_control).then_some("no name has a control character; remove it")
}

/// What is wrong with a pattern of URIs. It is refused if of many samples of what it stands for none is canonical; a pattern
/// is never refused that a canonical URI of the usual kind could match, and why is said of the first sample.
pub(super) fn uri_fault(pattern: &str) -> Option<&'static str> {
    if pattern.contains("***") {
        return Some("* stops at /, and ** crosses it; write one or the other");
    }
    if pattern == "*" {
        return Some("* stops at the / that nearly every URI has; write ** for every URI, or a scheme, as in urn:*");
    }
    let mut first = None;
    for one in ["x", "1", "1.1", "1.1.1", "::1", ""] {
        for many in ["x", "1", "x/x", "/x"] {
            match uri::check(&sample(pattern, one, many)) {
                Ok(()) => return None,
                Err(why) => first = first.or(Some(why)),
            }
        }
    }
    first
}

/// The pattern with `one` for each `*` and `many` for each `**`; but where no scheme came before, with what makes it one.
fn sample(pattern: &str, one: &str, many: &str) -> String {
    let mut sample = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('*') {
        let stars = if rest[at..].starts_with("**") { 2 } else { 1 };
        sample.push_str(&rest[..at]);
        rest = &rest[at + stars..];
        let scheme_follows = rest.split('/').next().is_some_and(|segment| segment.contains(':'));
        sample.push_str(match (sample.contains(':'), scheme_follows, stars) {
            (false, true, _) => "x",
            (false, false, _) => "x:x",
            (true, _, 1) => one,
            (true, ..) => many,
        });
    }
    sample + rest
}
