//! What an expression compares the keys of objects with. A key of the arguments that is like it in another case only is, to some
//! servers, what it is compared with.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::{Kind, Type};
use cel::common::value::{StaticVal, Val};

use super::Call;
use super::members::{for_each, presence};
use crate::expr::failure::{Failure, What};
use crate::expr::value::{Text, as_text};
use crate::json::in_one_case;

/// The texts of an expression that its loops may compare keys with: what a loop compares with need not stand in the loop itself.
#[derive(Clone, Debug, Default)]
pub(in crate::expr) struct Compared(Arc<Texts>);

#[derive(Debug, Default)]
struct Texts {
    whole: BTreeSet<String>,
    /// Those that are looked for in other texts.
    parts: BTreeSet<(Part, String)>,
}

/// Where a text is looked for in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Start,
    End,
    Anywhere,
}

impl Part {
    /// What a function looks for, if it is one that looks for a text that is written out.
    fn of(call: &CallExpr) -> Option<(Self, String)> {
        let part = match call.func_name.as_str() {
            "startsWith" => Self::Start,
            "endsWith" => Self::End,
            "contains" => Self::Anywhere,
            _ => return None,
        };
        match &call.args.first()?.expr {
            Expr::Literal(LiteralValue::String(text)) => Some((part, text.inner().to_owned())),
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
            Expr::Call(call) => {
                self.all(call.target.as_deref());
                match Part::of(call) {
                    Some(part) => {
                        self.parts.insert(part);
                    }
                    None => self.all(&call.args),
                }
            }
            Expr::Comprehension(loops) => self.all([&loops.iter_range, &loops.loop_step]),
            _ => {}
        }
    }

    fn all<'n>(&mut self, nodes: impl IntoIterator<Item = &'n IdedExpr>) {
        nodes.into_iter().for_each(|node| self.gather(node));
    }
}

static TYPE: Type = Type::simple_type(Kind::Unspecified, "compared");

impl Val for Compared {
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

impl StaticVal for Compared {}
