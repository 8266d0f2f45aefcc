//! `pattern`, in place of the crate's own: it runs on an automaton that reads each byte once and stops when the time is
//! spent.
//!
//! JSON Schema's patterns are ECMAScript's: `\d`, `\w` and `\b` are ASCII, and they match anywhere in the text. What no
//! automaton can run (look-around and back-references) is refused when the schema is loaded.

use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::json::Node as _;
use jsonschema::{Keyword, ValidationError};
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::{Anchored, MatchKind, util::start};

use super::tape::{Node, Tape};

/// The longest pattern.
pub(super) const LONGEST: usize = 4_096;
/// The most bytes that one pattern may take compiled.
const COMPILED: usize = 256 * 1_024;
/// The most bytes of states that a match may build before it begins to forget them.
const STATES: usize = 1024 * 1_024;
/// The most bytes of states that are kept from one match to the next.
const STATES_KEPT: usize = 16 * 1_024;
/// Bytes that are read in one step: in the worst case each takes a pass over the compiled pattern.
const BYTES_PER_STEP: usize = 4;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    source: String,
    automaton: DFA,
    /// How large the pattern is compiled.
    size: usize,
    /// The states that earlier matches built, if they are few.
    states: Mutex<Option<Cache>>,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn compile(source: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the pattern `{}` {why}", super::shortened(source));
        if source.len() > LONGEST {
            return Err(wrong("is longer than 4,096 bytes"));
        }
        // Each would make the translation begin again.
        if has_control_escape(source) {
            return Err(wrong(r"has a control escape (`\c`), which is not supported"));
        }
        let unsupported = "is not a regular expression that can be matched in linear time (look-around and \
                           back-references cannot)";
        let translated = jsonschema_regex::to_rust_regex(source).map_err(|()| wrong(unsupported))?;
        let hir =
            regex_syntax::ParserBuilder::new().nest_limit(64).utf8(false).build().parse(&ascii_words(&translated));
        let hir = hir.map_err(|_| wrong(unsupported))?;
        let too_large = || wrong("is too large: its repetitions add up to too many states");
        let limits = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(COMPILED))
            .which_captures(WhichCaptures::None)
            .shrink(true);
        let nfa = thompson::Compiler::new().configure(limits).build_from_hir(&hir).map_err(|_| too_large())?;
        let size = nfa.memory_usage();
        let config = Config::new().match_kind(MatchKind::All).cache_capacity(STATES).skip_cache_capacity_check(true);
        let automaton = DFA::builder().configure(config).build_from_nfa(nfa).map_err(|_| too_large())?;
        Ok(Self { source: source.to_owned(), automaton, size, states: Mutex::new(None) })
    }

    /// How many bytes the pattern takes compiled.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Whether a part of the text matches; none if that could not be found out in the time there is. `go_on` takes
    /// steps and says whether there are any left.
    pub(super) fn is_match(&self, text: &str, go_on: impl FnMut(usize) -> bool) -> Option<bool> {
        let kept = self.states.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut states = kept.unwrap_or_else(|| self.automaton.create_cache());
        let found = self.search(text, &mut states, go_on);
        if states.memory_usage() <= STATES_KEPT {
            *self.states.lock().unwrap_or_else(PoisonError::into_inner) = Some(states);
        }
        found
    }

    fn search(&self, text: &str, states: &mut Cache, mut go_on: impl FnMut(usize) -> bool) -> Option<bool> {
        let start = start::Config::new().anchored(Anchored::No);
        let mut state = self.automaton.start_state(states, &start).ok()?;
        for bytes in text.as_bytes().chunks(BYTES_PER_STEP) {
            if !go_on(1) {
                return None;
            }
            for byte in bytes {
                state = self.automaton.next_state(states, state, *byte).ok()?;
                if state.is_tagged() {
                    if state.is_match() {
                        return Some(true);
                    }
                    if state.is_dead() {
                        return Some(false);
                    }
                    if state.is_quit() {
                        return None;
                    }
                }
            }
        }
        Some(self.automaton.next_eoi_state(states, state).ok()?.is_match())
    }
}

/// The keyword.
pub(super) struct PatternKeyword(pub(super) Arc<Pattern>);

impl<'i> Keyword<'i, Tape> for PatternKeyword {
    fn validate(&self, instance: Node<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            return Ok(());
        }
        let pattern = super::shortened(&self.0.source);
        Err(ValidationError::custom(format!("must match the pattern `{pattern}`")))
    }

    fn is_valid(&self, instance: Node<'i>) -> bool {
        let Some(text) = instance.as_string() else { return true };
        self.0.is_match(&text, |steps| instance.spend(steps)).unwrap_or_else(|| {
            instance.give_up();
            false
        })
    }
}

fn has_control_escape(pattern: &str) -> bool {
    let mut bytes = pattern.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' && bytes.next() == Some(b'c') {
            return true;
        }
    }
    false
}

/// The pattern with the word boundaries of ASCII, which are ECMAScript's, for those of Unicode.
fn ascii_words(pattern: &str) -> String {
    let mut rewritten = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    let mut classes = 0_u32;
    while let Some(char) = chars.next() {
        match char {
            '[' => classes += 1,
            ']' => classes = classes.saturating_sub(1),
            '\\' => {
                match chars.next() {
                    Some(boundary @ ('b' | 'B')) if classes == 0 => {
                        rewritten.extend(["(?-u:\\", boundary.encode_utf8(&mut [0; 4]), ")"]);
                    }
                    escaped => rewritten.extend(Some(char).into_iter().chain(escaped)),
                }
                continue;
            }
            _ => {}
        }
        rewritten.push(char);
    }
    rewritten
}

/// A text of `a` and `b` with no pattern in it.
#[cfg(test)]
pub(super) fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if state >> 63 == 0 { 'a' } else { 'b' }
    };
    (0..length).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::compile(pattern).expect("a pattern").is_match(text, |_| true).expect("time enough")
    }

    #[test]
    fn patterns_are_ecmascripts_and_match_anywhere() {
        assert!(matches("b+", "aabbcc"));
        assert!(!matches("^b+$", "aabbcc"));
        assert!(matches(r"^\d{2}$", "42"));
        assert!(!matches(r"^\d{2}$", "٤٢"), "digits are ASCII");
        assert!(!matches(r"^\w+$", "é"), "word characters are ASCII");
        assert!(matches(r"^.{3}$", "äöü"), "a character is a code point");
        assert!(matches(r"^s3:\/\/[a-z0-9.\-]+\/", "s3://clinic-exports/x"));
        assert!(matches(r"\bimaging\b", "the imaging agent"));
        assert!(matches(r"\bimaging\B", "über imagings"));
        assert!(!matches(r"^[\]b]\b$", "]"), "a boundary after a class");
        assert!(matches(r"^\u0041$", "A"));
        assert!(matches("", ""));
        assert!(!matches("^$", "a"));
        assert!(matches("a$", "ba"));
    }

    #[test]
    fn a_pattern_that_no_automaton_runs_is_named() {
        for pattern in ["^(?!internal)", r"(a)\1", "(?<=x)y", "(", "[z-a]", r"\cA", &"a".repeat(10_000), "(a{99}){99}"]
        {
            let error = Pattern::compile(pattern).expect_err(pattern);
            assert!(error.starts_with(&format!("the pattern `{}", &pattern[..1])), "{error}");
        }
    }

    #[test]
    fn a_match_stops_when_the_time_is_spent() {
        let pattern = Pattern::compile("[ab]*a[ab]{500}c").expect("a pattern");
        let mut steps = 0;
        let found = pattern.is_match(&"ab".repeat(500_000), |taken| {
            steps += taken;
            steps < 1_000
        });
        assert_eq!((found, steps), (None, 1_000));
    }

    #[test]
    fn a_match_that_builds_many_states_keeps_none_of_them() {
        let pattern = Pattern::compile("[ab]*a[ab]{12}c").expect("a pattern");
        let text = noise(20_000);
        assert_eq!(pattern.is_match(&text, |_| true), Some(false));
        assert!(pattern.states.lock().expect("no panic").is_none());
        assert_eq!(pattern.is_match("a", |_| true), Some(false));
        assert!(pattern.states.lock().expect("no panic").is_some());
    }
}
