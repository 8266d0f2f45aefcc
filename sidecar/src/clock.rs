//! The clocks that decisions count on.
