//! What an expression compares the keys of objects with. A key of the arguments that is like it in another case only is, to some
//! servers, what it is compared with.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::common::ast::operators::{EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, NOT_EQUALS};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::{Kind, Type};
use cel::common::value::Val;

use super::Call;
use super::members::{for_each, presence};
use crate::expr::failure::{Failure, What};
use crate::expr::value::{Text, as_text, plain_value};
use crate::json::in_one_case;

/// The texts of an expression that its loops may compare keys with: what a loop compares with need not stand in the loop itself.
#[derive(Clone, Debug, Default)]
pub(in crate::expr) struct Compared(Arc<Texts>);

#[derive(Debug, Default)]
struct Texts {
    whole: BTreeSet<String>,
    /// Those that are looked for in other texts.
    parts: BTreeSet<(Part, String)>,
    /// Where texts are looked for that are not written out there.
    looked_for: BTreeSet<Part>,
}

/// Where a text is looked for in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Start,
    End,
    Anywhere,
}

impl Part {
    /// Where a function looks for a text, if it does.
    fn of(call: &CallExpr) -> Option<Self> {
        match call.func_name.as_str() {
            "startsWith" => Some(Self::Start),
            "endsWith" => Some(Self::End),
            "contains" => Some(Self::Anywhere),
            _ => None,
        }
    }

    fn is_in(self, text: &str, part: &str) -> bool {
        match self {
            Self::Start => text.starts_with(part),
            Self::End => text.ends_with(part),
            Self::Anywhere => text.contains(part),
        }
    }
}

impl Compared {
    /// Gathers the texts of a tree.
    pub(in crate::expr) fn of(tree: &IdedExpr) -> Self {
        let mut texts = Texts::default();
        texts.gather(tree);
        // What is looked for without being written out there may be any text that is.
        let any = texts.looked_for.iter().flat_map(|part| texts.whole.iter().map(|text| (*part, text.clone())));
        texts.parts = texts.parts.iter().cloned().chain(any).collect();
        Self(Arc::new(texts))
    }

    /// Refuses an object of which a key is not what it may be compared with, and is to a server that does not regard case.
    pub(super) fn check(&self, call: &Call<'_, '_, '_>, object: &(dyn Val + '_)) -> Result<(), Failure> {
        for text in &self.0.whole {
            presence(call, object, &Text::from(text.clone()))?;
        }
        let parts: Vec<_> = self.0.parts.iter().map(|(part, text)| (*part, text, in_one_case(text))).collect();
        if parts.is_empty() {
            return Ok(());
        }
        for_each(object, |key| {
            let key = as_text(key).unwrap_or_default();
            call.charge_text(key.len() * (1 + parts.len()))?;
            let key_in_one_case = in_one_case(key);
            let is_another = |(part, text, folded): &(Part, &String, String)| {
                part.is_in(&key_in_one_case, folded) && !part.is_in(key, text)
            };
            if parts.iter().any(is_another) {
                return Err(call.meter.refuse(What::AmbiguousKey, call.column));
            }
            Ok(true)
        })
    }
}

impl Texts {
    fn gather(&mut self, node: &IdedExpr) {
        match &node.expr {
            Expr::Literal(LiteralValue::String(text)) => {
                self.whole.insert(text.inner().to_owned());
            }
            Expr::Select(select) => self.gather(&select.operand),
            Expr::List(list) => self.all(&list.elements),
            Expr::Call(call) if COMPARISONS.contains(&call.func_name.as_str()) => {
                let compares_a_key = call.args.iter().any(may_be_a_key);
                self.all(call.args.iter().filter(|operand| compares_a_key || !is_written_out(operand)));
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(loops) => self.all([&loops.iter_range, &loops.loop_step]),
            _ => {}
        }
    }

    fn call(&mut self, call: &CallExpr) {
        self.all(call.target.as_deref());
        match (Part::of(call), call.args.as_slice()) {
            (Some(_), [sought]) if !call.target.as_deref().is_some_and(may_be_a_key) && is_written_out(sought) => {}
            (Some(part), [IdedExpr { expr: Expr::Literal(LiteralValue::String(text)), .. }]) => {
                self.parts.insert((part, text.inner().to_owned()));
            }
            (Some(part), _) if call.target.as_deref().is_some_and(may_be_a_key) => {
                self.looked_for.insert(part);
                self.all(&call.args);
            }
            _ => self.all(&call.args),
        }
    }

    fn all<'n>(&mut self, nodes: impl IntoIterator<Item = &'n IdedExpr>) {
        nodes.into_iter().for_each(|node| self.gather(node));
    }
}

/// Operators that compare texts.
const COMPARISONS: [&str; 7] = [EQUALS, NOT_EQUALS, IN, LESS, LESS_EQUALS, GREATER, GREATER_EQUALS];

/// Whether a node is a literal, or a list of such.
fn is_written_out(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Literal(_) => true,
        Expr::List(list) => list.elements.iter().all(is_written_out),
        _ => false,
    }
}

/// Whether a node may give the key that a loop is at, or a text made of it. What stands under a key, as `args.env[key]`, is none.
fn may_be_a_key(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Ident(_) | Expr::Comprehension(_) => true,
        Expr::Select(select) => !begins_with_a_name(node) && may_be_a_key(&select.operand),
        Expr::Call(call) if call.func_name == INDEX && begins_with_a_name(node) => false,
        Expr::Call(call) => call.target.iter().map(|target| &**target).chain(&call.args).any(may_be_a_key),
        Expr::List(list) => list.elements.iter().any(may_be_a_key),
        _ => false,
    }
}

/// Whether a node is a member or element of something that a name stands for.
fn begins_with_a_name(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Ident(_) => true,
        Expr::Select(select) => begins_with_a_name(&select.operand),
        Expr::Call(call) if call.func_name == INDEX => call.args.first().is_some_and(begins_with_a_name),
        _ => false,
    }
}

static TYPE: Type = Type::simple_type(Kind::Unspecified, "compared");

plain_value!(Compared, TYPE);
