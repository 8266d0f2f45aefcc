//! What a rule's expressions take arguments for, against what the schemas of the tools that it names exactly permit.

use std::sync::Arc;

use super::{Part, words};
use crate::catalogue::Tool;
use crate::expr::{Certain, Expectation, Expected, Fact, Path};
use crate::schema::{Kinds, Permitted};

/// The arguments of the calls that a rule selects.
pub(super) struct Arguments<'c> {
    /// The tools that the rule names exactly.
    tools: Vec<&'c Tool>,
    /// What the expressions so far make certain: later ones are not reached otherwise.
    certain: Vec<Fact>,
    /// What has been said to be missing or null: no call in which it is gets any further.
    told: Vec<Path>,
}

/// What a schema shows of an argument that an expression reads.
#[derive(Debug)]
pub(super) enum Finding {
    /// There is none of this name; the nearest that there is.
    Undeclared(Option<String>),
    /// What is read here is none of the kinds that are needed, ever.
    Impossible {
        /// The argument, or the one around it that should be an object.
        path: Path,
        is: Kinds,
        needed: Kinds,
    },
    /// It is never of a kind with what it is compared with: an error, unless it is null.
    NeverEqual { is: Kinds, with: Kinds },
    /// It, or something around it, may be missing or null, which is an error.
    Missing(Vec<Doubt>),
    /// It may be null, and be there all the same.
    NullIsPresent,
    /// It may be of other kinds too than what it is compared with, which are an error.
    MayDiffer { others: Kinds },
    /// It may be of other kinds too, which are an error.
    MayFail { others: Kinds, needed: Kinds },
}

/// An argument that may be missing or null.
#[derive(Debug)]
pub(super) struct Doubt {
    pub(super) path: Path,
    pub(super) may_be_missing: bool,
    pub(super) may_be_null: bool,
}

impl<'c> Arguments<'c> {
    pub(super) fn of(tools: impl Iterator<Item = &'c Arc<Tool>>) -> Self {
        Self { tools: tools.map(AsRef::as_ref).collect(), certain: Vec::new(), told: Vec::new() }
    }

    /// What is likely a mistake in the next expression of the rule: columns and messages.
    pub(super) fn warnings(&mut self, part: &Part<'_>) -> Vec<(usize, String)> {
        let mut warnings = Vec::new();
        let mut undeclared: Vec<&Path> = Vec::new();
        for expectation in part.located.expression.expectations() {
            let found = self.tools.iter().find_map(|tool| Some((*tool, self.find(tool, expectation)?)));
            let Some((tool, finding)) = found else { continue };
            match &finding {
                Finding::Undeclared(_) if undeclared.contains(&&expectation.path) => continue,
                Finding::Undeclared(_) => undeclared.push(&expectation.path),
                Finding::Missing(doubts) => self.told.extend(doubts.iter().map(|doubt| doubt.path.clone())),
                Finding::NullIsPresent => self.told.push(expectation.path.clone()),
                _ => {}
            }
            warnings.push((expectation.column, words::message(&finding, tool, expectation, part.role)));
        }
        self.certain.extend_from_slice(part.located.expression.ensures());
        warnings
    }

    fn find(&self, tool: &Tool, expectation: &Expectation) -> Option<Finding> {
        let path = &expectation.path;
        let schema = tool.schema().ok()?;
        if let Some(Err(nearest)) = schema.declares(path) {
            let is_of_another = self.is_tested(expectation) && self.is_declared(path);
            return (!is_of_another).then_some(Finding::Undeclared(nearest));
        }
        let steps = schema.permits(path);
        if expectation.expected != Expected::Asked {
            return self.of_reading(&steps, expectation);
        }
        // What is around it is read, and told of, by itself.
        let kinds = steps.get(path.len() - 1).map(|permitted| permitted.kinds).filter(|kinds| *kinds != Kinds::ANY)?;
        let is = kinds.and(self.kinds(path, expectation));
        (is.meets(Kinds::NULL) && !self.is_told(path)).then_some(Finding::NullIsPresent)
    }

    /// Whether it does no harm if the argument is missing.
    fn is_tested(&self, expectation: &Expectation) -> bool {
        expectation.expected == Expected::Asked || self.is_present(&expectation.path, expectation)
    }

    /// Whether any of the tools has such an argument.
    fn is_declared(&self, path: &[String]) -> bool {
        self.tools.iter().any(|tool| tool.schema().is_ok_and(|schema| schema.declares(path) == Some(Ok(()))))
    }

    /// Of an argument that is read, step by step.
    fn of_reading(&self, steps: &[Permitted], expectation: &Expectation) -> Option<Finding> {
        let Expectation { path, expected, .. } = expectation;
        let mut doubts = Vec::new();
        for (depth, permitted) in (1..).zip(steps) {
            let (here, is_last) = (&path[..depth], depth == path.len());
            let is = permitted.kinds.and(self.kinds(here, expectation));
            let needed = match expected {
                _ if !is_last => Kinds::OBJECT,
                Expected::Kinds(needed) | Expected::Ordered(needed) => *needed,
                _ => Kinds::ANY,
            };
            let may_be_missing = !permitted.required && !self.is_present(here, expectation);
            let may_be_null = permitted.kinds != Kinds::ANY && is.without(needed).meets(Kinds::NULL);
            if (may_be_missing || may_be_null) && !self.is_told(here) {
                doubts.push(Doubt { path: here.to_vec(), may_be_missing, may_be_null });
            }
            if is == Kinds::NONE {
                // By the tests around it, it is not reached unless the argument is missing.
                break;
            }
            if !is.meets(needed) {
                return Some(Finding::Impossible { path: here.to_vec(), is, needed });
            }
            if is_last {
                return of_kinds(is, *expected, doubts, permitted.kinds != Kinds::ANY);
            }
        }
        (!doubts.is_empty()).then_some(Finding::Missing(doubts))
    }

    fn is_told(&self, path: &[String]) -> bool {
        self.told.iter().any(|told| told == path)
    }

    fn is_present(&self, path: &[String], expectation: &Expectation) -> bool {
        self.facts(path, expectation).any(|certain| certain == Certain::Present)
    }

    /// What an argument is, as far as tests of it tell.
    fn kinds(&self, path: &[String], expectation: &Expectation) -> Kinds {
        self.facts(path, expectation).fold(Kinds::ANY, |all, certain| match certain {
            Certain::Kinds(kinds) => all.and(kinds),
            Certain::Present => all,
        })
    }

    fn facts<'f>(&'f self, path: &'f [String], expectation: &'f Expectation) -> impl Iterator<Item = Certain> + 'f {
        let facts = self.certain.iter().chain(&expectation.certain);
        facts.filter(move |fact| fact.path == path).map(|fact| fact.certain)
    }
}

/// Of an argument that may be of these kinds. `tells` is whether the schema says anything of them.
fn of_kinds(is: Kinds, expected: Expected, doubts: Vec<Doubt>, tells: bool) -> Option<Finding> {
    let compared = match expected {
        Expected::Equal(with) | Expected::Unequal(with) => Some(with),
        _ => None,
    };
    if let Some(with) = compared.filter(|with| !is.meets(*with)) {
        return Some(Finding::NeverEqual { is, with });
    }
    if !doubts.is_empty() {
        return Some(Finding::Missing(doubts));
    }
    let others = is.without(Kinds::NULL);
    let finding = match expected {
        Expected::Kinds(needed) | Expected::Ordered(needed) => {
            Finding::MayFail { others: others.without(needed), needed }
        }
        Expected::Equal(with) | Expected::Unequal(with) => {
            let alike = if with.meets(Kinds::NUMBER) { with.or(Kinds::NUMBER) } else { with };
            Finding::MayDiffer { others: others.without(alike) }
        }
        Expected::Asked => return None,
    };
    let (Finding::MayFail { others, .. } | Finding::MayDiffer { others }) = finding else { return None };
    (tells && others != Kinds::NONE).then_some(finding)
}
