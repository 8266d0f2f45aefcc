//! The phases of a request.
