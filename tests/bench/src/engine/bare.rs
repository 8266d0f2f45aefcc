//! The evaluator of expressions by itself: over a tree of `serde_json::Value` that is read lazily, without a bound on work
//! and without anything that keeps a call's data out of errors. What Reeve's evaluation is compared with.

use std::sync::Arc;

use cel::common::ast::IdedExpr;
use cel::common::traits::Indexer;
use cel::common::types::{CelBool, CelString, MAP_TYPE, Type};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Value};

/// An expression and what it reads.
pub struct Bare {
    environment: Arc<Env>,
    tree: IdedExpr,
    arguments: serde_json::Value,
}

impl Bare {
    /// Of this source, over the arguments of this call.
    ///
    /// # Panics
    /// If either is not well formed.
    pub fn new(source: &str, body: &[u8]) -> Self {
        let environment = Arc::new(Env::stdlib());
        let tree = environment.parser().parse(source).expect("a valid expression");
        let mut body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
        Self { environment, tree, arguments: body["params"]["arguments"].take() }
    }

    /// Whether it is true.
    pub fn holds(&self) -> bool {
        let arguments = Arguments(Object(&self.arguments));
        let mut context = Context::with_env(Arc::clone(&self.environment));
        context.set_variable_resolver(&arguments);
        let value = Value::resolve_val(&self.tree, &context);
        value.is_ok_and(|value| value.downcast_ref::<CelBool>().is_some_and(|value| *value.inner()))
    }
}

struct Arguments<'a>(Object<'a>);

impl VariableResolver for Arguments<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        (name == "args").then_some(CowVal::Borrowed(&self.0))
    }
}

#[derive(Clone, Copy, Debug)]
struct Object<'a>(&'a serde_json::Value);

impl Val for Object<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }
}

impl Indexer for Object<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = index.downcast_ref::<CelString<'_>>().map(CelString::inner);
        match key.and_then(|key| self.0.get(key)) {
            Some(serde_json::Value::String(text)) => Ok(CowVal::owned(CelString::from(text.as_str()))),
            _ => Err(ExecutionError::no_such_key(key.unwrap_or_default())),
        }
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}
