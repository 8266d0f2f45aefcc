//! One record for each decision.
