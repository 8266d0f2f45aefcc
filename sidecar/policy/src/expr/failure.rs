//! Why an evaluation failed, in fixed words, and how that travels through the evaluator.
//!
//! The evaluator's own errors can hold data of the call (`list + 5` carries the whole list), so none of them is ever shown:
//! what failed is one of [`What`], where it failed is a column, and both ride inside an [`ExecutionError`] as text that
//! this module writes and reads back.

use cel::ExecutionError;

/// Declares [`What`] with the words of each.
macro_rules! what {
    ($($name:ident => $words:literal,)+) => {
        /// What went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum What { $($name,)+ }

        impl What {
            pub(super) const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The words that [`super::EvalError::what`] gives.
            pub(super) fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)+ }
            }
        }
    };
}

what! {
    NoSuchKey => "no such key",
    WrongType => "wrong type",
    Overflow => "overflow",
    DivisionByZero => "division by zero",
    OutOfRange => "index out of range",
    ObjectsCompared => "objects cannot be compared",
    NotANumber => "not a number",
    NotATime => "not a time, duration or offset",
    NotAUrl => "not a URL that every reader takes alike",
    NotAPath => "not a path that every reader takes alike",
    NotAnAddress => "not an IP address or network",
    AmbiguousKey => "keys that differ only in case",
    TypesDiffer => "values of two types, which a server may take for one another: send the type that the tool asks for",
    AmbiguousNumber => "a whole number of 2^53 or more, which servers may round to another",
    ListTooLong => "a list of more than 1000 elements",
    TextTooLong => "a text of more than 65536 bytes",
    TooMuchWork => "too much work",
    NotACondition => "neither true nor false",
    NotAKey => "not a string, whole number or boolean",
    Unexpected => "could not be evaluated",
}

/// What went wrong, and the 1-based column of the part of the expression in which it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) what: What,
    pub(super) column: usize,
}

impl From<Failure> for ExecutionError {
    fn from(failure: Failure) -> Self {
        Self::FunctionError { function: failure.column.to_string(), message: failure.what.words().to_owned() }
    }
}

impl From<&ExecutionError> for Failure {
    /// Reads back what a failure became on its way through the evaluator; maps the evaluator's own errors to fixed words.
    fn from(error: &ExecutionError) -> Self {
        let what = match error {
            ExecutionError::FunctionError { function, message } => {
                let what = What::ALL.iter().find(|what| what.words() == message);
                return Self { what: what.copied().unwrap_or(What::Unexpected), column: function.parse().unwrap_or(1) };
            }
            ExecutionError::NoSuchKey(_) => What::NoSuchKey,
            ExecutionError::IndexOutOfBounds(_) => What::OutOfRange,
            ExecutionError::Overflow(..) => What::Overflow,
            ExecutionError::UnexpectedType { .. } | ExecutionError::NoSuchOverload(_) => What::WrongType,
            _ => What::Unexpected,
        };
        Self { what, column: 1 }
    }
}
