//! Accepts connections within bounds.
