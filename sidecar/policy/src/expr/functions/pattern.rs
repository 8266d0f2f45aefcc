//! The regular expression of a `matches`, compiled when the policy is loaded.
//!
//! Patterns mean what they mean in Kubernetes (RE2): `\d`, `\s`, `\w` and `\b` are ASCII, and what Rust's syntax has beyond
//! RE2's is refused.
//!
//! A pattern becomes a whole automaton if that is small, as most are. Else its states are built while a text is read, and
//! if a text would need too many, that is too much work and the evaluation is refused: an engine that then falls back to a
//! slower algorithm would let one argument cost seconds.

use std::fmt;
use std::sync::Arc;

use cel::common::types::{Kind, Type};
use regex_automata::Input;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::hybrid::dfa as hybrid;
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_syntax::ParserBuilder;
use regex_syntax::ast::{self, AssertionKind, Ast, ClassPerlKind, ClassSetItem, Flag, FlagsItemKind, Span};
use regex_syntax::hir::Hir;

use super::Call;
use crate::expr::failure::{Failure, What};
use crate::expr::value::plain_value;

/// The most bytes that a pattern may take compiled.
const COMPILED: usize = 256 * 1024;
/// The most bytes of a whole automaton, and of what making it takes besides: some 10 ms.
const WHOLE: usize = 256 * 1024;
const MAKING: usize = 128 * 1024;
/// The most bytes that the states built for one text may take.
const STATES: usize = 256 * 1024;
/// The most bytes of a text for which states are built: [`STATES`] has no room for more.
const BUILDING: usize = 2_048;
/// The deepest nesting of groups.
const NESTING: u32 = 32;

/// A compiled pattern, as a value of the evaluator.
#[derive(Clone)]
pub(in crate::expr) struct Pattern(Arc<Automaton>);

enum Automaton {
    Whole(dense::DFA<Vec<u32>>),
    Lazy(hybrid::DFA),
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
        let tree =
            ParserBuilder::new().nest_limit(NESTING * 2).utf8(false).build().parse(&ascii).map_err(
                |error| match error {
                    regex_syntax::Error::Parse(error) => invalid(error.kind().to_string()),
                    regex_syntax::Error::Translate(error) => invalid(error.kind().to_string()),
                    _ => invalid("it cannot be read".to_owned()),
                },
            )?;
        let too_large = "the pattern is too large: repeat less, or use size() for lengths";
        let automaton = Automaton::build(&tree).ok_or_else(|| too_large.to_owned())?;
        Ok(Self(Arc::new(automaton)))
    }

    /// Whether the text has a part that matches.
    pub(super) fn is_match(&self, text: &str, call: &Call<'_, '_, '_>) -> Result<bool, Failure> {
        let input = Input::new(text).earliest(true);
        let found = match &*self.0 {
            Automaton::Whole(automaton) => automaton.try_search_fwd(&input),
            Automaton::Lazy(automaton) => {
                call.charge(64 + 4 * text.len().min(BUILDING))?;
                call.charge_text(text.len())?;
                automaton.try_search_fwd(&mut automaton.create_cache(), &input)
            }
        };
        match found {
            Ok(found) => Ok(found.is_some()),
            Err(_) => Err(call.meter.refuse(What::TooMuchWork, call.column)),
        }
    }
}

impl Automaton {
    /// None if the pattern is too large.
    fn build(tree: &Hir) -> Option<Self> {
        let compact =
            thompson::Config::new().utf8(false).nfa_size_limit(Some(COMPILED)).which_captures(WhichCaptures::None);
        let nfa = thompson::Compiler::new().configure(compact).build_from_hir(tree).ok()?;
        let small = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(WHOLE))
            .determinize_size_limit(Some(MAKING));
        if let Ok(automaton) = dense::Builder::new().configure(small).build_from_nfa(&nfa) {
            return Some(Self::Whole(automaton));
        }
        let bounded = hybrid::Config::new().cache_capacity(STATES).minimum_cache_clear_count(Some(0));
        hybrid::DFA::builder().configure(bounded).build_from_nfa(nfa).ok().map(Self::Lazy)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pattern")
    }
}

static TYPE: Type = Type::simple_type(Kind::Unspecified, "pattern");

plain_value!(Pattern, TYPE);

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
