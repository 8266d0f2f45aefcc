//! What the evaluator asks of a value that it hands on and cannot look into: the same of each such type.

/// Makes a type a value of the evaluator, which has this static as its type there.
macro_rules! plain_value {
    ($own:ident, $type:ident) => {
        impl cel::common::value::Val for $own {
            fn get_type(&self) -> &cel::common::types::Type {
                &$type
            }

            fn cel_type() -> &'static cel::common::types::Type {
                &$type
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn cel::common::value::Val + 'v> {
                Box::new(self.clone())
            }

            fn as_any(&self) -> Option<&dyn std::any::Any> {
                Some(self)
            }
        }

        impl cel::common::value::StaticVal for $own {}
    };
}

pub(in crate::expr) use plain_value;
