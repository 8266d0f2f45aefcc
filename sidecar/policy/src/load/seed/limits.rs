//! Windows, scopes, rates and counters of the format → limits.

use std::time::Duration;

use reeve_crds::v1alpha1::{Limit, Scope};

use super::conditions::Path;
use super::draft::Rules;
use super::format::{self, RateLimit, Span};
use crate::load::node::quoted;
use crate::load::suggest::nearest;
use crate::time::{format_duration, parse_duration};

/// The words for windows, and their seconds.
const WINDOWS: [(&str, u64); 5] =
    [("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400), ("week", 7 * 86_400)];

/// The words for scopes.
const SCOPES: [(&str, Scope); 4] =
    [("grant", Scope::Grant), ("session", Scope::Session), ("pod", Scope::Pod), ("policy", Scope::Policy)];

/// A length of time as policies write it.
///
/// # Errors
/// What would be one.
pub(super) fn window(span: &Span) -> Result<String, String> {
    match span {
        Span::Seconds(seconds) => match u64::try_from(*seconds) {
            Ok(seconds @ 1..) => Ok(format_duration(Duration::from_secs(seconds))),
            _ => Err(format!("{seconds} seconds is no window: write 1 or more")),
        },
        Span::Word(text) => window_word(text),
    }
}

fn window_word(text: &str) -> Result<String, String> {
    let word = text.trim().to_ascii_lowercase();
    let singular = word.strip_suffix('s').unwrap_or(&word);
    if let Some((_, seconds)) = WINDOWS.iter().find(|(known, _)| *known == singular) {
        return Ok(format_duration(Duration::from_secs(*seconds)));
    }
    if let Ok(duration) = parse_duration(&word) {
        return Ok(format_duration(duration));
    }
    let meant = nearest(singular, WINDOWS.iter().map(|(known, _)| *known));
    let advice = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    let text = quoted(text);
    Err(format!("{text} is no window: write second, minute, hour, day or week, or a number of seconds{advice}"))
}

/// What a limit counts together; by default the grant.
///
/// # Errors
/// What would be a scope.
fn scope(text: Option<&String>) -> Result<Scope, String> {
    let Some(text) = text else { return Ok(Scope::Grant) };
    let word = text.trim().to_ascii_lowercase();
    if let Some((_, scope)) = SCOPES.iter().find(|(known, _)| *known == word) {
        return Ok(*scope);
    }
    let meant = nearest(&word, SCOPES.iter().map(|(known, _)| *known));
    let advice = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    Err(format!("{} is no scope: write grant, session, pod or policy{advice}", quoted(text)))
}

/// What a call costs; nothing for one unit.
///
/// # Errors
/// Why the path cannot be read.
fn cost(increment: Option<i64>, from: Option<&String>) -> Result<Option<String>, String> {
    match (increment, from) {
        (Some(_), Some(_)) => Err("increment and increment_from exclude each other: remove one".into()),
        (None | Some(1), None) => Ok(None),
        (Some(units), None) => Ok(Some(units.to_string())),
        (None, Some(path)) => Ok(Some(Path::parse(path)?.access())),
    }
}

/// A limit that the document names at a pointer. What of it cannot be mapped is told, and has a value that stands for it.
pub(super) fn named(limit: &format::Limit, at: &str, rules: &mut Rules<'_>) -> Limit {
    let cost = cost(limit.increment, limit.increment_from.as_ref());
    Limit {
        counter: limit.counter.clone(),
        window: window_at(&limit.window, at, rules),
        max: limit.max,
        scope: scope_at(limit.scope.as_ref(), at, rules),
        key: None,
        cost: rules.accept(&format!("{at}/increment_from"), cost).flatten(),
        on_store_failure: None,
    }
}

/// The rate at a pointer, counted by a counter of this name; like a limit.
pub(super) fn rate(rate: &RateLimit, counter: String, at: &str, rules: &mut Rules<'_>) -> Limit {
    let (max, window, scope) = match rate {
        RateLimit::Text(text) => {
            let (max, window) = rules.accept(at, rate_text(text)).unwrap_or_else(|| (0, unknown_window()));
            (max, window, Scope::Grant)
        }
        RateLimit::Fields(rate) => {
            (rate.max, window_at(&rate.window, at, rules), scope_at(rate.scope.as_ref(), at, rules))
        }
    };
    Limit { counter, window, max, scope, key: None, cost: None, on_store_failure: None }
}

/// What the counter of a rule counts, which bounds the rule to `max`; like a limit.
pub(super) fn state(state: &format::State, max: i64, counter: String, at: &str, rules: &mut Rules<'_>) -> Limit {
    let cost = cost(state.increment, state.increment_from.as_ref());
    Limit {
        counter,
        window: window_at(&state.window, at, rules),
        max,
        scope: scope_at(state.scope.as_ref(), at, rules),
        key: None,
        cost: rules.accept(&format!("{at}/increment_from"), cost).flatten(),
        on_store_failure: None,
    }
}

fn window_at(span: &Span, at: &str, rules: &mut Rules<'_>) -> String {
    rules.accept(&format!("{at}/window"), window(span)).unwrap_or_else(unknown_window)
}

fn scope_at(text: Option<&String>, at: &str, rules: &mut Rules<'_>) -> Scope {
    rules.accept(&format!("{at}/scope"), scope(text)).unwrap_or_default()
}

/// What stands for a window that cannot be read.
fn unknown_window() -> String {
    "1m".to_owned()
}

fn rate_text(text: &str) -> Result<(i64, String), String> {
    let wrong = || format!("{} is no rate: write a number, / and a window, such as 10/minute", quoted(text));
    let (count, window) = text.split_once('/').ok_or_else(wrong)?;
    let count = count.trim();
    let max = count.parse().ok().filter(|_| count.bytes().all(|byte| byte.is_ascii_digit())).ok_or_else(wrong)?;
    Ok((max, window_word(window)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Result<String, String> {
        window(&Span::Word(text.into()))
    }

    #[test]
    fn windows_are_words_seconds_and_durations() {
        for (text, expected) in [
            ("second", "1s"),
            ("Minute", "1m"),
            ("HOUR", "1h"),
            ("days", "1d"),
            ("week", "7d"),
            ("90s", "1m30s"),
            ("1h30m", "1h30m"),
        ] {
            assert_eq!(word(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(window(&Span::Seconds(60)).as_deref(), Ok("1m"));
        assert_eq!(window(&Span::Seconds(86_400)).as_deref(), Ok("1d"));
    }

    #[test]
    fn what_is_no_window_is_refused_with_the_nearest() {
        assert!(word("minuet").is_err_and(|error| error.ends_with("did you mean minute?")));
        for wrong in [word("month"), word(""), window(&Span::Seconds(0)), window(&Span::Seconds(-60))] {
            assert!(wrong.is_err_and(|error| error.contains("is no window")));
        }
    }

    #[test]
    fn scopes_are_words_in_any_case() {
        for (text, expected) in [("grant", Scope::Grant), ("Session", Scope::Session), ("POD", Scope::Pod)] {
            assert_eq!(scope(Some(&text.into())), Ok(expected));
        }
        assert_eq!(scope(None), Ok(Scope::Grant));
        assert!(scope(Some(&"grants".into())).is_err_and(|error| error.ends_with("did you mean grant?")));
        assert!(scope(Some(&"user".into())).is_err());
    }

    #[test]
    fn a_rate_is_a_number_and_a_window() {
        assert_eq!(rate_text("10/minute"), Ok((10, "1m".into())));
        assert_eq!(rate_text("5 / hour"), Ok((5, "1h".into())));
        for wrong in ["", "10", "/minute", "ten/minute", "-1/minute", "+1/minute", "1.5/minute", "10/fortnight"] {
            assert!(rate_text(wrong).is_err(), "{wrong}");
        }
    }
}
