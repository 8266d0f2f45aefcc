//! Every metric, with bounded labels.
