//! The rules of the wire, as pure functions and tables.
