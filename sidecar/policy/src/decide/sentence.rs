//! What an agent reads when a call is refused: what was refused, by whom, why, and what would pass.

use std::fmt::Write;

use super::{Target, Verdict};
use crate::compile::pointer;
use crate::reason::{Outcome, Reason};
use crate::time::format_duration;

/// The longest name or URI that is repeated to the agent, in characters.
const LONGEST_NAME: usize = 128;

impl Verdict {
    /// The refusal as the agent's model should read it. Holds the target's name and policy authors' words, and never a value of
    /// the call's arguments.
    pub fn sentence(&self, server: &str, target: Target<'_>) -> String {
        let verb = match self.outcome() {
            Outcome::Allow => "Permitted",
            Outcome::Deny => "Denied",
            Outcome::Limited => "Limited",
            Outcome::ApprovalRequired => "Approval required",
        };
        let mut text = verb.to_owned();
        if let Some(pointer) = &self.pointer {
            let parts = pointer::split(pointer);
            text.push_str(" by policy ");
            text.push_str(parts.policy);
            if let Some(rule) = parts.rule {
                text.push_str(", rule ");
                text.push_str(rule);
            }
        }
        text.push_str(": ");
        sentence(&mut text, self.message.as_deref().unwrap_or(self.reason.meaning()));
        if self.outcome() != Outcome::Allow {
            let done = match target {
                Target::Tool(_) => "called",
                Target::Resource(_) => "read",
                Target::Prompt(_) => "fetched",
            };
            // Writing to a string cannot fail.
            let _ = write!(text, " The {} {} of server {server} was not {done}.", target.kind(), quoted(target.name()));
            if let Some(advice) = self.advice() {
                text.push(' ');
                text.push_str(&advice);
            }
        }
        text
    }

    /// What would pass, as far as it is known.
    fn advice(&self) -> Option<String> {
        Some(match (self.reason, self.retry_after) {
            (Reason::LimitExceeded | Reason::CounterTableFull, Some(after)) => {
                format!("Retry after {}.", format_duration(after))
            }
            (Reason::LimitExceeded, None) => {
                "It asks for more than the limit ever permits, so retrying does not help.".into()
            }
            (Reason::CounterTableFull, None) => "Retry later.".into(),
            (Reason::ConcurrencyExceeded, _) => "Retry when a call in flight has ended.".into(),
            (Reason::ApprovalRequired, _) => "A person must approve exactly this call before it can be made.".into(),
            (Reason::DeniedByRule | Reason::NoRule | Reason::DeniedByBoundary, _) => {
                "Calling it again with the same arguments will be refused too.".into()
            }
            _ => return None,
        })
    }
}

/// Appends words as a sentence.
fn sentence(text: &mut String, words: &str) {
    let words = words.trim();
    text.push_str(words);
    if !words.ends_with(['.', '!', '?']) {
        text.push('.');
    }
}

/// A name as it may be shown: bounded, without control characters.
fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len().min(LONGEST_NAME) + 2);
    text.push('`');
    text.extend(name.chars().take(LONGEST_NAME).map(|c| if c.is_control() { '\u{fffd}' } else { c }));
    if name.chars().nth(LONGEST_NAME).is_some() {
        text.push('…');
    }
    text.push('`');
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Refusal;
    use super::*;

    fn verdict(reason: Reason, pointer: &str, message: Option<&str>) -> Verdict {
        Refusal::new(reason, &pointer.into(), message.map(Into::into)).into()
    }

    #[test]
    fn a_refusal_says_what_by_whom_and_why() {
        let verdict = verdict(
            Reason::DeniedByRule,
            "clinic/imaging#no-deletes",
            Some("Datastores are deleted through the change process"),
        );
        assert_eq!(
            verdict.sentence("aws", Target::Tool("delete_datastore")),
            "Denied by policy clinic/imaging, rule no-deletes: Datastores are deleted through the change process. The tool \
             `delete_datastore` of server aws was not called. Calling it again with the same arguments will be refused too."
        );
    }

    #[test]
    fn a_limited_call_is_told_when_to_retry_and_never_too_early() {
        let mut verdict =
            verdict(Reason::LimitExceeded, "a/p#r/limits/c", Some("at most 10 calls in any 1m for each grant"));
        verdict.retry_after = Some(Duration::from_millis(36_001));
        let text = verdict.sentence("aws", Target::Tool("t"));
        assert!(
            text.starts_with("Limited by policy a/p, rule r: at most 10 calls in any 1m for each grant."),
            "{text}"
        );
        assert!(text.ends_with("Retry after 37s."), "{text}");
        verdict.retry_after = None;
        assert!(verdict.sentence("aws", Target::Tool("t")).ends_with("retrying does not help."));
    }

    #[test]
    fn without_a_message_the_reason_is_explained() {
        let text = Verdict::refusal(Reason::NoPolicy).sentence("aws", Target::Resource("file:///x"));
        assert_eq!(text, "Denied: No policy governs this server. The resource `file:///x` of server aws was not read.");
    }

    #[test]
    fn a_hostile_name_is_bounded_and_has_no_control_characters() {
        let name = format!("\u{1b}[2J\n{}", "x".repeat(10_000));
        let text = Verdict::refusal(Reason::NoPolicy).sentence("aws", Target::Tool(&name));
        assert!(text.len() < 400 && !text.chars().any(char::is_control), "{text}");
    }
}
