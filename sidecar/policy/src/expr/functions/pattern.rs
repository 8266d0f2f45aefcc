//! The regular expression of a `matches`, compiled when the policy is loaded.
//!
//! Patterns mean what they mean in Kubernetes (RE2): `\d`, `\s`, `\w` and `\b` are ASCII, and what Rust's syntax has beyond
//! RE2's is refused. They run on a lazily built automaton alone, which reads each byte once. Engines that fall back to a
//! slower algorithm on a text made to overflow the automaton would let one argument cost seconds; here that is too much
//! work, and the evaluation is refused.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cel::common::types::{Kind, Type};
use cel::common::value::{StaticVal, Val};
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::{Input, MatchKind};
use regex_syntax::ast::{self, AssertionKind, Ast, ClassPerlKind, ClassSetItem, Flag, FlagsItemKind, Span};

/// The most bytes that a pattern may take compiled.
const COMPILED: usize = 256 * 1024;
/// The most bytes that the states seen so far may take, and with them the work of building states before giving up.
const STATES: usize = 512 * 1024;
/// The deepest nesting of groups.
const NESTING: u32 = 32;

/// A compiled pattern, as a value of the evaluator.
#[derive(Clone)]
pub(in crate::expr) struct Pattern {
    automaton: Arc<DFA>,
    /// The states that earlier matches built, for the next one to go on with.
    states: Arc<Mutex<Option<Cache>>>,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub(in crate::expr) fn compile(pattern: &str) -> Result<Self, String> {
        let invalid = |error: String| format!("the pattern is not a regular expression: {error}");
        let tree = ast::parse::ParserBuilder::new()
            .nest_limit(NESTING)
            .build()
            .parse(pattern)
            .map_err(|error| invalid(error.kind().to_string()))?;
        let ascii = ast::visit(&tree, Ascii::new(pattern))?;
        let hir =
            regex_syntax::ParserBuilder::new().nest_limit(NESTING * 2).utf8(false).build().parse(&ascii).map_err(
                |error| match error {
                    regex_syntax::Error::Parse(error) => invalid(error.kind().to_string()),
                    regex_syntax::Error::Translate(error) => invalid(error.kind().to_string()),
                    _ => invalid("it cannot be read".to_owned()),
                },
            )?;
        let too_large = "the pattern is too large: write it without large repetitions".to_owned();
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new().utf8(false).nfa_size_limit(Some(COMPILED)).which_captures(WhichCaptures::None),
            )
            .build_from_hir(&hir)
            .map_err(|_| too_large.clone())?;
        let automaton = DFA::builder()
            .configure(
                Config::new().match_kind(MatchKind::All).cache_capacity(STATES).minimum_cache_clear_count(Some(0)),
            )
            .build_from_nfa(nfa)
            .map_err(|_| too_large)?;
        Ok(Self { automaton: Arc::new(automaton), states: Arc::default() })
    }

    /// Whether the text has a part that matches; none if finding out would be too much work.
    ///
    /// The answer depends on the text alone: if the states kept from other texts leave no room, it begins afresh.
    pub(super) fn is_match(&self, text: &str) -> Option<bool> {
        let kept = self.keeper().take();
        kept.and_then(|states| self.search(text, states)).or_else(|| self.search(text, self.automaton.create_cache()))
    }

    fn search(&self, text: &str, mut states: Cache) -> Option<bool> {
        let input = Input::new(text).earliest(true);
        let found = self.automaton.try_search_fwd(&mut states, &input).ok()?;
        *self.keeper() = Some(states);
        Some(found.is_some())
    }

    fn keeper(&self) -> MutexGuard<'_, Option<Cache>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pattern")
    }
}

static TYPE: Type = Type::simple_type(Kind::Unspecified, "pattern");

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

/// Rewrites the classes that RE2 takes as ASCII, and refuses what RE2 does not have or reads otherwise.
struct Ascii<'p> {
    pattern: &'p str,
    rewritten: String,
    /// Up to where the pattern has been copied.
    copied: usize,
}

impl<'p> Ascii<'p> {
    fn new(pattern: &'p str) -> Self {
        Self { pattern, rewritten: String::with_capacity(pattern.len()), copied: 0 }
    }

    fn replace(&mut self, span: &Span, with: &str) {
        let before = &self.pattern[self.copied..span.start.offset];
        self.rewritten.push_str(before);
        self.rewritten.push_str(with);
        self.copied = span.end.offset;
    }

    fn refuse<T>(&self, span: &Span, why: &str) -> Result<T, String> {
        let part = &self.pattern[span.start.offset..span.end.offset];
        Err(format!("`{part}` in the pattern {why}"))
    }

    fn perl(&mut self, class: &ast::ClassPerl) {
        let set = match class.kind {
            ClassPerlKind::Digit => "0-9",
            ClassPerlKind::Space => r"\t\n\x0C\r\x20",
            ClassPerlKind::Word => "0-9A-Za-z_",
        };
        let negation = if class.negated { "^" } else { "" };
        self.replace(&class.span, &format!("[{negation}{set}]"));
    }

    fn check_flags(&self, flags: &ast::Flags) -> Result<(), String> {
        let foreign = flags.items.iter().find(|item| {
            let FlagsItemKind::Flag(flag) = &item.kind else {
                return false;
            };
            matches!(flag, Flag::Unicode | Flag::IgnoreWhitespace | Flag::CRLF)
        });
        match foreign {
            Some(item) => self.refuse(&item.span, "is not a flag: use i, m, s or U"),
            None => Ok(()),
        }
    }
}

impl ast::Visitor for Ascii<'_> {
    type Output = String;
    type Err = String;

    fn finish(mut self) -> Result<String, String> {
        self.rewritten.push_str(&self.pattern[self.copied..]);
        Ok(self.rewritten)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::ClassPerl(class) => self.perl(class),
            Ast::Flags(flags) => self.check_flags(&flags.flags)?,
            Ast::Group(group) => {
                if let ast::GroupKind::NonCapturing(flags) = &group.kind {
                    self.check_flags(flags)?;
                }
            }
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::WordBoundary => self.replace(&assertion.span, r"(?-u:\b)"),
                AssertionKind::NotWordBoundary => self.replace(&assertion.span, r"(?-u:\B)"),
                AssertionKind::StartLine
                | AssertionKind::EndLine
                | AssertionKind::StartText
                | AssertionKind::EndText => {}
                _ => self.refuse(&assertion.span, r"is not supported: use \b")?,
            },
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), String> {
        match item {
            ClassSetItem::Perl(class) => self.perl(class),
            ClassSetItem::Bracketed(class) => {
                self.refuse(&class.span, r"is a class within a class: write \[ for a bracket")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_binary_op_pre(&mut self, op: &ast::ClassSetBinaryOp) -> Result<(), String> {
        self.refuse(&op.span, r"combines classes: write \& \- or \~ for the characters")
    }
}
